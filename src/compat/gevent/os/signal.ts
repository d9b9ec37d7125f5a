/**
 * Handling a signal in a greenlet. Carries `gevent.signal_handler`: what a handler throws is thrown in the main greenlet,
 * too.
 */
import type * as Effect from "effect/Effect"
import { constants } from "node:os"
import { type Body, call, GreenletExit, ValueError } from "../../../greenlet/index.ts"
import { Greenlet } from "../core/greenlet.ts"
import { gethub, type Hub } from "../core/hub.ts"
import type { Timer } from "../core/loop.ts"
import { printed } from "../core/printed.ts"

/** The longest that JavaScript's timers take, in seconds, about. */
const LONG = 2_000_000

/**
 * A handler that is set; `signalHandler` makes one. Mirrors what `gevent.signal_handler` returns.
 *
 * @category models
 * @since 0.1.0
 */
export class SignalHandler {
  static {
    printed(this)
  }
  private readonly hub: Hub = gethub()
  private readonly signal: NodeJS.Signals
  private readonly listener: () => void
  private cancelled = false
  private keeper: Timer | undefined = undefined

  constructor(signal: NodeJS.Signals | number, handler: Body, ...args: ReadonlyArray<unknown>) {
    if (typeof handler !== "function") throw new TypeError("signal handler must be callable.")
    this.signal = nameOf(signal)
    const { hub } = this
    this.listener = () => {
      hub.runCallback(() => this.cancelled ? undefined : new Greenlet(() => handling(hub, handler, args)))
    }
    process.on(this.signal, this.listener)
  }

  /** Does it keep the hub waiting for the signal, instead of giving up with `LoopExit`? Can be set; it does not at first. */
  get ref(): boolean {
    return this.keeper !== undefined
  }

  set ref(ref: boolean) {
    if (ref === this.ref || this.cancelled) return
    if (ref) this.keeps(this.keeper = this.hub.timer(LONG))
    else {
      this.keeper!.stop()
      this.keeper = undefined
    }
  }

  private keeps(keeper: Timer): void {
    keeper.start(() => this.keeps(keeper) as undefined)
  }

  /** Takes it off: the signal does again what it did before. */
  cancel(): void {
    this.ref = false
    this.cancelled = true
    process.off(this.signal, this.listener)
  }

  toString(): string {
    return `<SignalHandler ${this.signal}${this.cancelled ? " cancelled" : ""}>`
  }
}

/**
 * Has `handler` called with `args`, in a new greenlet, whenever the process gets the signal. What it throws is reported to the
 * hub without a context, so that it is thrown in the main greenlet. Throws `TypeError` if it is no function, `ValueError` if
 * there is no such signal, or it cannot be handled. Mirrors `gevent.signal_handler`.
 *
 * @category operations
 * @since 0.1.0
 */
export const signalHandler = <Args extends ReadonlyArray<any>>(
  signal: NodeJS.Signals | number,
  handler: Body<Args>,
  ...args: Args
): SignalHandler => new SignalHandler(signal, handler, ...args)

function* handling(
  hub: Hub,
  handler: Body,
  args: ReadonlyArray<unknown>
): Generator<Effect.Effect<any, any>, void, any> {
  try {
    yield* call(handler, ...args)
  } catch (error) {
    // one that is killed only ends
    if (error instanceof GreenletExit) throw error
    hub.handleError(undefined, error)
  }
}

const nameOf = (signal: NodeJS.Signals | number): NodeJS.Signals => {
  const found = Object.entries(constants.signals).find(([name, number]) => signal === name || signal === number)
  if (found === undefined) throw new ValueError(`illegal signal: ${signal}`)
  const name = found[0] as NodeJS.Signals
  if (name === "SIGKILL" || name === "SIGSTOP") throw new ValueError(`no process can handle ${name}`)
  return name
}
