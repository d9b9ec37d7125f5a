/**
 * The files of test262 that do something else compiled than natively, with the reason for each. docs/compiler.md says the
 * same to who uses the compiler. At most one file in a hundred may stand here.
 */

export interface Difference {
  readonly reason: string
  /** Paths below the suite's folder `test`. */
  readonly files: ReadonlyArray<string>
}

export const differences: ReadonlyArray<Difference> = []
