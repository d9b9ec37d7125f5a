/**
 * The error that ends a microthread silently. Six of the eight microseconds of a kill went into its stack trace, which says
 * no more than that somebody killed it; so it has one in development mode only.
 */

/** Do exits have stack traces? Development mode says so. */
export const exits = { traced: false }

/** A new error of the class, without its stack trace. One that a program makes by itself has its trace as ever. */
export const exitOf = <E extends Error>(Exit: new(message?: string) => E, message?: string): E => {
  const { stackTraceLimit } = Error
  if (exits.traced || !limitCanBeSet()) return new Exit(message)
  // V8 walks the stack for a limit of 0 as well, which takes as long as all the rest of making an error
  Error.stackTraceLimit = undefined as unknown as number
  try {
    const exit = new Exit(message)
    exit.stack = message === undefined ? exit.name : `${exit.name}: ${message}`
    return exit
  } finally {
    Error.stackTraceLimit = stackTraceLimit
  }
}

/** Names the errors of a class, once for all of them: a field of each would be half of what it takes to make one. */
export const nameIs = (ErrorClass: { readonly prototype: Error }, name: string): void => {
  Object.defineProperty(ErrorClass.prototype, "name", { configurable: true, writable: true, value: name })
}

/** Not where the language's own objects are frozen, nor in engines without such a limit. */
const limitCanBeSet = (): boolean => {
  canBeSet ??= Object.getOwnPropertyDescriptor(Error, "stackTraceLimit")?.writable === true
  return canBeSet
}

let canBeSet: boolean | undefined
