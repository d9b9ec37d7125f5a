/** What all functions of a module share: names of our own, the runtime's exports that are used, what stands on top. */
import type { Analysis } from "./analyze.ts"
import type { Node } from "./ast.ts"
import type { Code, Label } from "./code.ts"
import { CompileError } from "./errors.ts"
import type { Parsed } from "./parse.ts"
import type { Scope } from "./scope.ts"
import type { Unit } from "./unit.ts"

/** A place where a frame is suspended. */
export interface Point {
  readonly label: Label
  /** Is it a `yield*`? */
  readonly delegates: boolean
  /** Is it the head of a loop, where the frame may be preempted? */
  readonly preempted: boolean
  readonly offset: number
  /** The fields for operands that are live there. */
  readonly temporaries: ReadonlyArray<number>
  readonly scope: Scope
}

export class Module {
  readonly parsed: Parsed
  readonly analysis: Analysis
  /** Definitions that stand on top of the module: they are there before any of its code runs. */
  readonly definitions: Array<Code> = []
  /** What runs before the module's own code. */
  readonly prologue: Array<Code> = []
  /** What the runtime is told about each function, in the order of their indices. */
  readonly functions: Array<Code> = []
  /** Names and fields of each scope object's class. */
  readonly scopes: Array<Code> = []
  /** The text of a function where its expression stands. Given by who knows all kinds of functions. */
  functionText!: (node: Node, unit: Unit, parent: Unit) => Code
  /** The classes on top of the module, and their places in `functions`. */
  readonly classes = new Map<Node, number>()
  /** Functions whose definition has been written. */
  readonly defined = new Set<Unit>()
  /** The generators' frames: their fields, and where they can be suspended. */
  readonly machines = new Map<
    Unit,
    { readonly machine: { readonly points: ReadonlyArray<Point> }; readonly fields: ReadonlyArray<string> }
  >()
  /** The generator whose parameters are being written: what they see is not in the frame yet. */
  wrapping: Unit | undefined = undefined
  private readonly imported = new Map<string, string>()
  private readonly taken: Set<string>
  /** What the runtime gives for `functions`. */
  readonly meta: string
  /** A module's function that runs the prologue, if that has not been done. */
  readonly begin: string
  readonly frame: string
  readonly pc: string
  readonly mode: string
  readonly value: string
  readonly handler: string
  readonly error: string
  readonly loop: string
  readonly self: string
  /** What is left of the fuel in a loop. */
  readonly left: string

  /** What is iterated, in a loop; if it is an array, that, and the place in it. */
  readonly cursor: string
  readonly array: string
  readonly index: string
  /** Where a frame goes on in loops that are in one another; 0 once it has come there. */
  readonly rewind: string
  /** Do they run, or is it the time before? Have they come to their end? How is the outermost of them called? */
  readonly runs: string
  readonly ended: string
  readonly outermost: string
  /** Do their variables count, now that the frame has entered them in the middle? */
  readonly counts: string
  /** May loops be preempted? */
  readonly preempt: boolean

  constructor(parsed: Parsed, analysis: Analysis, preempt: boolean) {
    this.parsed = parsed
    this.preempt = preempt
    this.analysis = analysis
    this.taken = new Set(analysis.names)
    this.meta = this.fresh("$r")
    this.begin = this.fresh("$begin")
    this.frame = this.fresh("$f")
    this.pc = this.fresh("$p")
    this.mode = this.fresh("$m")
    this.value = this.fresh("$v")
    this.handler = this.fresh("$h")
    this.error = this.fresh("$e")
    this.loop = this.fresh("$l")
    this.self = this.fresh("$g")
    this.left = this.fresh("$n")
    this.cursor = this.fresh("$c")
    this.array = this.fresh("$d")
    this.index = this.fresh("$j")
    this.rewind = this.fresh("$q")
    this.runs = this.fresh("$k")
    this.ended = this.fresh("$t")
    this.outermost = this.fresh("$o")
    this.counts = this.fresh("$b")
  }

  /** A name that the program does not use. */
  fresh(base: string): string {
    let name = base
    while (this.taken.has(name)) name += "_"
    this.taken.add(name)
    return name
  }

  private readonly numbered = new Map<string, string>()

  /** The name of the thing of this kind and number. */
  numberedName(kind: string, number: number): string {
    const key = kind + number
    let name = this.numbered.get(key)
    if (name === undefined) this.numbered.set(key, name = this.fresh(key))
    return name
  }

  /** The local name of a scope object. */
  scopeName(scope: Scope): string {
    return this.numberedName("$s", scope.id)
  }

  scopeClass(scope: Scope): string {
    return this.numberedName("$S", scope.id)
  }

  /** The local name of an export of the runtime. */
  runtime(name: string): string {
    let local = this.imported.get(name)
    if (local === undefined) this.imported.set(name, local = this.fresh(`$${name}`))
    return local
  }

  get imports(): ReadonlyMap<string, string> {
    return this.imported
  }

  /**
   * Defines a function on top of the module, from its parameters on. In a module it is declared, so that modules in a circle
   * find it; in a script that would make it a property of the global object.
   */
  define(name: string, rest: Code): void {
    this.definitions.push(
      this.parsed.module ? [`function ${name}`, rest, "\n"] : [`const ${name} = function`, rest, ";\n"]
    )
  }

  /** Defines what the prologue makes. In a module, code of it can run before. */
  constant(name: string, value: Code): void {
    if (this.parsed.module) this.definitions.push(`var ${name};\n`)
    this.prologue.push([this.parsed.module ? "" : "const ", `${name} = `, value, ";\n"])
  }

  /**
   * What the runtime is told about a function, in code that is not of the prologue. Of modules in a circle, one can call
   * functions of another before that has begun to run.
   */
  metaOf({ index }: { readonly index: number }): string {
    return this.parsed.module ? `(${this.meta} ?? ${this.begin}())[${index}]` : `${this.meta}[${index}]`
  }

  fail(reason: string, node: Node): never {
    const { filename, original, originalOffset } = this.parsed
    throw new CompileError(reason, filename, original, originalOffset(node.start))
  }
}
