/**
 * Code in which nothing suspends: the text of the source, with what has to change in it replaced. Variables that have been
 * moved become fields, inner functions are made by their factories, and jumps that leave it are the machine's.
 */
import { visitorKeys } from "oxc-parser"
import { isFunction, methodCalled, type Node } from "./ast.ts"
import { type Code, Slice } from "./code.ts"
import type { Module } from "./module.ts"
import { around, GIVEN, makeScope, placeCode, readCode, scopeCode } from "./reference.ts"
import type { Scope, Variable } from "./scope.ts"
import type { Unit } from "./unit.ts"

/** What becomes of a jump or a return that leaves code in which nothing suspends. `guarded`: something native wants to know. */
export interface Jumps {
  leave(node: Node, argument: Code | undefined, guarded: boolean): Code | undefined
}

export class Rewriter {
  protected readonly module: Module
  readonly unit: Unit
  private readonly jumps: Jumps | undefined
  private out: Array<Code> = []
  private position = 0
  private guards = 0
  /** Where the labels of the statement that comes begin; -1 if it has none. */
  private labels = -1
  /** The function whose parameters are being written: they are its own, whatever becomes of them. */
  private parameters: Unit | undefined = undefined

  constructor(module: Module, unit: Unit, jumps?: Jumps) {
    this.module = module
    this.unit = unit
    this.jumps = jumps
  }

  /** The code of a node as it stands. A node does not have its parentheses: only a comma needs them everywhere. */
  text(node: Node): Code {
    const code = this.piece(node.start, node.end, () => this.walk(node))
    return node.type === "SequenceExpression" ? parens(code) : code
  }

  /** The code of a node's inside: what `walk` does not replace is copied. */
  piece(start: number, end: number, walk: () => void): Code {
    const { out, position } = this
    this.out = []
    this.position = start
    walk()
    this.copy(end)
    const code = this.out
    this.out = out
    this.position = position
    return code
  }

  /** The code of a pattern that assigns to what it declares. */
  declaring(pattern: Node): Code {
    return this.piece(pattern.start, pattern.end, () => this.target(pattern))
  }

  private copy(to: number): void {
    if (to > this.position) this.out.push(new Slice(this.position, to))
    this.position = Math.max(to, this.position)
  }

  private replace(node: Node, code: Code): void {
    this.copy(node.start)
    this.out.push(node.start, code)
    this.position = node.end
  }

  private insert(at: number, code: Code): void {
    this.copy(at)
    this.out.push(code)
  }

  /** Statements that are replaced or that follow one that begins with a parenthesis need their semicolons. */
  private endStatement(node: Node): void {
    if (this.module.parsed.source.charCodeAt(node.end - 1) !== 59 /* ; */) this.insert(node.end, ";")
  }

  walkAll(nodes: ReadonlyArray<Node | null>): void {
    for (const node of nodes) if (node !== null) this.walk(node)
  }

  private children(node: Node): void {
    for (const key of visitorKeys[node.type as keyof typeof visitorKeys] ?? []) {
      const child = node[key]
      if (child === null || child === undefined) continue
      if (Array.isArray(child)) this.walkAll(child)
      else this.walk(child)
    }
  }

  walk(node: Node): void {
    const { module, unit } = this
    if (!LABELED.has(node.type)) this.labels = -1
    switch (node.type) {
      case "Identifier":
        this.copy(node.start)
        if (this.moved(node)) this.replace(node, this.read(node))
        else if (node.variable?.rename !== undefined) this.replace(node, node.variable.rename)
        return
      case "ThisExpression":
        if (this.moved(node)) this.this(node, node.variable!)
        return
      case "MetaProperty":
        if (node["meta"].name !== "new") return
        if (unit.generator) this.replace(node, "undefined")
        else if (this.moved(node)) this.replace(node, placeCode(module, unit, node.variable!))
        return
      case "Literal":
      case "TemplateElement":
        return
      case "FunctionDeclaration":
        if (node.unit !== undefined && !node.unit.inPlace) {
          this.replace(node, this.declared(node))
          return
        }
        this.replace(node, module.functionText(node, node.unit!, unit))
        return
      case "FunctionExpression":
      case "ArrowFunctionExpression":
        this.replace(node, module.functionText(node, node.unit!, unit))
        return
      case "ClassDeclaration":
      case "ClassExpression":
        this.class(node)
        return
      case "ObjectExpression":
        this.object(node)
        return
      case "MemberExpression":
        this.member(node)
        return
      case "CallExpression":
        this.call(node)
        return
      case "ChainExpression":
        if (this.unusualChain(node)) this.replace(node, ["(", this.links(node["expression"]), ".value)"])
        else this.children(node)
        return
      case "NewExpression": {
        const { arguments: args, callee } = node as { arguments: ReadonlyArray<Node>; callee: Node } & Node
        // a stack says that an error was made here
        this.copy(node.start)
        if (callee.type === "Identifier" && !this.moved(callee)) this.walk(callee)
        else {
          // What takes its place may be a call, which is not what is to be constructed.
          this.insert(callee.start, "(")
          this.walk(callee)
          this.insert(callee.end, ")")
        }
        this.walkAll(args)
        return
      }
      case "TaggedTemplateExpression": {
        const tag: Node = node["tag"]
        if (tag.type === "Identifier" && this.moved(tag)) this.replace(tag, ["(0, ", this.read(tag), ")"])
        else this.callee(tag)
        this.walk(node["quasi"])
        return
      }
      case "BinaryExpression":
        if (node["left"].type === "PrivateIdentifier") {
          const variable: Variable = node["left"].privateName
          if (variable?.storage === "boxed" && !this.within(variable)) {
            this.replace(node, [`${placeCode(module, unit, variable)}_has(`, this.text(node["right"]), ")"])
          } else this.walk(node["right"])
          return
        }
        this.children(node)
        return
      case "UnaryExpression":
        if (node["operator"] === "delete") {
          const argument: Node = node["argument"]
          if (argument.type === "Identifier" && this.moved(argument)) {
            this.replace(node, "false")
            return
          }
          if (this.unusualChain(argument)) {
            this.replace(node, this.deletedChain(argument))
            return
          }
        }
        this.children(node)
        return
      case "AssignmentExpression":
        this.assignment(node)
        return
      case "UpdateExpression":
        this.update(node)
        return
      case "ObjectPattern":
      case "ArrayPattern":
      case "AssignmentPattern":
      case "RestElement":
        this.target(node)
        return
      case "VariableDeclaration":
        this.declaration(node)
        return
      case "Program":
        this.walkAll(node["body"])
        return
      case "BlockStatement":
        this.block(node)
        return
      case "CatchClause":
        this.catch(node)
        return
      case "SwitchStatement":
        this.switch(node)
        return
      case "ForStatement":
        this.for(node)
        return
      case "ForInStatement":
      case "ForOfStatement":
        this.forEach(node)
        return
      case "WhileStatement":
        this.walk(node["test"])
        this.body(node["body"])
        return
      case "DoWhileStatement":
        this.body(node["body"])
        this.walk(node["test"])
        this.endStatement(node)
        return
      case "IfStatement":
        this.walk(node["test"])
        this.body(node["consequent"])
        if (node["alternate"] !== null) this.body(node["alternate"])
        return
      case "TryStatement": {
        const { block, finalizer, handler } = node as
          & { block: Node; finalizer: Node | null; handler: Node | null }
          & Node
        if (finalizer !== null) this.guards++
        this.walk(block)
        if (handler !== null) this.walk(handler)
        if (finalizer !== null) {
          this.guards--
          this.walk(finalizer)
        }
        return
      }
      case "LabeledStatement": {
        const outer = this.labels
        this.labels = outer === -1 ? node.start : outer
        this.body(node["body"])
        this.labels = outer
        return
      }
      case "BreakStatement":
      case "ContinueStatement": {
        const code = this.jumps?.leave(node, undefined, this.guards > 0)
        if (code !== undefined) this.replace(node, code)
        else this.endStatement(node)
        return
      }
      case "ReturnStatement": {
        const argument: Node | null = node["argument"]
        if (this.jumps === undefined) {
          if (argument !== null) this.walk(argument)
          this.endStatement(node)
          return
        }
        const value = argument === null ? undefined : this.text(argument)
        this.replace(node, this.jumps.leave(node, value, this.guards > 0)!)
        return
      }
      case "ExpressionStatement":
        this.copy(node.start)
        this.walk(node["expression"])
        this.endStatement(node)
        return
      case "ThrowStatement":
        this.copy(node.start)
        this.children(node)
        this.endStatement(node)
        return
      case "ExportNamedDeclaration":
        if (node["declaration"] !== null) this.walk(node["declaration"])
        else this.endStatement(node)
        return
      case "ImportDeclaration":
      case "ExportAllDeclaration":
        this.endStatement(node)
        return
      case "ExportDefaultDeclaration": {
        const { declaration } = node as { declaration: Node } & Node
        this.walk(declaration)
        if (!isFunction(declaration) && declaration.type !== "ClassDeclaration") this.endStatement(node)
        return
      }
      default:
        this.children(node)
    }
  }

  // --- variables

  private read(node: Node): Code {
    return readCode(this.module, this.unit, node)
  }

  /** The value of a name that is not native is assigned; an error where that is one. */
  assign(node: Node, value: Code): Code {
    const { module, unit } = this
    const variable = node.variable
    if (variable === undefined || !this.moved(node)) return [node.start, variable?.rename ?? node["name"], " = ", value]
    const place = placeCode(module, unit, variable)
    const { name } = variable
    if (variable.kind === "self") {
      // Sloppy code assigns to a function's own name without effect.
      return unit.strict ? [`${module.runtime("constant")}("${name}", `, value, ")"] : ["(", value, ")"]
    }
    if (variable.constant) {
      const check = node.checked ? `, ${place}` : ""
      return [node.start, `${module.runtime("constant")}("${name}", `, value, `${check})`]
    }
    if (node.checked) {
      return [node.start, `${place} = ${module.runtime("assigned")}("${name}", `, value, `, ${place})`]
    }
    return [node.start, `${place} = `, value]
  }

  private this(node: Node, variable: Variable): void {
    const { module, unit } = this
    // In the constructor itself it is the language that looks after it.
    if (variable.late && variable.scope.unit === unit) return
    const place = placeCode(module, unit, variable)
    this.replace(node, variable.late ? `${module.runtime("initialized")}(${place})` : place)
  }

  private assignment(node: Node): void {
    const { left, operator, right } = node as { left: Node; operator: string; right: Node } & Node
    const { module } = this
    if (left.type === "MemberExpression" && this.unusual(left)) {
      this.replace(node, this.assignUnusual(left, operator, this.text(right)))
      return
    }
    if (left.type !== "Identifier" || !this.moved(left)) {
      if (left.type === "Identifier" || left.type === "MemberExpression") this.walk(left)
      else this.target(left)
      this.walk(right)
      return
    }
    const variable = left.variable!
    const value = this.text(right)
    if (operator === "=") {
      this.replace(node, this.assign(left, value))
      return
    }
    const read = this.read(left)
    const logical = operator === "&&=" || operator === "||=" || operator === "??="
    if (variable.constant || variable.kind === "self") {
      const plain = operator.slice(0, -1)
      this.replace(
        node,
        logical
          ? ["(", read, ` ${plain} `, this.assign(left, ["(", value, ")"]), ")"]
          : this.assign(left, [read, ` ${plain} (`, value, ")"])
      )
      return
    }
    const place = placeCode(module, this.unit, variable)
    this.replace(
      node,
      left.checked
        ? ["(", read, `, ${place} ${operator} `, value, ")"]
        : [`${place} ${operator} `, value]
    )
  }

  private update(node: Node): void {
    const { argument, operator, prefix } = node as { argument: Node; operator: string; prefix: boolean } & Node
    if (argument.type === "MemberExpression" && this.unusual(argument)) {
      this.replace(node, this.updateUnusual(argument, operator, prefix))
      return
    }
    if (argument.type !== "Identifier" || !this.moved(argument)) {
      this.walk(argument)
      return
    }
    const variable = argument.variable!
    const read = this.read(argument)
    if (variable.constant || variable.kind === "self") {
      this.replace(
        node,
        prefix || variable.constant || this.unit.strict
          ? ["(", this.assign(argument, ["+", read, ` ${operator[0]} 1`]), ")"]
          : ["(+", read, ")"]
      )
      return
    }
    const place = placeCode(this.module, this.unit, variable)
    const plain = prefix ? `${operator}${place}` : `${place}${operator}`
    this.replace(node, argument.checked ? ["(", read, `, ${plain})`] : plain)
  }

  /** A pattern or name that is assigned to or declared. */
  target(node: Node): void {
    switch (node.type) {
      case "Identifier":
        this.copy(node.start)
        if (this.moved(node)) this.replace(node, this.targetPlace(node))
        else if (node.variable?.rename !== undefined) this.replace(node, node.variable.rename)
        return
      case "MemberExpression":
        if (this.unusual(node)) this.replace(node, this.placeOfUnusual(node))
        else this.walk(node)
        return
      case "ObjectPattern":
        for (const property of node["properties"] as ReadonlyArray<Node>) {
          if (property.type === "RestElement") {
            this.target(property["argument"])
            continue
          }
          const { computed, key, shorthand, value } = property as {
            computed: boolean
            key: Node
            shorthand: boolean
            value: Node
          } & Node
          if (computed) this.walk(key)
          const name = value.type === "AssignmentPattern" ? value["left"] : value
          if (shorthand && (this.moved(name) || name.variable?.rename !== undefined)) {
            this.insert(value.start, `${key["name"]}: `)
          }
          this.target(value)
        }
        return
      case "ArrayPattern":
        for (const element of node["elements"]) if (element !== null) this.target(element)
        return
      case "AssignmentPattern":
        this.target(node["left"])
        this.walk(node["right"])
        return
      case "RestElement":
        this.target(node["argument"])
        return
      default:
        this.walk(node)
    }
  }

  private targetPlace(node: Node): Code {
    const { module, unit } = this
    const variable = node.variable!
    const place = placeCode(module, unit, variable)
    if (node["written"] !== true) return [node.start, place]
    if (variable.constant || variable.kind === "self" && unit.strict) {
      return [node.start, `${module.runtime("readonly")}("${variable.name}"${node.checked ? `, ${place}` : ""}).value`]
    }
    if (variable.kind === "self") return `({}).value`
    if (!node.checked) return [node.start, place]
    const dot = place.lastIndexOf(".")
    return [
      node.start,
      `${module.runtime("guarded")}(${place.slice(0, dot)}, "${place.slice(dot + 1)}", "${variable.name}").value`
    ]
  }

  // --- members, calls, objects

  /** Does it need help: `super.x` in a frame's code, or a private name from outside of its class? */
  unusual(node: Node): boolean {
    const { object, property } = node as { object: Node; property: Node } & Node
    if (object.type === "Super") return object.variable !== undefined
    if (property.type !== "PrivateIdentifier") return false
    const variable: Variable | undefined = node["privateName"]
    return variable?.storage === "boxed" && !this.within(variable)
  }

  /** Does this code stand within the class of a private name? */
  private within(variable: Variable): boolean {
    for (let at: Unit | undefined = this.unit; at !== undefined && at !== variable.scope.unit; at = at.parent) {
      if (at.generator || !at.inPlace) return false
    }
    return true
  }

  private member(node: Node): void {
    if (this.unusual(node)) {
      const object: Node = node["object"]
      const code = object.type === "Super"
        ? this.superMember(node, this.keyOf(node))
        : this.privateMember(node, this.text(object))
      this.replace(node, code)
      return
    }
    this.walk(node["object"])
    if (node["computed"]) this.walk(node["property"])
    else this.copy(node["property"].start)
  }

  /** Does an optional chain come by a member that needs help, other than where it begins? */
  private unusualChain(node: Node): boolean {
    if (node.type !== "ChainExpression") return false
    for (let at: Node = node["expression"]; isLink(at); at = at["object"] ?? at["callee"]) {
      if (at.type === "MemberExpression" && this.unusual(at)) return true
    }
    return false
  }

  /** Such a chain, link by link; nothing if it was left. */
  private links(node: Node): Code {
    const { module } = this
    if (!isLink(node)) return [`${module.runtime("chain")}(`, this.text(node), ")"]
    if (node["object"]?.type === "Super") {
      const code = this.unusual(node) ? this.superMember(node, this.keyOf(node)) : this.text(node)
      const self = this.unusual(node) ? this.self(node["object"]) : "this"
      return [`${module.runtime("chain")}(`, code, `, ${self})`]
    }
    const before = this.links(node["object"] ?? node["callee"])
    const from: Code = node["optional"] ? [before, ".optional()?"] : before
    if (node.type === "CallExpression") return [from, node.start, ".call(", this.list(node["arguments"]), ")"]
    if (node["property"].type !== "PrivateIdentifier") return [from, node.start, ".member(", this.keyOf(node), ")"]
    if (!this.unusual(node)) {
      const { name } = node["property"]
      return [from, node.start, `.private(($o) => $o.#${name})`]
    }
    return [from, node.start, `.private(${placeCode(module, this.unit, node["privateName"])}_get)`]
  }

  private deletedChain(node: Node): Code {
    const last: Node = node["expression"]
    if (last.type === "CallExpression") return ["(", this.links(last), ", true)"]
    const before = this.links(last["object"])
    return ["(", before, last["optional"] ? ".optional()?" : "", ".delete(", this.keyOf(last), ") ?? true)"]
  }

  /** What is called, or is the tag of a template: a chain in parentheses keeps its `this`. */
  private callee(node: Node): void {
    if (this.unusualChain(node)) this.replace(node, ["(", this.links(node["expression"]), ".bound())"])
    else this.walk(node)
  }

  /** The key of a member, as an expression. */
  keyOf(node: Node): Code {
    return node["computed"] ? this.text(node["property"]) : JSON.stringify(node["property"].name)
  }

  superMember(node: Node, key: Code): Code {
    return [
      node.start,
      `${this.module.runtime("superGet")}(${this.home(node["object"])}, `,
      key,
      `, ${this.self(node["object"])})`
    ]
  }

  privateMember(node: Node, object: Code): Code {
    return [node.start, `${placeCode(this.module, this.unit, node["privateName"])}_get(`, object, ")"]
  }

  home(node: Node): string {
    return placeCode(this.module, this.unit, node.variable!) + (node["isStatic"] ? "" : ".prototype")
  }

  self(node: Node): string {
    return placeCode(this.module, this.unit, node["self"])
  }

  assignUnusual(node: Node, operator: string, value: Code): Code {
    const { module } = this
    const { object } = node as { object: Node } & Node
    const plain = operator.slice(0, -1)
    const update = operator === "=" ? "undefined" : operator === "&&=" || operator === "||=" || operator === "??="
      ? [`"${plain}"`]
      : [`(a, b) => a ${plain} b`]
    if (object.type === "Super") {
      const where: Code = [this.home(object), ", ", this.keyOf(node), `, ${this.self(object)}`]
      if (operator === "=") return [`${module.runtime("superSet")}(`, where, ", ", value, ")"]
      return [`${module.runtime("superUpdate")}(`, where, ", ", update, ", () => ", parens(value), ")"]
    }
    const place = placeCode(module, this.unit, node["privateName"])
    if (operator === "=") return [`${place}_set(`, this.text(object), ", ", value, ")"]
    return [
      `${module.runtime("privateUpdate")}(`,
      this.text(object),
      `, ${place}_get, ${place}_set, `,
      update,
      ", () => ",
      parens(value),
      ")"
    ]
  }

  updateUnusual(node: Node, operator: string, prefix: boolean): Code {
    const { module } = this
    const { object } = node as { object: Node } & Node
    const by = operator === "++" ? "1" : "-1"
    if (object.type === "Super") {
      return [
        `${module.runtime("superCount")}(${this.home(object)}, `,
        this.keyOf(node),
        `, ${this.self(object)}, ${by}, ${prefix})`
      ]
    }
    const place = placeCode(module, this.unit, node["privateName"])
    return [`${module.runtime("privateCount")}(`, this.text(object), `, ${place}_get, ${place}_set, ${by}, ${prefix})`]
  }

  /** A place that a pattern assigns to. */
  private placeOfUnusual(node: Node): Code {
    const { module } = this
    const { object } = node as { object: Node } & Node
    if (object.type === "Super") {
      return [
        `${module.runtime("superPlace")}(${this.home(object)}, `,
        this.keyOf(node),
        `, ${this.self(object)}).value`
      ]
    }
    return [
      `${module.runtime("privatePlace")}(`,
      this.text(object),
      `, ${placeCode(module, this.unit, node["privateName"])}_set).value`
    ]
  }

  private call(node: Node): void {
    const { arguments: args, callee } = node as { arguments: ReadonlyArray<Node>; callee: Node } & Node
    if (callee.type === "Super") {
      const self = thisOf(this.unit)
      if (self?.storage === "boxed") {
        const place = placeCode(this.module, this.unit, self)
        this.replace(node, [node.start, "(super(", this.list(args), `), ${place} = this)`])
      } else this.walkAll(args)
      return
    }
    if (callee.type === "Identifier" && this.moved(callee)) this.replace(callee, ["(0, ", this.read(callee), ")"])
    else if (callee.type === "MemberExpression" && this.unusual(callee)) {
      const { object } = callee as { object: Node } & Node
      const { module } = this
      const rest: Code = args.length === 0 ? ")" : [", ", this.list(args), ")"]
      this.replace(
        node,
        object.type === "Super"
          ? [`${module.runtime("call")}(`, this.superMember(callee, this.keyOf(callee)), `, ${this.self(object)}`, rest]
          : [`${placeCode(module, this.unit, callee["privateName"])}_call(`, this.text(object), rest]
      )
      callee["privateName"]?.accesses.add("call")
      return
    } else if (this.unit.region && methodCalled(node, BIND) !== undefined) {
      const list: Code = args.length === 0 ? ")" : [", ", this.list(args), ")"]
      this.replace(node, [node.start, `${this.module.runtime("bind")}(`, this.text(callee["object"]), list])
      return
    } else this.callee(callee)
    this.walkAll(args)
  }

  /** Arguments, with commas. */
  list(nodes: ReadonlyArray<Node>): Code {
    return nodes.map((node, i) => i === 0 ? this.text(node) : [", ", this.text(node)])
  }

  private object(node: Node): void {
    const wrapped = this.open(node)
    for (const property of node["properties"] as ReadonlyArray<Node>) {
      if (property.type !== "Property") {
        this.walk(property)
        continue
      }
      this.property(property)
    }
    if (wrapped !== undefined) this.insert(node.end, wrapped)
  }

  private property(property: Node): void {
    const { computed, key, kind, method, shorthand, value } = property as {
      computed: boolean
      key: Node
      kind: string
      method: boolean
      shorthand: boolean
      value: Node
    } & Node
    if (shorthand) {
      if (this.moved(value) || value.variable?.rename !== undefined) {
        this.insert(property.start, `${key["name"]}: `)
        this.walk(value)
      }
      return
    }
    if (kind !== "init" || method && value.unit!.inPlace && !value.unit!.generator) {
      if (computed) this.walk(key)
      this.replace(value, this.module.functionText(value, value.unit!, this.unit))
      return
    }
    const named = isFunction(value) && typeof value.naming === "object"
    if (named) {
      this.replace(property, [
        `...${this.module.runtime("computed")}(`,
        this.text(key),
        ", ",
        this.module.functionText(value, value.unit!, this.unit),
        ")"
      ])
      return
    }
    if (method) {
      this.replace(property, [
        this.keyText(key),
        ": ",
        this.module.functionText(value, value.unit!, this.unit)
      ])
      return
    }
    if (computed) this.walk(key)
    this.walk(value)
  }

  /** The key of a property as it stands; `__proto__: f` is no method of that name. */
  private keyText(key: Node): Code {
    const name = key.type === "Identifier" ? key["name"] : key["value"]
    return name === "__proto__" ? `["__proto__"]` : new Slice(key.start, key.end)
  }

  /** Starts a class or object with a scope of its own, or whose code in place needs the scope objects of a frame. */
  private open(node: Node): string | undefined {
    const code = this.wrapper(node)
    if (code === undefined) return undefined
    this.insert(node.start, code[0])
    return code[1]
  }

  /** What stands before and after such a class or object. */
  wrapper(node: Node): readonly [string, string] | undefined {
    const { module, unit } = this
    const scope = node.scope!
    if (scope.boxed) {
      const name = module.scopeName(scope)
      const home = scope.kind === "object" && scope.variables.has("home") ? `${name}.home = ` : ""
      return [`((${name}) => ${home === "" ? "(" : `(${home}`}`, `))(${this.makeScope(scope)})`]
    }
    if (!unit.generator) return undefined
    const outer = this.outerOfMembers(node)
    return outer === undefined
      ? undefined
      : [`((${module.scopeName(outer)}) => (`, `))(${scopeCode(module, unit, outer)})`]
  }

  /** The scope object that what stays in place within a class or object needs. */
  outerOfMembers(node: Node): Scope | undefined {
    for (const inner of this.unit.inner) {
      if (!inner.inPlace || !isWithin(inner.node, node)) continue
      let { outer } = inner
      // Those that are made within it are not what it needs.
      while (outer !== undefined && isWithin(outer.node, node)) outer = around(outer)
      if (outer !== undefined) return outer
    }
    return undefined
  }

  private class(node: Node): void {
    const { module } = this
    const declaration = node.type === "ClassDeclaration"
    const before = this.wrapper(node)
    const id: Node | null = node["id"]
    const variable = declaration ? id?.variable : undefined
    const name = this.classNaming(node, before !== undefined || node.naming !== undefined && declaration)
    if (declaration) {
      if (variable !== undefined && this.moved(id!)) {
        this.insert(node.start, `${placeCode(module, this.unit, variable)} = `)
      } else if (before !== undefined && id !== null) this.insert(node.start, `let ${id["name"]} = `)
    }
    if (before !== undefined) this.insert(node.start, before[0])
    if (name !== undefined) this.insert(node.start, name[0])
    this.classText(node)
    if (name !== undefined) this.insert(node.end, name[1])
    if (before !== undefined) this.insert(node.end, before[1])
    const expression = before !== undefined || name !== undefined || variable !== undefined && this.moved(id!)
    if (declaration && expression) this.insert(node.end, ";")
  }

  /** An anonymous class that is not right behind its name any more. */
  private classNaming(node: Node, wrapped: boolean): readonly [string, string] | undefined {
    const { naming } = node
    if (naming === undefined || typeof naming !== "string" || node["id"]) return undefined
    if (!wrapped && this.module.parsed.module && this.unit.parent === undefined) return undefined
    return [
      `({ ${JSON.stringify(naming) === `"__proto__"` ? `["__proto__"]` : JSON.stringify(naming)}: `,
      ` })[${JSON.stringify(naming)}]`
    ]
  }

  /** The class itself. Keys and heritage may have been evaluated before: then they are given. */
  classText(node: Node, given?: { readonly heritage?: Code; readonly keys: ReadonlyMap<Node, Code> }): void {
    const { body, superClass } = node as { body: Node; superClass: Node | null } & Node
    if (node["decorators"] !== undefined) this.walkAll(node["decorators"])
    this.copy(node.start)
    if (superClass !== null) {
      if (given?.heritage !== undefined) this.replace(superClass, given.heritage)
      else this.walk(superClass)
    }
    const start = this.classMark(node) + this.classStart(node) + this.generatorMembers(body["body"])
    if (start !== "") this.insert(body.start + 1, start)
    for (const element of body["body"] as ReadonlyArray<Node>) {
      const { computed, key, value } = element as { computed: boolean; key: Node; value: Node | null } & Node
      if (element["decorators"] !== undefined) this.walkAll(element["decorators"])
      if (element.type === "MethodDefinition" && value!.unit!.generator) {
        // Without the star.
        const star = this.module.parsed.source.indexOf("*", element.start)
        this.copy(star)
        this.position = star + 1
      }
      if (computed) {
        const code = given?.keys.get(key)
        if (code === undefined) this.walk(key)
        else this.replace(key, code)
      }
      const inner = element.type === "MethodDefinition"
        ? undefined
        : new Rewriter(this.module, element.unit ?? this.unit)
      if (element.type === "MethodDefinition") {
        const text = this.module.functionText(value!, value!.unit!, this.unit)
        this.replace(value!, text)
      } else if (element.type === "StaticBlock") {
        this.replace(
          element,
          inner!.piece(element.start, element.end, () => {
            inner!.insert(bodyStart(this.module, element), inner!.entry(element.unit!.scope))
            inner!.walkAll(element["body"])
          })
        )
      } else {
        if (value !== null) {
          const entry = inner!.entry(element.unit!.scope)
          const text = inner!.text(value)
          this.replace(value, isEmpty(entry) ? text : ["(() => {", entry, "return ", text, "})()"])
        }
        this.endStatement(element)
      }
    }
  }

  /**
   * A class's generator methods get what marks such functions. Where names are computed, nobody knows which method is found
   * under which name; there they go without. So do those with decorators, which may have put another function there.
   */
  private generatorMembers(elements: ReadonlyArray<Node>): string {
    const { parsed } = this.module
    const methods = elements.filter(({ type }) => type === "MethodDefinition")
    const last = new Map<string, Node>()
    for (const method of methods) {
      const { key, static: isStatic } = method as { key: Node; static: boolean } & Node
      const holder = isStatic ? "this" : "this.prototype"
      if (
        key.type === "PrivateIdentifier" || methods.some((other) => other["computed"] && other["static"] === isStatic)
      ) continue
      const name = key.type === "Identifier" ? JSON.stringify(key["name"]) : parsed.source.slice(key.start, key.end)
      last.set(`${holder}[${name}]`, method)
    }
    let code = ""
    for (
      const [place, { decorators, kind, value }] of last as Map<string, { kind: string; value: Node } & Node>
    ) {
      if (kind !== "method" || !value.unit!.generator || decorators?.length > 0) continue
      code += ` ${this.module.runtime("generator")}(${place}, ${this.module.metaOf(value.unit!)});`
    }
    return code === "" ? "" : ` static {${code} }`
  }

  /** A class on top of the module is known by its name. */
  private classMark(node: Node): string {
    const { module } = this
    const index = module.classes.get(node)
    if (index === undefined) return ""
    const mark = module.runtime(node["decorators"]?.length > 0 ? "decorated" : "closure")
    return ` static { ${mark}(this, ${module.metaOf({ index })}); }`
  }

  /** What a class notes of itself before anything of it is evaluated. */
  private classStart(node: Node): string {
    const scope = node.scope!
    if (!scope.boxed) return ""
    const name = this.module.scopeName(scope)
    let code = ""
    for (const variable of scope.boxes) {
      switch (variable.kind) {
        case "class name":
        case "home":
          code += ` ${name}.${variable.field} = this;`
          break
        case "private": {
          const at = `${name}.${variable.field}`
          const field = variable.name
          code += ` ${at}_get = (o) => o.${field};`
          code += ` ${at}_set = (o, v) => o.${field} = v;`
          code += ` ${at}_has = (o) => ${field} in o;`
          code += ` ${at}_call = (o, ...a) => o.${field}(...a);`
          break
        }
      }
    }
    return ` static {${code} }`
  }

  // --- scopes

  makeScope(scope: Scope): string {
    return makeScope(this.module, this.unit, scope, (variable) => this.initialOf(variable))
  }

  private initialOf(variable: Variable): string {
    switch (variable.kind) {
      case "parameter":
      case "self":
      case "arguments":
      case "new.target":
        return variable.name
      case "this":
        return variable.late ? this.module.runtime("UNINITIALIZED") : "this"
      default:
        return variable.checked && variable.lexical ? this.module.runtime("UNINITIALIZED") : "undefined"
    }
  }

  /** What is done when a scope is entered: its object is made, and its functions. */
  entry(scope: Scope | undefined): Code {
    if (scope === undefined) return ""
    const made = scope.boxed && !(scope === this.unit.scope && this.unit.generator)
      ? ` const ${this.module.scopeName(scope)} = ${this.makeScope(scope)};`
      : ""
    return [made, this.functions(scope)]
  }

  /** Makes the functions that a scope declares. */
  functions(scope: Scope): Code {
    const code: Array<Code> = []
    const { module, unit } = this
    const last = new Map<string, Node>()
    for (const node of scope.functions) last.set(node["id"].name, node)
    for (const node of last.values()) {
      const id: Node = node["id"]
      if (node.unit!.inPlace) {
        // What stands on top of its module is marked there.
        if (node["inBlock"] === true && node.unit!.region) {
          code.push(` ${module.runtime("closure")}(${id["name"]}, ${module.metaOf(node.unit!)});`)
        }
        continue
      }
      const made = module.functionText(node, node.unit!, unit)
      if (this.moved(id)) code.push(` ${placeCode(module, unit, id.variable!)} = `, made, ";")
      else {
        if (node["hoisted"] !== undefined) id.variable!.rename ??= module.fresh(id["name"])
        code.push(` ${scope === unit.variables ? "var" : "let"} ${id.variable!.rename ?? id["name"]} = `, made, ";")
      }
    }
    return code
  }

  /** What is left where a function was declared: in sloppy code, one in a block is assigned to the function's `var`. */
  declared(node: Node): Code {
    const hoisted: Variable | undefined = node["hoisted"]
    if (hoisted === undefined) return ";"
    const id: Node = node["id"]
    const { module, unit } = this
    const from = this.moved(id) ? placeCode(module, unit, id.variable!) : id.variable!.rename ?? id["name"]
    const to = hoisted.storage === "native" ? hoisted.name : placeCode(module, unit, hoisted)
    return `${to} = ${from};`
  }

  /** A body's `var`s that have a parameter's name begin with its value. */
  inherited(scope: Scope | undefined): Code {
    if (scope === undefined) return ""
    const { module, unit } = this
    const code: Array<Code> = []
    for (const variable of scope.variables.values()) {
      const { inherits } = variable
      if (inherits === undefined || inherits.storage === "native" && variable.storage === "native") continue
      const place = variable.storage === "native" ? variable.name : placeCode(module, unit, variable)
      const from = inherits.storage === "native" ? inherits.name : placeCode(module, unit, inherits)
      code.push(` ${place} = ${from};`)
    }
    return code
  }

  /** The targets that a function's arguments are assigned to, and the one of the rest. */
  parameterTargets(params: ReadonlyArray<Node>): { readonly targets: Array<Code>; readonly rest: Code | undefined } {
    const last = params.at(-1)
    const rest = last?.type === "RestElement" ? this.declaring(last["argument"]) : undefined
    return { targets: (rest === undefined ? params : params.slice(0, -1)).map((param) => this.declaring(param)), rest }
  }

  /** The body of a function that is copied. */
  functionBodyInPlace(body: Node): void {
    const entry = [this.entry(this.unit.scope), this.entry(body.scope), this.inherited(body.scope)]
    if (!isEmpty(entry)) this.insert(bodyStart(this.module, body), entry)
    this.walkAll(body["body"])
  }

  /** The body of a function, from its brace on. */
  functionBody(body: Node, before: Code): Code {
    const start = bodyStart(this.module, body)
    return this.piece(body.start, body.end, () => {
      this.insert(start, [
        before,
        before === "" ? this.entry(this.unit.scope) : this.functions(this.unit.scope),
        this.entry(body.scope),
        this.inherited(body.scope)
      ])
      this.walkAll(body["body"])
    })
  }

  private block(node: Node): void {
    const entry = this.entry(node.scope)
    if (!isEmpty(entry)) this.insert(node.start + 1, entry)
    this.walkAll(node["body"])
  }

  /** A statement that is a body. */
  private body(node: Node): void {
    const scope: Scope | undefined = node["blockScope"]
    if (scope === undefined) return this.walk(node)
    const entry = this.entry(scope)
    this.insert(node.start, ["{", entry])
    this.walk(node)
    this.insert(node.end, "}")
  }

  private catch(node: Node): void {
    const { body, param } = node as { body: Node; param: Node | null } & Node
    const scope = node.scope!
    const entry = this.entry(scope)
    if (param !== null && scope.boxed && this.bindsMoved(param)) {
      const { error } = this.module
      const bind = this.declaring(param)
      this.replace(param, error)
      this.insert(body.start + 1, [entry, " (", bind, ` = ${error});`])
    } else {
      if (param !== null) this.target(param)
      if (!isEmpty(entry)) this.insert(body.start + 1, entry)
    }
    if (body.scope === undefined) this.walkAll(body["body"])
    else this.block(body)
  }

  private switch(node: Node): void {
    const entry = this.entry(node.scope)
    if (isEmpty(entry)) {
      this.children(node)
      return
    }
    const discriminant = this.text(node["discriminant"])
    this.insert(this.labels === -1 ? node.start : this.labels, ["{", entry])
    this.labels = -1
    this.replace(node["discriminant"], discriminant)
    for (const branch of node["cases"]) this.walk(branch)
    this.insert(node.end, "}")
  }

  /** Declarations: what has been moved is assigned. */
  private declaration(node: Node, asExpression = false): void {
    const { declarations, kind } = node as { declarations: ReadonlyArray<Node>; kind: string } & Node
    if (!declarations.some(({ id }) => this.bindsMoved(id as Node))) {
      for (const { id, init } of declarations as ReadonlyArray<{ id: Node; init: Node | null } & Node>) {
        this.target(id)
        if (init !== null) this.walk(init)
      }
      if (!asExpression) this.endStatement(node)
      return
    }
    const code: Array<Code> = []
    const separator = asExpression ? ", " : "; "
    for (const declarator of declarations) {
      const { id, init } = declarator as { id: Node; init: Node | null } & Node
      if (!this.bindsMoved(id)) {
        if (asExpression && init === null) continue
        code.push(code.length === 0 ? "" : separator, asExpression ? "" : `${kind} `, this.text(declarator))
      } else {
        const one = this.declarator(kind, id, init)
        if (one !== "") code.push(code.length === 0 ? "" : separator, one)
      }
    }
    if (asExpression && code.length === 0) code.push("undefined")
    this.replace(node, asExpression ? code : [code, ";"])
  }

  private declarator(kind: string, id: Node, init: Node | null): Code {
    if (init === null) {
      if (kind === "var") return ""
      return [this.declaring(id), " = undefined"]
    }
    if (kind.endsWith("using")) {
      // The language disposes of it.
      const used = this.module.fresh("$u")
      return [`${kind} ${used} = `, this.text(init), "; ", this.declaring(id), ` = ${used}`]
    }
    const code: Code = [this.declaring(id), " = ", this.text(init)]
    return id.type === "ObjectPattern" ? ["(", code, ")"] : code
  }

  private for(node: Node): void {
    const start = this.labels === -1 ? node.start : this.labels
    this.labels = -1
    const { body, init, test, update } = node as {
      body: Node
      init: Node | null
      test: Node | null
      update: Node | null
    } & Node
    const scope = node.scope!
    const { module } = this
    if (!scope.boxed) {
      if (init !== null) {
        if (init.type === "VariableDeclaration") {
          if (init["declarations"].some(({ id }: Node) => this.bindsMoved(id))) {
            this.copy(init.start)
            const code = this.piece(init.start, init.end, () => this.declaration(init, true))
            this.replace(init, code)
          } else this.declaration(init, true)
        } else this.walk(init)
      }
      if (test !== null) this.walk(test)
      if (update !== null) this.walk(update)
      this.body(body)
      return
    }
    if (init!["kind"].endsWith("using")) {
      // These are constants: all iterations have the same.
      const head = this.piece(init!.start, init!.end, () => this.declaration(init!))
      this.insert(start, ["{", this.entry(scope), " ", head, " "])
      this.replace(init!, "")
      if (test !== null) this.walk(test)
      if (update !== null) this.walk(update)
      this.body(body)
      this.insert(node.end, "}")
      return
    }
    // Each iteration has variables of its own, which begin as copies of the last one's.
    const name = module.scopeName(scope)
    const copied = `${name} = ${this.copyOf(scope)}`
    const head = this.piece(init!.start, init!.end, () => this.declaration(init!, true))
    const closures = this.unit.inner.some(({ node: inner }) => inner.start >= init!.start && inner.end <= init!.end)
    this.replace(init!, [
      `let ${name} = ${this.makeScope(scope)}, ${module.numberedName("$i", scope.id)} = (`,
      head,
      closures ? `, ${copied})` : ")"
    ])
    if (test !== null) this.walk(test)
    const { source } = module.parsed
    if (update === null) {
      // Behind the second semicolon.
      let at = test === null ? source.indexOf(";", init!.end) + 1 : test.end
      at = source.indexOf(";", at) + 1
      this.insert(at, ` ${copied}`)
    } else {
      this.insert(update.start, `${copied}, `)
      this.walk(update)
    }
    this.body(body)
  }

  /** A copy of a loop's scope object, for the next iteration. */
  copyOf(scope: Scope): string {
    const { module, unit } = this
    const object = scopeCode(module, unit, scope)
    return makeScope(module, unit, scope, (variable) => `${object}.${variable.field}`)
  }

  private forEach(node: Node): void {
    const start = this.labels === -1 ? node.start : this.labels
    this.labels = -1
    const { body, left, right } = node as { body: Node; left: Node; right: Node } & Node
    const scope = node.scope!
    const { module } = this
    const declared: Node | undefined = left.type === "VariableDeclaration" ? left["declarations"][0] : undefined
    if (node.type === "ForOfStatement") this.guards++
    if (declared === undefined) {
      this.target(left)
      this.walk(right)
      this.body(body)
    } else if (!this.bindsMoved(declared["id"])) {
      this.target(declared["id"])
      if (declared["init"] !== null) this.walk(declared["init"])
      this.walk(right)
      this.body(body)
    } else if (!scope.boxed) {
      // A `var`, or a variable of the frame.
      if (declared["init"] !== null) this.insert(start, ["{ ", this.text(declared), "; "])
      this.replace(left, this.declaring(declared["id"]))
      this.walk(right)
      this.body(body)
      if (declared["init"] !== null) this.insert(node.end, " }")
    } else {
      const item = module.numberedName("$i", scope.id)
      const closures = this.unit.inner.some(({ node: inner }) => inner.start >= right.start && inner.end <= right.end)
      if (closures) this.insert(start, ["{", this.entry(scope)])
      const id: Node = declared["id"]
      const bind = this.declaring(id)
      // The language disposes of what is declared with `using`.
      this.replace(left, `${left["kind"].endsWith("using") ? left["kind"] : "const"} ${item}`)
      this.walk(right)
      this.insert(body.start, ["{", this.entry(scope), id.type === "ObjectPattern" ? " (" : " ", bind, ` = ${item}`])
      this.insert(body.start, id.type === "ObjectPattern" ? "); " : "; ")
      this.body(body)
      this.insert(body.end, closures ? "}}" : "}")
    }
    if (node.type === "ForOfStatement") this.guards--
  }

  /** Does a name stand for something that is not a variable of the emitted code? */
  moved(node: Node): boolean {
    const { variable } = node
    return variable !== undefined && variable.storage !== "native" &&
      (variable.storage !== "missing" || variable.scope.unit === this.unit) &&
      (this.parameters === undefined || variable.scope.unit !== this.parameters || !GIVEN.has(variable.kind))
  }

  private bindsMoved(pattern: Node): boolean {
    switch (pattern.type) {
      case "Identifier":
        return this.moved(pattern)
      case "ObjectPattern":
        return pattern["properties"].some((property: Node) =>
          this.bindsMoved(property.type === "RestElement" ? property["argument"] : property["value"])
        )
      case "ArrayPattern":
        return pattern["elements"].some((element: Node | null) => element !== null && this.bindsMoved(element))
      case "AssignmentPattern":
        return this.bindsMoved(pattern["left"])
      case "RestElement":
        return this.bindsMoved(pattern["argument"])
      default:
        return false
    }
  }

  /** A function's parameters, as they are. */
  parametersText(params: ReadonlyArray<Node>): Code {
    if (params.length === 0) return ""
    this.parameters = this.unit
    const code = this.piece(params[0]!.start, params.at(-1)!.end, () => {
      for (const param of params) this.target(param)
    })
    this.parameters = undefined
    return code
  }

  /** A scope object, as code of this unit refers to it. */
  scope(scope: Scope): string {
    return scopeCode(this.module, this.unit, scope)
  }

  /** Assigns to a member. */
  assignMember(node: Node, value: Code): Code {
    return this.unusual(node) ? this.assignUnusual(node, "=", value) : [this.text(node), " = ", value]
  }
}

/** A member or call that an optional chain goes on with. */
const isLink = ({ callee, type }: Node): boolean =>
  type === "MemberExpression" || type === "CallExpression" && (callee as Node).type !== "Super"

const isWithin = (inner: Node, outer: Node): boolean => inner.start >= outer.start && inner.end <= outer.end

/** Statements that look at the labels before them. */
const LABELED = new Set(["LabeledStatement", "ForStatement", "ForInStatement", "ForOfStatement", "SwitchStatement"])

export const parens = (code: Code): Code => ["(", code, ")"]

export const isEmpty = (code: Code): boolean => code === "" || Array.isArray(code) && code.every(isEmpty)

/** What `this` is in a function, if anything there refers to it. */
const thisOf = (unit: Unit): Variable | undefined => {
  let own = unit
  while (own.lexical) own = own.parent!
  return own.scope.variables.get("this")
}

/** What `f.bind(…)` makes does not say what it is made of. */
const BIND = new Set(["bind"])

/** Where the statements of a body begin: behind its brace and its directives. */
const bodyStart = (module: Module, body: Node): number => {
  let at = body.type === "StaticBlock" ? module.parsed.source.indexOf("{", body.start) + 1 : body.start + 1
  for (const statement of body["body"] as ReadonlyArray<Node>) {
    if (statement["directive"] === undefined) break
    at = statement.end
  }
  return at
}
