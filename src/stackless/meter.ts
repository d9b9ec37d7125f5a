/** The counter of switches that metrics read. While no metrics are on, a scheduler has none. */
import type { Tasklet } from "./ports.ts"

/** Counts switches, and remembers who left to block. */
export class Meter {
  switches = 0
  private readonly suspects = new Set<Tasklet>()
  private limit = 1024

  count(prev: Tasklet): void {
    this.switches++
    if (prev.blocked) this.suspects.add(prev)
    if (this.suspects.size > this.limit) this.limit = Math.max(1024, 2 * this.blocked)
  }

  get blocked(): number {
    for (const tasklet of this.suspects) if (!tasklet.blocked) this.suspects.delete(tasklet)
    return this.suspects.size
  }
}
