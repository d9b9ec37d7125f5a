/** A measurement: what one fresh process does, and the figures that come of it. */

/** What a figure counts. Of rates, and of how many times as many, more is better; of everything else less. */
export type Unit = "/s" | "frames/s" | "×" | "ns" | "µs" | "ms" | "bytes" | "MB"

export interface Figure {
  readonly name: string
  readonly unit: Unit
  /** What it says, in a line. */
  readonly about: string
}

export interface Measurement {
  readonly figures: ReadonlyArray<Figure>
  /** Warms up and measures once; gives a number for each of the figures, in their order. None, if it cannot be taken here, and has said why. */
  readonly take: () => Promise<ReadonlyArray<number>>
}
