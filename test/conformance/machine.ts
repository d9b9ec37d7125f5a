/**
 * Interprets programs: the course of a body and the ops that every layer has. A layer adds its primitives.
 *
 * Each op logs `WHO op args` before it runs, and `WHO op args -> result` or `WHO op args ! Error` after; `start`,
 * `ends`, `dies ERROR`, `catch ERROR` and `finally` mark a body's course. An op of main that fails logs
 * `main caught ERROR`, and main goes on with the next.
 */
"use stackless"
import type { Effect } from "effect"
import { inGear, isCompiled, type ProgramGear, type Steps } from "./gear.ts"
import type { Control, Op, Ops, Program, Value } from "./program.ts"
import { AssertionError, type ErrorClass, lookup, str, written } from "./python.ts"
import { compiledCourses, type Course, type Courses, type Interpreter } from "./text.ts"

/** How many ops a program may run. What it runs beyond is no behaviour of the original, but a program out of hand. */
const budget = 400

/** The budget is used up. No handler of a program catches it. */
export class Stop extends Error {
  override readonly name = "Stop"
}

/** That the body returns, and what. */
export type Returned = { readonly value: Value } | undefined

export abstract class Machine<Primitive extends readonly [string, ...ReadonlyArray<unknown>]> implements Interpreter {
  /** The lines so far. */
  readonly trace: Array<string>
  private readonly gear: ProgramGear
  private readonly courses: Courses
  private steps = 0
  /** How many ops of main are over. */
  private done = 0

  /** Is made on the thread that it runs on. It adds its lines to `trace`, so that they can be seen if it hangs. */
  constructor(program: Program<Primitive>, gear: ProgramGear, trace: Array<string>) {
    this.trace = trace
    this.gear = gear
    this.courses = isCompiled(gear) ? compiledCourses(program) : this.interpreted(program)
  }

  /** The errors that a program can name. */
  protected abstract readonly errors: ReadonlyMap<string, ErrorClass>
  /** The name of the microthread that runs. */
  protected abstract me(): string
  /** What a `state` line says. */
  protected abstract state(): string
  /** What a body's `start` line says of its arguments. */
  protected abstract started(args: ReadonlyArray<unknown>): string
  /** What a body's `ends` line says of what it returns. */
  protected abstract ended(value: Value | undefined): string
  /** Takes off the callbacks that the program has set. */
  protected abstract detach(): void
  /** What the body of that name returns. */
  protected returns(_name: string, returned: Returned): unknown {
    return returned?.value
  }
  /** The main program has run: logs that it has. */
  protected end(): void {
    this.log(`end ${this.state()}`)
  }
  /** Does a handler for errors of that name catch this one? */
  protected catches(name: string, error: unknown): boolean {
    return name === "*" || error instanceof this.error(name)
  }
  /** Runs a primitive: its result, as it is written. */
  protected abstract perform(op: Primitive): Steps<Value>
  /** What its thread knows of the program: read before everything is pickled, and put on the thread where it is loaded. */
  abstract leave(): unknown
  abstract arrive(left: any): void
  /** After the main program: puts right what it may have left behind on the thread, so that another can run there. */
  abstract settle(): Steps<void>

  /** The main program. */
  *run(): Steps<void> {
    while (yield* this.advance());
  }

  /** The next op of the main program. Is there another one? */
  *advance(): Steps<boolean> {
    // bodies of the program before, which went on when their thread ended, may have set callbacks
    if (this.done === 0) this.detach()
    const { main } = this.courses
    if (this.done === main.length) {
      this.detach()
      this.end()
      return false
    }
    try {
      yield* main[this.done++]!(this)
    } catch (error) {
      if (error instanceof Stop) {
        this.trace.push("STOP")
        return false
      }
      this.log(`main caught ${this.errorName(error)}`)
    }
    return true
  }

  /** The body of that name, for a microthread. */
  protected body(name: string): (...args: ReadonlyArray<unknown>) => Steps<unknown> | Effect.Effect<unknown> {
    // oxlint-disable-next-line unicorn/no-this-assignment, typescript/no-this-alias -- generator functions have a `this` of their own
    const machine = this
    const course = function*(...args: ReadonlyArray<unknown>): Steps<unknown> {
      machine.log(`start${machine.started(args)}`)
      let returned: Returned
      try {
        returned = yield* lookup(machine.courses.bodies, name)(machine)
      } catch (error) {
        machine.log(`dies ${machine.errorName(error)}`)
        throw error
      }
      machine.log(`ends${machine.ended(returned?.value)}`)
      return machine.returns(name, returned)
    }
    return inGear(this.gear === "hard" ? "hard" : "soft", course)
  }

  private interpreted(program: Program<Primitive>): Courses {
    const course = (ops: Ops<Primitive>): Course => () => this.exec(ops)
    return {
      bodies: new Map(Object.entries(program.bodies).map(([name, ops]) => [name, course(ops)])),
      main: program.main.map((op) => course([op]))
    }
  }

  protected log(text: string): void {
    this.trace.push(`${this.me()} ${text}`)
  }

  protected error(name: string): ErrorClass {
    return lookup(this.errors, name)
  }

  protected errorName(error: unknown): string {
    for (const [name, ErrorClass] of this.errors) {
      if ((error as Error)?.constructor === ErrorClass) return name
    }
    return error instanceof Error ? error.name : typeof error
  }

  protected *exec(ops: Ops<Primitive>): Steps<Returned> {
    for (const op of ops) {
      this.step()
      const returned = yield* this.one(op)
      if (returned !== undefined) return returned
    }
    return undefined
  }

  step(): void {
    this.steps += 1
    if (this.steps > budget) throw new Stop()
  }

  *one(op: Op<Primitive>): Steps<Returned> {
    const control = op as Control<Primitive>
    switch (control[0]) {
      case "try":
        return yield* this.attempt(control)
      case "repeat":
        for (let n = 0; n < control[1]; n++) {
          const returned = yield* this.exec(control[2])
          if (returned !== undefined) return returned
        }
        return undefined
      case "raise":
        this.log(`raise ${control[1]}`)
        throw new (this.error(control[1]))(control[2] ?? "")
      case "log":
        this.log(`log ${str(control[1])}`)
        return undefined
      case "state":
        this.log(`state ${this.state()}`)
        return undefined
      case "return":
        return { value: control[1] }
      default:
        yield* this.primitive(op as Primitive)
        return undefined
    }
  }

  private *attempt([, ops, handlers, final]: Extract<Control<Primitive>, readonly ["try", ...Array<unknown>]>) {
    try {
      return yield* this.exec(ops)
    } catch (error) {
      const handler = handlers.find(([name]) => this.takes(name, error))
      if (handler === undefined) throw error
      return yield* this.exec(handler[1])
    } finally {
      if (final.length > 0) {
        this.beginFinally()
        yield* this.exec(final)
      }
    }
  }

  takes(name: string, error: unknown): boolean {
    if (error instanceof Stop || !this.catches(name, error)) return false
    this.log(`catch ${this.errorName(error)}`)
    return true
  }

  beginFinally(): void {
    this.log("finally")
  }

  /** Only programs that tell the time have an op for it. */
  within(_ticks: number | null, _course: () => Steps<Returned>): Steps<Returned> {
    throw new AssertionError("timeout")
  }

  private *primitive(op: Primitive): Steps<void> {
    const what = written(op)
    this.log(what)
    let result: Value
    try {
      result = yield* this.perform(op)
    } catch (error) {
      if (!(error instanceof Stop)) this.log(`${what} ! ${this.errorName(error)}`)
      throw error
    }
    this.log(`${what} -> ${result}`)
  }
}
