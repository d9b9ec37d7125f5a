/**
 * The body of a loop. What Python writes as `for item in x:` is `x.each(body)`, and the body a generator function, one that
 * returns an Effect, or a plain one.
 */
import type * as Effect from "effect/Effect"
import { type Body, call, type Operation } from "../../../greenlet/index.ts"

/** What the body of a loop may fail with, by what it returns: a generator, an Effect, or anything else, which is ignored. */
export type ErrorOf<Made> = Made extends Generator<infer Eff, any, any> ? Effect.Error<Eff> : Effect.Error<Made>

/** The services that it requires, likewise. */
export type ServicesOf<Made> = call.Services<Made extends Generator<infer Eff, any, any> ? Eff : Made>

/** Calls the body with an item. Dies with `TypeError` if it is an async function. */
export const eachTime = (body: (item: any) => unknown, item: unknown): Operation<unknown, any> =>
  call(body as Body, item)
