/**
 * The channel with a capacity, whose senders leave their values and go on while there is room.
 *
 * It is the `QueueChannel` of carbon-scheduler and stacklesslib, with a bound. A value that was left stands in the queue
 * as a sender would, and counts in the balance, so that receivers need not know. The first blocked sender moves up when
 * a value is taken: its value takes the room, and the sender is made runnable. As there, the preference is 1 unless it is
 * set: a sender goes on, whether somebody waits to receive or not.
 */
import { Channel } from "./channel.ts"
import { ValueError } from "./errors.ts"
import { OutsideWaiter, type Waiter } from "./outside-waiter.ts"
import { serve, TAKES_IN, withhold } from "./rendezvous.ts"
import { bound } from "./tasklet.ts"

export class BufferedChannel<in out T = any> extends Channel<T> {
  private readonly limit: number
  private stored = 0
  /** The last value that was left. Behind it stand the blocked senders. */
  private last: OutsideWaiter | undefined = undefined

  constructor(capacity: number) {
    super()
    if (typeof capacity !== "number" || !(capacity >= 0) || (capacity % 1 !== 0 && capacity !== Infinity)) {
      throw new ValueError(`a capacity is a number of values, or Infinity; got ${String(capacity)}`)
    }
    this.limit = capacity
    this.mode = TAKES_IN
    this.preference = 1
  }

  override get capacity(): number {
    return this.limit
  }

  override get room(): boolean {
    return this.stored < this.limit && !this.closing
  }

  override store(value: unknown, raising: boolean): void {
    const waiter = new OutsideWaiter(value, raising, this.taken, undefined)
    this.line(waiter, 1, this.last === undefined ? this.right : this.last._right as Waiter | null)
    this.last = waiter
    this.stored++
  }

  /** @internal a value was received */
  readonly taken = (): void => {
    this.stored--
    if (this.stored === 0) this.last = undefined
    let sender: Waiter | undefined
    do {
      if (this._balance <= this.stored) return
      sender = (this.last === undefined ? this.right : this.last._right) as Waiter
    } while (sender instanceof OutsideWaiter && sender.doubtful && withhold(this, sender))
    this.take(sender)
    const { "~inbox": inbox, raising } = sender
    this.store(inbox, raising)
    serve(sender, undefined, false)
  }
}

/**
 * What a channel is made with.
 *
 * @category models
 * @since 0.1.0
 */
export interface ChannelOptions {
  /** How many values it takes in while nobody receives, before its senders block. 0, the default, is none. */
  readonly capacity?: number
  /** Its name, to be seen in errors. */
  readonly name?: string
}

/**
 * Makes a channel.
 *
 * With a `capacity`, senders go on while there is room for their values, and its preference is 1: a sender goes on in
 * any case. Its balance counts the values it holds. Throws `ValueError` if the capacity is no number of values. Mirrors
 * `stackless.channel()`; one with a capacity mirrors carbon-scheduler's `QueueChannel`.
 *
 * @category constructors
 * @since 0.1.0
 */
export const channel: <T = unknown>(options?: ChannelOptions) => Channel<T> = bound(
  <T>({ capacity, name }: ChannelOptions = {}): Channel<T> => {
    const made = capacity === undefined || capacity === 0 ? new Channel<T>() : new BufferedChannel<T>(capacity)
    if (name !== undefined) made.name = name
    return made
  }
)
