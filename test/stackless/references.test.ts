/** References, loggers, tracers, spans and `AsyncLocalStorage` in a body are what they are in a fiber. */
import { Context, Effect, Logger, References, Tracer } from "effect"
import { call, channel, run, schedule, sleep, tasklet } from "effect-stackless/stackless"
import { AsyncLocalStorage } from "node:async_hooks"
import { expect, test } from "vitest"
import { inBothGears, main, onThread, type Steps } from "./program.ts"

const Request = Context.Reference("test/Request", { defaultValue: () => "none" })

inBothGears("what a fiber has", () => {
  test("a reference is that of who made the tasklet, across its waits", async () => {
    const seen: Array<string> = []
    const reads = (name: string) =>
      tasklet(function*() {
        seen.push(`${name} ${yield* Request}`)
        yield* sleep("1 millis")
        yield* schedule()
        seen.push(`${name} ${yield* Request}`)
      })()
    await onThread(
      call(function*(): Steps<void> {
        reads("a")
        yield* Effect.provideService(Effect.sync(() => reads("b")), Request, "second")
        yield* run()
      }).pipe(Effect.provideService(Request, "first"))
    )
    expect(seen.filter((s) => s.startsWith("a"))).toEqual(["a first", "a first"])
    expect(seen.filter((s) => s.startsWith("b"))).toEqual(["b second", "b second"])
  })

  test("a body logs to the program's logger, with the annotations around it", async () => {
    const logged: Array<string> = []
    const logger = Logger.make(({ fiber, message }) => {
      logged.push(`${String(message)} ${JSON.stringify(fiber.getRef(References.CurrentLogAnnotations))}`)
    })
    const c = channel<string>()
    await onThread(
      call(function*(): Steps<void> {
        tasklet(function*() {
          yield* Effect.log(yield* c.receive())
        })()
        yield* c.send("hello")
        yield* run()
      }).pipe(Effect.annotateLogs("shop", "1"), Effect.provide(Logger.layer([logger])))
    )
    expect(logged).toEqual([`hello {"shop":"1"}`])
  })

  test("a span around a body is the parent of those in its tasklets, and lasts as long as the body", async () => {
    const spans: Array<Tracer.NativeSpan> = []
    const tracer = Tracer.make({
      span: (options) => {
        const span = new Tracer.NativeSpan(options)
        spans.push(span)
        return span
      }
    })
    await onThread(
      call(function*(): Steps<void> {
        tasklet(() => Effect.withSpan(Effect.andThen(sleep("1 millis"), Effect.void), "work"))()
        tasklet(function*() {
          yield* Effect.withSpan(schedule(), "turn")
        })()
        yield* run()
      }).pipe(Effect.withSpan("program"), Effect.provideService(Tracer.Tracer, tracer))
    )
    const parents = spans.map(({ name, parent }) => [name, (parent as any)?.value?.name ?? (parent as any)?.name])
    expect(parents).toEqual([["program", undefined], ["work", "program"], ["turn", "program"]])
    for (const { status } of spans) expect(status._tag).toBe("Ended")
  })

  test("what AsyncLocalStorage holds where an Effect of a tasklet begins is there when the Effect goes on", () =>
    main(function*() {
      const storage = new AsyncLocalStorage<string>()
      const seen: Array<string | undefined> = []
      const works = (name: string) =>
        tasklet(function*() {
          seen.push(
            yield* Effect.promise(() =>
              storage.run(name, async () => {
                await Promise.resolve()
                return storage.getStore()
              })
            )
          )
        })()
      works("a")
      works("b")
      yield* run()
      expect(seen).toEqual(["a", "b"])
    }))
})
