/**
 * The library's own bodies, as frames that are plain data: so who waits in one of them can be pickled like anybody else.
 *
 * A routine is what a compiler would make of a generator function, written by hand. Its fields are its variables. `"~resume"`
 * looks at `pc`, says what is done next with `at`, and comes to its end with `ends`:
 *
 *     class Twice extends Routine<number> {
 *       count = 0
 *       "~resume"(mode: Mode, value: unknown): unknown {
 *         if (mode === THROW) throw value                           // no try around the yield* below
 *         if (this.pc === 2) this.count++                           // back from it
 *         return this.count < 2 ? this.at(2, schedule()) : this.ends(this.count)
 *       }
 *     }
 *
 * An even number stands for each `yield*`, from 2 on. An error arrives with `THROW` where its `yield*` stands, as if thrown there.
 */
import { BEGIN, completion, type DataFrame, DONE, type Mode, NEXT, RETURNED, THROW } from "./data-frame.ts"

export abstract class Routine<out A = unknown> implements DataFrame {
  /** Where it stands: `BEGIN`, or the number of the `yield*` that it is in. */
  pc: number = BEGIN

  abstract "~resume"(mode: Mode, value: unknown): unknown

  /** The same as a generator, for who has no loop: each thing that it does is yielded. */
  *stepping(): Generator<unknown, A, unknown> {
    let mode: Mode = NEXT
    let value: unknown
    for (;;) {
      const outcome = this["~resume"](mode, value)
      if (outcome === RETURNED) return completion.value as A
      try {
        value = yield outcome
        mode = NEXT
      } catch (error) {
        value = error
        mode = THROW
      }
    }
  }

  /** It does `what`, as in a `yield*`, and goes on at `pc`. */
  protected at(pc: number, what: unknown): unknown {
    this.pc = pc
    return what
  }

  /** It returns a value. */
  protected ends(value: A): unknown {
    this.pc = DONE
    completion.value = value
    return RETURNED
  }
}
