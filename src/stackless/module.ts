/** The attributes of the module. An ES module has no attributes that are computed, so an object stands for them. */
import { getcurrent, getmain, getruncount } from "./run.ts"
import type { Tasklet } from "./tasklet.ts"
import { getthreads } from "./threads.ts"

/**
 * What upstream has as attributes of the module, for the current thread: `stackless.current` is `getcurrent()`,
 * `stackless.main` is `getmain()`, `stackless.runcount` is `getruncount()`, `stackless.threads` is `getthreads()`.
 *
 * @category inspection
 * @since 0.1.0
 */
export const stackless: {
  readonly current: Tasklet
  readonly main: Tasklet
  readonly runcount: number
  readonly threads: ReadonlyArray<number>
} = {
  get current() {
    return getcurrent()
  },
  get main() {
    return getmain()
  },
  get runcount() {
    return getruncount()
  },
  get threads() {
    return getthreads()
  }
}
