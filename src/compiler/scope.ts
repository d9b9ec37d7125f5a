/**
 * Scopes and variables, and where a variable is kept.
 *
 * A variable that an inner function captures lives in a scope object, which the function and the closure share (boxed). In a
 * generator, the others are fields of its frame, but for those whose scope has no suspension in it: they stay what they were.
 */
import type { Node, Unit } from "./ast.ts"

export type VariableKind =
  | "var"
  | "let"
  | "const"
  | "using"
  | "class"
  | "function"
  | "parameter"
  | "catch"
  | "import"
  /** The name that a function expression has within itself. */
  | "self"
  /** The name that a class has within itself. */
  | "class name"
  /** `this`, `arguments`, `new.target`; what `super` starts from; what reaches the private names of a class. */
  | "this"
  | "arguments"
  | "new.target"
  | "home"
  | "private"

export class Variable {
  readonly name: string
  readonly kind: VariableKind
  readonly scope: Scope
  /** From which offset on it is initialized, in the function that declares it. */
  initialized = 0
  /** May some reference meet it uninitialized? */
  checked = false
  /** `missing`: the name of a class in its own keys and heritage, where these suspend; they come before the class. */
  storage: "native" | "field" | "boxed" | "missing" = "native"
  /** Its field in the frame or in the scope object. */
  field: string
  /** A parameter of sloppy code whose function uses `arguments`: it is an element of that. */
  mapped: { readonly to: Variable; readonly index: number } | undefined = undefined
  /** The parameter whose value it begins with: a `var` of that name where parameters are a scope of their own. */
  inherits: Variable | undefined = undefined
  /** Where a loop runs without a suspension: the local variable that it is in meanwhile. */
  local: string | undefined = undefined
  /** The name of that one. */
  alias: string | undefined = undefined
  /** Another name for it where it stays native. */
  rename: string | undefined = undefined
  /** Is it assigned to after its declaration? */
  assigned = false
  /** Those that one pattern declares: all of them are kept in one manner. */
  group: ReadonlyArray<Variable> | undefined = undefined
  /** For `private`: which of its accesses are wanted. */
  readonly accesses: Set<"get" | "set" | "has" | "call"> | undefined

  constructor(name: string, kind: VariableKind, scope: Scope) {
    this.name = name
    this.kind = kind
    this.scope = scope
    this.field = fieldOf(name, kind)
    this.accesses = kind === "private" ? new Set() : undefined
  }

  /** Is it uninitialized before its declaration is reached? */
  get lexical(): boolean {
    const { kind } = this
    return kind === "let" || kind === "const" || kind === "using" || kind === "class" || kind === "class name"
  }

  /** Is it `this` of a derived class's constructor, which is there once `super()` has been called? */
  get late(): boolean {
    return this.kind === "this" && this.scope.node["derived"] === true
  }

  /** Is an assignment to it an error? */
  get constant(): boolean {
    const { kind } = this
    return kind === "const" || kind === "using" || kind === "class name"
  }
}

/** The program's own names begin with `$` in frames and scope objects, so they meet none of ours. */
const fieldOf = (name: string, kind: VariableKind): string => {
  switch (kind) {
    case "this":
      return "self"
    case "arguments":
      return "args"
    case "new.target":
      return "target"
    case "home":
      return "home"
    case "private":
      return `p_${name.slice(1)}`
    default:
      return `$${name}`
  }
}

export type ScopeKind = "program" | "function" | "block" | "loop" | "switch" | "catch" | "class" | "object"

export class Scope {
  readonly kind: ScopeKind
  readonly node: Node
  readonly parent: Scope | undefined
  readonly unit: Unit
  readonly variables = new Map<string, Variable>()
  /** Function declarations that are made when it is entered. */
  readonly functions: Array<Node> = []
  /** Has it variables that are captured? */
  boxed = false
  /** Is its object in a local variable meanwhile? */
  local = false
  /** Its number among the module's boxed ones. */
  id = -1

  constructor(kind: ScopeKind, node: Node, parent: Scope | undefined, unit: Unit) {
    this.kind = kind
    this.node = node
    this.parent = parent
    this.unit = unit
  }

  declare(name: string, kind: VariableKind): Variable {
    let variable = this.variables.get(name)
    if (variable === undefined) {
      variable = new Variable(name, kind, this)
      this.variables.set(name, variable)
    }
    return variable
  }

  /** Are its variables the module's, or the global object's? */
  get global(): boolean {
    return this.kind === "program"
  }

  /** The variables that live in its scope object. */
  get boxes(): Array<Variable> {
    return [...this.variables.values()].filter(({ storage }) => storage === "boxed")
  }
}

type OneScope = Scope
type OneVariable = Variable

declare module "./ast.ts" {
  interface Scope extends OneScope {}
  interface Variable extends OneVariable {}
}
