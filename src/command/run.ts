/** `effect-stackless run`: a program, compiled as it is loaded. */
import { Argument, Command, Flag } from "effect/cli"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { resolve } from "node:path"
import { ends } from "./ending.ts"
import { CommandFailure } from "./failure.ts"
import { flag } from "./flag.ts"
import { beside, moduleFor, requireCompiler, requireFile, runNode } from "./program.ts"

export const run = Command.make(
  "run",
  {
    development: flag(
      "development",
      "Throw an error where an operation was made and not performed: a yield* is missing"
    ),
    watchdog: Flag.String("watchdog").pipe(
      Flag.withDescription("Tell who holds the thread for longer than this, and at which line: \"50 millis\""),
      Flag.optional
    ),
    trace: Flag.String("trace").pipe(
      Flag.withDescription(
        "Record what tasklets and channels do, and save it to this file: a .html page, or .json for Perfetto"
      ),
      Flag.optional
    ),
    program: Argument.String("program").pipe(Argument.withDescription("A file of TypeScript or JavaScript")),
    args: Argument.String("arguments").pipe(
      Argument.withDescription("What the program finds in process.argv: all that follows its name"),
      Argument.variadic()
    )
  },
  Effect.fnUntraced(function*({ args, development, program, trace, watchdog }) {
    yield* requireCompiler
    const path = yield* requireFile(program)
    const slow = Option.getOrUndefined(watchdog)
    if (slow !== undefined) yield* requireDuration(slow)
    const preloads: Array<string> = []
    if (development || slow !== undefined) {
      const query = new URLSearchParams({ stackless: moduleFor(path, "stackless") })
      if (development) query.set("raise", "")
      if (slow !== undefined) query.set("slow", slow)
      preloads.push(`${beside("./development.js")}?${query}`)
    }
    const recording = Option.getOrUndefined(trace)
    if (recording !== undefined) {
      if (!/\.(?:html|json)$/.test(recording)) {
        return yield* new CommandFailure({
          message: `--trace takes the name of a .html or .json file; got ${recording}`
        })
      }
      const query = new URLSearchParams({ timeline: moduleFor(path, "timeline"), file: resolve(recording) })
      preloads.push(`${beside("./recording.js")}?${query}`)
    }
    yield* ends(yield* runNode(preloads, path, args))
  })
).pipe(
  Command.withDescription(
    "Run a program. Files that say \"use stackless\" are compiled as they are loaded, files of TypeScript lose their types, and stack traces lead to the source."
  ),
  Command.withShortDescription("Run a program, compiled"),
  Command.withExamples([
    { command: "effect-stackless run talk.ts", description: "Run a program" },
    { command: "effect-stackless run --development server.ts --port 8080", description: "Find a forgotten yield*" },
    { command: "effect-stackless run --watchdog \"50 millis\" server.ts", description: "Find who holds the thread" },
    { command: "effect-stackless run --trace talk.html talk.ts", description: "Record it as a page" }
  ])
)

const requireDuration = (text: string): Effect.Effect<void, CommandFailure> => {
  const duration = Option.getOrUndefined(Duration.fromInput(text as Duration.Input))
  return duration !== undefined && Duration.isFinite(duration) && Duration.toMillis(duration) > 0 ?
    Effect.void :
    Effect.fail(
      new CommandFailure({ message: `--watchdog takes a duration such as "50 millis"; got ${JSON.stringify(text)}` })
    )
}
