/**
 * Messages between machines that outlive a link: each comes once, in its order, for as long as both machines live.
 *
 * A link may be lost with what was on its way over it. What another machine has not confirmed is said again on the next link, and
 * what comes twice is heard once. A machine is lost when nobody listens at its address, when another process does, or when it is not
 * registered any more; while it is registered, and the network is cut, everything waits.
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type { MachineUnreachable } from "../errors.ts"
import type { SocketLink } from "./link.ts"
import type { Node } from "./node.ts"
import { REFUSED } from "./sockets.ts"

/** How long to wait before a machine is looked for again, in milliseconds. */
const PAUSE = 100

interface Letter {
  /** Another one for each machine that speaks, and for each time that it has given the other one up. */
  readonly session: string
  readonly seq: number
  readonly body: unknown
}

/** What goes to one machine. */
interface Session {
  readonly id: string
  /** The process that listens there. */
  incarnation: string | undefined
  link: SocketLink | undefined
  looking: boolean
  sent: number
  unheard: Array<Letter>
}

export class Courier {
  private readonly node: Node
  private readonly hear: (from: string, message: any) => void
  private readonly lost: (address: string, cause?: MachineUnreachable) => void
  private readonly sessions = new Map<string, Session>()
  /** What has come from each machine. */
  private readonly heard = new Map<string, { readonly session: string; seq: number }>()
  private made = 0

  /**
   * @param hear called with each message
   * @param lost called when a machine is lost, or has given this one up: nothing comes of what was said before. `cause` says why it was not
   *   reached
   */
  constructor(
    node: Node,
    hear: (from: string, message: any) => void,
    lost: (address: string, cause?: MachineUnreachable) => void
  ) {
    this.node = node
    this.hear = hear
    this.lost = lost
    node.on("letter", (letter: Letter, link) => this.receive(letter, link))
    node.on("heard", ({ seq, session }: { session: string; seq: number }, { name }) => {
      const known = this.sessions.get(name)
      if (known?.id !== session) return
      while (known.unheard[0] !== undefined && known.unheard[0].seq <= seq) known.unheard.shift()
    })
  }

  post(address: string, body: unknown): void {
    const session = this.watch(address)
    const letter: Letter = { session: session.id, seq: ++session.sent, body }
    session.unheard.push(letter)
    session.link?.post({ kind: "letter", body: letter })
  }

  /** Tells from now on if that machine is lost. */
  watch(address: string): Session {
    let session = this.sessions.get(address)
    if (session === undefined) {
      const id = `${this.node.incarnation} ${++this.made}`
      session = { id, incarnation: undefined, link: undefined, looking: false, sent: 0, unheard: [] }
      this.sessions.set(address, session)
      this.find(address, session)
    }
    return session
  }

  private receive({ body, seq, session }: Letter, link: SocketLink): void {
    const from = link.name
    let known = this.heard.get(from)
    if (known?.session !== session) {
      // of a session that has ended
      if (seq !== 1) return
      if (known !== undefined) this.lost(from)
      this.heard.set(from, known = { session, seq: 0 })
    }
    const isNext = seq === known.seq + 1
    if (isNext) known.seq = seq
    link.post({ kind: "heard", body: { session, seq: known.seq } })
    if (isNext) this.hear(from, body)
  }

  private find(address: string, session: Session): void {
    const { node } = this
    if (session.looking || node.ended) return
    session.looking = true
    Effect.runCallback(node.linkTo(address), {
      onExit: (exit) => {
        session.looking = false
        if (node.ended || this.sessions.get(address) !== session) return
        if (Exit.isSuccess(exit)) return this.found(address, session, exit.value)
        const [reason] = exit.cause.reasons
        const cause = reason?._tag === "Fail" ? reason.error : undefined
        if (cause?.reason === REFUSED) this.lose(address, session, cause)
        else this.ask(address, session, cause)
      }
    })
  }

  private found(address: string, session: Session, link: SocketLink): void {
    if (session.incarnation !== undefined && session.incarnation !== link.incarnation) {
      return this.lose(address, session)
    }
    session.incarnation = link.incarnation
    session.link = link
    link.onClose(() => {
      session.link = undefined
      this.find(address, session)
    })
    for (const letter of session.unheard) session.link?.post({ kind: "letter", body: letter })
  }

  /** It does not answer: is it registered? */
  private ask(address: string, session: Session, cause: MachineUnreachable | undefined): void {
    const { node } = this
    Effect.runCallback(node.placement.machines, {
      onExit: (exit) => {
        const machines = Exit.isSuccess(exit) ? exit.value : []
        // a list without this machine is none
        if (machines.includes(node.address) && !machines.includes(address)) return this.lose(address, session, cause)
        setTimeout(() => this.find(address, session), PAUSE).unref()
      }
    })
  }

  private lose(address: string, session: Session, cause?: MachineUnreachable): void {
    if (this.sessions.get(address) !== session) return
    this.sessions.delete(address)
    this.lost(address, cause)
  }
}
