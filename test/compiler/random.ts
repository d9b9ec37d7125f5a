/**
 * Random programs over the whole language: a generator function in which every expression may suspend. The same seed gives
 * the same program, and the same steps that it is taken through.
 */
import { compile, CompileError } from "effect-stackless/compiler"
import * as frames from "effect-stackless/frames"

/** Numbers from a seed (mulberry32). */
const numbers = (seed: number): () => number => {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6D2B79F5) >>> 0
    let t = state
    t = Math.imul(t ^ (t >>> 15), t | 1)
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296
  }
}

interface Context {
  /** May `yield` stand here? */
  readonly yields: boolean
  readonly labels: ReadonlyArray<{ readonly name: string; readonly loop: boolean }>
  readonly inLoop: boolean
  readonly inSwitch: boolean
  readonly names: ReadonlyArray<string>
  /** Is there a `super`, and is there the private name `#p`? */
  readonly member: boolean
  readonly function: boolean
}

class Programs {
  private readonly random: () => number
  private counter = 0
  private budget: number
  readonly strict: boolean

  constructor(seed: number) {
    this.random = numbers(seed)
    this.budget = 6 + Math.floor(this.random() * 30)
    this.strict = this.random() < 0.5
  }

  private chance(probability: number): boolean {
    return this.random() < probability
  }

  private below(n: number): number {
    return Math.floor(this.random() * n)
  }

  private pick<A>(values: ReadonlyArray<A>): A {
    return values[this.below(values.length)]!
  }

  private fresh(prefix: string): string {
    return `${prefix}${this.counter++}`
  }

  /** A variable, but not the one that all programs need. */
  private name(context: Context): string {
    const name = this.pick(context.names)
    return name === "o" ? "a" : name
  }

  program(): string {
    const context: Context = {
      yields: true,
      labels: [],
      inLoop: false,
      inSwitch: false,
      names: ["a", "b", "o"],
      member: false,
      function: true
    }
    const parameters = this.pick([
      "a, b",
      "a, b = L(a)",
      "a, { b = 2, ...c } = {}",
      "a, ...b",
      "a, b = () => a",
      "[a, b] = [1, 2]",
      "a, b = (() => a++)()"
    ])
    const body = this.block(context, 3 + this.below(4), ["a", "b"])
    return `${this.strict ? `"use strict";` : ""}
var o = { x: 1, y: [1, 2, 3], m(...args) { return L("m", args.length, this === o) }, n: null, f: () => 7 }
function* helper(n) { try { const r = yield "h" + n; if (n > 0) yield* helper(n - 1); return r } finally { L("helper " + n); if (n === 2) yield "hf" } }
function* main(${parameters}) {${body}}
return main`
  }

  private block(context: Context, size: number, declared: ReadonlyArray<string> = []): string {
    const names = [...context.names]
    const taken = new Set(declared)
    const statements: Array<string> = []
    for (let i = 0; i < size && (i === 0 || this.budget > -10); i++) {
      this.budget--
      statements.push(this.statement({ ...context, names }, names, taken))
    }
    return statements.join("\n")
  }

  /** A variable that may be assigned to: those that count iterations are left alone, so that all loops end. */
  private assignable(context: Context): string {
    const name = this.name(context)
    return /^[in]\d/.test(name) ? "a" : name
  }

  private declare(names: Array<string>, taken: Set<string>): string {
    // Often a name that there is around already: a variable of its own.
    const name = this.chance(0.4) ? this.pick(["a", "b", "c", "d"]) : this.fresh("v")
    const own = taken.has(name) ? this.fresh("v") : name
    taken.add(own)
    names.push(own)
    return own
  }

  private statement(context: Context, names: Array<string>, taken: Set<string>): string {
    const small = this.budget <= 0
    const choice = this.below(small ? 6 : 27)
    const e = () => this.expression(context, 3)
    switch (choice) {
      case 0:
      case 1:
      case 2:
        return `;${this.statementExpression(context)};`
      case 3: {
        const value = e()
        return `${this.pick(["let", "const"])} ${this.declare(names, taken)} = ${value};`
      }
      case 4:
        return `L(${e()});`
      case 5:
        return this.jump(context)
      case 6: {
        const value = e()
        const name = this.fresh("w")
        names.push(name)
        return this.chance(0.7) ? `var ${name} = ${value};` : `let ${name};`
      }
      case 7:
      case 8:
        return `if (${e()}) {${this.block(context, 2)}}${this.chance(0.5) ? ` else {${this.block(context, 2)}}` : ""}`
      case 9:
      case 10: {
        const i = this.fresh("i")
        const inner = this.looping({ ...context, names: [...context.names, i] })
        const head = this.chance(0.3)
          ? `let ${i} = 0, ${i}f = () => ${i}`
          : `let ${i} = ${this.chance(0.2) ? `(${this.expression(context, 2)}, 0)` : 0}`
        const test = this.chance(0.2) ? `(${this.expression(inner, 1)}, ${i} < 2)` : `${i} < ${1 + this.below(3)}`
        return this.labeled(
          context,
          (context) =>
            `for (${head}; ${test}; ${this.chance(0.3) ? `L(${this.expression(inner, 2)}), ` : ""}${i}++) {${
              this.block({ ...inner, labels: context.labels }, 2)
            }}`
        )
      }
      case 11:
      case 12: {
        const x = this.fresh("x")
        const kind = this.pick(["const", "let", "var"])
        const pattern = this.pick([
          x,
          x,
          `[${x} = ${this.expression(context, 2)}]`,
          `{ length: ${x} }`,
          `[${x}, ...${x}r]`
        ])
        const inner = this.looping({ ...context, names: [...context.names, x] })
        const iterable = this.iterable(context)
        return this.labeled(
          context,
          (context) =>
            `for (${kind} ${pattern} of ${pattern === x ? iterable : `[${iterable}, [1]]`}) {${
              this.block({ ...inner, labels: context.labels }, 2)
            }}`
        )
      }
      case 13: {
        const k = this.fresh("k")
        const inner = this.looping({ ...context, names: [...context.names, k] })
        return this.labeled(
          context,
          (context) =>
            `for (${this.pick(["const", "let", "var"])} ${k} in ${
              this.pick(["o", "[1, 2]", this.object(context, 2)])
            }) {${this.block({ ...inner, labels: context.labels }, 2)}}`
        )
      }
      case 14: {
        const w = this.fresh("n")
        const inner = this.looping({ ...context, names: [...context.names, w] })
        return `{ let ${w} = 0; ${
          this.labeled(context, (context) =>
            `while (${w}++ < ${1 + this.below(3)}${
              this.chance(0.3) ? ` && (${this.expression(inner, 2)}, true)` : ""
            }) {${this.block({ ...inner, labels: context.labels }, 2)}}`)
        } }`
      }
      case 15: {
        const w = this.fresh("n")
        const inner = this.looping({ ...context, names: [...context.names, w] })
        return `{ let ${w} = 0; ${
          this.labeled(context, (context) =>
            `do {${this.block({ ...inner, labels: context.labels }, 2)}} while (${
              this.chance(0.3) ? `(${this.expression(inner, 2)}, ` : "("
            }${w}++ < 2))`)
        } }`
      }
      case 16: {
        // it stays as it is written, and what jumps out of it has its `finally` blocks done first
        const still = { ...context, yields: false }
        const handler = this.chance(0.3) ? ` catch {${this.block(still, 1)}}` : ""
        return `try {if (${this.expression(still, 1)}) {${this.jump(still)}} ${
          this.block(still, 1)
        }}${handler} finally {${this.block(still, 1)}}`
      }
      case 17:
      case 18: {
        const error = this.fresh("e")
        const handler = this.chance(0.7)
        const parameter = this.pick([
          `(${error})`,
          `(${error})`,
          "",
          `({ name: ${error} = ${this.expression(context, 1)} })`
        ])
        const inner = { ...context, names: parameter === "" ? context.names : [...context.names, error] }
        const finalizer = !handler || this.chance(0.5)
        return `try {${this.block(context, 2)}}${handler ? ` catch ${parameter} {${this.block(inner, 2)}}` : ""}${
          finalizer ? ` finally {${this.block(context, 1 + this.below(2))}}` : ""
        }`
      }
      case 19: {
        const inner = { ...context, inSwitch: true }
        const cases = Array.from(
          { length: 1 + this.below(3) },
          (_, i) => `case ${this.chance(0.4) ? this.expression(context, 2) : i}: ${this.block(inner, 1)}`
        )
        const at = this.below(cases.length + 1)
        if (this.chance(0.6)) cases.splice(at, 0, `default: ${this.block(inner, 1)}`)
        // Declarations of the branches share a scope: their names are different ones.
        return `switch (${e()}) {${cases.map((one) => one.replace(/: ([^]*)$/, ": {$1}")).join("\n")}}`
      }
      case 20: {
        const name = this.fresh("l")
        return `${name}: {${this.block({ ...context, labels: [...context.labels, { name, loop: false }] }, 3)}}`
      }
      case 21: {
        const name = this.declareFunction(names, taken)
        const generator = this.chance(0.4)
        return `function${generator ? "*" : ""} ${name}(p, q = p) {${
          this.block(this.inFunction(context, generator, ["p", "q"]), 2, ["p", "q"])
        }}`
      }
      case 22: {
        const name = this.declare(names, taken)
        return `class ${name}${this.classTail(context)}`
      }
      case 23: {
        const value = this.pick([this.iterable(context), "o", this.object(context, 2)])
        const x = this.declare(names, taken)
        const y = this.declare(names, taken)
        const kind = this.pick(["const", "let"])
        return value === "o" || value.startsWith("{")
          ? `${kind} { x: ${x} = ${this.expression(context, 2)}, ${
            this.chance(0.5) ? `[${this.expression(context, 1)}]: ${y}` : `...${y}`
          } } = ${value};`
          : `${kind} [${x}${this.chance(0.5) ? ` = ${this.expression(context, 2)}` : ""}, ${
            this.chance(0.3) ? ", " : ""
          }${this.chance(0.5) ? "..." : ""}${y}] = ${value};`
      }
      case 24:
        return `{${this.block(context, 3)}}`
      case 25: {
        const value = this.iterable(context)
        return `;([${this.target(context)}${this.chance(0.4) ? ` = ${this.expression(context, 2)}` : ""}, ${
          this.target(context)
        }] = ${value});`
      }
      default:
        return `;({ x: ${this.target(context)}, [${this.expression(context, 1)}]: ${this.target(context)} = ${
          this.expression(context, 2)
        } } = ${this.pick(["o", this.object(context, 1)])});`
    }
  }

  private declareFunction(names: Array<string>, taken: Set<string>): string {
    const name = this.fresh("g")
    taken.add(name)
    names.push(name)
    return name
  }

  private looping(context: Context): Context {
    return { ...context, inLoop: true }
  }

  private labeled(context: Context, loop: (context: Context) => string): string {
    if (!this.chance(0.3)) return loop(context)
    const name = this.fresh("l")
    return `${name}: ${loop({ ...context, labels: [...context.labels, { name, loop: true }] })}`
  }

  private jump(context: Context): string {
    const options: Array<string> = [`throw ${this.expression(context, 2)};`]
    if (context.function) options.push(`return ${this.expression(context, 2)};`)
    if (context.inLoop) options.push("break;", "continue;", "continue;")
    else if (context.inSwitch) options.push("break;")
    for (const { loop, name } of context.labels) options.push(`break ${name};`, ...loop ? [`continue ${name};`] : [])
    return `if (${this.chance(0.5) ? `L(${this.below(2)})` : this.expression(context, 2)}) ${this.pick(options)}`
  }

  private inFunction(context: Context, generator: boolean, parameters: ReadonlyArray<string>): Context {
    return {
      ...context,
      yields: generator,
      labels: [],
      inLoop: false,
      inSwitch: false,
      names: [...context.names, ...parameters],
      member: false,
      function: true
    }
  }

  private statementExpression(context: Context): string {
    return this.expression(context, 3)
  }

  private iterable(context: Context): string {
    const e = () => this.expression(context, 2)
    return this.pick([
      () => `[${e()}, ${e()}, ${e()}]`,
      () => `"xyz"`,
      () => `I("${this.fresh("I")}", ${1 + this.below(3)})`,
      () => "new Set([1, 2])",
      () => "new Map([[1, 2]])",
      () => `helper(${this.below(3)})`,
      () => "o.y"
    ])()
  }

  private object(context: Context, depth: number): string {
    const e = () => this.expression(context, depth - 1)
    const properties = Array.from({ length: 1 + this.below(3) }, () =>
      this.pick([
        () => `x: ${e()}`,
        () => `[${e()}]: ${e()}`,
        () => `...${e()}`,
        () => `get y() { return ${this.expression(this.inFunction(context, false, []), 1)} }`,
        () => `m(p) { return ${this.expression(this.inFunction(context, false, ["p"]), 1)} }`,
        () => `*g(p) { ${this.block(this.inFunction(context, true, ["p"]), 1, ["p"])} }`,
        () => `f: () => ${this.expression({ ...this.inFunction(context, false, []), function: false }, 1)}`,
        () => `[${e()}]() { return super.toString === Object.prototype.toString }`
      ])())
    // V8 puts accessors behind what follows a spread, which the language does not.
    const accessors = properties.some((property) => property.startsWith("get "))
    return `{ ${properties.filter((property) => !accessors || !/^(\.\.\.|\[)/.test(property)).join(", ")} }`
  }

  private classTail(context: Context): string {
    const e = () => this.expression(context, 1)
    const method: Context = { ...this.inFunction(context, false, ["p"]), member: true }
    const generator: Context = { ...this.inFunction(context, true, ["p"]), member: true }
    const members = Array.from({ length: 1 + this.below(3) }, () =>
      this.pick([
        () => `m(p) { return ${this.expression(method, 2)} }`,
        () => `*g(p) { ${this.block(generator, 2, ["p"])} }`,
        () => `static *s(p) { ${this.block({ ...generator, member: false }, 1, ["p"])} }`,
        () => `[${e()}]() { return 1 }`,
        () => `static [${e()}] = ${this.expression({ ...this.inFunction(context, false, []), function: false }, 1)};`,
        () => `f = () => [this.x, ${this.expression({ ...this.inFunction(context, false, []), function: false }, 1)}];`,
        () => `get x() { return this.#p }`
      ])())
    const heritage = this.chance(0.3) ? ` extends (${this.expression(context, 1)}, Base)` : " extends Base"
    return `${heritage} { #p = 1; ${
      members.join(" ")
    } *pp() { this.#p += yield this.#p; this.#p++; return [#p in this, this.#p, super.base(1)] } }`
  }

  private target(context: Context): string {
    return this.pick([
      () => this.assignable(context),
      () => this.assignable(context),
      () => "o.z",
      () => `o[${this.expression(context, 1)}]`,
      () => `L(o).z`
    ])()
  }

  private expression(context: Context, depth: number): string {
    this.budget -= 0.2
    if (depth <= 0 || this.budget < -10) return this.leaf(context)
    const e = () => this.expression(context, depth - 1)
    if (context.yields && this.chance(0.25)) {
      return this.pick([
        () => `(yield ${e()})`,
        () => `(yield ${e()})`,
        () => "(yield)",
        () => `(yield* ${this.iterable(context)})`,
        () => `(yield* helper(${this.below(3)}))`
      ])()
    }
    return this.pick<() => string>([
      () => this.leaf(context),
      () => this.leaf(context),
      () => `L(${e()})`,
      () => `L(${e()}, ${e()})`,
      () => `(${e()} ${this.pick(["+", "-", "*", "<", "===", "!=", "&", ","])} ${e()})`,
      () => `(${e()} ${this.pick(["&&", "||", "??"])} ${e()})`,
      () => `(${e()} ? ${e()} : ${e()})`,
      () => `(${this.assignable(context)} ${this.pick(["=", "+=", "??=", "&&=", "||="])} ${e()})`,
      () => `(o[${e()}] ${this.pick(["=", "+=", "??=", "||="])} ${e()})`,
      () => `(o.z ${this.pick(["=", "+=", "??=", "&&="])} ${e()})`,
      () => this.pick([`${this.assignable(context)}++`, `--o[${e()}]`, `o.z--`, `++${this.assignable(context)}`]),
      () =>
        `[${e()}, ${this.chance(0.3) ? `...${this.iterable(context)}` : e()}, ${this.chance(0.2) ? "," : ""} ${e()}]`,
      () => `(${this.object(context, depth)})`,
      () => `o.m(${e()}, ${e()})`,
      () => `o?.m(${e()})`,
      () => `o.n?.[${e()}].q(${e()})`,
      () => `o?.[${e()}]?.(${e()})`,
      () => `o[${e()}]`,
      () => `\`\${${e()}}-\${${e()}}\``,
      () => `T\`a\${${e()}}b\${${e()}}\``,
      () => `(() => ${this.expression({ ...this.inFunction(context, false, []), function: false }, depth - 1)})()`,
      () => `K(() => ${this.expression({ ...this.inFunction(context, false, []), function: false }, depth - 1)})`,
      () =>
        `(function(p) { return [p, typeof this, arguments.length, ${
          this.expression(this.inFunction(context, false, ["p"]), depth - 1)
        }] })(${e()})`,
      () => `S(function*(p) { ${this.block(this.inFunction(context, true, ["p"]), 1, ["p"])} }, ${e()})`,
      () =>
        `${this.pick(["typeof ", "void ", "!", "-", "delete o."])}${"z"}`.replace(
          /(typeof |void |!|-)z/,
          (_, operator: string) => `(${operator}${e()})`
        ),
      () => `delete o[${e()}]`,
      () => `(${e()} in o)`,
      () => `new Base(${e()}, ...${this.iterable(context)}).v`,
      () => `C(class${this.classTail(context)})`,
      () =>
        `(class { static n = ${this.expression({ ...this.inFunction(context, false, []), function: false }, 1)} }).n`,
      () => `([${this.target(context)}] = [${e()}])`,
      () => `({ x: ${this.target(context)} = ${e()} } = o)`,
      () => "typeof arguments",
      () => "typeof this",
      () => context.member ? `super.base(${e()})` : "new.target"
    ])().replace(/new\.target/, context.function ? "new.target" : "1").replace(
      /typeof arguments/,
      context.function ? "typeof arguments" : "2"
    )
  }

  private leaf(context: Context): string {
    return this.pick([
      () => this.name(context),
      () => this.name(context),
      () => this.name(context),
      () => String(this.below(4)),
      () => this.pick([`"s"`, "null", "undefined", "true", "1n", "o", "o.x", "o.y"])
    ])()
  }
}

export const randomProgram = (seed: number): string => new Programs(seed).program()

/** What programs use: a log, an iterator that says what is done with it, something to keep closures for later. */
const world = () => {
  const log: Array<string> = []
  const kept: Array<() => unknown> = []
  let fuel = 500
  const burn = (): void => {
    if (--fuel < 0) throw new Error("out of fuel")
  }
  const seen = new Map<object, number>()
  const show = (value: unknown, depth = 0): string => {
    switch (typeof value) {
      case "function":
        return `function ${value.name}`
      case "bigint":
        return `${value}n`
      case "string":
        return JSON.stringify(value)
      case "symbol":
        return value.toString()
      case "object": {
        if (value === null) return "null"
        if (value instanceof Error) return `${value.name}: ${value.message}`
        if (Object.prototype.toString.call(value) === "[object Generator]") return "generator"
        if (depth > 3) return "…"
        const number = seen.get(value)
        if (depth > 0 && number !== undefined) return `#${number}`
        seen.set(value, seen.size)
        if (Array.isArray(value)) {
          return `[${
            Array.from({ length: value.length }, (_, i) => i in value ? show(value[i], depth + 1) : "hole").join(", ")
          }]`
        }
        return `{${
          Reflect.ownKeys(value).map((key) => {
            const own = Object.getOwnPropertyDescriptor(value, key)!
            return `${String(key)}: ${own.get === undefined ? show(own.value, depth + 1) : "getter"}`
          }).join(", ")
        }}`
      }
      default:
        return Object.is(value, -0) ? "-0" : String(value)
    }
  }
  class Base {
    v: unknown
    constructor(...args: Array<unknown>) {
      log.push(`Base ${args.length}`)
      this.v = args.length
    }
    base(x: unknown): string {
      return `base ${typeof x}`
    }
  }
  const L = (...values: ReadonlyArray<unknown>): unknown => {
    burn()
    log.push(values.map((value) => show(value)).join(" "))
    return values[0]
  }
  const given = {
    L,
    Base,
    /** An iterator that writes down what is done with it. */
    I: (name: string, n: number) => {
      let i = 0
      return {
        [Symbol.iterator]() {
          log.push(`${name} iterator`)
          return this
        },
        next(value: unknown) {
          burn()
          log.push(`${name} next ${show(value)}`)
          return i++ < n ? { value: i, done: false } : { value: `${name} end`, done: true }
        },
        return(value: unknown) {
          log.push(`${name} return ${show(value)}`)
          return { value, done: true }
        }
      }
    },
    T: (strings: TemplateStringsArray, ...values: ReadonlyArray<unknown>) => {
      burn()
      return [strings.raw.join("|"), ...values]
    },
    /** Keeps a closure: it is called at each step from then on. */
    K: (closure: () => unknown) => {
      if (kept.length < 5) kept.push(closure)
      return closure
    },
    /** Runs a generator function of the program. */
    S: (f: (p: unknown) => Iterator<unknown>, p: unknown) => {
      const said: Array<unknown> = []
      const it = f(p)
      for (let i = 0; i < 10; i++) {
        burn()
        const { done, value } = it.next(i as never)
        said.push(value)
        if (done) break
      }
      return said
    },
    C: (of: new() => any) => {
      burn()
      const made = new of()
      return [of.name, Reflect.ownKeys(of.prototype).length, typeof made.x, ...given.S(() => made.pp(), 1)]
    }
  }
  return { given, kept, log, show }
}

/** Takes a program through steps that depend on the seed, and writes down everything that can be seen of it. */
const observe = (make: (given: Record<string, unknown>) => any, seed: number): ReadonlyArray<string> => {
  // The text of a compiled function is not what was written.
  const { toString } = Function.prototype
  // oxlint-disable-next-line no-extend-native
  const put = (value: () => string) => Object.defineProperty(Function.prototype, "toString", { value })
  put(function(this: () => unknown) {
    return `text of ${this.name}`
  })
  try {
    return steps(make, seed)
  } finally {
    put(toString)
  }
}

const steps = (make: (given: Record<string, unknown>) => any, seed: number): ReadonlyArray<string> => {
  const random = numbers(seed ^ 0x5bd1e995)
  const { given, kept, log, show } = world()
  let frame: Generator
  try {
    frame = make(given)(1, [4, 5])
  } catch (error) {
    return [...log, `at the call: ${show(error)}`]
  }
  for (let i = 0; i < 40; i++) {
    const choice = random()
    const value = random() < 0.3 ? undefined : random() < 0.5 ? Math.floor(random() * 3) : `s${i}`
    const method = choice < 0.85 ? "next" : choice < 0.93 ? "throw" : "return"
    try {
      const result = frame[method](value as never)
      log.push(`${method}: ${show(result.value)} ${result.done}`)
    } catch (error) {
      log.push(`${method} threw ${show(error)}`)
    }
    for (const closure of kept) {
      try {
        log.push(`closure: ${show(closure())}`)
      } catch (error) {
        log.push(`closure threw ${show(error)}`)
      }
    }
    // A text that is doubled each time would fill the memory.
    if (log.at(-1)!.length > 100_000) break
  }
  return log
}

const NAMES = ["L", "Base", "I", "T", "K", "S", "C"]

const load = (code: string, runtime: unknown = frames): (given: Record<string, unknown>) => unknown => {
  const program = new Function("require", ...NAMES, code)
  return (given) => program(() => runtime, ...NAMES.map((name) => given[name]))
}

/** How often frames were preempted. */
export const preemptions = { count: 0 }

/** The runtime, but that every frame is preempted at each turn of a loop. What is not live there then is lost. */
const preempting: typeof frames = {
  ...frames,
  frame(of, meta, resume) {
    const lives = new Map<number, ReadonlySet<string>>()
    frames.frame(of, meta, function(this: frames.DataFrame, mode, value) {
      const frame = this as unknown as Record<string, unknown>
      for (;;) {
        frames.fuel.left = 1
        const outcome: unknown = resume.call(this, mode, value)
        if (outcome !== frames.PREEMPTED) return outcome
        preemptions.count++
        const { fields = [], points = [] } = meta
        let live = lives.get(this.pc)
        if (live === undefined) {
          const point = points.find(({ pc }) => pc === this.pc)
          if (point?.preempted !== true) throw new Error(`preempted at ${this.pc}, which is no loop`)
          lives.set(this.pc, live = new Set(["pc", ...point.live, /^s\d+$/.test(fields[0] ?? "") ? fields[0]! : "pc"]))
        }
        for (const field of Object.keys(frame)) if (!live.has(field)) frame[field] = "lost"
        mode = 0
        value = undefined
      }
    })
  }
}

export type Comparison =
  | { readonly same: true; readonly ran: boolean }
  | {
    readonly same: false
    readonly source: string
    readonly native: string
    readonly compiled: string
    readonly code: string
  }

/** The messages of the engine name expressions as they are written; ours are written in another way. */
const normal = (line: string): string => line.replace(/(TypeError|RangeError): (?!Assignment to).*/, "$1")

/** Runs the program of a seed natively and compiled. */
export const compare = (seed: number): Comparison => compareSource(randomProgram(seed), seed)

export const compareSource = (source: string, seed: number): Comparison => {
  let native: (given: Record<string, unknown>) => unknown
  try {
    native = load(source)
  } catch {
    // Not a program: a name is declared twice, say.
    return { same: true, ran: false }
  }
  let code = ""
  let compiled: (given: Record<string, unknown>) => unknown
  try {
    code = compile(source, { filename: "random.cjs", all: true, sourceMap: false }).code
    compiled = load(code)
  } catch (error) {
    return {
      same: false,
      source,
      native: "",
      compiled: error instanceof CompileError ? error.message : String(error),
      code
    }
  }
  const expected = observe(native, seed)
  for (const [manner, program] of [["", compiled], ["preempted ", load(code, preempting)]] as const) {
    const seen = observe(program, seed)
    for (let i = 0; i < Math.max(expected.length, seen.length); i++) {
      if (normal(expected[i] ?? "nothing") === normal(seen[i] ?? "nothing")) continue
      return { same: false, source, native: `${i}: ${expected[i]}`, compiled: `${manner}${i}: ${seen[i]}`, code }
    }
  }
  return { same: true, ran: true }
}
