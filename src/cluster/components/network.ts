/**
 * Networks: components that are wired, to run here, at places of a pool, or some of them on this machine and the others on others.
 *
 * Ports that are wired share one channel. So what several components send to one port is merged, and of several components that
 * receive from one, each value goes to one.
 */
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import type * as Schema from "effect/Schema"
import {
  Channel,
  channel,
  RuntimeError,
  StopIteration,
  type Tasklet,
  tasklet,
  TaskletExit
} from "../../stackless/index.ts"
import { textOf } from "../codec.ts"
import { NoMachine } from "../errors.ts"
import { named, type RemoteChannel } from "../exchange/remote-channel.ts"
import { isMachine } from "../machines/node.ts"
import type { Place, Pool } from "../workers/pool.ts"
import type { Component, Port, Ports } from "./component.ts"
import { type Arrow, mermaid, svg } from "./picture.ts"

/**
 * A network is wired wrongly. `message` says which port, and what is wrong.
 *
 * @category errors
 * @since 0.2.0
 */
export class NetworkError extends Data.TaggedError("NetworkError")<{ readonly message: string }> {}

/**
 * One end of a wire: a port of a component in a network.
 *
 * @category models
 * @since 0.2.0
 */
export interface End<Direction extends "in" | "out", in out T> {
  readonly direction: Direction
  readonly component: string
  readonly name: string
  readonly port: Port<T>
}

/** The ends of a component. */
type EndsOf<C> = C extends Component<infer I, infer O> ? {
    readonly in: { readonly [K in keyof I]: End<"in", I[K] extends Port<infer T> ? T : never> }
    readonly out: { readonly [K in keyof O]: End<"out", O[K] extends Port<infer T> ? T : never> }
  }
  : never

/**
 * A channel that somebody else has made: one by name in the cluster, or a durable one. Components find its verbs.
 *
 * @category models
 * @since 0.2.0
 */
export interface Carrying<in T> {
  send(value: T): Effect.Effect<void, any, any>
}

/**
 * How two ends are wired.
 *
 * @category models
 * @since 0.2.0
 */
export interface WireOptions<T> {
  /** How many values the channel takes in while nobody receives; 0, a rendezvous, by default. */
  readonly capacity?: number
  /** The channel itself: one by name across machines, or a durable one. The network makes none then, and does not close it. */
  readonly channel?: Carrying<T>
}

/**
 * A wire.
 *
 * @category models
 * @since 0.2.0
 */
export interface Wire {
  readonly from: End<"out", any>
  readonly to: End<"in", any>
  readonly options: WireOptions<any>
}

/**
 * Wires an output to an input of values of the same type.
 *
 * @category constructors
 * @since 0.2.0
 */
export const wire = <T>(from: End<"out", T>, to: End<"in", T>, options: WireOptions<T> = {}): Wire => ({
  from,
  to,
  options
})

/** The components of a network, by their names. */
type Components = Readonly<Record<string, Component<any, any>>>

/**
 * A network that runs.
 *
 * @category models
 * @since 0.2.0
 */
export interface Running<C extends Components> {
  /** The tasklets of its components: each fails with what its body fails with. */
  readonly tasklets: { readonly [K in keyof C]: Tasklet }
  /** Ends all of them. */
  readonly stop: () => void
}

/** Where components run, by their names. Those that are not named run on this thread. */
export type Placement<C extends Components> = {
  readonly pool: Pool
  readonly at: { readonly [K in keyof C]?: Place }
}

/**
 * The components that run on this machine, by their names. The others run on other machines, where the same network is started with
 * their names.
 *
 * @category models
 * @since 0.2.0
 */
export interface Part<in out K> {
  readonly only: ReadonlyArray<K>
  /** What this run of the network is called on all machines; the network's name if left out. Another run takes another name. */
  readonly as?: string
}

/** Components whose ports share a channel. */
interface Group {
  readonly ends: Set<string>
  capacity: number | undefined
  channel: Carrying<any> | undefined
  schema: Schema.Codec<any> | undefined
  readonly writers: Set<string>
  readonly readers: Set<string>
}

/**
 * A network of components.
 *
 * @category models
 * @since 0.2.0
 */
export class Network<C extends Components> {
  readonly name: string
  readonly components: C
  readonly wires: ReadonlyArray<Wire>

  /** The library makes them. */
  constructor(name: string, components: C, wires: ReadonlyArray<Wire>) {
    this.name = name
    this.components = components
    this.wires = wires
    this.groups()
  }

  /**
   * Starts it: a tasklet for each component, runnable on this thread, or, with a placement, at the places of a pool.
   *
   * With `only`, these components are started, and their wires are channels by name: the rest is started on other machines. Each
   * component runs on one machine. Throws `NoMachine` if this process is none.
   *
   * A component that fails ends alone; its error comes out of `run`. A network can be started again, and has channels of its own
   * each time; with `only`, if it is called otherwise. Throws `NetworkError` for a name that no component has.
   */
  start(placement?: Placement<C>): Running<C>
  start<K extends keyof C & string>(part: Part<K>): Running<Pick<C, K>>
  start({ as = this.name, at = {}, only, pool }: Partial<Placement<C> & Part<string>> = {}): Running<any> {
    if (only !== undefined && !isMachine()) throw new NoMachine()
    const here = new Set(only ?? Object.keys(this.components))
    for (const name of [...here, ...Object.keys(at)]) this.requireComponent(name)
    const lines = new Map<string, Line>()
    const stops: Array<() => void> = []
    for (const group of this.groups()) {
      const line = only === undefined ? lineOf(group, pool) : sharedLineOf(group, as, here, stops)
      for (const end of group.ends) lines.set(end, line)
    }
    const tasklets: Record<string, Tasklet> = {}
    for (const name of here) {
      const { body, in: inputs, out: outputs } = this.components[name]!
      const pick = (direction: "in" | "out", ports: Ports): Record<string, Line> =>
        Object.fromEntries(Object.keys(ports).map((port) => [port, lines.get(keyOf(direction, name, port))!]))
      const outlets = pick("out", outputs)
      const place = at[name]
      const start = place === undefined ? tasklet(body as () => void) : place.spawn(body)
      const started = (start as (...args: ReadonlyArray<unknown>) => Tasklet)(
        channelsOf(pick("in", inputs)),
        channelsOf(outlets)
      )
      started.name = name
      tasklets[name] = started
      tasklet(closing)(started, name, new Set(Object.values(outlets)))
    }
    return {
      tasklets,
      stop: () => {
        for (const each of Object.values(tasklets)) Effect.runSync(each.kill({ pending: true }))
        for (const stop of stops) stop()
      }
    }
  }

  /** The network as text for Mermaid. */
  toMermaid(): string {
    return mermaid(this.name, Object.keys(this.components), this.arrows)
  }

  /** The network as a picture. */
  toSVG(): string {
    return svg(this.name, Object.keys(this.components), this.arrows)
  }

  private get arrows(): ReadonlyArray<Arrow> {
    return this.wires.map(({ from, to }) => ({
      from: from.component,
      to: to.component,
      label: from.name === to.name ? from.name : `${from.name} → ${to.name}`
    }))
  }

  /** The ports that share a channel. Throws what is wrong with them. */
  private groups(): ReadonlySet<Group> {
    const groups = new Map<string, Group>()
    for (const { from, options, to } of this.wires) {
      this.requireEnd(from)
      this.requireEnd(to)
      requireSameSchema(from, to)
      const [a, b] = [from, to].map(({ component, direction, name, port }) => {
        const key = keyOf(direction, component, name)
        const group: Group = groups.get(key) ?? {
          ends: new Set([key]),
          capacity: undefined,
          channel: undefined,
          schema: undefined,
          writers: new Set<string>(),
          readers: new Set<string>()
        }
        group.schema ??= port.schema
        for (const end of group.ends) groups.set(end, group)
        return group
      }) as [Group, Group]
      a.writers.add(from.component)
      a.readers.add(to.component)
      if (a !== b) {
        for (const end of b.ends) {
          a.ends.add(end)
          groups.set(end, a)
        }
        for (const writer of b.writers) a.writers.add(writer)
        for (const reader of b.readers) a.readers.add(reader)
        a.schema ??= b.schema
        settle(a, b, from)
      }
      settle(a, options, from)
    }
    for (const [component, { in: inputs, out: outputs }] of Object.entries(this.components)) {
      for (const [direction, ports] of [["in", inputs], ["out", outputs]] as const) {
        for (const name of Object.keys(ports as Ports)) {
          if (groups.has(keyOf(direction, component, name))) continue
          throw new NetworkError({
            message: `${direction === "in" ? "the input" : "the output"} ${name} of ${component} is wired to nothing`
          })
        }
      }
    }
    return new Set(groups.values())
  }

  private requireComponent(name: string): void {
    if (Object.hasOwn(this.components, name)) return
    const names = Object.keys(this.components).join(", ")
    throw new NetworkError({ message: `${name} is no component of ${this.name}, which has ${names}` })
  }

  private requireEnd({ component, direction, name, port }: End<"in" | "out", any>): void {
    const known = this.components[component]?.[direction]?.[name] as Port<any> | undefined
    if (known === port) return
    throw new NetworkError({
      message: `${component} has no ${direction === "in" ? "input" : "output"} ${name} in ${this.name}`
    })
  }
}

const keyOf = (direction: string, component: string, port: string): string => `${component}.${direction}.${port}`

const settle = (
  group: Group,
  { capacity, channel }: { readonly capacity?: number | undefined; readonly channel?: Carrying<any> | undefined },
  { component, name }: End<"out", any>
): void => {
  const clashes = (capacity !== undefined && group.capacity !== undefined && capacity !== group.capacity) ||
    (channel !== undefined && group.channel !== undefined && channel !== group.channel)
  if (clashes) {
    throw new NetworkError({
      message: `the wires of ${component}.${name} share one channel, and say different things of it`
    })
  }
  group.capacity ??= capacity
  group.channel ??= channel
}

const requireSameSchema = (from: End<"out", any>, to: End<"in", any>): void => {
  const [a, b] = [from, to].map(({ port: { schema } }) => schema === undefined ? undefined : textOf(schema))
  if (a === undefined || b === undefined || a === b) return
  throw new NetworkError({
    message: `${from.component}.${from.name} sends what ${to.component}.${to.name} does not take: their schemas differ`
  })
}

/** What ports share. */
interface Line {
  readonly channel: Carrying<any>
  /** Somebody who sends has ended: it is closed when nobody is left. */
  readonly left: (writer: string) => Generator<Effect.Effect<any, any>, void, never>
}

const channelsOf = (lines: Readonly<Record<string, Line>>): Record<string, Carrying<any>> =>
  Object.fromEntries(Object.entries(lines).map(([port, { channel }]) => [port, channel]))

const lineOf = ({ capacity = 0, channel: given, writers }: Group, pool: Pool | undefined): Line => {
  // what somebody else has made is not ours to close
  if (given !== undefined) return { channel: given, *left() {} }
  const made = pool === undefined ? channel<any>({ capacity }) : pool.channel<any>({ capacity })
  const left = new Set(writers)
  return {
    channel: made,
    *left(writer) {
      left.delete(writer)
      if (left.size > 0) return
      made.close()
      // a channel of this thread leaves those alone who wait already
      if (!(made instanceof Channel)) return
      for (let waiting = -made.balance; waiting > 0; waiting--) yield* made.sendThrow(new StopIteration())
    }
  }
}

/**
 * The same between machines. Who sends from several tells the machine of the first one to receive when it has ended, and that closes it.
 *
 * @param here the components of this machine
 * @param stops what to call when the network is stopped here
 */
const sharedLineOf = (
  { capacity = 0, channel: given, ends, readers, schema, writers }: Group,
  as: string,
  here: ReadonlySet<string>,
  stops: Array<() => void>
): Line => {
  if (given !== undefined) return { channel: given, *left() {} }
  const name = `${as}/${leastOf(ends)}`
  const made: RemoteChannel = named(name, schema, { capacity })
  if (writers.size === 1) {
    return {
      channel: made,
      *left() {
        made.close()
      }
    }
  }
  const ended = named<string>(`${name}/ended`, undefined, { capacity: writers.size })
  if (here.has(leastOf(readers))) {
    const left = new Set(writers)
    const hearing = Effect.whileLoop({
      while: () => left.size > 0,
      body: () => ended.receive(),
      step: (writer) => void left.delete(writer)
    })
    // no tasklet: nobody here waits for those who send elsewhere
    stops.push(Effect.runCallback(Effect.andThen(hearing, Effect.sync(() => made.close()))))
  }
  return {
    channel: made,
    *left(writer) {
      yield* ended.send(writer)
    }
  }
}

/** The same one on all machines. */
const leastOf = (names: ReadonlySet<string>): string => [...names].reduce((a, b) => a < b ? a : b)

/** Waits for a component, and says that it sends no more. */
const closing = function*(
  component: Tasklet,
  name: string,
  outlets: ReadonlySet<Line>
): Generator<Effect.Effect<any, any>, void, never> {
  try {
    yield* component.join()
  } catch (error) {
    // one that was stopped has nothing to say
    if (!(error instanceof RuntimeError && error.cause instanceof TaskletExit)) throw error
  } finally {
    for (const outlet of outlets) yield* outlet.left(name)
  }
}

/**
 * Makes a network of components, by their names, and wires them.
 *
 * @param connect gives the wires; it is given the ports of each component
 *
 * A wire between ports of different types is a type error. Throws `NetworkError`, which names the port, if one is wired to nothing,
 * if schemas differ, or if two wires that share a channel say different things of it. Throws `TypeError` for what is no component.
 *
 * @example
 * ```ts
 * import { Effect } from "effect"
 * import { component, network, port, wire } from "effect-stackless/cluster"
 * import { run } from "effect-stackless/stackless"
 *
 * const numbers = component({ out: { n: port<number>() } }, function*(_, { n }) {
 *   for (let i = 1; i <= 3; i++) yield* n.send(i)
 * })
 * const squares = component({ in: { n: port<number>() }, out: { square: port<number>() } }, function*({ n }, { square }) {
 *   yield* n.each(function*(value) {
 *     yield* square.send(value * value)
 *   })
 * })
 * const got: Array<number> = []
 * const sink = component({ in: { square: port<number>() } }, function*({ square }) {
 *   yield* square.each((value) => {
 *     got.push(value)
 *   })
 * })
 * const net = network("squares", { numbers, squares, sink }, ({ numbers, squares, sink }) => [
 *   wire(numbers.out.n, squares.in.n),
 *   wire(squares.out.square, sink.in.square)
 * ])
 * net.start()
 * await Effect.runPromise(run())
 * got // => [1, 4, 9]
 * ```
 *
 * @category constructors
 * @since 0.2.0
 */
export const network = <C extends Components>(
  name: string,
  components: C,
  connect: (ends: { readonly [K in keyof C]: EndsOf<C[K]> }) => ReadonlyArray<Wire>
): Network<C> => {
  for (const [component, made] of Object.entries(components)) {
    if (typeof (made as Partial<C[string]> | null | undefined)?.body !== "function") {
      throw new TypeError(`${component} is no component: write ${component}: component({ … }, body)`)
    }
  }
  if (typeof connect !== "function") {
    throw new TypeError(`a network has a function that gives its wires; got ${typeof connect}`)
  }
  const ends = Object.fromEntries(
    Object.entries(components).map(([component, { in: inputs, out: outputs }]) => {
      const endsOf = (direction: "in" | "out", ports: Ports) =>
        Object.fromEntries(Object.entries(ports).map(([name, port]) => [name, { direction, component, name, port }]))
      return [component, { in: endsOf("in", inputs), out: endsOf("out", outputs) }]
    })
  )
  return new Network(name, components, connect(ends as { readonly [K in keyof C]: EndsOf<C[K]> }))
}
