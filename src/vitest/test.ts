/** `test` of Vitest, for bodies and Effects. */
import * as Effect from "effect/Effect"
import { test as vitest, type TestContext, type TestOptions } from "vitest"
import { isolated } from "../stackless/index.ts"

/**
 * What a test runs: a body, which is main on a thread of its own, or a function that makes an Effect.
 *
 * @category models
 * @since 0.1.0
 */
export type Program<Args extends ReadonlyArray<any> = []> = (
  ...args: Args
) => Generator<Effect.Effect<any, any, never>, unknown, never> | Effect.Effect<unknown, unknown> | void

type Define<Args extends ReadonlyArray<any>> = (
  name: string,
  program: Program<Args>,
  options?: number | TestOptions
) => void

/**
 * @category models
 * @since 0.1.0
 */
export interface TestWithThread extends Define<[TestContext]> {
  /** Runs this one alone of its file. */
  readonly only: Define<[TestContext]>
  /** Is not run. */
  readonly skip: Define<[TestContext]>
  /** Passes if it fails. */
  readonly fails: Define<[TestContext]>
  /** One test for each case, which is given to its program. */
  readonly each: <T>(cases: ReadonlyArray<T>) => Define<[T]>
  /** One that is still to be written. */
  readonly todo: (name: string) => void
}

/**
 * Defines a test whose program runs on a thread of its own. It fails with `LeftBehind` if tasklets are blocked or runnable when
 * the program has come to its end. When the test is over, its thread is, with all that is on it.
 *
 * With `@effect/vitest`, `it.effect("…", () => isolated(program))` does the same.
 *
 * @category testing
 * @since 0.1.0
 */
export const test: TestWithThread = Object.assign(
  defining((name, run, options) => vitest(name, options ?? {}, run)),
  {
    only: defining<[TestContext]>((name, run, options) => vitest.only(name, options ?? {}, run)),
    skip: defining<[TestContext]>((name, run, options) => vitest.skip(name, options ?? {}, run)),
    fails: defining<[TestContext]>((name, run, options) => vitest.fails(name, options ?? {}, run)),
    each: <T>(cases: ReadonlyArray<T>) =>
      defining<[T]>((name, run, options) => vitest.for(cases as Array<T>)(name, options ?? {}, run)),
    todo: (name: string) => vitest.todo(name)
  }
)

/**
 * The same as `test`.
 *
 * @category testing
 * @since 0.1.0
 */
export const it: TestWithThread = test

function defining<Args extends ReadonlyArray<any> = [TestContext]>(
  define: (
    name: string,
    run: (...args: ReadonlyArray<any>) => Promise<void>,
    options: TestOptions | undefined
  ) => void
): Define<Args> {
  return (name, program, options) => {
    if (typeof program !== "function") {
      throw new TypeError(`a test runs a body, or a function that makes an Effect; got ${typeof program}`)
    }
    define(
      name,
      async (...args) => {
        const { signal } = args.at(-1) as TestContext
        await Effect.runPromise(isolated(() => program(...args as unknown as Args) as Effect.Effect<unknown>), {
          signal
        })
      },
      typeof options === "number" ? { timeout: options } : options
    )
  }
}
