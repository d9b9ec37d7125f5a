/** `effect-stackless explore`: finds the order of steps in which a program fails. */
import { Argument, Command, Flag } from "effect/cli"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { ends } from "./ending.ts"
import { CommandFailure } from "./failure.ts"
import { flag } from "./flag.ts"
import { beside, moduleFor, requireCompiler, requireFile, runNode } from "./program.ts"

const number = (name: string, description: string) =>
  Flag.Int(name).pipe(Flag.withDescription(description), Flag.optional)

export const explore = Command.make(
  "explore",
  {
    seeds: number("seeds", "At random: how many schedules are run, 1,000 by default"),
    seed: number("seed", "At random: the first seed, 1 by default"),
    bound: number("bound", "Exhaustively: all schedules with at most so many preemptions"),
    limit: number("limit", "Exhaustively: no more schedules than this"),
    steps: number("steps", "How many steps a run may make, 20,000 by default"),
    program: Flag.String("program").pipe(
      Flag.withDescription(
        "Which of the functions that the file exports: the default one, or the only one, if left out"
      ),
      Flag.optional
    ),
    json: flag("json", "Print JSON: what was found"),
    file: Argument.String("file").pipe(Argument.withDescription("A file that exports the program, a function"))
  },
  Effect.fnUntraced(function*({ file, json, program, ...given }) {
    yield* requireCompiler
    const path = yield* requireFile(file)
    const options: Record<string, number> = {}
    for (const [name, value] of Object.entries(given)) if (Option.isSome(value)) options[name] = value.value
    if ("bound" in options && ("seeds" in options || "seed" in options)) {
      return yield* new CommandFailure({
        message: "explore takes --bound, or --seeds and --seed: a search is exhaustive or random"
      })
    }
    for (const [name, value] of Object.entries(options)) {
      if (value < 0) {
        return yield* new CommandFailure({ message: `--${name} is a whole number from 0 on; got ${value}` })
      }
    }
    const asked = { path, explore: moduleFor(path, "explore"), program: Option.getOrUndefined(program), options, json }
    yield* ends(yield* runNode([], beside("./exploring.js"), [JSON.stringify(asked)]))
  })
).pipe(
  Command.withDescription(
    "Run a program under many schedules, and find the order of steps in which it fails: it throws, is in a deadlock, or leaves somebody blocked. Prints the shortest schedule, for replay. Ends with 1 if one is found."
  ),
  Command.withShortDescription("Find the order in which a program fails"),
  Command.withExamples([
    { command: "effect-stackless explore account.ts", description: "Try 1,000 schedules at random" },
    {
      command: "effect-stackless explore --bound 2 --program overdraft account.ts",
      description: "Try all with two preemptions"
    }
  ])
)
