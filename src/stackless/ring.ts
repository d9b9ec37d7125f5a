/**
 * The ring of runnables, with the tasklet that runs at its head. Carries `slp_current_insert` and its like of
 * `taskletobject.c`: `insert` appends at the end, which is just before the head.
 */
import type { Thread } from "../greenlet/index.ts"
import type { Tasklet } from "./ports.ts"

export abstract class Ring {
  readonly thread: Thread
  /** How many tasklets are in it. */
  runcount = 0

  constructor(thread: Thread) {
    this.thread = thread
  }

  /** The head of the ring. It is the tasklet that runs, except in the middle of a transition and while idle. */
  get head(): Tasklet | undefined {
    return this.thread.place.head as Tasklet | undefined
  }

  set head(head: Tasklet | undefined) {
    this.thread.place.head = head
  }

  /** A tasklet was inserted where there was none. */
  protected abstract revived(): void

  /** Appends a tasklet: it runs after all that are runnable now. */
  insert(t: Tasklet): void {
    const { head } = this
    if (head !== undefined) return this.insertBefore(head, t)
    t._right = t._left = t
    this.head = t
    this.runcount++
    this.revived()
  }

  /** Inserts a tasklet right after the head. */
  insertNext(t: Tasklet): void {
    const { head } = this
    if (head === undefined) this.insert(t)
    else this.insertBefore(head._right as Tasklet, t)
  }

  /** Moves one that was inserted to where it is the next to run: right after the head, or to the head if that does not run. */
  advance(t: Tasklet): void {
    this.remove(t)
    const { head, thread } = this
    const runs = head !== undefined && (head.isMain ? thread.main : head) === thread.current
    if (runs) this.insertNext(t)
    else this.restore(t)
  }

  /** Inserts a tasklet right before another one in the ring. */
  insertBefore(next: Tasklet, t: Tasklet): void {
    const before = next._left as Tasklet
    t._left = before
    t._right = next
    before._right = next._left = t
    this.runcount++
  }

  /** Takes a tasklet out of the ring, the next one becoming the head if it was. */
  remove(t: Tasklet): void {
    const next = this.unlink(t)
    if (next === t) this.head = undefined
    else if (this.head === t) this.head = next
    t._left = t._right = undefined
  }

  /** The same of one that goes into a queue at once: neither the head nor its own links are changed. Gives back the next. */
  unlink(t: Tasklet): Tasklet {
    const { _left: left, _right: right } = t as { _left: Tasklet; _right: Tasklet }
    left._right = right
    right._left = left
    this.runcount--
    return right
  }

  /** Puts a tasklet back where it was when it ran: at the head. */
  restore(t: Tasklet): void {
    this.insert(t)
    this.head = t
  }
}
