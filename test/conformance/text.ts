/**
 * The third gear: the bodies of a program written out as JavaScript, and compiled to frames. What the interpreter does with
 * a `try`, a `repeat` or a `return`, a statement of the language does here, so that whatever a body is in the middle of
 * when it switches is for the compiler to keep.
 */
import { compile } from "effect-stackless/compiler"
import * as frames from "effect-stackless/frames"
import type { Steps } from "./gear.ts"
import type { Returned } from "./machine.ts"
import type { Program } from "./program.ts"

/** What the text calls. The machine has all of it. */
export interface Interpreter {
  /** One more op. */
  step(): void
  /** Runs an op that holds no others. */
  one(op: ReadonlyArray<unknown>): Steps<unknown>
  /** Does a handler for errors of that name take this one? Then it is logged. */
  takes(name: string, error: unknown): boolean
  beginFinally(): void
  /** Runs ops that have to come to their end in that time. */
  within(ticks: number | null, course: () => Steps<Returned>): Steps<Returned>
}

export type Course = (machine: Interpreter) => Steps<Returned>

export interface Courses {
  readonly bodies: ReadonlyMap<string, Course>
  /** One for each op of main, which goes on with the next when one fails. */
  readonly main: ReadonlyArray<Course>
}

/** A program that tells the time is run often. */
const known = new WeakMap<Program, Courses>()

export const compiledCourses = (program: Program): Courses => {
  let courses = known.get(program)
  if (courses === undefined) known.set(program, courses = coursesOf(program))
  return courses
}

const coursesOf = (program: Program): Courses => {
  const bodies = Object.entries(program.bodies)
  const functions = [...bodies.map(([, ops]) => ops), ...program.main.map((op) => [op])]
  const text = `module.exports = [${functions.map((ops) => new Text().body(ops as Ops)).join(",\n")}]\n`
  const { code } = compile(text, { filename: `${program.name}.cjs`, all: true })
  const module: { exports: ReadonlyArray<Course> } = { exports: [] }
  // oxlint-disable-next-line no-new-func -- the program is known only now
  new Function("module", "require", code)(module, () => frames)
  return {
    bodies: new Map(bodies.map(([name], index) => [name, module.exports[index]!])),
    main: module.exports.slice(bodies.length)
  }
}

type Ops = ReadonlyArray<ReadonlyArray<any>>

class Text {
  private names = 0

  body(ops: Ops): string {
    return `function*(machine) {\n${this.ops(ops, "return")}}`
  }

  /** @param leave the statement that ends what the ops are in: it `return`s, or it is the end of a `finally` only */
  private ops(ops: Ops, leave: string): string {
    return ops.map((op) => `machine.step()\n${this.one(op, leave)}`).join("")
  }

  private one(op: ReadonlyArray<any>, leave: string): string {
    const leaving = (value: string) => leave === "return" ? `return ${value}\n` : `${leave}\n`
    switch (op[0]) {
      case "try":
        return this.attempt(op as never, leave)
      case "repeat": {
        const n = this.name("n")
        return `for (let ${n} = 0; ${n} < ${op[1]}; ${n}++) {\n${this.ops(op[2], leave)}}\n`
      }
      case "timeout": {
        const returned = this.name("returned")
        return `const ${returned} = yield* machine.within(${JSON.stringify(op[1])}, ${this.inner(op[2])})\n` +
          `if (${returned} !== undefined) ${leaving(returned)}`
      }
      case "return":
        return leaving(`{ value: ${JSON.stringify(op[1])} }`)
      default:
        return `yield* machine.one(${JSON.stringify(op)})\n`
    }
  }

  /** It sees the machine of the function around it. */
  private inner(ops: Ops): string {
    return `function*() {\n${this.ops(ops, "return")}}`
  }

  private attempt([, ops, handlers, final]: [string, Ops, ReadonlyArray<[string, Ops]>, Ops], leave: string): string {
    const error = this.name("error")
    const chain = handlers.map(([name, ops]) =>
      `if (machine.takes(${JSON.stringify(name)}, ${error})) {\n${this.ops(ops, leave)}} else `
    )
    const label = this.name("final")
    const finally_ = final.length === 0
      ? ""
      : ` finally {\n${label}: {\nmachine.beginFinally()\n${this.ops(final, `break ${label}`)}}\n}`
    return `try {\n${this.ops(ops, leave)}} catch (${error}) {\n${chain.join("")}throw ${error}\n}${finally_}\n`
  }

  private name(of: string): string {
    return `${of}${this.names++}`
  }
}
