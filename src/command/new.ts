/** `effect-stackless new`: a project that runs. */
import { Argument, Command } from "effect/cli"
import * as Effect from "effect/Effect"
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs"
import { basename, dirname, join, resolve } from "node:path"
import { CommandFailure } from "./failure.ts"
import { flag } from "./flag.ts"
import { print, printJson } from "./output.ts"
import { templateOf } from "./template.ts"

export const create = Command.make(
  "new",
  {
    json: flag("json", "Print JSON: the folder and its files"),
    folder: Argument.String("folder").pipe(Argument.withDescription("A folder that is empty or not there yet"))
  },
  Effect.fnUntraced(function*({ folder, json }) {
    const path = resolve(folder)
    yield* requireEmpty(path, folder)
    const manifest = JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8"))
    const files = templateOf(nameOf(path), manifest)
    yield* Effect.try({
      try: () => {
        for (const [name, text] of Object.entries(files)) {
          mkdirSync(dirname(join(path, name)), { recursive: true })
          writeFileSync(join(path, name), text, { flag: "wx" })
        }
      },
      catch: (error) => new CommandFailure({ message: `the project cannot be written: ${(error as Error).message}` })
    })
    if (json) return yield* printJson({ folder: path, files: Object.keys(files) })
    yield* print(
      [
        `${folder} has ${Object.keys(files).length} files. Next:`,
        ...path === process.cwd() ? [] : [`    cd ${/^[\w./-]+$/.test(folder) ? folder : JSON.stringify(folder)}`],
        "    npm install",
        "    npm start"
      ].join("\n")
    )
  })
).pipe(
  Command.withDescription(
    "Make a project that runs: a program with tasklets, a channel and a pickle, a test, a tsconfig with Effect's diagnostics on, and scripts that start, test and check it. Writes nothing into a folder that is not empty."
  ),
  Command.withShortDescription("Make a project that runs"),
  Command.withExamples([{ command: "effect-stackless new kitchen", description: "Make one in the folder kitchen" }])
)

const requireEmpty = (path: string, given: string): Effect.Effect<void, CommandFailure> =>
  Effect.suspend(() => {
    try {
      return readdirSync(path).length === 0
        ? Effect.void
        : Effect.fail(
          new CommandFailure({ message: `${given} is not empty: name a folder that is empty or not there yet` })
        )
    } catch (error) {
      const { code, message } = error as NodeJS.ErrnoException
      if (code === "ENOENT") return Effect.void
      return Effect.fail(
        new CommandFailure({
          message: code === "ENOTDIR"
            ? `${given} is no folder: name one that is empty or not there yet`
            : `the project cannot be written: ${message}`
        })
      )
    }
  })

/** The folder's name, as npm takes it. */
const nameOf = (path: string): string =>
  basename(path).toLowerCase().replaceAll(/[^a-z0-9._-]+/g, "-").replace(/^[._-]+/, "").slice(0, 100) || "project"
