/**
 * Components: tasklets with ports, which know nothing of each other.
 *
 * "A vast network of reusable components sending messages one to the other" is what a founding document of Stackless hopes for, and
 * asks for the framework that they plug into. A component says what it receives and what it sends, by names; a network
 * (network.ts) gives it the channels.
 */
import type * as Effect from "effect/Effect"
import type * as Schema from "effect/Schema"
import type { Operation } from "../../greenlet/index.ts"

/**
 * What a component receives from: a channel, of which it does not know where the other side is.
 *
 * @category models
 * @since 0.2.0
 */
export interface Inlet<out T> {
  receive(): Operation<T>
  next(): Operation<IteratorResult<T, undefined>>
  each<Eff extends Effect.Effect<any, any, any>>(
    body: (value: T) => Generator<Eff, unknown, never>
  ): Operation<number, Effect.Error<Eff>>
  each(body: (value: T) => void): Operation<number>
  [Symbol.asyncIterator](): AsyncGenerator<T, void, undefined>
  readonly closed: boolean
}

/**
 * What a component sends to.
 *
 * @category models
 * @since 0.2.0
 */
export interface Outlet<in T> {
  send(value: T): Operation<void>
}

declare const values: unique symbol

/**
 * A port of a component, for values of `T`.
 *
 * @category models
 * @since 0.2.0
 */
export interface Port<in out T> {
  /** What its values are, if it is said at run time too. */
  readonly schema: Schema.Codec<T, any> | undefined
  readonly [values]?: (value: T) => T
}

/**
 * A port. With a schema two ports that are wired must have the same one.
 *
 * @category constructors
 * @since 0.2.0
 */
export const port = <T>(schema?: Schema.Codec<T, any>): Port<T> => ({ schema })

/**
 * The ports of a component, by their names.
 *
 * @category models
 * @since 0.2.0
 */
export type Ports = Readonly<Record<string, Port<any>>>

/** The value of a port. */
type ValueOf<P> = P extends Port<infer T> ? T : never

export type Inlets<I extends Ports> = { readonly [K in keyof I]: Inlet<ValueOf<I[K]>> }
export type Outlets<O extends Ports> = { readonly [K in keyof O]: Outlet<ValueOf<O[K]>> }

/**
 * A component: its ports, and what it does.
 *
 * @category models
 * @since 0.2.0
 */
export interface Component<I extends Ports = Ports, O extends Ports = Ports> {
  readonly in: I
  readonly out: O
  readonly body: (inlets: any, outlets: any) => unknown
}

/**
 * Makes a component. Its body is what a tasklet runs; it is given the channels to receive from and those to send to, by the names of the
 * ports. When it ends, and nobody else sends to them, those that it sends to are closed. For a worker it has to be a
 * function of a compiled module.
 *
 * Throws `TypeError` if a port is none, or the body no function.
 *
 * @category constructors
 * @since 0.2.0
 */
export const component = <I extends Ports = {}, O extends Ports = {}>(
  ports: { readonly in?: I; readonly out?: O },
  body: (inlets: Inlets<NoInfer<I>>, outlets: Outlets<NoInfer<O>>) => unknown
): Component<I, O> => {
  if (typeof body !== "function") throw new TypeError(`a component has a body, which is a function; got ${typeof body}`)
  const { in: inputs = {} as I, out: outputs = {} as O } = ports
  for (const [name, port] of Object.entries({ ...inputs, ...outputs })) {
    if (typeof port !== "object" || port === null || !("schema" in port)) {
      throw new TypeError(`${name} is no port: write ${name}: port<T>()`)
    }
  }
  return { in: inputs, out: outputs, body }
}
