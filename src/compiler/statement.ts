/** Statements in which something suspends. */
import { visitorKeys } from "oxc-parser"
import { isLoop, methodCalled, type Node } from "./ast.ts"
import { begun, type Code, Entered, Label } from "./code.ts"
import { type Counting, countingIn } from "./integers.ts"
import { type Finalizer, NATIVE, type Region, type Target } from "./machine.ts"
import { Patterns } from "./pattern.ts"
import { inFrame } from "./reference.ts"
import { isEmpty } from "./rewrite.ts"
import type { Scope, Variable } from "./scope.ts"

export class Statements extends Patterns {
  protected body(): void {
    const body: Node = this.unit.node["body"]
    this.enter(this.unit.scope)
    if (body.scope === undefined) this.statements(body["body"])
    else {
      this.within(body.scope, () => {
        this.emit(this.rewriter.inherited(body.scope))
        this.statements(body["body"])
      })
    }
    const last: Node | undefined = body["body"].at(-1)
    if (last?.type !== "ReturnStatement") this.emit(this.ends("undefined"))
  }

  private statements(nodes: ReadonlyArray<Node>): void {
    const all = (): void => {
      for (const node of nodes) this.statement(node)
    }
    if (!nodes.some(disposes)) all()
    // A block of its own, as such a declaration cannot stand right in a case.
    else if (!nodes.some(({ suspends }) => suspends)) {
      this.emit("{")
      all()
      this.emit("}")
    } else this.disposing(all)
  }

  /** What is declared with `using` is disposed of when its block is left, in whatever way. */
  private disposing(body: () => void): void {
    const { module } = this
    const { mark } = this
    const outer = this.region
    const resources = this.resources
    this.regions = true
    this.resources = this.temporary()
    this.emit(`${this.resources} = [];`)
    const finalizer: Finalizer = {
      entry: new Label(),
      kind: this.register(),
      value: this.register(),
      exits: [],
      returns: false
    }
    const failed = new Label()
    this.region = { outer, handler: failed, finalizer, cursor: undefined }
    this.emit(`${module.handler} = `, failed, ";")
    body()
    this.emit(finalizer.kind, " = 0; ", this.jump({ label: finalizer.entry, region: this.region }))
    this.place(failed)
    this.emit(finalizer.kind, " = 1; ", finalizer.value, ` = ${module.value};`)
    this.place(finalizer.entry)
    this.region = outer
    this.emit(`${module.handler} = `, this.handlerOf(outer), ";")
    const dispose = module.runtime("dispose")
    this.emit(
      "if (",
      finalizer.kind,
      " === 1) ",
      finalizer.value,
      ` = ${dispose}.after(${this.resources}, `,
      finalizer.value,
      ");"
    )
    this.emit(`else ${dispose}(${this.resources});`)
    this.complete(finalizer)
    this.resources = resources
    this.release(mark)
  }

  /** Where the block that is written keeps what it disposes of. */
  private resources = ""

  private statement(node: Node): void {
    if (node["directive"] !== undefined) return
    const { mark } = this
    if (node.suspends === true || disposes(node) && this.resources !== "") this.suspending(node)
    else if (loops(node)) this.nativeLoop(node)
    else if (node.type !== "EmptyStatement") this.emit(this.text(node))
    this.release(mark)
  }

  private suspending(node: Node): void {
    switch (node.type) {
      case "ExpressionStatement":
        this.effect(node["expression"])
        return
      case "VariableDeclaration":
        this.declaration(node)
        return
      case "BlockStatement":
        this.within(node.scope!, () => this.statements(node["body"]))
        return
      case "IfStatement":
        this.if(node)
        return
      case "WhileStatement":
      case "DoWhileStatement":
      case "ForStatement":
        if (nests(node)) this.nest(node, "")
        else this.loop(node)
        return
      case "ForOfStatement":
      case "ForInStatement":
        this.forEach(node)
        return
      case "SwitchStatement":
        this.switch(node)
        return
      case "LabeledStatement":
        this.labeled(node)
        return
      case "ReturnStatement": {
        const value = this.expression(node["argument"])
        this.emit(
          node.start,
          value === this.module.value ? "" : [`${this.module.value} = `, value, "; "],
          this.returns()
        )
        return
      }
      case "ThrowStatement":
        this.emit(node.start, "throw ", this.expression(node["argument"]), ";")
        return
      case "TryStatement":
        this.try(node)
        return
      case "ClassDeclaration":
        this.bind(node["id"], this.class(node), true)
        return
      default:
        this.module.fail(`${node.type} with a suspension in it is not supported`, node)
    }
  }

  // --- scopes

  private within(scope: Scope, body: () => void): void {
    const outer = this.scope
    this.scope = scope
    this.enter(scope)
    body()
    this.scope = outer
  }

  /** Makes a scope's object and functions; its variables become uninitialized where that can be seen. */
  private enter(scope: Scope): void {
    const { frame } = this.module
    const whole = scope === this.unit.scope
    for (const variable of scope.variables.values()) {
      if (variable.storage === "field" && variable.checked && variable.lexical && !whole) {
        this.emit(`${frame}.${variable.field} = ${this.module.runtime("UNINITIALIZED")};`)
      }
    }
    if (scope.boxed && !whole) {
      const place = this.rewriter.scope(scope)
      this.emit(`${inFrame(this.module, scope) ? "" : "const "}${place} = ${this.rewriter.makeScope(scope)};`)
    }
    this.emit(this.rewriter.functions(scope))
  }

  private declaration(node: Node): void {
    const { declarations, kind } = node as { declarations: ReadonlyArray<Node>; kind: string } & Node
    for (const declarator of declarations) {
      const { id, init } = declarator as { id: Node; init: Node | null } & Node
      const { mark } = this
      if (init !== null && disposes(node)) {
        this.bind(id, [`${this.module.runtime("use")}(${this.resources}, `, this.expression(init), ")"], true)
      } else if (init !== null) this.bind(id, this.expression(init), true)
      else if (kind !== "var") this.bind(id, "undefined", true)
      this.release(mark)
    }
  }

  // --- branches and loops

  /**
   * A loop that runs without a suspension. Meanwhile what it uses of the frame is in local variables: in a tight loop a field
   * that is written costs twice the time (20 million sums: 22 ms in a field, 13 in a local).
   */
  private nativeLoop(node: Node): void {
    this.inLocals(node, [], [], undefined, () => ({ code: this.text(node), after: "", several: false, head: () => {} }))
  }

  /**
   * Code in which nothing suspends. What it uses of the frame is in local variables, and goes back when it is left. `also` are
   * others that are kept elsewhere; `last` is done when all have gone back.
   */
  private inLocals(
    node: Node,
    also: ReadonlyArray<{ readonly local: string; readonly place: string }>,
    last: ReadonlyArray<string>,
    counting: Counting | undefined,
    write: () => { readonly code: Code; readonly after: Code; readonly several: boolean; readonly head: () => void }
  ): void {
    const { frame } = this.module
    const variables = new Map<Variable, boolean>()
    const scopes = new Set<Scope>()
    this.uses(node, variables, scopes)
    const taken: Array<string> = []
    const kept: Array<string> = []
    const counted: Array<string> = []
    const integers: Array<string> = []
    for (const [variable, written] of variables) {
      const place = `${frame}.${variable.field}`
      variable.local = variable.alias ??= this.module.fresh(`$${variable.field.replace("$", "")}`)
      taken.push(`${variable.local} = ${place}`)
      if (written) kept.push(`${place} = ${variable.local};`)
      const inner = counting?.inner.has(variable) === true
      const counts = inner || counting?.outer.has(variable) === true
      counted.push(`${variable.local} = ${place}${counts ? " | 0" : ""}`)
      if (counts) {
        const integer = `${this.module.runtime("integer")}(${place})`
        integers.push(inner ? `(${place} === undefined || ${integer})` : integer)
      }
    }
    for (const scope of scopes) {
      taken.push(`${this.module.scopeName(scope)} = ${frame}.s${scope.id}`)
      scope.local = true
    }
    for (const { local, place } of also) taken.push(`${local} = ${place}`)
    counted.push(...taken.slice(counted.length))
    kept.push(...last)
    const { left } = this
    this.left = false
    const { after, code, head, several } = write()
    for (const variable of variables.keys()) variable.local = undefined
    for (const scope of scopes) scope.local = false
    const plain = !this.left && this.region === undefined
    this.left = left || this.left
    head()
    const integer = plain && integers.length > 0
    if (several && !integer) this.emit(`${this.module.counts} = false;`)
    const take = taken.length === 0 ? "" : `let ${taken.join(", ")};`
    const [begin, end] = after === "" ? ["", ""] : ["for (;;) { ", [" ", after, " }"]]
    if (kept.length === 0) {
      const whole: Code = [begin, code, end]
      this.emit(take === "" ? whole : ["{ ", take, " ", whole, " }"])
    } else if (plain) {
      const whole: Code = [" ", begin, code, " ", kept.join(" "), end, " }"]
      if (integer) {
        const { counts, rewind } = this.module
        const test = integers.join(" && ")
        this.emit(
          several ? `if ((${counts} = ${test}) && ${rewind} === 0) ` : `if (${test}) `,
          `{ let ${counted.join(", ")};`,
          begun(whole),
          " else "
        )
      }
      this.emit("{ ", take, whole)
    } else this.emit("{ ", take, " ", begin, "try { ", code, " } finally { ", kept.join(" "), " }", end, " }")
  }

  /**
   * Loops in which the generator may be preempted, and suspends nowhere else. They stay loops, as a tight one is half as fast
   * in the machine. A frame that goes on in them enters the outermost at its head, and leaves out what comes before the one it
   * was in: `$q` says which one that is. To ask for it costs a sieve a third of its time. So it is not asked for in the loops
   * whose variables are integers: a frame that was in the middle comes to them when the outermost turns.
   */
  private nest(node: Node, labels: Code): void {
    const write = (): void => {
      const init: Node | null | undefined = node["init"]
      if (init !== null && init !== undefined) this.emit(this.initCode(init))
      const { length } = this.points
      this.preemptible(node, [], [], () => ({
        code: this.nestedLoop(node, [`${this.module.outermost}: `, labels], true),
        labels: this.points.slice(length).map(({ label }) => label)
      }))
    }
    if (node.type === "ForStatement") this.within(node.scope!, write)
    else write()
  }

  /**
   * Such loops count in a local variable, unless they call something, which may want them to stop. What comes behind them runs
   * once before they do: so V8 knows it before it compiles the loop, and else it would drop the compiled code each time that the
   * loop is left (a tight one takes twice the time with that).
   */
  private preemptible(
    node: Node,
    also: ReadonlyArray<{ readonly local: string; readonly place: string }>,
    last: ReadonlyArray<string>,
    write: () => { readonly code: Code; readonly labels: ReadonlyArray<Label> }
  ): void {
    const { counts, ended, frame, left, rewind, runs } = this.module
    const fuel = `${this.module.runtime("fuel")}.left`
    const calling = calls(node)
    const counters = calling ? [] : [{ local: left, place: `${fuel} | 0` }]
    const account = calling ? [] : [`${fuel} = ${left};`]
    const counting = calling ? undefined : countingIn(node)
    this.nests.push({ calling, counting: counting !== undefined })
    const places = [{ local: runs, place: "false" }, { local: ended, place: "false" }, ...counters, ...also]
    this.inLocals(node, places, [...last, ...account], counting, () => {
      const { code, labels } = write()
      this.nests.pop()
      const several = counting !== undefined && labels.length > 1
      const turn = several
        ? new Entered([`if (${counts} && ${rewind} === `, labels[0]!, ") ", this.jump(this.target(labels[0]!)), " "])
        : ""
      return {
        code: [`if (${runs}) { ${frame}.pc = -2; `, code, " }"],
        after: [
          `${frame}.pc = (${ended} = ${rewind} === 0) ? -2 : ${rewind}; if (!${runs}) { ${runs} = true; continue; } ` +
          `if (${ended}) break; `,
          turn,
          `return ${this.module.runtime("PREEMPTED")};`
        ],
        several,
        head: () => this.heads(labels)
      }
    })
  }

  /** At the head of such a loop. It is an integer at first sight, which saves V8 three instructions. */
  private burn(label: Label, turns = false): Code {
    const { counts, left, outermost, rewind } = this.module
    const { calling, counting } = this.nests.at(-1)!
    const empty = calling ? `--${this.module.runtime("fuel")}.left < 0` : `(${left} = ${left} - 1 | 0) < 0`
    const turn = turns && counting ? new Entered(`${counts} || `) : ""
    return ["if (", turn, `${empty}) { ${rewind} = `, label, `; break ${outermost}; } `]
  }

  /** Do the loops that are written call something, and have they variables that count? */
  private readonly nests: Array<{ readonly calling: boolean; readonly counting: boolean }> = []
  /** The labels before loops within others. */
  private readonly labelsOf = new Map<Node, Code>()

  private initCode(init: Node): Code {
    return init.type === "VariableDeclaration" ? this.text(init) : [this.text(init), ";"]
  }

  private nestedLoop(node: Node, labels: Code, outermost = false): Code {
    const { rewind } = this.module
    const { body, test, update } = node as { body: Node; test: Node | null; update?: Node | null } & Node
    const label = this.point(node, this.scope)
    const condition: Code = test === null ? "" : [test.start, "(", this.text(test), ")"]
    const doing = node.type === "DoWhileStatement"
    let head: Code = [
      this.burn(label, outermost && node.tight !== true),
      doing || test === null ? "" : ["if (!", condition, ") break; "]
    ]
    if (node.tight !== true) {
      head = [new Entered([`if (${rewind} <= `, label, `) { ${rewind} = 0; `]), head, new Entered("} ")]
    }
    const inner = this.nested(body)
    return [
      node.tight === true && !outermost ? new Entered(`${rewind} = 0; `) : "",
      labels,
      doing ? "do { " : ["for (;; ", update === null || update === undefined ? "" : this.text(update), ") { "],
      head,
      inner,
      " }",
      doing ? [" while ", condition, ";"] : ""
    ]
  }

  /** A statement in such a loop. */
  private nested(node: Node): Code {
    if (node.suspends !== true) return this.bodyCode(node)
    const { rewind } = this.module
    switch (node.type) {
      case "BlockStatement":
        return this.nestedWithin(node.scope!, () => {
          const code: Array<Code> = []
          const statements: ReadonlyArray<Node> = node["body"]
          const last = statements.length - 1 - [...statements].reverse().findIndex((one) => one.suspends)
          let plain: Array<Code> = []
          const flush = (): void => {
            if (!plain.every(isEmpty)) {
              code.push(new Entered(`if (${rewind} === 0) { `), plain, new Entered("} "))
            }
            plain = []
          }
          for (const [i, statement] of statements.entries()) {
            if (statement.suspends !== true) {
              plain.push(this.text(statement), "\n")
              continue
            }
            flush()
            const inner = this.nested(statement)
            const reached: Code = [`if (${rewind} <= `, this.points.at(-1)!.label, ") { "]
            code.push(i === last ? inner : [new Entered(reached), inner, new Entered(" } ")])
          }
          return ["{ ", code, plain, "}"]
        })
      case "IfStatement": {
        const { alternate, consequent, test } = node as { alternate: Node | null; consequent: Node; test: Node } & Node
        const condition: Code = ["(", this.text(test), ")"]
        const then = this.nested(consequent)
        const whether = consequent.suspends
          ? new Entered([`${rewind} === 0 ? `, condition, ` : ${rewind} <= `, this.points.at(-1)!.label], condition)
          : new Entered([`${rewind} === 0 && `, condition], condition)
        const otherwise: Code = alternate === null ? "" : [" else { ", this.nested(alternate), " }"]
        return ["if (", whether, ") { ", then, " }", otherwise]
      }
      case "ForStatement":
        return this.nestedWithin(node.scope!, () => {
          const init: Node | null = node["init"]
          const begin: Code = init === null
            ? ""
            : [new Entered(`if (${rewind} === 0) { `), this.initCode(init), new Entered(" } ")]
          return ["{ ", begin, this.nestedLoop(node, this.labelsOf.get(node) ?? ""), " }"]
        })
      case "LabeledStatement": {
        const { body } = node as { body: Node } & Node
        const labels: Code = [this.labelsOf.get(node) ?? "", `${node["label"].name}: `]
        if (body.suspends && (isLoop(body) || body.type === "LabeledStatement")) {
          this.labelsOf.set(body, labels)
          return this.nested(body)
        }
        return [labels, this.nested(body)]
      }
      default:
        return ["{ ", this.nestedLoop(node, this.labelsOf.get(node) ?? ""), " }"]
    }
  }

  private nestedWithin(scope: Scope, write: () => Code): Code {
    const outer = this.scope
    this.scope = scope
    const entry = this.emitted(() => this.enter(scope))
    const code = write()
    this.scope = outer
    if (isEmpty(entry)) return code
    return ["{ ", new Entered(`if (${this.module.rewind} === 0) { `), entry, new Entered("} "), code, "}"]
  }

  /** Such a loop over what is iterated, or over the names of properties. */
  private tightIteration(node: Node, cursor: string, scope: Scope, bind: (item: string) => void): void {
    const { module } = this
    const item = this.register()
    const { array, cursor: from, index, outermost } = module
    const locals = [{ local: from, place: cursor }]
    const last: Array<string> = []
    let next = `${item} = ${from}.next();`
    if (node.type === "ForOfStatement") {
      // An array's elements are taken from it right here: the cursor's method takes five times as long.
      locals.push({ local: array, place: `${module.runtime("valuesOf")}(${from})` }, {
        local: index,
        place: `${from}.index`
      })
      last.push(`if (${array} !== undefined) ${from}.index = ${index};`)
      next =
        `${item} = ${array} === undefined ? ${from}.next() : ${index} < ${array}.length ? ${array}[${index}++] : (${from}.index = ${index}, ${from}.next());`
    }
    this.preemptible(node, locals, last, () => {
      const label = this.point(node, scope)
      return {
        code: [
          `${outermost}: for (;;) { `,
          this.burn(label),
          `${next} if (${item} === ${module.runtime("END")}) break; `,
          this.emitted(() => bind(item)),
          this.bodyCode(node["body"]),
          " }"
        ],
        labels: [label]
      }
    })
  }

  /** The variables and scope objects of the frame that code uses, and which variables it assigns to. */
  private uses(node: Node, variables: Map<Variable, boolean>, scopes: Set<Scope>): void {
    const { variable } = node
    if (variable !== undefined && (node.type === "Identifier" || node.type === "ThisExpression")) {
      if (variable.storage === "field" && variable.mapped === undefined && !variable.checked) {
        const declared = node.type === "Identifier" && node["declares"] !== undefined
        variables.set(variable, variables.get(variable) === true || node["written"] === true || declared)
      } else if (
        variable.storage === "boxed" && variable.scope.unit === this.unit && inFrame(this.module, variable.scope)
      ) {
        scopes.add(variable.scope)
      }
    }
    // A function in it has its own ways to what it uses.
    if (node.unit !== undefined) return
    for (const key of visitorKeys[node.type as keyof typeof visitorKeys] ?? []) {
      const child = node[key]
      if (Array.isArray(child)) { for (const one of child) if (one !== null) this.uses(one, variables, scopes) }
      else if (child !== null && child !== undefined) this.uses(child, variables, scopes)
    }
  }

  private if(node: Node): void {
    const { alternate, consequent, test } = node as { alternate: Node | null; consequent: Node; test: Node } & Node
    const { mark } = this
    const condition = this.expression(test)
    this.release(mark)
    const otherwise = new Label()
    this.emit("if (!", condition, ") ", this.jump({ label: otherwise, region: this.region }))
    this.bodyOf(consequent)
    if (alternate === null) {
      this.place(otherwise)
      return
    }
    const end = new Label()
    this.emit(this.jump({ label: end, region: this.region }))
    this.place(otherwise)
    this.bodyOf(alternate)
    this.place(end)
  }

  /** A statement that is a body: a function there has a scope of its own. */
  private bodyOf(node: Node): void {
    if (node["blockScope"] === undefined) this.statement(node)
    else this.emit(this.bodyCode(node))
  }

  /** The same where nothing suspends in it. */
  private bodyCode(node: Node): Code {
    const scope: Scope | undefined = node["blockScope"]
    return scope === undefined ? this.text(node) : ["{", this.rewriter.entry(scope), this.text(node), "}"]
  }

  /** At the head of a loop: the frame is preempted if its fuel is used up. */
  private check(node: Node, scope = this.scope): Code {
    const { frame, preempt } = this.module
    // Who resumes it takes from its fuel.
    if (!preempt || suspendsEachTurn(node)) return ""
    const label = this.point(node, scope)
    this.head(label)
    return [
      `if (--${this.module.runtime("fuel")}.left < 0) { ${frame}.pc = `,
      label,
      `; return ${this.module.runtime("PREEMPTED")}; }`
    ]
  }

  private target(label: Label): Target {
    return { label, region: this.region }
  }

  private loop(node: Node): void {
    const next = new Label()
    const end = new Label()
    const start = new Label()
    this.targets.set(node, { leave: this.target(end), next: this.target(next) })
    if (node.type === "ForStatement") {
      const loop = (): void => {
        this.targets.set(node, { leave: this.target(end), next: this.target(next) })
        this.for(node, start, next, end)
      }
      this.within(node.scope!, () => disposes(node["init"]) ? this.disposing(loop) : loop())
      return
    }
    const whileFirst = node.type === "WhileStatement"
    const check = this.check(node)
    const test = (): void => {
      const { mark } = this
      const condition = this.expression(node["test"])
      this.release(mark)
      this.emit("if (!", condition, ") ", this.jump(this.target(end)))
    }
    this.turns(whileFirst ? next : start, () => {
      this.emit(check)
      if (whileFirst) test()
      this.bodyOf(node["body"])
      if (!whileFirst) {
        this.place(next)
        test()
      }
    })
    this.place(end)
  }

  private for(node: Node, start: Label, next: Label, end: Label): void {
    const { body, init, test, update } = node as {
      body: Node
      init: Node | null
      test: Node | null
      update: Node | null
    } & Node
    const scope = node.scope!
    const copy = (): void => {
      if (scope.boxed) this.emit(`${this.module.frame}.s${scope.id} = ${this.rewriter.copyOf(scope)};`)
    }
    if (init !== null) {
      if (init.type !== "VariableDeclaration") this.effect(init)
      else if (init.suspends || disposes(init)) this.declaration(init)
      else this.emit(this.text(init))
      if (this.unit.inner.some(({ node: inner }) => inner.start >= init.start && inner.end <= init.end)) copy()
    }
    const check = this.check(node)
    this.turns(start, () => {
      this.emit(check)
      if (test !== null) {
        const { mark } = this
        const condition = this.expression(test)
        this.release(mark)
        this.emit("if (!", condition, ") ", this.jump(this.target(end)))
      }
      this.bodyOf(body)
      this.place(next)
      copy()
      if (update !== null) this.effect(update)
    })
    this.place(end)
  }

  private forEach(node: Node): void {
    const { body, left, right } = node as { body: Node; left: Node; right: Node } & Node
    const { module } = this
    const scope = node.scope!
    const declared: Node | undefined = left.type === "VariableDeclaration" ? left["declarations"][0] : undefined
    if (declared !== undefined && declared["init"] !== null) {
      const { mark } = this
      this.bind(declared["id"], this.expression(declared["init"]), true)
      this.release(mark)
    }
    const next = new Label()
    const end = new Label()
    // What is iterated is evaluated where the variables are there and uninitialized.
    const outerScope = this.scope
    this.scope = scope
    this.enter(scope)
    const { mark } = this
    const part = node.type === "ForOfStatement" && right["arguments"]?.length === 0
      ? methodCalled(right, PARTS)
      : undefined
    const iterable = this.expression(part === undefined ? right : right["callee"].object)
    const helper = part !== undefined ? "parts" : node.type === "ForOfStatement" ? "cursor" : "enumerate"
    const rest = part === undefined ? ")" : `, "${part}")`
    const cursor = this.keep([right.start, `${module.runtime(helper)}(`, iterable, rest], mark)
    const leave = this.target(end)
    const iteration = node.type === "ForOfStatement" ? this.openIteration(cursor) : undefined
    if (node.tight && !scope.boxed && !disposes(left)) {
      this.targets.set(node, { leave: iteration === undefined ? NATIVE : leave, next: NATIVE })
      this.tightIteration(
        node,
        cursor,
        outerScope,
        (item) => this.bind(declared === undefined ? left : declared["id"], item, declared !== undefined)
      )
      if (iteration !== undefined) {
        this.emit(this.jump(leave))
        this.closeIteration(iteration, cursor, false)
      }
      this.place(end)
      this.release(mark)
      this.scope = outerScope
      return
    }
    const check = this.check(node, outerScope)
    this.targets.set(node, { leave, next: this.target(next) })
    this.turns(next, () => {
      this.emit(check)
      const inner = this.mark
      const item = this.register()
      this.emit(`${item} = ${cursor}.next();`)
      this.emit(`if (${item} === ${module.runtime("END")}) `, this.jump(leave))
      this.enter(scope)
      const target: Node = declared === undefined ? left : declared["id"]
      if (declared === undefined && target.type === "MemberExpression") {
        const kept = target.suspends ? this.keep(item, inner) : item
        const place = this.memberPlace(target, false)
        this.emit(this.setPlace(target, place, kept), ";")
      } else if (disposes(left)) {
        const kept = this.keep(item, inner)
        this.disposing(() => {
          this.bind(target, `${module.runtime("use")}(${this.resources}, ${kept})`, true)
          this.bodyOf(body)
        })
      } else this.bind(target, item, declared !== undefined)
      this.release(inner)
      if (!disposes(left)) this.bodyOf(body)
    })
    if (iteration !== undefined) this.closeIteration(iteration, cursor, false)
    this.place(end)
    this.release(mark)
    this.scope = outerScope
  }

  private switch(node: Node): void {
    const { cases, discriminant } = node as { cases: ReadonlyArray<Node>; discriminant: Node } & Node
    const end = new Label()
    this.targets.set(node, { leave: this.target(end), next: undefined })
    const { mark } = this
    const code = this.expression(discriminant)
    if (node.scope!.node.suspends !== true) return
    const value = this.keep(code, mark)
    this.within(node.scope!, () => {
      const labels = cases.map(() => new Label())
      let otherwise = end
      cases.forEach(({ test }, i) => {
        if (test === null) {
          otherwise = labels[i]!
          return
        }
        const before = this.mark
        const tested = this.expression(test)
        this.release(before)
        this.emit(`if (${value} === `, tested, ") ", this.jump(this.target(labels[i]!)))
      })
      this.emit(this.jump(this.target(otherwise)))
      cases.forEach(({ consequent }, i) => {
        this.place(labels[i]!)
        this.statements(consequent)
      })
    })
    this.place(end)
  }

  private labeled(node: Node): void {
    let labels = ""
    let body = node
    for (; body.type === "LabeledStatement"; body = body["body"]) labels += `${body["label"].name}: `
    if (LOOPS.has(body.type) && nests(body)) {
      this.nest(body, labels)
      return
    }
    const end = new Label()
    this.targets.set(node, { leave: this.target(end), next: undefined })
    this.statement(node["body"])
    this.place(end)
  }

  // --- try

  private try(node: Node): void {
    const { block, finalizer, handler } = node as { block: Node; finalizer: Node | null; handler: Node | null } & Node
    const { module } = this
    const outer = this.region
    this.regions = true
    const after = new Label()
    let region: Region | undefined = outer
    let final: Finalizer | undefined
    const failed = new Label()
    if (finalizer !== null) {
      const suspends = finalizer.suspends === true
      final = {
        entry: new Label(),
        kind: suspends ? this.temporary() : this.register(),
        value: suspends ? this.temporary() : this.register(),
        exits: [],
        returns: false
      }
      region = { outer, handler: failed, finalizer: final, cursor: undefined }
    }
    const caught = new Label()
    this.region = handler === null
      ? region
      : { outer: region, handler: caught, finalizer: undefined, cursor: undefined }
    this.emit(`${module.handler} = `, this.handlerOf(this.region), ";")
    this.statement(block)
    const done: Code = final === undefined
      ? this.jump({ label: after, region: outer })
      : [final.kind, " = 0; ", this.jump({ label: final.entry, region })]
    this.emit(done)
    if (handler !== null) {
      this.place(caught)
      this.region = region
      this.emit(`${module.handler} = `, this.handlerOf(region), ";")
      const { body, param } = handler as { body: Node; param: Node | null } & Node
      if (handler.suspends) {
        this.within(handler.scope!, () => {
          if (param !== null) this.bind(param, module.value, true)
          if (body.scope === undefined) this.statements(body["body"])
          else this.statement(body)
        })
      } else this.emit(`try { throw ${module.value}; } `, this.text(handler))
      this.emit(
        final === undefined
          ? this.jump({ label: after, region: outer })
          : [final.kind, " = 0; ", this.jump({ label: final.entry, region })]
      )
    }
    if (final !== undefined) {
      this.place(failed)
      this.emit(final.kind, " = 1; ", final.value, ` = ${module.value};`)
      this.place(final.entry)
      this.region = outer
      this.emit(`${module.handler} = `, this.handlerOf(outer), ";")
      this.statement(finalizer!)
      this.complete(final)
    }
    this.region = outer
    this.place(after)
  }
}

const LOOPS = new Set(["WhileStatement", "DoWhileStatement", "ForStatement"])

const CALLS = new Set(["CallExpression", "NewExpression", "TaggedTemplateExpression"])

/** Does code call anything, as far as can be seen? */
const calls = (node: Node): boolean =>
  node.unit === undefined &&
  (CALLS.has(node.type) || (visitorKeys[node.type as keyof typeof visitorKeys] ?? []).some((key) => {
    const child = node[key]
    return Array.isArray(child)
      ? child.some((one) => one !== null && calls(one))
      : child !== null && child !== undefined && calls(child)
  }))

/** Does the generator suspend in a statement only where it is preempted in a loop, and can that go on there? */
const nests = (node: Node): boolean => {
  if (node.suspends !== true) return !disposes(node)
  const { scope } = node
  if (scope !== undefined && (scope.boxed || scope.functions.length > 0)) return false
  switch (node.type) {
    case "BlockStatement":
      return node["body"].every(nests)
    case "IfStatement":
      return node["test"].suspends !== true && nests(node["consequent"]) &&
        (node["alternate"] === null || nests(node["alternate"]))
    case "LabeledStatement":
      return nests(node["body"])
    case "WhileStatement":
    case "DoWhileStatement":
    case "ForStatement":
      return [node["init"], node["test"], node["update"]].every((part: Node | null | undefined) =>
        part === null || part === undefined || part.suspends !== true && !disposes(part)
      ) && nests(node["body"])
    default:
      return false
  }
}

/** Does each turn of a loop suspend? Then it need not look whether it is preempted: who resumes it does. */
const suspendsEachTurn = (node: Node): boolean => {
  const { body, test } = node as { body: Node; test?: Node | null } & Node
  if (node.type !== "DoWhileStatement" && suspendsSurely(test)) return true
  const statements: ReadonlyArray<Node> = body.type === "BlockStatement" ? body["body"] : [body]
  for (const statement of statements) {
    if (suspendsSurely(statement)) return true
    // Another kind may go on with the next turn.
    if (!STRAIGHT.has(statement.type)) return false
  }
  return false
}

const STRAIGHT = new Set(["ExpressionStatement", "VariableDeclaration"])

/** Does a statement or an expression suspend in any case, unless it throws? False if that is not obvious. */
const suspendsSurely = (node: Node | null | undefined): boolean => {
  if (node?.suspends !== true) return false
  switch (node.type) {
    case "YieldExpression":
      return true
    case "ExpressionStatement":
      return suspendsSurely(node["expression"])
    case "VariableDeclaration":
      return node["declarations"].some(({ init }: Node) => suspendsSurely(init))
    case "AssignmentExpression":
      return !LOGICAL.has(node["operator"]) && suspendsSurely(node["right"])
    case "BinaryExpression":
      return suspendsSurely(node["left"]) || suspendsSurely(node["right"])
    case "CallExpression":
      return node["arguments"].some(suspendsSurely)
    case "UnaryExpression":
    case "SpreadElement":
      return suspendsSurely(node["argument"])
    default:
      return false
  }
}

const LOGICAL = new Set(["&&=", "||=", "??="])

/** Is it a loop, labels before it left aside? */
const loops = (node: Node): boolean => node.type === "LabeledStatement" ? loops(node["body"]) : isLoop(node)

/** Is it a declaration with `using`? */
const disposes = (node: Node | null): boolean => node?.type === "VariableDeclaration" && node["kind"].endsWith("using")

/** What of a collection a loop may go over: such a cursor knows its collection. */
const PARTS = new Set(["entries", "keys", "values"])
