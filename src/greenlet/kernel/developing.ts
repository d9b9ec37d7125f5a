/** Is development mode on? Kept apart from what it does (development.ts), which a program that never turns it on need not carry. */
import type { Operation } from "./operation.ts"

/** What of it others know. */
export const developing: {
  on: boolean
  /** Told when it goes on or off. */
  readonly followers: Set<(on: boolean) => void>
  /** While it is on: takes down an operation that was made to be performed at once. Returns it. */
  made: <O extends Operation<any, any, any>>(operation: O) => O
} = { on: false, followers: new Set(), made: (operation) => operation }

/** Development mode goes on or off. */
export const develop = (on: boolean, made: (operation: Operation<any, any, any>) => void): void => {
  developing.on = on
  developing.made = (operation) => {
    made(operation)
    return operation
  }
  for (const follow of developing.followers) follow(on)
}

/** What a class of operations has as a static field of which the constructor makes none to be performed at once: see `made`. */
export const KEPT: unique symbol = Symbol("effect-stackless/kept")
