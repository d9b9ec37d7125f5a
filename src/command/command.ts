/** The whole command: what it can do, and how it ends. */
import * as Cause from "effect/Cause"
import { CliConfig, CliError, Command, GlobalFlag } from "effect/cli"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import { readFileSync } from "node:fs"
import { check } from "./check.ts"
import { Ending } from "./ending.ts"
import { explore } from "./explore.ts"
import { CommandFailure, FAILED } from "./failure.ts"
import { create } from "./new.ts"
import { platform } from "./platform.ts"
import { run } from "./run.ts"
import { unpickle } from "./unpickle.ts"

const stackless = Command.make("effect-stackless").pipe(
  Command.withDescription(
    "Tasklets, channels and greenlets for TypeScript: make projects, run programs, check them, and look into them"
  ),
  Command.withSubcommands([create, run, check, explore, unpickle])
)

/** What effect's own flags are of use here: nothing is logged, and no prompt is shown. */
const config = Layer.succeed(
  CliConfig.CliConfig,
  CliConfig.make({ builtIns: [GlobalFlag.Help, GlobalFlag.Version, GlobalFlag.Completions] })
)

/** Runs the command with arguments, and gives the code that the process ends with. */
export const main = async (args: ReadonlyArray<string>): Promise<number> => {
  const { version } = JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8"))
  const ending = { code: 0 }
  const exit = await Effect.runPromiseExit(
    Command.runWith(stackless, { version })(separated(args)).pipe(
      Effect.provideService(Ending, ending),
      Effect.provide(Layer.merge(platform, config))
    )
  )
  if (Exit.isSuccess(exit)) return ending.code
  const error = Cause.squash(exit.cause)
  // these have been told
  if (CliError.isCliError(error)) return error._tag === "ShowHelp" && error.errors.length === 0 ? 0 : FAILED
  if (error instanceof CommandFailure) return FAILED
  throw error
}

/** What follows the program of `run` is the program's, also what begins with a dash. */
const separated = (args: ReadonlyArray<string>): ReadonlyArray<string> => {
  const at = args.indexOf("run")
  if (at < 0 || args.slice(0, at).some((arg) => !arg.startsWith("-"))) return args
  let program = at + 1
  while (program < args.length && args[program]!.startsWith("-")) {
    if (args[program] === "--") return args
    program += WITH_VALUE.has(args[program]!) ? 2 : 1
  }
  return [...args.slice(0, program + 1), "--", ...args.slice(program + 1)]
}

const WITH_VALUE = new Set(["--trace", "--watchdog"])
