/**
 * The waiter: lets one greenlet wait for a value that the hub will bring.
 *
 * Carries `gevent._waiter`: the value may come before the greenlet, or the greenlet be gone when it comes.
 */
import type * as Effect from "effect/Effect"
import { inspect } from "node:util"
import { getcurrent, type Microthread, type Operation } from "../../../greenlet/index.ts"
import { AssertionError, ConcurrentObjectUseError } from "./exceptions.ts"
import { gethub, type Hub, nameOf, Resume, Steps, throwing } from "./hub.ts"
import { printed } from "./printed.ts"
import { errorOf } from "./timeout.ts"

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
    return new Steps(() => this.wait())
  }

  /** @internal the same, for a frame that waits anyway */
  *wait(): Generator<Effect.Effect<A>, A, any> {
    if (this.state === "error") throw this.content
    if (this.state === "value") return this.content as A
    if (this.greenlet !== undefined) throw new ConcurrentObjectUseError("this Waiter is already used by a greenlet")
    this.greenlet = getcurrent()
    try {
      return yield* this.hub.park<A>(this.what)
    } finally {
      this.greenlet = undefined
    }
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

/** A waiter that keeps all that it gets, and hands it out one by one. */
export class MultipleWaiter<in out A> {
  private readonly values: Array<A> = []
  private readonly waiter: Waiter<void>

  constructor(hub: Hub, what: unknown) {
    this.waiter = new Waiter(hub, what)
  }

  switch(value: A): Operation<void> | undefined {
    this.values.push(value)
    return this.waiter.switch()
  }

  *wait(): Generator<Effect.Effect<any>, A, any> {
    if (this.values.length === 0) yield* this.waiter.wait()
    this.waiter.clear()
    return this.values.shift()!
  }
}
