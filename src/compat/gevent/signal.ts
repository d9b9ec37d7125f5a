/** Handling a signal in a greenlet. Carries `gevent.signal_handler`. */
import type { Body } from "../../greenlet/index.ts"
import { Greenlet } from "./greenlet.ts"
import { gethub } from "./hub.ts"

/** A handler that is set; `cancel` takes it off. */
export interface SignalHandler {
  cancel(): void
}

/**
 * Has `handler` called with `args`, in a new greenlet, whenever the process gets the signal. What it throws is reported to
 * the hub. It does not keep the hub waiting. Throws `TypeError` if it is no function. Mirrors `gevent.signal_handler`.
 *
 * @category operations
 * @since 0.1.0
 */
export const signalHandler = (
  signal: NodeJS.Signals,
  handler: Body,
  ...args: ReadonlyArray<unknown>
): SignalHandler => {
  if (typeof handler !== "function") throw new TypeError("signal handler must be callable.")
  const hub = gethub()
  const listener = () =>
    hub.runCallback(() => {
      Greenlet.spawn<Greenlet, [Body, ...ReadonlyArray<unknown>]>(handler, ...args)
    })
  process.on(signal, listener)
  return { cancel: () => void process.off(signal, listener) }
}
