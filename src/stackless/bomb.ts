/**
 * The bomb: an error where a value is expected. Carries `bomb` of `scheduling.c`: a tasklet whose `tempval` is a bomb
 * has the error thrown when it resumes.
 */

/**
 * An error to be thrown in a tasklet, as its `tempval` shows it and can be set to it. Mirrors `stackless.bomb`.
 *
 * @category models
 * @since 0.1.0
 */
export class Bomb {
  /** The error. */
  readonly value: unknown

  constructor(value: unknown) {
    this.value = value
  }

  /** The class of the error. */
  get type(): unknown {
    return (this.value as object | null | undefined)?.constructor
  }

  /** Where the error was made, if it says so. */
  get traceback(): string | undefined {
    return this.value instanceof Error ? this.value.stack : undefined
  }
}

/**
 * Makes a bomb. Mirrors `stackless.bomb()`.
 *
 * @category constructors
 * @since 0.1.0
 */
export const bomb = (error: unknown): Bomb => new Bomb(error)
