/** What the command writes: what was asked for to the one stream, how far it is to the other. */
import * as Effect from "effect/Effect"

/** Writes what was asked for. */
export const print = (text: string): Effect.Effect<void> =>
  Effect.callback<void>((resume) => {
    process.stdout.write(`${text}\n`, () => resume(Effect.void))
  })

export const printJson = (value: unknown): Effect.Effect<void> => print(JSON.stringify(value, undefined, 2))

/** Says how far a long work is, on a terminal alone: in a file or a pipe nobody waits. */
export const progress = (text: string): void => {
  if (process.stderr.isTTY) process.stderr.write(`\r\u001B[K${text}`)
}

/** Takes it away again. */
export const progressEnds = (): void => {
  if (process.stderr.isTTY) process.stderr.write("\r\u001B[K")
}
