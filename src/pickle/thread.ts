/** What there is one of on each thread: pickled on one, it stands for that of the thread that loads. */
import { currentThread } from "../greenlet/index.ts"
import { getmain, mainTaskletOf } from "../stackless/index.ts"
import { UnpicklingError } from "./errors.ts"

/** What the current thread has, and how it is called. */
export const thingsOfThread = (): ReadonlyMap<object, string> => {
  const thread = currentThread()
  const things = new Map<object, string>([[thread, "thread"], [thread.main, "main greenlet"]])
  const main = mainTaskletOf(thread)
  if (main !== undefined) things.set(main, "main tasklet")
  return things
}

export const thingOfThread = (name: string): object => {
  switch (name) {
    case "thread":
      return currentThread()
    case "main greenlet":
      return currentThread().main
    case "main tasklet":
      return getmain()
    default:
      throw new UnpicklingError(`the pickle refers to the ${name} of its thread, which this program does not know`)
  }
}
