/**
 * Where a microthread lives: its thread, and the context that it inherits. All that are made in the same place share one, so
 * that the two take one field of each of them.
 */
import type * as Context from "effect/Context"
import type { Thread } from "./ports.ts"

export class Home {
  readonly thread: Thread
  /** That of the creator, if there was one. */
  readonly context: Context.Context<never> | undefined

  constructor(thread: Thread, context: Context.Context<never> | undefined) {
    this.thread = thread
    this.context = context
  }
}
