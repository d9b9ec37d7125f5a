/** Statements in which something suspends. */
import { visitorKeys } from "oxc-parser"
import { isLoop, type Node } from "./ast.ts"
import { type Code, Label } from "./code.ts"
import type { Finalizer, Region, Target } from "./machine.ts"
import { Patterns } from "./pattern.ts"
import { inFrame } from "./reference.ts"
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
    this.emit(this.ends("undefined"))
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
        this.loop(node)
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
    const { frame } = this.module
    const variables = new Map<Variable, boolean>()
    const scopes = new Set<Scope>()
    this.uses(node, variables, scopes)
    const taken: Array<string> = []
    const kept: Array<string> = []
    for (const [variable, written] of variables) {
      const place = `${frame}.${variable.field}`
      variable.local = variable.alias ??= this.module.fresh(`$${variable.field.replace("$", "")}`)
      taken.push(`${variable.local} = ${place}`)
      if (written) kept.push(`${place} = ${variable.local};`)
    }
    for (const scope of scopes) {
      taken.push(`${this.module.scopeName(scope)} = ${frame}.s${scope.id}`)
      scope.local = true
    }
    const { left } = this
    this.left = false
    const code = this.text(node)
    for (const variable of variables.keys()) variable.local = undefined
    for (const scope of scopes) scope.local = false
    const plain = !this.left && this.region === undefined
    this.left = left || this.left
    const before = taken.length === 0 ? "" : `let ${taken.join(", ")};`
    if (kept.length === 0) this.emit(before === "" ? code : ["{ ", before, " ", code, " }"])
    else if (plain) this.emit("{ ", before, " ", code, " ", kept.join(" "), " }")
    else this.emit("{ ", before, " try { ", code, " } finally { ", kept.join(" "), " } }")
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
    const scope: Scope | undefined = node["blockScope"]
    if (scope === undefined) this.statement(node)
    else this.emit("{", this.rewriter.entry(scope), this.text(node), "}")
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
    this.place(whileFirst ? next : start)
    const test = (): void => {
      const { mark } = this
      const condition = this.expression(node["test"])
      this.release(mark)
      if (whileFirst) this.emit("if (!", condition, ") ", this.jump(this.target(end)))
      else this.emit("if (", condition, ") ", this.jump(this.target(start)))
    }
    if (whileFirst) test()
    this.bodyOf(node["body"])
    if (whileFirst) this.emit(this.jump(this.target(next)))
    else {
      this.place(next)
      test()
    }
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
    this.place(start)
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
    this.emit(this.jump(this.target(start)))
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
    const part = node.type === "ForOfStatement" ? partOf(right) : undefined
    const iterable = this.expression(part === undefined ? right : right["callee"].object)
    const helper = part !== undefined ? "parts" : node.type === "ForOfStatement" ? "cursor" : "enumerate"
    const rest = part === undefined ? ")" : `, "${part}")`
    const cursor = this.keep([right.start, `${module.runtime(helper)}(`, iterable, rest], mark)
    const leave = this.target(end)
    const iteration = node.type === "ForOfStatement" ? this.openIteration(cursor) : undefined
    this.targets.set(node, { leave, next: this.target(next) })
    this.place(next)
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
    this.emit(this.jump(this.target(next)))
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

/** Is it a loop, labels before it left aside? */
const loops = (node: Node): boolean => node.type === "LabeledStatement" ? loops(node["body"]) : isLoop(node)

/** Is it a declaration with `using`? */
const disposes = (node: Node | null): boolean => node?.type === "VariableDeclaration" && node["kind"].endsWith("using")

/** Of `collection.entries()`, `.keys()` and `.values()`: which of them, where the collection is asked for it plainly. */
const partOf = (node: Node): string | undefined => {
  if (node.type !== "CallExpression" || node["optional"] || node["arguments"].length > 0) return undefined
  const { computed, object, optional, property, type } = node["callee"] as {
    computed: boolean
    object: Node
    optional: boolean
    property: Node
  } & Node
  return type === "MemberExpression" && !computed && !optional && object.type !== "Super" && PARTS.has(property["name"])
    ? property["name"]
    : undefined
}

const PARTS = new Set(["entries", "keys", "values"])
