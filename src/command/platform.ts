/**
 * What `effect/cli` needs of a platform, on Node's own modules.
 *
 * `@effect/platform-node` and `@effect/platform-node-shared` ask for Node 22.19, and the package is for Node from 20.19 on. The
 * command reads its arguments, looks whether files are there, and writes lines; so it needs little of what a platform is.
 */
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Layer from "effect/Layer"
import * as Path from "effect/Path"
import { ChildProcessSpawner, make as makeSpawner } from "effect/process/ChildProcessSpawner"
import * as Stdio from "effect/Stdio"
import * as Terminal from "effect/Terminal"
import { existsSync, statSync } from "node:fs"

/** A question that the command does not ask: it has no prompts, and starts its processes by itself. */
const notAsked = Effect.die(new Error("the command asks for nothing"))

const files = FileSystem.layerNoop({
  exists: (path) => Effect.sync(() => existsSync(path)),
  stat: (path) =>
    Effect.sync(() => ({ type: statSync(path).isDirectory() ? "Directory" : "File" }) as FileSystem.File.Info)
})

const terminal = Layer.succeed(
  Terminal.Terminal,
  Terminal.make({
    columns: Effect.sync(() => process.stdout.columns ?? 80),
    rows: Effect.sync(() => process.stdout.rows ?? 24),
    size: notAsked,
    readInput: notAsked,
    readLine: notAsked,
    display: (text) => Effect.sync(() => void process.stdout.write(text))
  })
)

export const platform: Layer.Layer<
  FileSystem.FileSystem | Path.Path | Terminal.Terminal | ChildProcessSpawner | Stdio.Stdio
> = Layer.mergeAll(
  files,
  Path.layer,
  terminal,
  Stdio.layerTest({
    stdoutIsTerminal: Effect.sync(() => process.stdout.isTTY === true),
    stderrIsTerminal: Effect.sync(() => process.stderr.isTTY === true)
  }),
  Layer.succeed(ChildProcessSpawner, makeSpawner(() => notAsked))
)
