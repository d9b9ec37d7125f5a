/**
 * Whether a scheduler is in order: walks the ring and the queues of channels both ways, through the public interface and
 * through the links themselves. Every error leaves it so, and every step of a program does.
 */
import { type Channel, getThreadInfo, stackless, Tasklet } from "effect-stackless/stackless"
import { expect } from "vitest"

type Link = { _right: Link | null; _left: Link | null; _channel: unknown }

export const check = (channels: Iterable<Channel> = [], tasklets: Iterable<Tasklet> = []): void => {
  const ring = ringOf()
  const [, current, runcount] = getThreadInfo()
  expect(runcount, "the run count is the length of the ring").toBe(ring.length)
  expect(stackless.runcount).toBe(ring.length)
  if (ring.length > 0) expect(ring[0], "the current tasklet is the head").toBe(current)
  for (const t of ring) {
    expect(t.blocked, `${t} in the ring is not blocked`).toBe(false)
    expect(t.scheduled).toBe(true)
    expect(t.paused).toBe(false)
    // one that has switched to itself stays in the ring with nothing to run, as upstream: it is neither alive nor dead
    expect(t.dead, `${t} in the ring is not dead`).toBe(false)
    expect((t as unknown as Link)._channel).toBe(undefined)
  }
  const queued = new Set<Tasklet>()
  for (const channel of channels) {
    const queue = queueOf(channel)
    expect(queue.length, `the balance of ${channel} is the length of its queue`).toBe(Math.abs(channel.balance))
    expect(channel.closed).toBe(channel.closing && queue.length === 0)
    expect(channel.queue).toBe(queue.find((waiter) => waiter instanceof Tasklet))
    for (const waiter of queue) {
      if (!(waiter instanceof Tasklet)) continue
      queued.add(waiter)
      expect(waiter.blocked, `${waiter} in a queue is blocked`).toBe(true)
      expect(waiter.scheduled).toBe(true)
      expect(waiter.paused).toBe(false)
      expect(ring).not.toContain(waiter)
    }
  }
  for (const t of tasklets) {
    const { blocked, paused, scheduled } = t
    const inRing = ring.includes(t)
    expect(t.isCurrent).toBe(t === current)
    if (inRing) continue
    if (scheduled) {
      expect(blocked, `${t} is scheduled, so it is in the ring or blocked`).toBe(true)
    } else if (!blocked) {
      expect(paused, `${t} is neither scheduled nor blocked, so it is paused or dead`).toBe(t.alive)
      expect(t.next).toBe(undefined)
      expect(t.prev).toBe(undefined)
    }
    if (blocked && scheduled && [...channels].length > 0 && !queued.has(t)) {
      expect((t as unknown as Link)._channel, `${t} is blocked on something`).not.toBe(undefined)
    }
  }
}

const ringOf = (): Array<Tasklet> => {
  const [, head] = getThreadInfo()
  if (head === undefined) return []
  const forwards: Array<Tasklet> = []
  let t = head
  do {
    forwards.push(t)
    expect(t.next, "the ring is closed").toBeInstanceOf(Tasklet)
    expect(t.next!.prev, "the links are symmetric").toBe(t)
    t = t.next!
    expect(forwards.length).toBeLessThan(10_000)
  } while (t !== head)
  const backwards: Array<Tasklet> = []
  do {
    t = t.prev!
    backwards.push(t)
  } while (t !== head)
  expect(backwards.reverse().every((t, i) => t === forwards[i]), "it is the same ring backwards").toBe(true)
  return forwards
}

const queueOf = (channel: Channel): Array<unknown> => {
  const ends = channel as unknown as { right: Link | null; left: Link | null }
  const forwards: Array<Link> = []
  for (let w = ends.right; w !== null; w = w._right) {
    expect(w._channel, "a waiter knows its channel").toBe(channel)
    expect(w._right === null ? ends.left : w._right._left, "the links are symmetric").toBe(w)
    expect(w._left === null ? ends.right : w._left._right, "the links are symmetric").toBe(w)
    forwards.push(w)
    expect(forwards.length).toBeLessThan(10_000)
  }
  const backwards: Array<Link> = []
  for (let w = ends.left; w !== null; w = w._left) backwards.push(w)
  expect(backwards.reverse().every((w, i) => w === forwards[i]), "it is the same queue backwards").toBe(true)
  return forwards
}
