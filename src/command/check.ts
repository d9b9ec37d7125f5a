/** `effect-stackless check`: every forgotten `yield*` of a project. */
import { Argument, Command } from "effect/cli"
import * as Effect from "effect/Effect"
import { relative } from "node:path"
import { ends } from "./ending.ts"
import { CommandFailure, FOUND } from "./failure.ts"
import { flag } from "./flag.ts"
import { type Forgotten, forgottenIn } from "./forgotten.ts"
import { print, printJson, progress, progressEnds } from "./output.ts"
import { openProject } from "./typescript.ts"

export const check = Command.make(
  "check",
  {
    json: flag("json", "Print JSON: what was found"),
    project: Argument.String("project").pipe(
      Argument.withDescription("A folder with a tsconfig.json in it or above it, or such a file"),
      Argument.withDefault(".")
    )
  },
  Effect.fnUntraced(function*({ json, project }) {
    progress("loading the project")
    const typing = yield* Effect.tryPromise({
      try: () => openProject(project),
      catch: (error) => {
        if (error instanceof CommandFailure) return error
        return new CommandFailure({ message: `the project cannot be loaded: ${String(error)}` })
      }
    })
    const found: Array<Forgotten> = []
    const { files } = typing
    for (const [i, file] of files.entries()) {
      progress(`${i} of ${files.length} files`)
      found.push(...forgottenIn(file, typing))
    }
    typing.close()
    progressEnds()
    if (json) yield* printJson({ files: files.length, found })
    else {
      for (const { column, file, line, message, source } of found) {
        yield* print(`${relative(".", file)}:${line}:${column}: ${message}\n    ${source}`)
      }
      const yields = found.length === 0
        ? "no yield* is"
        : found.length === 1
        ? "1 yield* is"
        : `${found.length} yield* are`
      yield* print(`${yields} missing in ${files.length} file${files.length === 1 ? "" : "s"}`)
    }
    if (found.length > 0) yield* ends(FOUND)
  })
).pipe(
  Command.withDescription(
    "Find every forgotten yield*: an operation or a call of a generator function that is dropped, asked whether it is true, printed, compared, awaited, or returned to who drops it. Asks the project's own TypeScript for the types, 5.9 or later. Ends with 1 if something is found."
  ),
  Command.withShortDescription("Find every forgotten yield*"),
  Command.withExamples([
    { command: "effect-stackless check", description: "Check the project in this folder" },
    { command: "effect-stackless check packages/server/tsconfig.json", description: "Check another one" }
  ])
)
