/** The units that code is evaluated in: the program, functions, initializers of class fields, static blocks. */
import type { Node, Scope } from "./ast.ts"

export type UnitKind =
  | "program"
  /** Functions that have `this` and `arguments` of their own: declarations and expressions. */
  | "function"
  | "arrow"
  /** Of an object literal. */
  | "method"
  | "accessor"
  /** Of a class; its constructor; a field's initializer or a static block. */
  | "member"
  | "constructor"
  | "initializer"

export class Unit {
  readonly kind: UnitKind
  readonly node: Node
  readonly parent: Unit | undefined
  /** Is it to be compiled, or to be left as it is? */
  readonly region: boolean
  readonly strict: boolean
  /** Its outermost scope: parameters, `var`s, what is declared on top of its body. */
  scope!: Scope
  /** Where its `var`s are: the same, unless there are functions among its parameters. */
  variables!: Scope
  /** Is it a generator function that a block declares? */
  inBlock = false
  /** A generator function that becomes frames. */
  readonly generator: boolean
  /** Does it stay where it stands? Others are made by a factory on top of the module. */
  inPlace: boolean
  /** Does something in it refer to a scope object from outside of it? */
  needsOuter = false
  /** Does its body refer to anything outside of it? */
  free = false
  /** The innermost scope object around it, if it needs one. */
  outer: Scope | undefined = undefined
  /** Of a class's method: is it static? */
  isStatic = false
  /** What it is called where it stands, if neither it nor what it is assigned to has a name. */
  label: string | undefined = undefined
  /** Its qualified name. */
  name = ""
  /** Its place in the module's list of functions. */
  index = -1
  /** Ranges of the units right in it. */
  readonly inner: Array<Unit> = []

  constructor(
    kind: UnitKind,
    node: Node,
    parent: Unit | undefined,
    region: boolean,
    strict: boolean,
    generator: boolean,
    inPlace: boolean
  ) {
    this.kind = kind
    this.node = node
    this.parent = parent
    this.region = region
    this.strict = strict
    this.generator = generator
    this.inPlace = inPlace
    parent?.inner.push(this)
  }

  /** Does it take `this`, `arguments` and `super` from around it? */
  get lexical(): boolean {
    return this.kind === "arrow"
  }
}

type Self = Unit

declare module "./ast.ts" {
  interface Unit extends Self {}
}
