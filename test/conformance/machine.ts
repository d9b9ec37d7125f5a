/**
 * Interprets programs: the course of a body and the ops that every layer has. A layer adds its primitives.
 *
 * Each op logs `WHO op args` before it runs, and `WHO op args -> result` or `WHO op args ! Error` after; `start`,
 * `ends`, `dies ERROR`, `catch ERROR` and `finally` mark a body's course. An op of main that fails logs
 * `main caught ERROR`, and main goes on with the next.
 */
"use stackless"
import type { Effect } from "effect"
import { inGear, type ProgramGear, type Steps } from "./gear.ts"
import type { Control, Op, Ops, Program, Value } from "./program.ts"
import { AssertionError, type ErrorClass, lookup, str, written } from "./python.ts"
import { compiledCourses, type Course, type Courses, type Interpreter } from "./text.ts"

/** How many ops a program may run. What it runs beyond is no behaviour of the original, but a program out of hand. */
const budget = 400

/** The budget is used up. No handler of a program catches it. */
class Stop extends Error {
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

  /** Is made on the thread that it runs on. It adds its lines to `trace`, so that they can be seen if it hangs. */
  constructor(program: Program<Primitive>, gear: ProgramGear, trace: Array<string>) {
    this.trace = trace
    this.gear = gear
    this.courses = gear === "compiled" ? compiledCourses(program) : this.interpreted(program)
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
  /** After the main program: puts right what it may have left behind on the thread, so that another can run there. */
  abstract settle(): Steps<void>

  /** The main program. */
  *run(): Steps<void> {
    // bodies of the program before, which went on when their thread ended, may have set callbacks
    this.detach()
    for (const course of this.courses.main) {
      try {
        yield* course(this)
      } catch (error) {
        if (error instanceof Stop) {
          this.trace.push("STOP")
          return
        }
        this.log(`main caught ${this.errorName(error)}`)
      }
    }
    this.detach()
    this.end()
  }

  /** The body of that name, for a microthread. */
  protected body(name: string): (...args: ReadonlyArray<unknown>) => Steps<unknown> | Effect.Effect<unknown> {
    const course = function*(this: Machine<Primitive>, ...args: ReadonlyArray<unknown>): Steps<unknown> {
      this.log(`start${this.started(args)}`)
      let returned: Returned
      try {
        returned = yield* lookup(this.courses.bodies, name)(this)
      } catch (error) {
        this.log(`dies ${this.errorName(error)}`)
        throw error
      }
      this.log(`ends${this.ended(returned?.value)}`)
      return this.returns(name, returned)
    }
    return inGear(this.gear === "hard" ? "hard" : "soft", course.bind(this))
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
