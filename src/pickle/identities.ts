import type { DataFrame } from "../frames/index.ts"

/** The numbers of objects. One map of the language holds 16 million at most, so there are as many as are needed. */

const FULL = 2 ** 24 - 1

export class Identities {
  private map = new Map<object, number>()
  private readonly full: Array<Map<object, number>> = []

  get(o: object): number | undefined {
    const found = this.map.get(o)
    if (found !== undefined || this.full.length === 0) return found
    for (const map of this.full) {
      const found = map.get(o)
      if (found !== undefined) return found
    }
    return undefined
  }

  set(o: object, number: number): void {
    if (this.map.size === FULL) {
      this.full.push(this.map)
      this.map = new Map()
    }
    this.map.set(o, number)
  }
}

/** Numbers of frames stand below those that say that a frame has ended or runs. */
const FIRST = -3

/**
 * The numbers of frames. Most of what is dumped are frames, and to find an object in a map of millions costs more than all
 * the rest of a frame. So for as long as none of the program's code can run, a frame has its number in its `pc`.
 */
export class FrameNumbers {
  private readonly numbers: Identities
  private readonly frames: Array<DataFrame> = []
  private readonly places: Array<number> = []
  /** The number of each frame. */
  private readonly ids: Array<number> = []
  private marking = true

  constructor(numbers: Identities) {
    this.numbers = numbers
  }

  /** Gives a frame that is met for the first time a number; gives back the one that it has otherwise. */
  meet(frame: DataFrame, number: number): number | undefined {
    if (!this.marking) {
      this.numbers.set(frame, number)
      return undefined
    }
    const { pc } = frame
    if (pc <= FIRST) return this.ids[FIRST - pc]
    this.ids.push(number)
    this.places.push(pc)
    frame.pc = FIRST - this.frames.length
    this.frames.push(frame)
    return undefined
  }

  /** Where a frame stands that has been met. */
  placeOf(frame: DataFrame): number {
    const { pc } = frame
    return pc <= FIRST ? this.places[FIRST - pc]! : pc
  }

  /** Makes all frames again what they were: others see them from now on. */
  release(): void {
    this.marking = false
    const { frames, places } = this
    for (let i = 0; i < frames.length; i++) frames[i]!.pc = places[i]!
    frames.length = 0
  }

  /** The same in the middle of a dump: their numbers go to the map. */
  remember(): void {
    const { frames, ids, numbers } = this
    for (let i = 0; i < frames.length; i++) numbers.set(frames[i]!, ids[i]!)
    this.release()
  }
}
