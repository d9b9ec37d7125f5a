/** Events and results: what greenlets tell each other. Carries `gevent.event`. */
import type { Microthread, Operation } from "../../../greenlet/index.ts"
import { HubOperation, requireNoTasklet, Waits } from "../core/hub.ts"
import { AbstractLinkable, LinkWait, OthersFirst, UntilReady } from "../core/linkable.ts"
import { errorOf, type Limit, Timeout } from "../core/timeout.ts"

/**
 * A flag that greenlets wait for. All that wait are woken when it is set. Mirrors `gevent.event.Event`.
 *
 * @category models
 * @since 0.1.0
 */
export class Event extends AbstractLinkable {
  private flag = false
  private readonly what: unknown

  constructor(/** @internal what a report names in its place */ what?: unknown) {
    super()
    this.what = what ?? this
  }

  /** Is the flag set? Mirrors `Event.is_set`. */
  isSet(): boolean {
    return this.flag
  }

  /** The same, as for everything that can be waited for. */
  override ready(): boolean {
    return this.flag
  }

  /** Sets the flag, and wakes all that wait. Mirrors `Event.set`. */
  set(): void {
    this.flag = true
    this.checkAndNotify()
  }

  /** Clears the flag. Mirrors `Event.clear`. */
  clear(): void {
    this.flag = false
  }

  /**
   * Waits until the flag is set, for `timeout` seconds at the most; gives back whether it was. Mirrors `Event.wait`.
   */
  wait(timeout?: Limit): Operation<boolean> {
    return new Wait(this, timeout)
  }

  /** @internal */
  get setAndQuiet(): boolean {
    return this.flag && !this.notifying
  }

  /** @internal */
  waiting(current: Microthread, timeout: Limit): Microthread {
    if (!this.flag) return new UntilReady(this, current, this.what).waits(timeout)
    return this.notifying ? new LetOthersGoFirst(this, current).waits() : current.give(true)
  }

  override toString(): string {
    return `<Event ${this.flag ? "set" : "clear"} _links[${this.linkcount()}]>`
  }
}

class Wait extends HubOperation<boolean> {
  readonly event: Event
  readonly timeout: Limit
  constructor(event: Event, timeout: Limit) {
    super()
    this.event = event
    this.timeout = timeout
  }
  perform(current: Microthread): Microthread {
    const { event, timeout } = this
    if (event.setAndQuiet) return current.give(true)
    requireNoTasklet(current)
    return event.waiting(current, timeout)
  }
}

class LetOthersGoFirst extends OthersFirst<Event, boolean> {
  protected told(): boolean {
    return true
  }
}

/** How to get a result. */
export interface GetOptions {
  /** Wait for it? `false` throws at once what a timeout would throw. */
  readonly block?: boolean
  /** How long to wait for it, in seconds. */
  readonly timeout?: Limit
}

/** What has a result, such as a greenlet. */
export interface Source<out A> {
  successful(): boolean
  readonly value: A | undefined
  readonly exception: unknown
}

/**
 * A value or an error that is set once, and that any number of greenlets wait for. Mirrors `gevent.event.AsyncResult`.
 *
 * Where Python links one to a greenlet by calling it, `greenlet.link(result)`, write `greenlet.link((g) => result.take(g))`.
 *
 * @category models
 * @since 0.1.0
 */
export class AsyncResult<in out A = any> extends AbstractLinkable {
  private content: { readonly value: A } | undefined = undefined
  private error: { readonly error: unknown } | undefined = undefined

  /** Has it a value or an error? */
  override ready(): boolean {
    return this.error !== undefined || this.content !== undefined
  }

  /** Has it a value? */
  successful(): boolean {
    return this.content !== undefined
  }

  /** The value, if it has one. */
  get value(): A | undefined {
    return this.content?.value
  }

  /** The error, if it has one. */
  get exception(): unknown {
    return this.error?.error
  }

  /** The class of the error and the error. Mirrors `exc_info`. */
  get excInfo(): readonly [] | readonly [type: unknown, error: unknown] {
    return this.error === undefined ? [] : [(this.error.error as object | undefined)?.constructor, this.error.error]
  }

  /** Sets the value, and wakes all that wait. Mirrors `AsyncResult.set`. */
  set(...value: [undefined] extends [A] ? [value?: A] : [value: A]): void {
    this.content = { value: value[0] as A }
    this.checkAndNotify()
  }

  /** Sets an error, which `get` throws; of a class a new one. Mirrors `AsyncResult.set_exception`. */
  setException(error: unknown): void {
    this.error = { error: errorOf(error) }
    this.checkAndNotify()
  }

  /** Takes over the result of something else that is ready. Mirrors calling an `AsyncResult` as a link. */
  take(source: Source<A>): void {
    if (source.successful()) {
      this.content = { value: source.value as A }
      this.checkAndNotify()
    } else this.setException(source.exception)
  }

  /**
   * Waits for the value. Dies with the error that was set, or with a `Timeout`. Mirrors `AsyncResult.get`.
   */
  get(options?: GetOptions): Operation<A> {
    return new Waits((current) => this.getting(current, options))
  }

  /** The value now. Throws a `Timeout` if there is none. Mirrors `AsyncResult.get_nowait`. */
  getNowait(): A {
    if (this.content !== undefined) return this.content.value
    if (this.error !== undefined) throw this.error.error
    throw new Timeout()
  }

  /** Waits until it is ready; gives back the value, `undefined` for want of one. Mirrors `AsyncResult.wait`. */
  wait(timeout?: Limit): Operation<A | undefined> {
    return new Waits((current) => this.waiting(current, timeout))
  }

  private getting(current: Microthread, options: GetOptions | undefined): Microthread {
    if (this.ready() || options?.block === false) return current.give(this.getNowait())
    return new GetResult(this, current).waits(options?.timeout)
  }

  private waiting(current: Microthread, timeout: Limit): Microthread {
    if (!this.ready()) return new WaitForResult(this, current).waits(timeout)
    // those who go first may set another one
    const { value } = this
    return this.notifying ? new GiveAfterOthers(this, current, value).waits() : current.give(value)
  }

  /** The name that `concurrent.futures` has for `get`. Mirrors `AsyncResult.result`. */
  result(timeout?: Limit): Operation<A> {
    return this.get({ timeout })
  }

  /** The same for `ready`. */
  done(): boolean {
    return this.ready()
  }

  /** The same for what cannot be done: it is never cancelled. */
  cancel(): false {
    return false
  }

  /** The same. */
  cancelled(): false {
    return false
  }

  override toString(): string {
    const state = this.content !== undefined ? "value" : this.error !== undefined ? "exception" : "unset"
    return `<AsyncResult ${state} _links[${this.linkcount()}]>`
  }
}

/** Unlike in `wait`, the timeout is the caller's to see. */
class GetResult<A> extends LinkWait<AsyncResult<A>, A> {
  protected told(): A {
    return this.source.getNowait()
  }
}

class WaitForResult<A> extends LinkWait<AsyncResult<A>, A | undefined> {
  protected told(): A | undefined {
    return this.source.value
  }
  protected override timedOut(): A | undefined {
    return this.source.value
  }
}

class GiveAfterOthers<A> extends OthersFirst<AsyncResult<A>, A | undefined> {
  private readonly value: A | undefined
  constructor(source: AsyncResult<A>, greenlet: Microthread, value: A | undefined) {
    super(source, greenlet)
    this.value = value
  }
  protected told(): A | undefined {
    return this.value
  }
}
