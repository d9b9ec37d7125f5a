/** Where many microthreads stand, as numbers: for who writes that down at each switch and reads it later, if ever. */
import { type DataFrame, DESCRIBE, isDataFrame } from "./kernel/data-frame.ts"
import { developing } from "./kernel/developing.ts"
import type { Frame } from "./kernel/frame.ts"
import { standsAt } from "./kernel/greenlet-frame.ts"
import type { Microthread } from "./kernel/microthread.ts"

export class Places {
  /** The places by their numbers, as lines of a stack. The first is where nothing is known. */
  readonly lines: Array<string> = [""]
  /** The numbers of the places in a compiled function, by `pc`. */
  private readonly byFunction = new WeakMap<object, Array<number>>()
  private readonly byLine = new Map<string, number>()

  /** Where one stands that is suspended, in its innermost frame that knows it: 0 where none does. */
  of({ _code: code, _stack: stack }: Microthread): number {
    let frame = code as Frame | DataFrame | undefined
    for (let i = (stack?.length ?? 0) - 1; isDataFrame(frame); i--) {
      if (frame[DESCRIBE] !== undefined) return this.ofFrame(frame)
      if (i < 0) break
      frame = stack![i]
    }
    return developing.on && code !== undefined ? this.numberOf(standsAt({ _code: code } as Microthread)) : 0
  }

  private ofFrame(frame: DataFrame): number {
    const { pc } = frame
    if (pc <= 0) return 0
    const resume = frame["~resume"]
    let numbers = this.byFunction.get(resume)
    if (numbers === undefined) this.byFunction.set(resume, numbers = [])
    return numbers[pc] ??= this.numberOf(standsAt({ _code: frame } as unknown as Microthread))
  }

  private numberOf(line: string | undefined): number {
    if (line === undefined) return 0
    let number = this.byLine.get(line)
    if (number === undefined) {
      number = this.lines.push(line) - 1
      this.byLine.set(line, number)
    }
    return number
  }
}
