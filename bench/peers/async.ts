/** Async functions: `await` to let the other one run, and a promise handed over for each message. */
import type { Peer } from "./peer.ts"

/** A rendezvous of promises. */
class Handoff<T> {
  private readonly receivers: Array<(value: T) => void> = []
  private readonly senders: Array<{ readonly value: T; readonly done: () => void }> = []

  send(value: T): Promise<void> {
    const receiver = this.receivers.shift()
    if (receiver !== undefined) {
      receiver(value)
      return Promise.resolve()
    }
    return new Promise((done) => {
      this.senders.push({ value, done })
    })
  }

  receive(): Promise<T> {
    const sender = this.senders.shift()
    if (sender !== undefined) {
      sender.done()
      return Promise.resolve(sender.value)
    }
    return new Promise((resolve) => {
      this.receivers.push(resolve)
    })
  }
}

const scheduling = async (n: number): Promise<void> => {
  for (let i = 0; i < n; i++) await undefined
}

const sending = async (to: Handoff<number>, n: number): Promise<void> => {
  for (let i = 0; i < n; i++) await to.send(i)
}

const receiving = async (from: Handoff<number>, n: number): Promise<number> => {
  let sum = 0
  for (let i = 0; i < n; i++) sum ^= await from.receive()
  return sum
}

const waiting = async (on: Handoff<number>): Promise<number> => await on.receive()

export const asyncFunctions: Peer = {
  schedule: (n) => Promise.all([scheduling(n / 2), scheduling(n / 2)]),
  channel: (n) => {
    const handoff = new Handoff<number>()
    return Promise.all([receiving(handoff, n), sending(handoff, n)])
  },
  block: async (n) => {
    const handoff = new Handoff<number>()
    for (let i = 0; i < n; i++) void waiting(handoff)
    return handoff
  }
}
