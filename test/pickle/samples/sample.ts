/** Something that one process makes and dumps, and another one loads and looks at. */
export interface Sample {
  /** Makes what is dumped; a promise of it, where tasklets have to run first. */
  readonly make: () => unknown
  /** Throws if what was loaded is not what it should be. */
  readonly check: (loaded: any) => void | Promise<void>
}

export type Samples = Readonly<Record<string, Sample>>
