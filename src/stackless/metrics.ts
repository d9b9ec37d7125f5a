/**
 * Effect's metrics of a thread: how many tasklets are runnable, how many are blocked, how many switches were made.
 *
 * They are on within a scope. The two numbers of tasklets are worked out when somebody reads them; the switches are
 * counted, and while they are, a switch takes the long way through the scheduler. While no metrics are on, there is
 * nothing to pay.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Metric from "effect/Metric"
import type * as Scope from "effect/Scope"
import { currentThread } from "../greenlet/index.ts"
import { Meter } from "./meter.ts"
import { schedulerOf } from "./tasklet.ts"
import { threadIdOf } from "./threads.ts"

const runcount = Metric.gauge("stackless_runcount", {
  description: "Tasklets that are runnable, the current one counted"
})

const blocked = Metric.gauge("stackless_blocked", {
  description: "Tasklets that wait on a channel or for an Effect, of those that have blocked since the metrics are on"
})

const switches = Metric.counter("stackless_switches", { description: "Switches between tasklets", incremental: true })

/**
 * Turns Effect's metrics of the current thread on, until the scope ends: the gauges `stackless_runcount` and
 * `stackless_blocked`, and the counter `stackless_switches`, each with the attribute `thread`. They are in
 * `Metric.snapshot`, and go where an exporter takes that.
 *
 * @category metrics
 * @since 0.1.0
 */
export const metrics: Effect.Effect<void, never, Scope.Scope> = Effect.withFiber((fiber) =>
  Effect.asVoid(Effect.acquireRelease(
    Effect.sync(() => {
      const scheduler = schedulerOf(currentThread())
      const meter = new Meter()
      scheduler.meter = meter
      const context = Context.add(fiber.context as Context.Context<never>, Metric.CurrentMetricAttributes, {
        ...Context.get(fiber.context as Context.Context<never>, Metric.CurrentMetricAttributes),
        thread: String(threadIdOf(scheduler.thread))
      })
      const read = <State>(get: () => State) => ({ get, update: () => {}, modify: () => {} })
      const registrations = [
        Metric.registerUnsafe(runcount, context, read(() => ({ value: scheduler.runcount }))),
        Metric.registerUnsafe(blocked, context, read(() => ({ value: meter.blocked }))),
        Metric.registerUnsafe(switches, context, read(() => ({ count: meter.switches, incremental: true })))
      ]
      return () => {
        if (scheduler.meter === meter) scheduler.meter = undefined
        for (const registration of registrations) registration.remove()
      }
    }),
    (off) => Effect.sync(off)
  ))
)
