/**
 * A schedule, written down: where it is not the scheduler's own. A point is where more than one tasklet can run; they are
 * counted from 0. Tasklets have numbers in the order in which they could run first; main has 0. So `3:1 9:0` says: at point 3
 * tasklet 1 runs, at point 9 main, and everywhere else whoever would run anyway.
 */

/** Points in their order, and the numbers of the tasklets that run there. */
export type Schedule = ReadonlyMap<number, number>

export const print = (schedule: Schedule): string =>
  [...schedule].map(([point, tasklet]) => `${point}:${tasklet}`).join(" ")

/** Throws `TypeError` if it is none. */
export const parse = (text: string): Schedule => {
  if (typeof text !== "string") throw new TypeError(`a schedule is a string, as explore prints it; got ${typeof text}`)
  const schedule = new Map<number, number>()
  for (const word of text.split(" ")) {
    if (word === "") continue
    const [, point, tasklet] = /^(\d+):(\d+)$/.exec(word) ?? []
    if (point === undefined) {
      throw new TypeError(`a schedule is made of words like "3:1", as explore prints it; got ${JSON.stringify(word)}`)
    }
    schedule.set(Number(point), Number(tasklet))
  }
  return schedule
}
