/**
 * One walk over the tree: scopes, references, suspensions, targets of jumps, names of anonymous functions; then where each
 * variable is kept and which function stays where it stands.
 */
import { visitorKeys } from "oxc-parser"
import { boundNames, isAnonymous, isClass, isFunction, isLoop, isPattern, type Naming, type Node } from "./ast.ts"
import { Directives } from "./directive.ts"
import type { Parsed } from "./parse.ts"
import { Scope, type Variable, type VariableKind } from "./scope.ts"
import { Unit, type UnitKind } from "./unit.ts"

export interface Analysis {
  readonly program: Unit
  /** All functions, initializers and static blocks of what is compiled, outer ones first. */
  readonly units: ReadonlyArray<Unit>
  /** Every identifier that occurs. */
  readonly names: ReadonlySet<string>
  /** Literals whose white space counts. */
  readonly literals: ReadonlyArray<Node>
  /** Every `"use stackless"`. */
  readonly directives: Iterable<Node>
  /** The scopes of each unit. */
  readonly scopes: ReadonlyMap<Unit, ReadonlyArray<Scope>>
  /** The classes on top of the module that have a name, and their names. There is one of each, so pickles name them. */
  readonly classes: ReadonlyMap<Node, string>
  /** Is there anything to compile? */
  readonly any: boolean
}

interface Reference {
  readonly node: Node
  readonly name: string
  readonly scope: Scope
}

interface Jumps {
  readonly labels: ReadonlyArray<string>
  readonly node: Node
  readonly loop: Node | undefined
}

export const analyze = (parsed: Parsed, all: boolean, preempt: boolean): Analysis =>
  new Analyzer(parsed, all, preempt).run()

class Analyzer {
  private readonly parsed: Parsed
  private readonly preempt: boolean
  private readonly directives: Directives
  private readonly program: Unit
  private readonly units: Array<Unit> = []
  private readonly names = new Set<string>()
  private readonly literals: Array<Node> = []
  private readonly references: Array<Reference> = []
  private readonly scopes: Array<Scope> = []
  private readonly privates: Array<Reference & { readonly access: "get" | "set" | "has" }> = []
  private readonly blockFunctions: Array<{ readonly node: Node; readonly scope: Scope }> = []
  private readonly classes = new Map<Node, string>()
  private any = false
  private scope: Scope
  private unit: Unit
  private jumps: Array<Jumps> = []
  private labels: Array<string> = []
  /** Returns and jumps, in their order. */
  private readonly leaving: Array<Node> = []

  constructor(parsed: Parsed, all: boolean, preempt: boolean) {
    this.parsed = parsed
    this.preempt = preempt
    const { module, program } = parsed
    this.directives = new Directives(parsed, all)
    const region = this.directives.module
    const strict = module || hasDirective(program["body"], "use strict")
    this.program = this.unit = new Unit("program", program, undefined, region, strict, false, true)
    this.scope = this.program.scope = this.program.variables = new Scope("program", program, undefined, this.program)
  }

  run(): Analysis {
    const { program } = this.parsed
    this.declareFunctions(program["body"], this.scope)
    for (const statement of program["body"]) this.visit(statement)
    this.hoistBlockFunctions()
    for (const reference of this.references) this.resolve(reference)
    this.keepWithPrivateNames()
    for (const reference of this.privates) this.resolvePrivate(reference)
    this.place()
    this.any ||= this.directives.asksFor(this.units.length > 0, this.classes.size > 0)
    this.directives.finish(this.program, this.any)
    return {
      program: this.program,
      units: this.units,
      names: this.names,
      literals: this.literals,
      directives: this.directives.obeyed,
      scopes: this.scopesByUnit(),
      classes: this.classes,
      any: this.any
    }
  }

  // --- the walk; each visit says whether the generator suspends in the node

  private visitAll(nodes: ReadonlyArray<Node | null>): boolean {
    let suspends = false
    for (const node of nodes) if (node !== null && this.visit(node)) suspends = true
    return suspends
  }

  private maybe(node: Node | null | undefined): boolean {
    return node === null || node === undefined ? false : this.visit(node)
  }

  private visit(node: Node): boolean {
    let suspends = this.enter(node)
    // A generator may be preempted in every loop.
    if (this.preempt && isLoop(node) && this.unit.generator) {
      if (!suspends) node.tight = true
      suspends = true
    }
    if (suspends) node.suspends = true
    return suspends
  }

  private enter(node: Node): boolean {
    switch (node.type) {
      case "Identifier":
        this.refer(node, node["name"])
        return false
      case "Literal":
        if (typeof node["value"] === "string") this.literals.push(node)
        return false
      case "ThisExpression":
        this.refer(node, "this")
        return false
      case "MetaProperty":
        if (node["meta"].name === "new") this.refer(node, "new.target")
        return false
      case "Super":
        this.refer(node, "super")
        return false
      case "PrivateIdentifier":
        // `#x in o`
        this.privates.push({ node, name: node["name"], scope: this.scope, access: "has" })
        return false
      case "YieldExpression":
        this.maybe(node["argument"])
        return this.unit.generator
      case "FunctionDeclaration":
      case "FunctionExpression":
        this.visitFunction(node, "function")
        return false
      case "ArrowFunctionExpression":
        this.visitFunction(node, "arrow")
        return false
      case "ClassDeclaration":
      case "ClassExpression":
        return this.visitClass(node)
      case "ObjectExpression":
        return this.visitObject(node)
      case "MemberExpression":
        return this.visitMember(node, "get")
      case "CallExpression":
        if (node["callee"].type === "Identifier" && node["callee"].name === "eval" && !node["optional"]) {
          this.directives.eval(node, this.unit)
        }
        return this.visitChildren(node)
      case "UnaryExpression":
        return this.visitChildren(node)
      case "AssignmentExpression": {
        const { left, operator, right } = node as { left: Node; operator: string; right: Node } & Node
        const target = this.visitTarget(left, operator !== "=")
        // A name in parentheses names nothing.
        if (left.type === "Identifier" && left.start === node.start && NAMING.has(operator)) {
          this.name(right, left["name"])
        }
        return this.visit(right) || target
      }
      case "UpdateExpression":
        return this.visitTarget(node["argument"], true)
      case "VariableDeclaration":
        return this.visitDeclaration(node)
      case "BlockStatement":
        return this.inScope("block", node, () => {
          this.declareFunctions(node["body"], this.scope)
          return this.visitAll(node["body"])
        })
      case "StaticBlock":
        this.inUnit("initializer", node, false, () => {
          this.declareFunctions(node["body"], this.scope)
          this.visitAll(node["body"])
        })
        return false
      case "ForStatement":
        return this.inScope("loop", node, () => {
          const head = this.maybe(node["init"])
          const test = this.maybe(node["test"])
          const update = this.maybe(node["update"])
          return this.visitLoopBody(node) || head || test || update
        })
      case "ForInStatement":
      case "ForOfStatement":
        return this.inScope("loop", node, () => {
          const { left, right } = node as { left: Node; right: Node } & Node
          let head: boolean
          if (left.type === "VariableDeclaration") {
            head = this.visitDeclaration(left, right.end)
          } else head = this.visitTarget(left, false)
          const iterated = this.visit(right)
          if (head) node["suspendsInHead"] = true
          return this.visitLoopBody(node) || head || iterated
        })
      case "WhileStatement": {
        const test = this.visit(node["test"])
        return this.visitLoopBody(node) || test
      }
      case "DoWhileStatement": {
        const body = this.visitLoopBody(node)
        return this.visit(node["test"]) || body
      }
      case "SwitchStatement": {
        const discriminant = this.visit(node["discriminant"])
        const labels = this.takeLabels()
        return this.inScope("switch", node, () => {
          for (const branch of node["cases"]) this.declareFunctions(branch.consequent, this.scope)
          this.jumps.push({ labels, node, loop: undefined })
          let suspends = false
          for (const branch of node["cases"] as ReadonlyArray<Node>) {
            const test = this.maybe(branch["test"])
            const body = this.visitAll(branch["consequent"])
            if (test || body) {
              branch.suspends = true
              suspends = true
            }
          }
          this.jumps.pop()
          return suspends
        }) || discriminant
      }
      case "LabeledStatement": {
        const { body, label } = node as { body: Node; label: Node } & Node
        this.names.add(label["name"])
        this.labels.push(label["name"])
        this.jumps.push({ labels: [label["name"]], node, loop: undefined })
        if (!isLoop(body) && body.type !== "LabeledStatement") this.labels = []
        const suspends = this.visitStatement(body)
        this.jumps.pop()
        this.labels = []
        return suspends
      }
      case "IfStatement": {
        const test = this.visit(node["test"])
        const consequent = this.visitStatement(node["consequent"])
        const alternate = node["alternate"] !== null && this.visitStatement(node["alternate"])
        return test || consequent || alternate
      }
      case "BreakStatement":
      case "ContinueStatement":
        this.target(node)
        this.leaving.push(node)
        return false
      case "TryStatement": {
        const block = this.visit(node["block"])
        const handler = this.maybe(node["handler"])
        const { finalizer } = node as { finalizer: Node | null } & Node
        const before = this.leaving.length
        const final = this.maybe(finalizer)
        // A jump out of `finally` takes the place of another that is under way: the machine keeps these apart.
        const overrides = this.unit.generator &&
          this.leaving.slice(before).some(({ target }) => target === undefined || target.start < finalizer!.start)
        if (overrides) finalizer!.suspends = true
        return overrides || final || block || handler
      }
      case "ReturnStatement":
        this.leaving.push(node)
        return this.visitChildren(node)
      case "CatchClause":
        return this.inScope("catch", node, () => {
          const { body, param } = node as { body: Node; param: Node | null } & Node
          let suspends = false
          if (param !== null) {
            suspends = this.declarePattern(param, "catch", this.scope, param.end)
            this.group(param)
          }
          // What a pattern's defaults refer to, the body does not declare.
          if (param !== null && isPattern(param)) return this.visit(body) || suspends
          this.declareFunctions(body["body"], this.scope)
          if (this.visitAll(body["body"])) suspends = body.suspends = true
          return suspends
        })
      case "WithStatement":
        this.directives.with(node, this.unit)
        return this.visitChildren(node)
      case "TemplateElement":
        this.literals.push(node)
        return false
      case "ImportDeclaration":
        for (const specifier of node["specifiers"]) this.declare(specifier.local, "import", this.program.scope, 0)
        return false
      case "ExportAllDeclaration":
        return false
      case "ExportNamedDeclaration":
        if (node["declaration"] !== null) this.visit(node["declaration"])
        else if (node["source"] === null) {
          for (const { local } of node["specifiers"]) if (local.type === "Identifier") this.names.add(local.name)
        }
        return false
      case "ExportDefaultDeclaration":
        this.name(node["declaration"], "default")
        this.visit(node["declaration"])
        return false
      case "ExpressionStatement":
        this.directives.statement(node)
        return this.visit(node["expression"])
      default:
        return this.visitChildren(node)
    }
  }

  private visitChildren(node: Node): boolean {
    let suspends = false
    for (const key of visitorKeys[node.type as keyof typeof visitorKeys] ?? []) {
      const child = node[key]
      if (child === null || child === undefined) continue
      if (Array.isArray(child)) {
        if (this.visitAll(child)) suspends = true
      } else if (this.visit(child)) suspends = true
    }
    return suspends
  }

  /** A statement that is a body: a function there is declared in a block of its own (sloppy code). */
  private visitStatement(node: Node): boolean {
    if (node.type !== "FunctionDeclaration") return this.visit(node)
    return this.inScope("block", node, () => {
      this.declareFunctions([node], this.scope)
      this.visit(node)
      return false
    }, false)
  }

  private visitLoopBody(node: Node): boolean {
    this.jumps.push({ labels: this.takeLabels(), node, loop: node })
    const suspends = this.visitStatement(node["body"])
    this.jumps.pop()
    return suspends
  }

  private takeLabels(): Array<string> {
    const { labels } = this
    this.labels = []
    return labels
  }

  private target(node: Node): void {
    const label: string | undefined = node["label"]?.name
    for (let i = this.jumps.length - 1; i >= 0; i--) {
      const { labels, loop, node: statement } = this.jumps[i]!
      const found = node.type === "ContinueStatement"
        ? loop !== undefined && (label === undefined || labels.includes(label))
        : label === undefined
        ? statement.type !== "LabeledStatement"
        : statement.type === "LabeledStatement" && labels.includes(label)
      if (found) {
        node.target = statement
        return
      }
    }
  }

  private inScope<A>(
    kind: "block" | "loop" | "switch" | "catch" | "class" | "object",
    node: Node,
    body: () => A,
    own = true
  ): A {
    const outer = this.scope
    const scope = new Scope(kind, node, outer, this.unit)
    this.scopes.push(scope)
    if (own) node.scope = scope
    else node["blockScope"] = scope
    this.scope = scope
    const result = body()
    this.scope = outer
    return result
  }

  /** Is the code strict that is visited? All of a class is. */
  private get strict(): boolean {
    for (let at: Scope | undefined = this.scope; at?.unit === this.unit; at = at.parent) {
      if (at.kind === "class") return true
    }
    return this.unit.strict
  }

  private inUnit(kind: UnitKind, node: Node, generator: boolean, body: (unit: Unit) => void, strict?: boolean): Unit {
    const { jumps, labels, scope, unit } = this
    const region = unit.region || node["body"] && this.directives.has(node)
    const inPlace = !region || kind === "member" || kind === "constructor" || kind === "initializer" ||
      kind === "accessor"
    const inner = new Unit(kind, node, unit, region, strict ?? this.strict, generator && region, inPlace)
    if (region) {
      this.any ||= inner.generator
      this.units.push(inner)
    }
    node.unit = inner
    this.unit = inner
    this.scope = inner.scope = inner.variables = new Scope("function", node, scope, inner)
    this.scopes.push(inner.scope)
    this.jumps = []
    this.labels = []
    const before = this.leaving.length
    body(inner)
    this.leaving.length = before
    Object.assign(this, { jumps, labels, scope, unit })
    return inner
  }

  private visitFunction(node: Node, kind: UnitKind, isStatic = false): Unit {
    const body: Node = node["body"]
    const block = body.type === "BlockStatement"
    const strict = this.strict || block && hasDirective(body["body"], "use strict")
    const generator = node["generator"] === true && node["async"] !== true
    this.directives.enter(node)
    const unit = this.inUnit(kind, node, generator, (unit) => {
      unit.isStatic = isStatic
      unit.inBlock = node["inBlock"] === true && node["generator"]
      const { params } = node as { params: ReadonlyArray<Node> } & Node
      for (const param of params) this.declarePattern(param, "parameter", unit.scope, 0)
      if (block && unit.inner.length > 0) {
        // What functions among the parameters capture, a `var` of the body does not change.
        this.inScope("block", body, () => {
          unit.variables = this.scope
          this.declareFunctions(body["body"], this.scope)
          if (this.visitAll(body["body"])) body.suspends = true
        })
      } else if (block) {
        this.declareFunctions(body["body"], unit.scope)
        if (this.visitAll(body["body"])) body.suspends = true
      } else {
        // What an arrow function evaluates to.
        this.visit(body)
      }
      if (node.type === "FunctionExpression" && node["id"] !== null && kind === "function") {
        this.names.add(node["id"].name)
        if (!unit.scope.variables.has(node["id"].name)) unit.scope.declare(node["id"].name, "self")
      }
    }, strict)
    this.directives.leave(node, unit)
    return unit
  }

  private visitClass(node: Node): boolean {
    const { body, id, superClass } = node as { body: Node; id: Node | null; superClass: Node | null } & Node
    this.visitDecorators(node)
    const naming: unknown = id?.["name"] ?? node.naming
    const name = typeof naming === "string" && naming !== "" ? naming : undefined
    if (name !== undefined && this.program.region && this.scope === this.program.scope) this.classes.set(node, name)
    return this.inScope("class", node, () => {
      if (id !== null) {
        this.names.add(id["name"])
        this.scope.declare(id["name"], "class name").initialized = node.end
      }
      for (const { key } of body["body"]) {
        if (key?.type === "PrivateIdentifier") this.scope.declare(`#${key.name}`, "private")
      }
      let suspends = this.maybe(superClass)
      for (const element of body["body"] as ReadonlyArray<Node>) {
        this.visitDecorators(element)
        const { computed, key, value } = element as { computed: boolean; key: Node; value: Node | null } & Node
        if (computed && this.visit(key)) suspends = true
        const title = computed
          ? "[computed]"
          : key === undefined
          ? ""
          : `${key.type === "PrivateIdentifier" ? "#" : ""}${keyName(key)}`
        const prefix = name === undefined ? "" : `${name}.`
        switch (element.type) {
          case "StaticBlock":
            this.visit(element)
            element.unit!.isStatic = true
            element.unit!.label = `${prefix}static`
            break
          case "MethodDefinition":
            this.visitFunction(value!, element["kind"] === "constructor" ? "constructor" : "member", element["static"])
            value!.unit!.label = `${prefix}${
              element["kind"] === "get" || element["kind"] === "set" ? `${element["kind"]} ` : ""
            }${title}`
            if (element["kind"] === "constructor") value!["derived"] = superClass !== null
            break
          default:
            if (value !== null) {
              this.name(value, computed ? { key } : key.type === "PrivateIdentifier" ? `#${key["name"]}` : keyName(key))
              this.inUnit("initializer", element, false, (unit) => {
                unit.isStatic = element["static"]
                unit.label = `${prefix}field ${title}`
                this.visit(value)
                // Its name is computed: it has it from where it stands.
                if (computed && isFunction(value) && isAnonymous(value)) value.unit!.inPlace = true
              }, true)
            }
        }
      }
      return suspends
    })
  }

  private visitDecorators(node: Node): void {
    const decorators: ReadonlyArray<Node> = node["decorators"] ?? []
    for (const decorator of decorators) if (this.visit(decorator)) this.directives.decorator(decorator)
  }

  private visitObject(node: Node): boolean {
    return this.inScope("object", node, () => {
      let suspends = false
      for (const property of node["properties"] as ReadonlyArray<Node>) {
        if (property.type !== "Property") {
          if (this.visit(property)) suspends = true
          continue
        }
        const { computed, key, kind, method, value } = property as {
          computed: boolean
          key: Node
          kind: string
          method: boolean
          value: Node
        } & Node
        const own = computed && this.visit(key)
        if (kind !== "init") {
          this.visitFunction(value, "accessor").label = `${kind} ${computed ? "[computed]" : keyName(key)}`
        } else if (method) {
          this.name(value, computed ? { key } : keyName(key))
          this.visitFunction(value, "method")
        } else {
          // `__proto__: f` names nothing
          if (computed || property["shorthand"] || keyName(key) !== "__proto__") {
            this.name(value, computed ? { key } : keyName(key))
          }
          if (this.visit(value)) property.suspends = true
        }
        if (own) property.suspends = true
        if (property.suspends) suspends = true
      }
      return suspends
    })
  }

  private visitMember(node: Node, access: "get" | "set" | "update"): boolean {
    const object = this.visit(node["object"])
    const { computed, property } = node as { computed: boolean; property: Node } & Node
    if (property.type === "PrivateIdentifier") {
      const { name } = property as unknown as { name: string }
      if (access !== "set") this.privates.push({ node, name, scope: this.scope, access: "get" })
      if (access !== "get") this.privates.push({ node, name, scope: this.scope, access: "set" })
      return object
    }
    return computed && this.visit(property) || object
  }

  /** What is assigned to. */
  private visitTarget(node: Node, alsoRead: boolean): boolean {
    const suspends = this.enterTarget(node, alsoRead)
    if (suspends) node.suspends = true
    return suspends
  }

  private enterTarget(node: Node, alsoRead: boolean): boolean {
    switch (node.type) {
      case "Identifier":
        node["written"] = true
        this.refer(node, node["name"])
        return false
      case "MemberExpression":
        return this.visitMember(node, alsoRead ? "update" : "set")
      case "ObjectPattern": {
        let suspends = false
        for (const property of node["properties"] as ReadonlyArray<Node>) {
          if (property.type === "RestElement") {
            if (this.visitTarget(property["argument"], false)) suspends = property.suspends = true
            continue
          }
          const key = property["computed"] && this.visit(property["key"])
          if (this.visitTarget(property["value"], false) || key) suspends = property.suspends = true
        }
        return suspends
      }
      case "ArrayPattern": {
        let suspends = false
        for (const element of node["elements"]) {
          if (element !== null && this.visitTarget(element, false)) suspends = true
        }
        return suspends
      }
      case "AssignmentPattern": {
        const { left, right } = node as { left: Node; right: Node } & Node
        const target = this.visitTarget(left, false)
        if (left.type === "Identifier" && left.start === node.start) this.name(right, left["name"])
        return this.visit(right) || target
      }
      case "RestElement":
        return this.visitTarget(node["argument"], false)
      default:
        // `f() = 1` in sloppy code: an error when it is reached
        return this.visit(node)
    }
  }

  private visitDeclaration(node: Node, headEnd?: number): boolean {
    const { declarations, kind } = node as { declarations: ReadonlyArray<Node>; kind: string } & Node
    let suspends = false
    const isVar = kind === "var"
    const variableKind: VariableKind = isVar
      ? "var"
      : kind === "let"
      ? "let"
      : kind === "const"
      ? "const"
      : "using"
    for (const declarator of declarations) {
      const { id, init } = declarator as { id: Node; init: Node | null } & Node
      const scope = isVar ? this.unit.variables : this.scope
      let here = this.declarePattern(id, variableKind, scope, headEnd ?? declarator.end)
      if (id.type === "Identifier" && init !== null) this.name(init, id["name"])
      if (this.maybe(init)) here = true
      if (here) suspends = declarator.suspends = true
    }
    if (declarations.length === 1) this.group(declarations[0]!["id"])
    else if (headEnd !== undefined || this.scope.kind === "loop" && this.scope.node["init"] === node) {
      this.groupOf(declarations.flatMap(({ id }) => boundNames(id as Node)))
    } else for (const { id } of declarations) this.group(id)
    return suspends
  }

  /** Declares what a pattern binds, and visits its defaults and keys. */
  private declarePattern(node: Node, kind: VariableKind, scope: Scope, initialized: number): boolean {
    const suspends = this.enterPattern(node, kind, scope, initialized)
    if (suspends) node.suspends = true
    return suspends
  }

  private enterPattern(node: Node, kind: VariableKind, scope: Scope, initialized: number): boolean {
    const inner = (node: Node) => this.declarePattern(node, kind, scope, initialized)
    switch (node.type) {
      case "Identifier":
        this.declare(node, kind, scope, initialized)
        return false
      case "ObjectPattern": {
        let suspends = false
        for (const property of node["properties"] as ReadonlyArray<Node>) {
          if (property.type === "RestElement") {
            inner(property["argument"])
            continue
          }
          const key = property["computed"] && this.visit(property["key"])
          if (inner(property["value"]) || key) suspends = property.suspends = true
        }
        return suspends
      }
      case "ArrayPattern": {
        let suspends = false
        for (const element of node["elements"]) if (element !== null && inner(element)) suspends = true
        return suspends
      }
      case "AssignmentPattern": {
        const { left, right } = node as { left: Node; right: Node } & Node
        const target = inner(left)
        if (left.type === "Identifier") this.name(right, left["name"])
        return this.visit(right) || target
      }
      case "RestElement":
        return inner(node["argument"])
      default:
        return this.visit(node)
    }
  }

  private declare(node: Node, kind: VariableKind, scope: Scope, initialized: number): void {
    this.names.add(node["name"])
    const variable = scope.declare(node["name"], kind)
    variable.initialized = initialized
    node["declares"] = variable
    // A `var` may stand in the scope of a parameter of `catch` that has its name, and assign to that.
    if (kind === "var" && variable.kind === "var" && scope !== scope.unit.scope) {
      variable.inherits = scope.unit.scope.variables.get(node["name"])
    }
    if (kind === "var" && this.scope !== scope) this.refer(node, node["name"])
    else node.variable = variable
  }

  private group(pattern: Node): void {
    if (isPattern(pattern)) this.groupOf(boundNames(pattern))
  }

  private groupOf(names: ReadonlyArray<Node>): void {
    const group = names.flatMap(({ declares }) => declares === undefined ? [] : [declares as Variable])
    for (const variable of group) variable.group = group
  }

  /** Functions are there when their scope is entered. */
  private declareFunctions(statements: ReadonlyArray<Node>, scope: Scope): void {
    for (const statement of statements) {
      let node = statement
      while (node.type === "LabeledStatement") node = node["body"]
      if (node.type === "ExportNamedDeclaration" || node.type === "ExportDefaultDeclaration") node = node["declaration"]
      if (node?.type === "FunctionDeclaration") {
        if (node["id"] !== null) {
          this.names.add(node["id"].name)
          node["id"].variable = scope.declare(node["id"].name, "function")
        }
        if (!scope.functions.includes(node)) scope.functions.push(node)
        if (scope.kind !== "program" && scope.kind !== "function") node["inBlock"] = true
        if (
          !this.unit.strict && scope.kind !== "function" && scope.kind !== "program" && !node["generator"] &&
          !node["async"]
        ) this.blockFunctions.push({ node, scope })
      } else if (node?.type === "ClassDeclaration" && node["id"] !== null) {
        this.declare(node["id"], "class", scope, node.end)
        node["id"].variable = scope.variables.get(node["id"].name)
      }
    }
  }

  /** Annex B: in sloppy code a function in a block is also a `var` of its function, where that makes no conflict. */
  private hoistBlockFunctions(): void {
    for (const { node, scope } of this.blockFunctions) {
      const { name } = node["id"]
      const top = scope.unit.variables
      let conflict = false
      for (let outer = scope.parent; outer !== undefined && outer !== top; outer = outer.parent) {
        const variable = outer.variables.get(name)
        if (variable !== undefined && !(variable.kind === "catch" && outer.node["param"].type === "Identifier")) {
          conflict = true
        }
      }
      const there = top.variables.get(name)
      const parameter = scope.unit.scope.variables.get(name)
      if (there?.lexical || there?.kind === "import" || parameter?.kind === "parameter") conflict = true
      if (top.kind === "program" || conflict) continue
      if (there?.kind === "self") top.variables.delete(name)
      node["hoisted"] = top.declare(name, "var")
    }
  }

  private refer(node: Node, name: string): void {
    this.names.add(name)
    this.references.push({ node, name, scope: this.scope })
  }

  /** An anonymous function or class gets the name of what it is assigned to. */
  private name(node: Node, name: Naming): void {
    if (isAnonymous(node) || (isFunction(node) || isClass(node)) && !node["id"]) node.naming = name
  }

  // --- afterwards: references

  private resolve({ name, node, scope }: Reference): void {
    if (name === "super") return this.resolveSuper(node, scope)
    let variable: Variable | undefined
    if (name === "this" || name === "new.target") variable = ownOf(scope.unit).scope.declare(name, name)
    else {
      for (let at: Scope | undefined = scope; at !== undefined; at = at.parent) {
        variable = at.variables.get(name)
        if (variable === undefined && name === "arguments" && at.kind === "function" && hasArguments(at.unit)) {
          variable = at.declare(name, "arguments")
        }
        if (variable !== undefined) break
      }
    }
    for (let at: Unit | undefined = scope.unit; at !== undefined && at !== variable?.scope.unit; at = at.parent) {
      if (at.kind !== "program" && !amongParameters(node, at)) at.free = true
    }
    if (variable === undefined) return
    node.variable = variable
    if (node["written"] === true) variable.assigned = true
    const { unit } = scope
    this.capture(variable, unit)
    if (variable.lexical && mayBeUninitialized(variable, node.start, unit)) {
      node.checked = true
      variable.checked = true
    }
  }

  private resolveSuper(node: Node, scope: Scope): void {
    const { unit } = scope
    const method = ownOf(unit)
    if (!method.generator || amongParameters(node, method)) {
      // These stay in the method, where the language finds what `super` is.
      for (let inner = unit; inner !== method; inner = inner.parent!) inner.inPlace = true
      if (method.kind === "method") method.inPlace = true
      return
    }
    const home = method.scope.parent!
    node.variable = home.declare("home", "home")
    node["isStatic"] = method.isStatic || home.kind === "object"
    method.inPlace = true
    const own = method.scope.declare("this", "this")
    node["self"] = own
    this.capture(node.variable, unit)
    this.capture(own, unit)
  }

  /** In constructors and initializers, arrow functions that use private names stay in the class that has these. */
  private keepWithPrivateNames(): void {
    for (const { scope: { unit } } of this.privates) {
      const owner = ownOf(unit)
      if (owner.kind !== "constructor" && owner.kind !== "initializer") continue
      for (let inner = unit; inner !== owner; inner = inner.parent!) inner.inPlace = true
    }
  }

  private resolvePrivate({ access, name, node, scope }: Reference & { access: "get" | "set" | "has" }): void {
    for (let at: Scope | undefined = scope; at !== undefined; at = at.parent) {
      const variable = at.variables.get(`#${name}`)
      if (variable?.kind !== "private") continue
      node["privateName"] = variable
      if (staysWithin(scope.unit, variable.scope)) return
      variable.accesses!.add(access)
      this.capture(variable, scope.unit)
      return
    }
  }

  /** Notes that a unit uses a variable: one of another unit has to be in a scope object. */
  private capture(variable: Variable, unit: Unit): void {
    const owner = variable.scope.unit
    if (unit === owner && variable.kind !== "home" && variable.kind !== "private") return
    if (variable.scope.global) return
    if (!unit.region) return
    this.captures.push({ variable, unit })
  }

  private readonly captures: Array<{ readonly variable: Variable; readonly unit: Unit }> = []

  // --- afterwards: where things are kept

  private place(): void {
    for (const { unit, variable } of this.captures) {
      if (reachesNatively(variable, unit)) continue
      for (const member of variable.group ?? [variable]) {
        member.storage = "boxed"
        member.scope.boxed = true
      }
      for (let at = unit; at !== variable.scope.unit; at = at.parent!) at.needsOuter = true
    }
    for (const unit of this.units) {
      if (!capturedByParameters(unit)) continue
      for (const variable of unit.scope.variables.values()) {
        if (variable.kind === "parameter") variable.storage = "boxed"
      }
    }
    for (const unit of this.units) mapArguments(unit)
    let id = 0
    const fields = new Map<Unit, Map<string, number>>()
    for (const scope of this.scopes) {
      if (scope.boxed) scope.id = id++
      const { unit } = scope
      if (!unit.generator) continue
      const whole = scope === unit.scope
      const suspends = whole ? unit.node["body"].suspends : scope.node.suspends
      const suspendsInside = scope.kind === "class" && scope.node.suspends === true
      for (const variable of scope.variables.values()) {
        if (variable.kind === "class name" && suspendsInside && variable.storage === "native") {
          variable.storage = "missing"
        }
        if (variable.storage === "boxed" || scope.kind === "class" || scope.kind === "object") continue
        const always = whole && AT_CREATION.has(variable.kind)
        if (!always && !suspends) continue
        variable.storage = "field"
        let used = fields.get(unit)
        if (used === undefined) fields.set(unit, used = new Map())
        const count = used.get(variable.field) ?? 0
        used.set(variable.field, count + 1)
        if (count > 0) variable.field += `_${count}_`
      }
    }
    for (const unit of this.units) {
      if (unit.needsOuter) {
        let scope = unit.scope.parent
        while (scope !== undefined && !scope.boxed) scope = scope.parent
        unit.outer = scope
      }
      if (unit.parent === this.program && unit.outer === undefined && !unit.inBlock) unit.inPlace = true
    }
  }

  private scopesByUnit(): Map<Unit, Array<Scope>> {
    const scopes = new Map<Unit, Array<Scope>>()
    for (const scope of this.scopes) {
      const there = scopes.get(scope.unit)
      if (there === undefined) scopes.set(scope.unit, [scope])
      else there.push(scope)
    }
    return scopes
  }
}

/** In sloppy code, simple parameters and the elements of `arguments` are the same variables. */
const mapArguments = (unit: Unit): void => {
  const { node, scope, strict } = unit
  const to = scope.variables.get("arguments")
  const params: ReadonlyArray<Node> | undefined = node["params"]
  if (strict || to?.kind !== "arguments" || to.assigned || !params!.every(({ type }) => type === "Identifier")) return
  const variables = params!.map((param) => scope.variables.get(param["name"])!)
  const boxed = variables.some(({ storage }) => storage === "boxed")
  if (!unit.generator && !boxed) return
  if (boxed) {
    for (const variable of [to, ...variables]) variable.storage = "boxed"
  }
  for (const [index, variable] of variables.entries()) variable.mapped = { to, index }
}

/** Do functions in a unit's parameters capture variables of its own? */
export const capturedByParameters = (unit: Unit): boolean => {
  if (!unit.scope.boxed) return false
  const params: ReadonlyArray<Node> | undefined = unit.node["params"]
  if (params === undefined || params.length === 0) return false
  const { end } = params.at(-1)!
  return unit.inner.some((inner) => inner.node.start < end && inner.node.start >= params[0]!.start && inner.needsOuter)
}

/** Operators of assignments that name a function. */
const NAMING = new Set(["=", "&&=", "||=", "??="])

/** What the frame gets when it is made. */
const AT_CREATION: ReadonlySet<VariableKind> = new Set<VariableKind>([
  "parameter",
  "self",
  "this",
  "arguments"
])

const keyName = (key: Node): string =>
  key.type === "Identifier" || key.type === "PrivateIdentifier" ? key["name"] : String(key["value"])

export const hasDirective = (body: ReadonlyArray<Node>, directive: string): boolean =>
  body.some((statement) => statement["directive"] === directive)

/** The unit whose `this` it is. */
const ownOf = (unit: Unit): Unit => {
  let own = unit
  while (own.lexical) own = own.parent!
  return own
}

/** Does it stand in a function's parameters? They are evaluated where the function is called. */
const amongParameters = (node: Node, unit: Unit): boolean => node.start < (unit.node["body"]?.start ?? 0)

const hasArguments = ({ kind }: Unit): boolean =>
  kind === "function" || kind === "method" || kind === "accessor" || kind === "member" || kind === "constructor"

const mayBeUninitialized = (variable: Variable, position: number, unit: Unit): boolean => {
  if (variable.scope.kind === "switch") return true
  const owner = variable.scope.unit
  if (unit === owner) return position < variable.initialized
  let inner = unit
  while (inner.parent !== owner) inner = inner.parent!
  // A declared function is there from the start of its scope; others once the code has come to them.
  return inner.node.type === "FunctionDeclaration" || inner.node.start < variable.initialized
}

/** Does the code of a unit stand in the class whose private name it uses? */
const staysWithin = (unit: Unit, scope: Scope): boolean => {
  for (let at: Unit | undefined = unit; at !== undefined && at !== scope.unit; at = at.parent) {
    if (at.generator || !at.inPlace) return false
  }
  return unit !== scope.unit || !unit.generator
}

/** Can code that stays where it stands use the binding itself? */
const reachesNatively = (variable: Variable, unit: Unit): boolean => {
  const owner = variable.scope.unit
  switch (variable.kind) {
    case "class name":
      for (let at = unit; at !== owner; at = at.parent!) if (at.generator || !at.inPlace) return false
      // Keys and heritage of one that suspends are evaluated before it, outside of it.
      return variable.scope.node.suspends !== true
    case "this":
    case "arguments":
    case "new.target":
      if (owner.generator) return false
      for (let at = unit; at !== owner; at = at.parent!) if (at.generator || !at.inPlace) return false
      return true
    default:
      return false
  }
}
