/**
 * The body of a loop. What Python writes as `for item in x:` is `x.each(body)`, and the body a generator function, one that
 * returns an Effect, or a plain one.
 */
import type * as Effect from "effect/Effect"
import { type Body, call, type Mode, type Operation, Routine, THROW } from "../../../greenlet/index.ts"

/** What the body of a loop may fail with, by what it returns: a generator, an Effect, or anything else, which is ignored. */
export type ErrorOf<Made> = Made extends Generator<infer Eff, any, any> ? Effect.Error<Eff> : Effect.Error<Made>

/** The services that it requires, likewise. */
export type ServicesOf<Made> = call.Services<Made extends Generator<infer Eff, any, any> ? Eff : Made>

/** Calls the body with an item. Dies with `TypeError` if it is an async function. */
export const eachTime = (body: (item: any) => unknown, item: unknown): Operation<unknown, any> =>
  call(body as Body, item)

/** What a loop goes through. */
interface Sequence {
  next(): Operation<IteratorResult<unknown, undefined>, any>
}

/** Calls a body with each item, in turn. */
export class Looping extends Routine<void> {
  private readonly sequence: Sequence
  private readonly body: (item: any) => unknown
  constructor(sequence: Sequence, body: (item: any) => unknown) {
    super()
    this.sequence = sequence
    this.body = body
  }
  "~resume"(mode: Mode, value: unknown): unknown {
    if (mode === THROW) {
      this.over()
      throw value
    }
    if (this.pc !== NEXT_ITEM) return this.at(NEXT_ITEM, this.sequence.next())
    const result = value as IteratorResult<unknown, undefined>
    if (result.done !== true) return this.at(CALLING, eachTime(this.body, result.value))
    this.over()
    return this.ends(undefined)
  }
  /** The loop is left. */
  protected over(): void {}
}

const NEXT_ITEM = 2
const CALLING = 4
