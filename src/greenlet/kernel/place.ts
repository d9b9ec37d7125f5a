/**
 * What every switch of a thread changes: who runs, and, for a scheduler, who is at the head of its ring.
 *
 * The thread makes a new one whenever its loop is entered or has used up its fuel, so that it is never old: what is young and stored
 * into something old is noted for the collector, which takes fifty instructions. So tasklets that are young switch in two thirds
 * of the time (`compiled.schedule`), and all others in a little less.
 */
import type { Microthread } from "./ports.ts"

export class Place {
  /** The greenlet that runs. */
  current: Microthread
  /** For the scheduler of the thread. */
  head: unknown
  constructor(current: Microthread, head: unknown) {
    this.current = current
    this.head = head
  }
}
