/**
 * `select` with cases of durable channels, beside those of others.
 *
 * A case of a local or remote channel is done within one turn of the ring, by whoever meets it; one of a durable channel is a transaction,
 * which takes a while. So while a transaction is made, the selection has no offers at its other channels; while it has, it makes none. It
 * waits, with a relay as one case more, for a change in the storage, and then withdraws its offers and tries again. One case is done, and
 * of the others nothing: nothing is leased that would have to be given back, and nothing stored that was not chosen.
 */
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { Operation } from "../../greenlet/index.ts"
import { type Cases, Relay, select, type SelectOptions, SELECTS } from "../../stackless/index.ts"
import { awaitedBy } from "../storage/steps.ts"
import {
  begun,
  came,
  Choice,
  type DurableFailure,
  leased,
  type Request,
  type RequestCase,
  type Spec
} from "./operation.ts"

/** What one does on a durable channel that waits: it can be a case of `choose` and of `select`. */
export class ChannelOperation<A, R = never> extends Choice<A, R> {
  [SELECTS](cases: Cases, options: SelectOptions): Operation<any, any, any> {
    return new DurableSelect(cases, options)
  }
}

const none = Symbol()
const nothing = new Uint8Array(0)
const now: RequestCase = { case: { _tag: "Now", value: nothing }, channel: undefined, whole: false }

class DurableSelect extends Choice<any, any> {
  /** The cases of other channels. */
  private readonly others: Cases
  private readonly options: SelectOptions

  constructor(cases: Cases, options: SelectOptions) {
    const { durable, others } = sorted(cases)
    const keys = durable.map(([key]) => key)
    const specs = durable.map(([, { specs }]) => specs[0]!)
    const otherwise = isEmpty(others) ? otherwiseOf(options) : []
    super([...specs, ...otherwise.map(({ spec }) => spec)], [...keys, ...otherwise.map(({ key }) => key)])
    this.others = others
    this.options = options
    // it finds what cannot be a case
    if (!isEmpty(others)) void select(others)
  }

  override request(now: number): Request {
    if (isEmpty(this.others)) return super.request(now)
    const [name] = Object.keys(this.others)
    throw new TypeError(
      `in a durable tasklet, select takes cases of durable channels alone, as others are not in the storage; the case ${
        JSON.stringify(name)
      } is something else`
    )
  }

  override get plainly(): Effect.Effect<any, DurableFailure, Scope.Scope> {
    return isEmpty(this.others) ? super.plainly : this.amongOthers
  }

  /** Outside of durable tasklets, with cases of other channels. */
  private get amongOthers(): Effect.Effect<unknown, DurableFailure, Scope.Scope> {
    const { options, others } = this
    const stored = new Choice<any>(this.specs, this.keys)
    let woken = "woken"
    while (woken in others) woken += "!"
    return Effect.gen(function*() {
      const { request, scope, storage } = yield* begun(stored)
      const end = (yield* Clock.currentTimeMillis) + millisOf(options.timeout)
      const attempting: Request = { ...request, cases: [...request.cases, now] }
      const names = awaitedBy({ _tag: "Choose", cases: request.cases.map(({ case: it }) => it) })
      // whichever can be done is done; of both, either
      if (Math.random() < 0.5) {
        const first = yield* select(others, { default: none })
        if (first.value !== none) return first
      }
      for (;;) {
        const waking = new Relay<void>({ changed: () => {}, room: () => false, take: () => {} })
        const stop = storage.onChange(names, () => waking.put())
        const attempt = Effect.gen(function*() {
          const outcome = yield* leased(storage, attempting, scope)
          if (outcome._tag !== "Done" || outcome.index < request.cases.length) return yield* came(request, outcome)
          const left = end - (yield* Clock.currentTimeMillis)
          if ("default" in options) return yield* select(others, { default: options.default })
          const cases: Cases = { ...others, [woken]: waking.receive() }
          const first = yield* left === Infinity ? select(cases) : select(cases, { timeout: Math.max(0, left) })
          return first.key === woken ? undefined : first
        })
        const result = yield* Effect.ensuring(attempt, Effect.sync(stop))
        if (result !== undefined) return result
      }
    })
  }
}

/** The cases of durable channels, in any order, since the first that can be done is done; and those of others. */
const sorted = (cases: Cases) => {
  const durable: Array<readonly [key: string, operation: Choice<any, any>]> = []
  const others: Record<string, Operation<any, any, any>> = {}
  for (const [key, operation] of Object.entries(cases)) {
    if (operation instanceof ChannelOperation) {
      durable.splice(Math.floor(Math.random() * (durable.length + 1)), 0, [key, operation])
    } else others[key] = operation
  }
  return { durable, others: others as Cases }
}

/** What a selection of durable channels alone does where none of them can be done. */
const otherwiseOf = (options: SelectOptions): ReadonlyArray<{ readonly key: string; readonly spec: Spec }> => {
  if ("default" in options) {
    return [{ key: "default", spec: { make: () => ({ _tag: "Now", value: nothing }), result: options.default } }]
  }
  const millis = millisOf(options.timeout)
  return millis === Infinity
    ? []
    : [{ key: "timeout", spec: { make: (now) => ({ _tag: "Until", time: now + millis }) } }]
}

const millisOf = (timeout: Duration.Input | undefined): number =>
  timeout === undefined ? Infinity : Duration.toMillis(Duration.fromInputUnsafe(timeout))

const isEmpty = (cases: Cases): boolean => Object.keys(cases).length === 0
