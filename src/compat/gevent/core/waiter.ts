/**
 * The waiter: lets one greenlet wait for a value that the hub will bring.
 *
 * Carries `gevent._waiter`: the value may come before the greenlet, or the greenlet be gone when it comes.
 */
import { inspect } from "node:util"
import type { Microthread, Operation } from "../../../greenlet/index.ts"
import { AssertionError, ConcurrentObjectUseError } from "./exceptions.ts"
import { gethub, type Hub, nameOf, Resume, throwing, Waits } from "./hub.ts"
import { printed } from "./printed.ts"
import { errorOf } from "./timeout.ts"
import { WaitFrame } from "./wait-frame.ts"

/**
 * A meeting point of one greenlet and the hub. A lower-level thing than `Event` and `AsyncResult`: use those. Mirrors
 * `gevent.hub.Waiter`.
 *
 * @category models
 * @since 0.1.0
 */
export class Waiter<in out A = unknown> {
  static {
    printed(this)
  }
  /** @internal who waits */
  greenlet: Microthread | undefined = undefined
  readonly hub: Hub
  private state: "empty" | "value" | "error" = "empty"
  private content: unknown = undefined
  /** @internal what it is waited for, as a report names it */
  readonly what: unknown

  constructor(hub: Hub = gethub(), /** @internal */ what?: unknown) {
    this.hub = hub
    this.what = what ?? this
  }

  /** Forgets what it got. */
  clear(): void {
    this.state = "empty"
    this.content = undefined
  }

  /** Did it get a value or an error that nobody has waited for yet? */
  ready(): boolean {
    return this.state !== "empty"
  }

  /** Was it a value? */
  successful(): boolean {
    return this.state === "value"
  }

  /** That value. */
  get value(): A | undefined {
    return this.state === "value" ? this.content as A : undefined
  }

  /** The error, if it was one. */
  get exception(): unknown {
    return this.state === "error" ? this.content : undefined
  }

  /**
   * Brings a value. While a greenlet waits, only the hub may: what this returns is for the hub to perform, so a callback
   * returns it. Throws `AssertionError` elsewhere. Mirrors `Waiter.switch`.
   */
  switch(value: A): Operation<void> | undefined {
    return this.brings("value", value) as Operation<void> | undefined
  }

  /** Brings an error, likewise; of a class a new one is made. Mirrors `Waiter.throw`. */
  throw(error: unknown): Operation<unknown> | undefined {
    return this.brings("error", errorOf(error))
  }

  /**
   * Waits for what is brought. Dies with `ConcurrentObjectUseError` if another greenlet does already. Mirrors
   * `Waiter.get`.
   */
  get(): Operation<A, any> {
    return new Waits((current) => this.waits(current))
  }

  private waits(current: Microthread): Microthread {
    if (this.state === "error") throw this.content
    if (this.state === "value") return current.give(this.content)
    if (this.greenlet !== undefined) throw new ConcurrentObjectUseError("this Waiter is already used by a greenlet")
    this.greenlet = current
    return new Waiting(this).parks(current, this.hub, this.what)
  }

  private brings(state: "value" | "error", content: unknown): Operation<unknown> | undefined {
    const { greenlet, hub } = this
    if (greenlet === undefined) {
      this.state = state
      this.content = content
      return undefined
    }
    if (hub.thread.current !== hub) throw new AssertionError("Can only use Waiter.switch method from the Hub greenlet")
    return state === "value" ? new Resume(greenlet, content) : throwing(greenlet, content)
  }

  toString(): string {
    const { content, state } = this
    const got = state === "empty"
      ? ""
      : state === "value"
      ? ` value=${inspect(content)}`
      : ` exc_info=${nameOf(content)}`
    return `<${this.constructor.name} greenlet=${this.greenlet === undefined ? "None" : String(this.greenlet)}${got}>`
  }
}

/** A greenlet waits for what is brought. */
class Waiting<A> extends WaitFrame<A> {
  private readonly waiter: Waiter<A>
  constructor(waiter: Waiter<A>) {
    super()
    this.waiter = waiter
  }
  protected came(value: unknown): A {
    this.waiter.greenlet = undefined
    return value as A
  }
  protected failed(error: unknown): A {
    this.waiter.greenlet = undefined
    throw error
  }
}
