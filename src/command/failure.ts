/** What ends a command: it is told as it is, without a stack. */
import { userMessage } from "effect/cli/CliError"
import * as Data from "effect/Data"

export class CommandFailure extends Data.TaggedError("CommandFailure")<{ readonly message: string }> {
  override get [userMessage](): string {
    return this.message
  }
}

// The codes that a command ends with.
/** All is well. */
export const WELL = 0
/** It has found what it looks for, or what it ran has failed. */
export const FOUND = 1
/** It could not do what it was asked to. */
export const FAILED = 2
