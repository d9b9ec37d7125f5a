/** What is to be compiled, and what cannot be: the directive `"use stackless"`, its places, direct `eval`, `with`. */
import type { Node } from "./ast.ts"
import { CompileError } from "./errors.ts"
import type { Parsed } from "./parse.ts"
import type { Unit } from "./unit.ts"

export const DIRECTIVE = "use stackless"

export class Directives {
  /** Is the whole module to be compiled? */
  readonly module: boolean
  /** Those that are obeyed. What is compiled does not say that it is to be. */
  readonly obeyed = new Set<Node>()
  private readonly everything: boolean
  private readonly parsed: Parsed
  private readonly onTop: boolean
  private readonly dynamic: Array<{ readonly node: Node; readonly unit: Unit; readonly reason: string }> = []
  /** Functions that are being walked, and whether a generator function has been met in them. */
  private readonly open: Array<{ generators: boolean }> = []

  constructor(parsed: Parsed, all: boolean) {
    this.parsed = parsed
    this.onTop = this.stands(parsed.program["body"])
    this.everything = all
    this.module = all || this.onTop
  }

  has(node: Node): boolean {
    const { body } = node["body"]
    return Array.isArray(body) && this.stands(body)
  }

  private stands(body: ReadonlyArray<Node>): boolean {
    const directive = directiveIn(body)
    if (directive !== undefined) this.obeyed.add(directive)
    return directive !== undefined
  }

  enter(node: Node): void {
    if (node["generator"] && !node["async"]) { for (const outer of this.open) outer.generators = true }
    this.open.push({ generators: false })
  }

  leave(node: Node, _unit: Unit): void {
    const { generators } = this.open.pop()!
    const directive = this.has(node) ? directiveIn(node["body"].body)! : undefined
    if (directive === undefined) return
    if (node["async"]) {
      this.fail(`"${DIRECTIVE}" stands in an async function: only generator functions are compiled`, directive)
    }
    if (!node["generator"] && !generators) {
      this.fail(`"${DIRECTIVE}" stands in a function that is no generator function and has none in it`, directive)
    }
  }

  /** A statement that would be the directive, in another place. */
  statement(node: Node): void {
    if (node["directive"] !== undefined || node["expression"].value !== DIRECTIVE) return
    this.fail(`"${DIRECTIVE}" has to stand first, on top of the module or of a function`, node)
  }

  eval(node: Node, unit: Unit): void {
    this.dynamic.push({
      node,
      unit,
      reason:
        "direct eval cannot be compiled: what it refers to is not known. Write (0, eval)(code) for one that sees globals only"
    })
  }

  decorator(node: Node): never {
    return this.fail(
      "`yield` in a decorator cannot be compiled: write const decorate = yield …, and @decorate",
      node
    )
  }

  with(node: Node, unit: Unit): void {
    this.dynamic.push({ node, unit, reason: "`with` cannot be compiled: what its names refer to is not known" })
  }

  /**
   * Those that could see what the compiler moves are errors; under the directive, which asks for the compiler, all of them.
   * Called when everything has its place. `any`: is there something to compile? Otherwise nothing is moved.
   */
  finish(program: Unit, any: boolean): void {
    if (!any && !this.onTop) return
    for (const { node, reason, unit } of this.dynamic) {
      if (unit === program ? this.onTop : !unit.region ? compiles(unit) : this.onTop || !this.everything) {
        this.fail(reason, node)
      }
      const functions = unit.inner.some((inner) => within(inner.node, node))
      if (node.type === "WithStatement" ? functions || moves(node) : reaches(unit, node)) this.fail(reason, node)
    }
  }

  /**
   * Is there something to compile in a module without a generator function? Its closures and classes are picklable then. With
   * `all`, which speaks of modules that know nothing of the compiler, that is so for its classes alone, and never at the price of
   * an error.
   */
  asksFor(functions: boolean, classes: boolean): boolean {
    return this.onTop && functions || classes && (this.onTop || this.everything && this.dynamic.length === 0)
  }

  private fail(reason: string, node: Node): never {
    const { filename, original, originalOffset } = this.parsed
    throw new CompileError(reason, filename, original, originalOffset(node.start))
  }
}

const directiveIn = (body: ReadonlyArray<Node>): Node | undefined =>
  body.find((node) => node["directive"] === DIRECTIVE)

const compiles = (unit: Unit): boolean => unit.region || unit.inner.some(compiles)

/** Can code in a unit see variables that have been moved? */
const reaches = (unit: Unit, node: Node): boolean => {
  for (let at: Unit | undefined = unit; at !== undefined; at = at.parent) {
    // Parameters are evaluated in the function that makes the frame. What such code declares, a body that refers to
    // nothing outside of it does not see, where there are no functions either.
    if (at.generator && (at.free || at.inner.length > 0 || node.start >= at.node["body"].start)) return true
    if (!at.inPlace && at.outer !== undefined || at.scope.boxed || at.variables.boxed) return true
  }
  return false
}

/** Does a node refer to a variable that has been moved? */
const moves = (node: Node): boolean => {
  for (const child of Object.values(node)) {
    for (const one of Array.isArray(child) ? child : [child]) {
      if (typeof one?.type !== "string" || typeof one.start !== "number") continue
      if (one.variable !== undefined && one.variable.storage !== "native" || moves(one)) return true
    }
  }
  return false
}

const within = (inner: Node, outer: Node): boolean => outer.start <= inner.start && inner.end <= outer.end
