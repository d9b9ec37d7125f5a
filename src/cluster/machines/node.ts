/**
 * What a process is while it is a machine: its address, its links to the others, and what is kept with the shards that it has.
 *
 * There is one of it in a process, as in Erlang; so a channel's name, or a pickle, finds the machine without being told.
 */
import * as Cause from "effect/Cause"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type { Socket } from "node:net"
import type { Placement } from "../engine.ts"
import { MachineUnreachable, NoMachine } from "../errors.ts"
import { SocketLink } from "./link.ts"
import { dial, FOR_LINK, REFUSED, type Security } from "./sockets.ts"

/** What a machine says of itself on a new link. */
interface Hello {
  readonly address: string
  readonly incarnation: string
  /** The version of what is said on links. */
  readonly protocol: number
}

const PROTOCOL = 2

/** How long a machine may take to say hello, or to answer a claim, in milliseconds. */
const PATIENCE = 1000

/** For how long a machine may fail to answer at whose address somebody listens, in milliseconds: it may be slow. */
const SLOWNESS = 2500

/** How long a shard that moves waits for tasklets that are in the middle of an Effect, in milliseconds. */
const SETTLING = 500

/** Something that is kept by keys, with the shards of these. */
export interface Keeper {
  /** Takes what it has in a shard apart, to be moved; nothing, if there is nothing. It has it no more then. */
  readonly freeze: (shard: number) => unknown
  /** Puts it together again, which another machine has taken apart. It may come when the shard is in use already. */
  readonly thaw: (shard: number, frozen: any, from: string) => void
  /** Forgets what it has in a shard: it belongs to another machine already. */
  readonly drop: (shard: number) => void
}

/** What a machine has taken apart of a shard, for the next one that has it. */
interface Left {
  /** Another one each time. */
  readonly id: string
  /** By the names of keepers. */
  readonly parts: Record<string, unknown>
  readonly since: number
}

/** Answers a question of another machine, or fails with what can be cloned. */
type Answering = (body: any, from: SocketLink) => Effect.Effect<unknown, unknown>

export class Node {
  readonly address: string
  /** Another one each time the process starts: nothing of a new one is taken for the old one's. */
  readonly incarnation = Math.random().toString(36).slice(2)
  readonly security: Security
  /** What pickles that go to other machines are signed with. */
  readonly signed: { readonly key?: Uint8Array }
  placement!: Placement["Service"]
  /** The tasklets by key that it runs. */
  tasklets: { readonly busy: (shard: number) => boolean } | undefined
  /** What moves tasklets from and to it by its address. */
  migration: object | undefined
  /** Waits until the homes of channels have what was sent from here so far. */
  delivered: Effect.Effect<void> = Effect.void
  /** What is kept with shards, by a name that all machines know. */
  readonly keepers = new Map<string, Keeper>()
  private readonly answering = new Map<string, Answering>()
  private readonly hearing = new Map<string, (body: any, link: SocketLink) => void>()
  /** The links that this machine has made, and those that others have made. */
  private readonly links = new Map<string, Deferred.Deferred<SocketLink, MachineUnreachable>>()
  private readonly open = new Map<string, SocketLink>()
  private readonly accepted = new Set<SocketLink>()
  /** Since when machines have not answered, and those that are taken to be gone. */
  private readonly missed = new Map<string, number>()
  readonly gone = new Set<string>()
  /** The shards that this machine has, and what of others has not been fetched yet. */
  readonly held = new Set<number>()
  private readonly parked = new Map<number, Left>()
  private parkings = 0
  /** What has been taken, of which the machine that has left it may not have heard. */
  private readonly taken = new Set<string>()
  private asked = 0
  private readonly questions = new Map<number, { readonly link: SocketLink; readonly answer: (message: any) => void }>()
  ended = false

  constructor(address: string, security: Security) {
    this.address = address
    this.security = security
    const { secret } = security
    this.signed = secret === undefined ? {} : { key: new TextEncoder().encode(secret) }
    this.answer("claim", ({ shard }: { shard: number }) => {
      const left = Effect.sync(() => this.parked.get(shard))
      if (!this.parked.has(shard)) return left
      // what a tasklet has sent comes before what it sends from there
      return Effect.andThen(Effect.timeoutOption(this.delivered, SETTLING), left)
    })
    this.answer("claimed", ({ id, shard }: { id: string; shard: number }) =>
      Effect.sync(() => {
        if (this.parked.get(shard)?.id === id) this.parked.delete(shard)
      }))
    this.on("left", ({ shard }: { shard: number }, { name }) => {
      const held = (): boolean => this.held.has(shard)
      if (held()) Effect.runFork(this.claim(shard, name, held))
    })
  }

  // ---- links --------------------------------------------------------------------------------------------------------

  /** A link to a machine: the one there is, or a new one. */
  linkTo(address: string): Effect.Effect<SocketLink, MachineUnreachable> {
    return Effect.suspend(() => {
      const known = this.links.get(address)
      if (known !== undefined) return Deferred.await(known)
      const made = Deferred.makeUnsafe<SocketLink, MachineUnreachable>()
      this.links.set(address, made)
      return Effect.flatMap(Effect.exit(Effect.interruptible(this.connect(address))), (exit) => {
        if (Exit.isFailure(exit)) {
          this.links.delete(address)
          const failed = Cause.hasInterruptsOnly(exit.cause)
            ? Exit.fail(new MachineUnreachable({ address, reason: "interrupted" }))
            : exit
          return Effect.andThen(Deferred.done(made, failed), failed)
        }
        const link = exit.value
        this.gone.delete(address)
        this.open.set(address, link)
        link.onClose(() => {
          if (this.open.get(address) === link) this.open.delete(address)
          if (this.links.get(address) === made) this.links.delete(address)
        })
        return Effect.andThen(Deferred.done(made, exit), exit)
      }).pipe(Effect.uninterruptible)
    })
  }

  /** The link to a machine, if there is one now. */
  openLink(address: string): SocketLink | undefined {
    return this.open.get(address)
  }

  private connect(address: string): Effect.Effect<SocketLink, MachineUnreachable> {
    const unreachable = (reason: string) => new MachineUnreachable({ address, reason })
    if (this.ended) return Effect.fail(unreachable("this machine has ended"))
    return Effect.flatMap(
      dial(address, FOR_LINK, this.security),
      (socket) =>
        Effect.callback<SocketLink, MachineUnreachable>((resume) => {
          const link = new SocketLink(address, socket)
          const timer = setTimeout(() => fails(`it says nothing for ${PATIENCE} ms`), PATIENCE)
          const fails = (reason: string): void => {
            clearTimeout(timer)
            link.close()
            resume(Effect.fail(unreachable(reason)))
          }
          let greeted = false
          link.onClose(() => {
            clearTimeout(timer)
            if (!greeted) resume(Effect.fail(unreachable("it has closed the connection")))
          })
          link.onMessage((message: { readonly hello?: Hello }) => {
            if (greeted) return this.hear(link, message)
            const { hello } = message
            if (hello === undefined || hello.protocol !== PROTOCOL) {
              return fails("it speaks another version of the protocol")
            }
            if (hello.address !== address) return fails(`it is ${hello.address}`)
            greeted = true
            link.incarnation = hello.incarnation
            clearTimeout(timer)
            resume(Effect.succeed(link))
          })
          link.post({ hello: this.hello })
          return Effect.sync(() => fails("interrupted"))
        })
    )
  }

  /** Another machine has connected. */
  accept(socket: Socket): void {
    const link = new SocketLink("", socket)
    this.accepted.add(link)
    link.onClose(() => this.accepted.delete(link))
    link.onMessage((message: { readonly hello?: Hello }) => {
      if (link.name !== "") return this.hear(link, message)
      const { hello } = message
      if (hello === undefined || hello.protocol !== PROTOCOL || this.ended) return link.close()
      link.name = hello.address
      link.incarnation = hello.incarnation
      link.post({ hello: this.hello })
    })
  }

  private get hello(): Hello {
    return { address: this.address, incarnation: this.incarnation, protocol: PROTOCOL }
  }

  // ---- messages -----------------------------------------------------------------------------------------------------

  /** Says who hears messages of a kind. */
  on(kind: string, hear: (body: any, link: SocketLink) => void): void {
    this.hearing.set(kind, hear)
  }

  /** Says who answers questions of a kind. */
  answer(kind: string, answering: Answering): void {
    this.answering.set(kind, answering)
  }

  /**
   * Asks a machine. Fails with `MachineUnreachable` if it cannot be asked, or is lost before it has answered; with what the other one
   * fails with.
   */
  ask(address: string, kind: string, body: unknown): Effect.Effect<any, MachineUnreachable | Failed> {
    if (address === this.address) {
      return Effect.mapError(
        Effect.suspend(() => this.answering.get(kind)!(body, undefined as never)),
        (error) => new Failed(error)
      )
    }
    return Effect.flatMap(
      this.linkTo(address),
      (link) =>
        Effect.callback<any, MachineUnreachable | Failed>((resume) => {
          const id = ++this.asked
          const forget = (): void => {
            this.questions.delete(id)
            cancel()
          }
          this.questions.set(id, {
            link,
            answer: ({ failed, value }) => {
              forget()
              resume(failed === undefined ? Effect.succeed(value) : Effect.fail(new Failed(failed)))
            }
          })
          link.post({ ask: id, kind, body })
          const cancel = link.onClose(() => {
            this.questions.delete(id)
            resume(Effect.fail(new MachineUnreachable({ address, reason: "the link was lost before it answered" })))
          })
          return Effect.sync(forget)
        })
    )
  }

  private hear(link: SocketLink, message: any): void {
    const { answer, ask, body, kind } = message
    if (answer !== undefined) {
      const question = this.questions.get(answer)
      if (question?.link === link) question.answer(message)
    } else if (ask !== undefined) {
      const answering = this.answering.get(kind)
      const answered = answering === undefined ? Effect.fail(`nobody here answers ${kind}`) : answering(body, link)
      Effect.runCallback(Effect.suspend(() => answered), {
        onExit: (exit) =>
          link.post(
            Exit.isSuccess(exit)
              ? { answer: ask, value: exit.value }
              : { answer: ask, failed: Cause.squash(exit.cause) }
          )
      })
    } else this.hearing.get(kind)?.(body, link)
  }

  // ---- shards -------------------------------------------------------------------------------------------------------

  /** Runs while a shard is this machine's. */
  readonly hold = (shard: number): Effect.Effect<never> =>
    Effect.acquireUseRelease(
      this.fetch(shard),
      () => Effect.never,
      () => Effect.andThen(this.settled(shard), Effect.sync(() => this.give(shard)))
    )

  /** Waits a while for tasklets that can only be taken apart later. */
  private settled(shard: number): Effect.Effect<void> {
    return Effect.suspend(() => {
      this.held.delete(shard)
      const until = Date.now() + SETTLING
      const wait: Effect.Effect<void> = Effect.suspend(() =>
        this.tasklets?.busy(shard) === true && Date.now() < until ? Effect.andThen(Effect.sleep(5), wait) : Effect.void
      )
      return wait
    })
  }

  /** Fetches what the last one to have the shard has left for the next one. That may have been this machine itself. */
  private fetch(shard: number): Effect.Effect<void> {
    return Effect.flatMap(
      this.others,
      (others) =>
        Effect.forEach(others, (address) => this.claim(shard, address, () => true), {
          concurrency: "unbounded",
          discard: true
        })
    ).pipe(
      Effect.andThen(Effect.sync(() => {
        const own = this.parked.get(shard)
        this.parked.delete(shard)
        if (own !== undefined) this.take(shard, own, this.address)
        this.held.add(shard)
      }))
    )
  }

  /** Takes what another machine has left of a shard, if it is still wanted when it comes. */
  private claim(shard: number, address: string, wanted: () => boolean): Effect.Effect<void> {
    return this.ask(address, "claim", { shard }).pipe(
      Effect.flatMap((left: Left | undefined) => {
        if (left === undefined || !wanted()) return Effect.void
        this.take(shard, left, address)
        // it offers it again if it does not hear of this
        return Effect.andThen(
          this.ask(address, "claimed", { shard, id: left.id }),
          Effect.sync(() => void this.taken.delete(left.id))
        )
      }),
      Effect.timeoutOption(PATIENCE),
      Effect.ignore
    )
  }

  private take(shard: number, { id, parts }: Left, from: string): void {
    if (this.taken.has(id)) return
    this.taken.add(id)
    for (const [name, part] of Object.entries(parts)) this.keepers.get(name)?.thaw(shard, part, from)
  }

  /** Leaves what is kept in the shard for the next one. If the lock was lost, as this machine has stopped, it is another one's. */
  private give(shard: number): void {
    this.held.delete(shard)
    const leased = this.placement.leased(shard)
    const parts: Record<string, unknown> = {}
    for (const [name, keeper] of this.keepers) {
      if (!leased) keeper.drop(shard)
      else {
        const part = keeper.freeze(shard)
        if (part !== undefined) parts[name] = part
      }
    }
    if (Object.keys(parts).length === 0) return
    this.parked.set(shard, { id: `${this.incarnation} ${++this.parkings}`, parts, since: Date.now() })
  }

  /** Tells whoever has a shard what is left of it here, and was not fetched: this machine was taken to be gone, or was slow. */
  private readonly offer: Effect.Effect<void> = Effect.suspend(() => {
    const late = [...this.parked].filter(([, { since }]) => Date.now() - since > PATIENCE)
    return Effect.forEach(late, ([shard]) =>
      this.placement.locate(shard).pipe(
        Effect.flatMap((address) => address === this.address ? Effect.never : this.linkTo(address)),
        Effect.tap((link) => Effect.sync(() => link.post({ kind: "left", body: { shard } }))),
        Effect.timeoutOption(PATIENCE),
        Effect.ignore
      ), { concurrency: "unbounded", discard: true })
  })

  /** All machines but this one that may answer. */
  readonly others: Effect.Effect<ReadonlyArray<string>> = Effect.suspend(() =>
    Effect.map(this.placement.machines, (registered) => {
      const addresses = new Set([...registered, ...this.links.keys()])
      for (const { name } of this.accepted) if (name !== "") addresses.add(name)
      addresses.delete(this.address)
      return [...addresses].filter((address) => !this.gone.has(address))
    })
  )

  /** Waits until others have what it has left for them, and what was sent from here, for at most as long as that may take. */
  readonly handedOver: Effect.Effect<void> = Effect.suspend(() => {
    const fetched: Effect.Effect<void> = Effect.suspend(() =>
      this.parked.size === 0 ? Effect.void : Effect.andThen(Effect.sleep(20), fetched)
    )
    const delivered = Effect.asVoid(Effect.timeoutOption(this.delivered, PATIENCE))
    // a machine that was never there has nothing, and nobody to ask
    if (this.parked.size === 0) return delivered
    return Effect.flatMap(
      this.others,
      (others) => others.length === 0 ? Effect.void : Effect.andThen(fetched, delivered)
    )
  }).pipe(Effect.timeoutOption(5000), Effect.asVoid)

  /** Watches the others: one that does not answer is reported, so that its shards are given to others at once. */
  readonly watch: Effect.Effect<never> = Effect.suspend(() =>
    Effect.flatMap(this.placement.machines, (registered) =>
      Effect.forEach(
        registered.filter((address) => address !== this.address),
        (address) =>
          Effect.flatMap(this.answers(address), (answers) => {
            if (answers) return Effect.void
            this.gone.add(address)
            return this.placement.gone(address)
          }),
        { concurrency: "unbounded", discard: true }
      ))
  ).pipe(Effect.andThen(this.offer), Effect.andThen(Effect.sleep(250)), Effect.forever)

  /** Does a machine answer? One at whose address nobody listens does not; one that says nothing is given some time. */
  answers(address: string): Effect.Effect<boolean> {
    if (address === this.address) return Effect.succeed(true)
    return Effect.match(this.linkTo(address), {
      onSuccess: () => {
        this.missed.delete(address)
        return true
      },
      onFailure: ({ reason }) => {
        const since = this.missed.get(address) ?? Date.now()
        this.missed.set(address, since)
        return reason !== REFUSED && Date.now() - since < SLOWNESS
      }
    })
  }

  end(): void {
    this.ended = true
    for (const link of this.open.values()) link.end()
    for (const link of this.accepted) link.end()
  }
}

/** What another machine has failed with. */
export class Failed {
  readonly error: unknown
  constructor(error: unknown) {
    this.error = error
  }
}

let node: Node | undefined

/** The machine that this process is. Throws `NoMachine` if it is none. */
export const here = (): Node => {
  if (node === undefined) throw new NoMachine()
  return node
}

/** Is this process a machine? */
export const isMachine = (): boolean => node !== undefined

export const setNode = (made: Node | undefined): void => {
  node = made
}
