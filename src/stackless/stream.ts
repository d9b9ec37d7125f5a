/**
 * Channels to and from Effect's streams and queues. Upstream has neither.
 *
 * A channel says that it ends as it does to an iteration: somebody sends `StopIteration`, or it is closed and nobody
 * waits to send. The fibers that carry the values belong to a scope, and hold one value at most: it is lost when the
 * scope ends between its being taken and its being given away.
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Queue from "effect/Queue"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import { channel as make, type ChannelOptions } from "./buffer.ts"
import type { Channel } from "./channel.ts"
import { StopIteration } from "./errors.ts"
import { SendError } from "./rendezvous.ts"

/**
 * A stream of the values of a channel, up to the end of the iteration. Each is received when the stream is pulled. An
 * error that is sent is a defect of the stream.
 *
 * @category conversions
 * @since 0.1.0
 */
export const toStream = <T>(channel: Channel<T>): Stream.Stream<T> =>
  Stream.unfold(
    undefined,
    () => Effect.map(channel.next(), ({ done, value }) => done === true ? undefined : [value as T, undefined] as const)
  )

/**
 * A channel on which the values of a stream are sent, by a fiber that ends with the scope. At the end of the stream those
 * who wait to receive get `StopIteration`, and the channel is closed; what the stream fails with is thrown in one
 * receiver first.
 *
 * @category conversions
 * @since 0.1.0
 */
export const fromStream = <A, E, R>(
  stream: Stream.Stream<A, E, R>,
  options?: ChannelOptions
): Effect.Effect<Channel<A>, never, R | Scope.Scope> =>
  Effect.gen(function*() {
    const channel = make<A>(options)
    const sending = Stream.runForEach(stream, (value) => channel.send(value))
    yield* Effect.forkScoped(Effect.flatMap(Effect.exit(sending), (exit) => finish(channel, exit)))
    return channel
  })

const finish = (channel: Channel<any>, exit: Exit.Exit<unknown, unknown>): Effect.Effect<void> =>
  Effect.gen(function*() {
    if (Exit.isFailure(exit)) yield* new SendError(channel, Cause.squash(exit.cause))
    while (channel.balance < 0) yield* channel.sendException(StopIteration)
    channel.close()
  })

/**
 * A queue of the values of a channel, which a fiber receives and offers until the scope ends. The queue ends with the
 * iteration.
 *
 * @param options `capacity` is how many values it holds, 16 if left out
 *
 * @category conversions
 * @since 0.1.0
 */
export const toQueue = <T>(
  channel: Channel<T>,
  options: { readonly capacity?: number } = {}
): Effect.Effect<Queue.Dequeue<T, Cause.Done>, never, Scope.Scope> =>
  Stream.toQueue(toStream(channel), { capacity: options.capacity ?? 16 })

/**
 * A channel on which the values of a queue are sent, by a fiber that ends with the scope. It ends as `fromStream` does
 * when the queue ends.
 *
 * @category conversions
 * @since 0.1.0
 */
export const fromQueue = <A, E>(
  queue: Queue.Dequeue<A, E>,
  options?: ChannelOptions
): Effect.Effect<Channel<A>, never, Scope.Scope> => fromStream(Stream.fromQueue(queue), options)
