/**
 * The state machine that a generator's body becomes: labels, fields for operands, regions of `try`, and jumps through them.
 *
 * A body is a `switch` over `pc` in a loop. A case is a place to continue at; most statements just follow each other. What
 * has no suspension in it stands there as it was.
 */
import type { Node } from "./ast.ts"
import { type Code, Label, labelsIn } from "./code.ts"
import type { Module, Point } from "./module.ts"
import { isEmpty, type Jumps, Rewriter } from "./rewrite.ts"
import type { Scope } from "./scope.ts"
import type { Unit } from "./unit.ts"

/** Where an error, a return or a jump does not just go through. */
export interface Region {
  readonly outer: Region | undefined
  /** Where an error goes to. */
  readonly handler: Label
  /** For `finally`: where it begins, and where it finds what it is to go on with. */
  readonly finalizer: Finalizer | undefined
  /** For an iteration: the cursor, which is closed by who leaves. */
  readonly cursor: Code | undefined
}

export interface Finalizer {
  readonly entry: Label
  readonly kind: Code
  readonly value: Code
  /** Jumps that go on behind it. */
  readonly exits: Array<{ readonly label: Label; readonly region: Region | undefined }>
  /** Does a return go through it? */
  returns: boolean
}

/** What a `finally` is to go on with: nothing, an error, a return, or one of its exits. */
const THROW = 1
const RETURN = 2
const EXITS = 3

/** Where a jump stays one, in a loop that stays one. */
export const NATIVE = "native"

export abstract class Machine implements Jumps {
  readonly module: Module
  readonly unit: Unit
  readonly rewriter: Rewriter
  readonly points: Array<Point> = []
  /** How many fields for operands there are. */
  temporaries = 0
  /** How many variables for results of branches. */
  registers = 0
  protected region: Region | undefined = undefined
  protected scope: Scope
  /** Is there any region? */
  regions = false
  /** Are there loops that stay loops? */
  loops = false
  /** Is there any jump? */
  jumped = false
  private readonly code: Array<Code> = []
  /** What looks at how the frame was resumed, where that is not done once for all. */
  private readonly guards: Array<{ readonly at: Array<Code>; readonly code: Code }> = []
  /** Behind the first suspension of the loop that is written. */
  private cut: number | undefined = undefined
  /** The labels in their order, with where their cases stand. */
  private readonly placed: Array<{ readonly label: Label; readonly at: Array<Code> }> = []
  private usedTemporaries = 0
  private usedRegisters = 0
  private endLabel: Label | undefined = undefined
  /** What is done when native code has been left. */
  private readonly departures: Array<{ readonly label: Label; readonly code: Code }> = []
  /** Has the code that has been written a jump or a return that leaves it? */
  protected left = false
  /** Where the loops and statements that are labels go. */
  protected readonly targets = new Map<
    Node,
    { readonly leave: Target | typeof NATIVE; readonly next: Target | typeof NATIVE | undefined }
  >()

  constructor(module: Module, unit: Unit) {
    this.module = module
    this.unit = unit
    this.scope = unit.scope
    this.rewriter = new Rewriter(module, unit, this)
  }

  // --- emitting

  protected emit(...code: ReadonlyArray<Code>): void {
    if (!code.every(isEmpty)) this.code.push(...code, "\n")
  }

  /** What `write` emits, which places no label. */
  protected emitted(write: () => void): Code {
    const { length } = this.code
    write()
    return this.code.splice(length)
  }

  protected place(label: Label): void {
    const at: Array<Code> = []
    this.placed.push({ label, at })
    this.code.push(at)
  }

  /**
   * A loop in which something suspends. What follows its first suspension is written before what precedes it: so a turn goes from
   * where the frame is resumed to where it is suspended without a jump.
   */
  protected turns(start: Label, write: () => void): void {
    const { code, cut } = this
    const { length } = code
    this.cut = undefined
    this.place(start)
    write()
    const again = this.jump({ label: start, region: this.region })
    if (this.cut === undefined) this.emit(again)
    else {
      const before = code.splice(length, this.cut - length)
      code.splice(length, 0, again, "\n")
      code.push(...before)
    }
    this.cut = cut
  }

  protected text(node: Node): Code {
    return this.rewriter.text(node)
  }

  // --- operands that live across a suspension

  protected get mark(): { readonly temporaries: number; readonly registers: number } {
    return { temporaries: this.usedTemporaries, registers: this.usedRegisters }
  }

  protected release(mark: { readonly temporaries: number; readonly registers: number }): void {
    this.usedTemporaries = mark.temporaries
    this.usedRegisters = mark.registers
  }

  protected temporary(): string {
    const index = this.usedTemporaries++
    this.temporaries = Math.max(this.temporaries, this.usedTemporaries)
    return `${this.module.frame}.t${index}`
  }

  /** A variable that holds a value up to the next suspension at most. */
  protected register(): string {
    const index = this.usedRegisters++
    this.registers = Math.max(this.registers, this.usedRegisters)
    return this.module.numberedName("$x", index)
  }

  // --- jumps

  protected jump(target: Target): Code {
    this.jumped = true
    const { handler, loop, pc } = this.module
    const crossed = target.region === this.region ? "" : [`${handler} = `, this.handlerOf(target.region), "; "]
    return ["{ ", crossed, `${pc} = `, target.label, `; continue ${loop}; }`]
  }

  /** A jump out of regions: iterations are closed, `finally` blocks are gone through. */
  protected exit(target: Target): Code {
    const { handler } = this.module
    const code: Array<Code> = ["{ "]
    for (let at = this.region; at !== target.region; at = at!.outer) {
      const { cursor, finalizer, outer } = at!
      if (cursor !== undefined) code.push(`${handler} = `, this.handlerOf(outer), "; ", cursor, ".close(); ")
      if (finalizer === undefined) continue
      const { exits } = finalizer
      let index = exits.findIndex(({ label, region }) => label === target.label && region === target.region)
      if (index === -1) index = exits.push(target) - 1
      code.push(finalizer.kind, ` = ${EXITS + index}; `, this.jump({ label: finalizer.entry, region: at }), " }")
      return code
    }
    return [code, this.jump(target), " }"]
  }

  protected handlerOf(region: Region | undefined): Code {
    return region === undefined ? "0" : region.handler
  }

  /** Ends the frame with the value in `$v`. */
  protected returns(guarded = false): Code {
    const { handler, value } = this.module
    const code: Array<Code> = []
    for (let at = this.region; at !== undefined; at = at.outer) {
      const { cursor, finalizer, outer } = at
      if (cursor !== undefined) code.push(`${handler} = `, this.handlerOf(outer), "; ", cursor, ".close(); ")
      if (finalizer === undefined) continue
      finalizer.returns = true
      code.push(finalizer.kind, ` = ${RETURN}; `, finalizer.value, ` = ${value}; `)
      return [code, this.jump({ label: finalizer.entry, region: at })]
    }
    if (guarded) {
      this.endLabel ??= new Label()
      return [code, this.jump({ label: this.endLabel, region: undefined })]
    }
    return [code, this.ends(value)]
  }

  /** The frame ends with a value. */
  protected ends(value: Code): Code {
    return [`return ${this.module.runtime("end")}(${this.module.frame}, `, value, ");"]
  }

  leave(node: Node, argument: Code | undefined, guarded: boolean): Code | undefined {
    if (node.type === "ReturnStatement") {
      this.left = true
      if (!guarded && !this.returnsAreSeen()) return [node.start, this.ends(argument ?? "undefined")]
      const left = guarded && this.region !== undefined ? this.depart(this.returns()) : this.returns(guarded)
      return ["{ ", node.start, `${this.module.value} = `, argument ?? "undefined", "; ", left, " }"]
    }
    const target = this.targets.get(node.target!)
    if (node.target!.suspends !== true || target === undefined) return undefined
    const to = node.type === "ContinueStatement" ? target.next! : target.leave
    // Such a loop has no loop within, and its labels are not there any more.
    if (to === NATIVE) return node.type === "ContinueStatement" ? "continue;" : "break;"
    this.left = true
    return guarded && to.region !== this.region ? this.depart(this.exit(to)) : this.exit(to)
  }

  /**
   * A jump out of native code that has something to do first: its `finally` blocks, or the end of its iterations. Until that is done
   * the frame is in its region, which sees an error of it. `code` follows.
   */
  private depart(code: Code): Code {
    const label = new Label()
    this.departures.push({ label, code })
    return this.jump({ label, region: this.region })
  }

  // --- suspensions

  /** Suspends with a value; the code that follows has in `$v` what it is resumed with. */
  protected suspend(node: Node, value: Code, delegates: boolean): void {
    const { frame, handler, mode, value: given } = this.module
    const label = new Label()
    this.points.push({
      label,
      delegates,
      preempted: false,
      offset: node.start,
      temporaries: Array.from({ length: this.usedTemporaries }, (_, i) => i),
      scope: this.scope
    })
    // The operand is evaluated while the frame still counts as running.
    if (!delegates) {
      this.emit(node.start, `return ${this.module.runtime("yielded")}(${frame}, `, label, ", ", value, ");")
    } else this.emit(node.start, `${given} = `, value, `; ${frame}.pc = `, label, `; return ${given};`)
    this.cut ??= this.code.length
    this.place(label)
    if (this.region !== undefined) this.emit(`${handler} = `, this.region.handler, ";")
    this.guard([`if (${mode}) `, this.resumedOtherwise()])
  }

  private guard(code: Code): void {
    const at: Array<Code> = []
    this.guards.push({ at, code: [code, "\n"] })
    this.code.push(at)
  }

  /** What becomes of an error or a return that the frame is resumed with. */
  private resumedOtherwise(): Code {
    const { mode, value } = this.module
    if (this.region === undefined) return this.leaves(mode, value)
    const returns = this.returnsAreSeen() ? this.returns() : this.leaves(mode, value)
    return [`{ if (${mode} === ${THROW}) throw ${value}; `, returns, " }"]
  }

  /** The frame ends with an error or a return. */
  private leaves(mode: number | string, value: string): string {
    return `return ${this.module.runtime("leave")}(${this.module.frame}, ${mode}, ${value});`
  }

  /**
   * The head of a loop, where the frame may be preempted, and goes on.
   *
   * The code before a loop falls through to it. So an error or a return counts if it was resumed right there: to come here
   * another time it has to jump, and `$p` says where to.
   */
  protected head(label: Label): void {
    const { handler, mode, pc } = this.module
    this.place(label)
    if (this.region !== undefined) this.emit(`${handler} = `, this.region.handler, ";")
    this.guard([`if (${pc} === `, label, ` && ${mode}) `, this.resumedOtherwise()])
  }

  /** The same of loops in one another, which are entered there: the outermost, which is the first, from its head as ever. */
  protected heads(labels: ReadonlyArray<Label>): void {
    const { handler, mode, pc, rewind } = this.module
    this.loops = true
    for (const label of labels) this.place(label)
    if (this.region !== undefined) this.emit(`${handler} = `, this.region.handler, ";")
    const any = (labels: ReadonlyArray<Label>): Code =>
      labels.map((label, i) => [i === 0 ? "" : " || ", `${pc} === `, label])
    const inner = labels.slice(1)
    this.emit(`${rewind} = `, inner.length === 0 ? "0;" : [any(inner), ` ? ${pc} : 0;`])
    this.guard([`if (${mode} && (`, any(labels), ")) ", this.resumedOtherwise()])
  }

  /** A loop where the frame may be preempted. */
  protected point(node: Node, scope: Scope): Label {
    const label = new Label()
    this.points.push({
      label,
      delegates: false,
      preempted: true,
      offset: node.start,
      temporaries: Array.from({ length: this.usedTemporaries }, (_, i) => i),
      scope
    })
    return label
  }

  private returnsAreSeen(): boolean {
    for (let at = this.region; at !== undefined; at = at.outer) {
      if (at.finalizer !== undefined || at.cursor !== undefined) return true
    }
    return false
  }

  /** Behind a `finally`: goes on with what it was entered with. */
  protected complete(finalizer: Finalizer): void {
    const { kind, value } = finalizer
    this.emit("if (", kind, ` === ${THROW}) throw `, value, ";")
    if (finalizer.returns) {
      this.emit("if (", kind, ` === ${RETURN}) { ${this.module.value} = `, value, "; ", this.returns(), " }")
    }
    for (const [index, target] of finalizer.exits.entries()) {
      this.emit("if (", kind, ` === ${EXITS + index}) `, this.exit(target))
    }
  }

  // --- the whole

  /**
   * Writes the cases, and gives every label its number: even ones to `yield*`, odd ones to `yield` and then to loops, the rest to
   * what is no suspension. Where nobody goes, there is no case. V8 has room for few bytes where it writes a frame into the loop that
   * resumes it, and a case takes eight of them.
   */
  private number(): void {
    const gone = labelsIn([this.code, this.guards.map(({ code }) => code)])
    const taken = new Set<number>([0])
    let even = 2
    let odd = 1
    const points = [...this.points.filter((one) => !one.preempted), ...this.points.filter((one) => one.preempted)]
    for (const { delegates, label } of points) {
      if (delegates) {
        label.pc = even
        even += 2
      } else {
        label.pc = odd
        odd += 2
      }
      taken.add(label.pc)
    }
    let next = 1
    for (const { at, label } of this.placed) {
      if (label.pc === -1) {
        if (!gone.has(label)) continue
        while (taken.has(next)) next++
        label.pc = next
        taken.add(next)
      }
      at.push("case ", label, ":\n")
    }
  }

  protected abstract body(): void

  /** The function that resumes the frame. */
  resume(): Code {
    const { error, frame, handler, loop, mode, pc, value } = this.module
    this.body()
    for (const { code, label } of this.departures) {
      this.place(label)
      this.emit(code)
    }
    if (this.endLabel !== undefined) {
      this.place(this.endLabel)
      this.emit(this.ends(value))
    }
    this.number()
    const locals: Array<string> = [`${pc} = ${frame}.pc`]
    if (this.regions) locals.push(`${handler} = 0`)
    if (this.loops) locals.push(`${this.module.rewind} = 0`, `${this.module.counts} = false`)
    for (let i = 0; i < this.registers; i++) locals.push(this.module.numberedName("$x", i))
    const head: Array<Code> = [
      `function (${mode}, ${value}) {`,
      this.unit.strict && !this.module.analysis.program.strict ? ` "use strict";` : "",
      ` const ${frame} = this; let ${locals.join(", ")}; ${frame}.pc = -2;\n`
    ]
    // Where nothing catches an error or a return, it does not matter where the frame stands.
    if (this.regions) { for (const { at, code } of this.guards) at.push(code) }
    else if (this.guards.length > 0) head.push(`if (${mode}) `, this.resumedOtherwise(), "\n")
    const dispatch: Code = [`switch (${pc}) { case 0:\n`, this.code, "}"]
    if (this.regions) {
      return [
        head,
        `${loop}: for (;;) try { `,
        dispatch,
        ` } catch (${error}) { if (${handler} === 0) `,
        this.leaves(THROW, error),
        ` ${value} = ${error}; ${pc} = ${handler}; }\n}`
      ]
    }
    // V8 keeps code that it has compiled in the middle of a loop, and leaves at its end, unless both are in one outer loop. That
    // code knows nothing of the loop's variables: a tight loop takes five times as long in it.
    return [head, this.jumped || this.loops ? `${loop}: for (;;) ` : "", dispatch, "\n}"]
  }
}

export interface Target {
  readonly label: Label
  readonly region: Region | undefined
}
