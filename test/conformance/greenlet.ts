/** The programs of the greenlet layer. */
"use stackless"
import * as G from "effect-stackless/greenlet"
import type { ProgramGear, Steps } from "./gear.ts"
import { Machine } from "./machine.ts"
import type { Program, Value } from "./program.ts"
import {
  AssertionError,
  type ErrorClass,
  KeyError,
  lookup,
  RuntimeError,
  sorted,
  str,
  ZeroDivisionError
} from "./python.ts"

/** Targets are names of greenlets, or `parent`: the current one's, or itself for want of one. */
export type GreenletOp =
  | readonly ["new", name: string, parent?: string]
  | readonly ["switch", target: string, ...values: ReadonlyArray<Value>]
  | readonly ["throw", target: string, error?: string]
  | readonly ["set_parent", target: string, parent: string]
  | readonly ["rerun", target: string, body: string]
  | readonly ["settrace", on: 0 | 1]

export const errors = new Map<string, ErrorClass>([
  ["ValueError", G.ValueError],
  ["KeyError", KeyError],
  ["GreenletExit", G.GreenletExit],
  ["ZeroDivisionError", ZeroDivisionError],
  ["RuntimeError", RuntimeError],
  ["AttributeError", G.AttributeError],
  ["error", G.GreenletError]
])

export class GreenletMachine extends Machine<GreenletOp> {
  protected readonly errors = errors
  private readonly greenlets = new Map<string, G.Greenlet>()
  private readonly names = new Map<G.Greenlet, string>()

  constructor(program: Program<GreenletOp>, gear: ProgramGear, trace: Array<string>) {
    super(program, gear, trace)
    this.adopt("main", G.getcurrent())
  }

  protected me(): string {
    return this.nameOf(G.getcurrent())
  }

  /** For each greenlet `d` (dead), `a` (active: started and not dead) and its parent. */
  protected state(): string {
    return sorted(this.greenlets).map(([name, g]) =>
      `${name}=${g.dead ? "d" : ""}${g.active ? "a" : ""}^${this.nameOf(g.parent)}`
    ).join(" ")
  }

  protected started(args: ReadonlyArray<unknown>): string {
    return ` ${this.value(args.length === 1 ? args[0] : args)}`
  }

  protected ended(value: Value | undefined): string {
    return ` ${this.value(value)}`
  }

  private attached = false

  private attach(): void {
    this.attached = true
    G.settrace((event, origin, target) => this.traced(event, origin, target))
  }

  protected detach(): void {
    this.attached = false
    G.settrace(undefined)
  }

  protected *perform(op: GreenletOp): Steps<Value> {
    switch (op[0]) {
      case "new": {
        const [, name, parent] = op
        const body = this.body(name)
        this.adopt(name, parent === undefined ? G.greenlet(body) : G.greenlet(body, this.target(parent)))
        return name
      }
      case "switch": {
        const [, target, ...values] = op
        return this.value(yield* this.target(target).switch(...values))
      }
      case "throw": {
        const [, target, error] = op
        if (error === undefined) return this.value(yield* this.target(target).throw())
        return this.value(yield* this.target(target).throw(new (this.error(error))("thrown")))
      }
      case "set_parent":
        this.target(op[1]).parent = this.target(op[2])
        return this.nameOf(this.target(op[1]).parent)
      case "rerun":
        this.target(op[1]).run = this.body(op[2])
        return "ok"
      case "settrace":
        if (op[1]) this.attach()
        else this.detach()
        return op[1] ? "on" : "off"
      default:
        throw new AssertionError(op[0])
    }
  }

  leave(): undefined {}

  arrive(_left: undefined): void {
    if (this.attached) this.attach()
  }

  *settle(): Steps<void> {}

  private traced(event: string, origin: G.Greenlet, target: G.Greenlet): void {
    this.trace.push(`trace ${event} ${this.nameOf(origin)} ${this.nameOf(target)}`)
  }

  private target(name: string): G.Greenlet {
    if (name !== "parent") return lookup(this.greenlets, name)
    const current = G.getcurrent()
    return current.parent ?? current
  }

  /** A name stands for the last greenlet made under it; those before keep it too. */
  private adopt(name: string, greenlet: G.Greenlet): void {
    this.greenlets.set(name, greenlet)
    this.names.set(greenlet, name)
  }

  private nameOf(greenlet: G.Greenlet | undefined): string {
    return greenlet === undefined ? "-" : this.names.get(greenlet) ?? "?"
  }

  private value(value: unknown): string {
    if (value instanceof G.Greenlet) return `<${this.nameOf(value)}>`
    if (value === undefined || value === null) return "none"
    if (value instanceof Error) return this.errorName(value)
    if (!Array.isArray(value)) return str(value)
    return value.length === 0 ? "none" : `(${value.map((item) => this.value(item)).join(",")})`
  }
}

/** A program that shows that the thread it runs on works. */
export const greenletProbe: Program<GreenletOp> = {
  name: "probe",
  bodies: { g1: [["switch", "parent", 2]] },
  main: [["new", "g1"], ["switch", "g1", 1], ["switch", "g1", 3]],
  trace: [
    "main new g1",
    "main new g1 -> g1",
    "main switch g1 1",
    "g1 start 1",
    "g1 switch parent 2",
    "main switch g1 1 -> 2",
    "main switch g1 3",
    "g1 switch parent 2 -> 3",
    "g1 ends none",
    "main switch g1 3 -> none",
    "main end g1=d^main main=a^-"
  ]
}
