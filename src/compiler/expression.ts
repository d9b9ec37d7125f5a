/**
 * Expressions in which something suspends. Operands are evaluated in their order; those that come before a suspension are kept
 * in fields of the frame, since they are needed after it. What is returned is the code of the value, to be used at once.
 */
import { isFunction, type Node } from "./ast.ts"
import { type Code, Label, Slice } from "./code.ts"
import { Machine } from "./machine.ts"
import { placeCode } from "./reference.ts"
import { parens, Rewriter } from "./rewrite.ts"

export abstract class Expressions extends Machine {
  /** Assigns to a pattern in which something suspends, or to any other target. */
  protected abstract bind(target: Node, value: Code, declares: boolean): void

  /** The code of an expression's value, which can stand as an operand. */
  protected expression(node: Node): Code {
    if (node.suspends !== true) return SIMPLE.has(node.type) ? this.text(node) : parens(this.text(node))
    return this.exploded(node)
  }

  /** Evaluates an expression, and keeps its value in a field. */
  protected kept(node: Node): string {
    const { mark } = this
    return this.keep(this.expression(node), mark)
  }

  /** Keeps a value in a field. What its code used before is free again. */
  protected keep(code: Code, mark: { readonly temporaries: number; readonly registers: number }): string {
    this.release(mark)
    const place = this.temporary()
    this.emit(`${place} = `, code, ";")
    return place
  }

  /** Does its value not depend on when it is evaluated? */
  private stable(node: Node): boolean {
    switch (node.type) {
      case "Literal":
        return node["regex"] === undefined || node["regex"] === null
      case "FunctionExpression":
      case "ArrowFunctionExpression":
      case "ThisExpression":
      case "MetaProperty":
        return node.type !== "MetaProperty" || node["meta"].name === "new"
      case "Identifier": {
        const { variable } = node
        if (variable === undefined || node.checked) return false
        return variable.kind === "const" && variable.storage !== "native" ||
          !variable.assigned && (variable.kind === "parameter" || variable.kind === "let" && !variable.scope.global)
            && !variable.scope.variables.has("arguments")
      }
      default:
        return false
    }
  }

  /** Evaluates operands in their order. */
  protected operands(nodes: ReadonlyArray<Node | null>): Array<Code> {
    let last = -1
    nodes.forEach((node, i) => {
      if (node?.suspends) last = i
    })
    return nodes.map((node, i) => {
      if (node === null) return ""
      if (node.type === "SpreadElement") {
        const { argument } = node as { argument: Node } & Node
        if (i >= last) return ["...", this.expression(argument)]
        const { mark } = this
        return `...${this.keep(["[...", this.expression(argument), "]"], mark)}`
      }
      return i < last && !this.stable(node) ? this.kept(node) : this.expression(node)
    })
  }

  protected join(codes: ReadonlyArray<Code>): Code {
    return codes.map((code, i) => i === 0 ? code : [", ", code])
  }

  private exploded(node: Node): Code {
    switch (node.type) {
      case "YieldExpression": {
        const { argument, delegate } = node as { argument: Node | null; delegate: boolean } & Node
        const { mark } = this
        const value = argument === null ? "undefined" : this.expression(argument)
        this.release(mark)
        this.suspend(node, value, delegate)
        return this.module.value
      }
      case "BinaryExpression": {
        const { left, operator, right } = node as { left: Node; operator: string; right: Node } & Node
        if (left.type === "PrivateIdentifier") {
          const variable = left["privateName"]
          return [`${placeCode(this.module, this.unit, variable)}_has(`, this.expression(right), ")"]
        }
        const [a, b] = this.operands([left, right])
        return ["(", a!, ` ${operator} `, b!, ")"]
      }
      case "UnaryExpression":
        return this.unary(node)
      case "UpdateExpression":
        return this.update(node)
      case "LogicalExpression": {
        const { left, operator, right } = node as { left: Node; operator: string; right: Node } & Node
        const { mark } = this
        const value = this.expression(left)
        this.release(mark)
        const result = this.register()
        const end: Label = new Label()
        this.emit(`${result} = `, value, ";")
        const skips = operator === "&&"
          ? `!${result}`
          : operator === "||"
          ? result
          : `${result} !== null && ${result} !== undefined`
        this.emit(`if (${skips}) `, this.jump({ label: end, region: this.region }))
        this.branch(right, result)
        this.place(end)
        return result
      }
      case "ConditionalExpression": {
        const { alternate, consequent, test } = node as { alternate: Node; consequent: Node; test: Node } & Node
        const { mark } = this
        const condition = this.expression(test)
        this.release(mark)
        const result = this.register()
        const otherwise = new Label()
        const end = new Label()
        this.emit("if (!", condition, ") ", this.jump({ label: otherwise, region: this.region }))
        this.branch(consequent, result)
        this.emit(this.jump({ label: end, region: this.region }))
        this.place(otherwise)
        this.branch(alternate, result)
        this.place(end)
        return result
      }
      case "SequenceExpression": {
        const { expressions } = node as { expressions: ReadonlyArray<Node> } & Node
        for (const expression of expressions.slice(0, -1)) this.effect(expression)
        return this.expression(expressions.at(-1)!)
      }
      case "AssignmentExpression":
        return this.assignment(node)
      case "MemberExpression":
      case "CallExpression":
      case "ChainExpression":
        return this.chain(node)
      case "NewExpression": {
        const [callee, ...args] = this.operands([node["callee"], ...node["arguments"]])
        return [node.start, "new (", callee!, ")(", this.join(args), ")"]
      }
      case "ArrayExpression": {
        const { elements } = node as { elements: ReadonlyArray<Node | null> } & Node
        const codes = this.operands(elements)
        const trailing = elements.at(-1) === null ? "," : ""
        return ["[", this.join(codes), trailing, "]"]
      }
      case "ObjectExpression":
        return this.object(node)
      case "TemplateLiteral": {
        const { expressions, quasis } = node as { expressions: ReadonlyArray<Node>; quasis: ReadonlyArray<Node> } & Node
        // Each is made a string where it stands, before the next is evaluated.
        return this.template(quasis, expressions)
      }
      case "TaggedTemplateExpression":
        return this.tagged(node)
      case "ImportExpression": {
        const { options, source } = node as { options: Node | null; source: Node } & Node
        return ["import(", this.join(this.operands(options === null ? [source] : [source, options])), ")"]
      }
      case "ClassExpression":
        return this.class(node)
      case "SpreadElement":
        return ["...", this.expression(node["argument"])]
      default:
        return this.module.fail(`${node.type} with a suspension in it is not supported`, node)
    }
  }

  /** Evaluates an expression for what it does. */
  protected effect(node: Node): void {
    const { mark } = this
    const code = this.expression(node)
    this.release(mark)
    if (code !== this.module.value) this.emit(code, ";")
  }

  private branch(node: Node, result: string): void {
    const { mark } = this
    const code = this.expression(node)
    this.release(mark)
    this.emit(`${result} = `, code, ";")
  }

  private unary(node: Node): Code {
    const { argument, operator } = node as { argument: Node; operator: string } & Node
    if (operator !== "delete") return ["(", operator, " ", this.expression(argument), ")"]
    switch (argument.type) {
      case "MemberExpression":
        return this.chain(argument, true)
      case "ChainExpression":
        if (argument["expression"].type === "MemberExpression") return this.chain(argument, true)
        return ["(", this.expression(argument), ", true)"]
      default:
        return ["(", this.expression(argument), ", true)"]
    }
  }

  // --- assignments

  /** A member that is assigned to: its object and key, evaluated. */
  protected memberPlace(node: Node, later: boolean): { object: Code; key: Code | undefined; name: Code } {
    const { computed, object, property } = node as { computed: boolean; object: Node; property: Node } & Node
    if (object.type === "Super") {
      const key = computed
        ? later ? this.kept(property) : this.expression(property)
        : JSON.stringify(property["name"])
      return { object: "super", key, name: key }
    }
    const both = computed ? [object, property] : [object]
    const codes = both.map((part, i) => {
      const needed = later || both.slice(i + 1).some(({ suspends }) => suspends)
      return needed && !this.stable(part) ? this.kept(part) : this.expression(part)
    })
    return computed
      ? { object: codes[0]!, key: codes[1]!, name: "" }
      : { object: codes[0]!, key: undefined, name: property["name"] ?? "" }
  }

  private getPlace(node: Node, { key, name, object }: { object: Code; key: Code | undefined; name: Code }): Code {
    if (object === "super") return this.rewriter.superMember(node, key!)
    if (node["property"].type === "PrivateIdentifier") return this.rewriter.privateMember(node, object)
    return key === undefined ? [wrapped(object), ".", name] : [wrapped(object), "[", key, "]"]
  }

  protected setPlace(
    node: Node,
    { key, name, object }: { object: Code; key: Code | undefined; name: Code },
    value: Code
  ): Code {
    const { module, rewriter } = this
    if (object === "super") {
      const { object: start } = node as { object: Node } & Node
      return [
        `${module.runtime("superSet")}(${rewriter.home(start)}, `,
        key!,
        `, ${rewriter.self(start)}, `,
        value,
        ")"
      ]
    }
    if (node["property"].type === "PrivateIdentifier") {
      return [`${placeCode(module, this.unit, node["privateName"])}_set(`, object, ", ", value, ")"]
    }
    return ["(", wrapped(object), key === undefined ? [".", name] : ["[", key, "]"], " = ", value, ")"]
  }

  private assignment(node: Node): Code {
    const { left, operator, right } = node as { left: Node; operator: string; right: Node } & Node
    if (left.type === "ObjectPattern" || left.type === "ArrayPattern") {
      const { mark } = this
      const value = this.expression(right)
      const place = this.keep(value, mark)
      this.bind(left, place, false)
      return place
    }
    if (left.type !== "Identifier" && left.type !== "MemberExpression") return ["(", this.text(node), ")"]
    const logical = operator === "&&=" || operator === "||=" || operator === "??="
    const plain = operator.slice(0, -1)
    if (left.type === "Identifier") {
      if (operator === "=") return ["(", this.rewriter.assign(left, this.expression(right)), ")"]
      if (!logical) {
        const before = this.kept({ ...left, written: false } as unknown as Node)
        const value = this.expression(right)
        return ["(", this.rewriter.assign(left, ["(", before, ` ${plain} `, value, ")"]), ")"]
      }
      return this.logicalAssignment(plain, this.expression(left), right, (value) => this.rewriter.assign(left, value))
    }
    if (operator === "=") {
      const place = this.memberPlace(left, right.suspends === true)
      return this.setPlace(left, place, this.expression(right))
    }
    const place = this.memberPlace(left, true)
    if (place.key !== undefined && left["computed"]) {
      const { mark } = this
      place.key = this.keep([`${this.module.runtime("key")}(`, place.key, ")"], mark)
    }
    if (logical) {
      return this.logicalAssignment(
        plain,
        this.getPlace(left, place),
        right,
        (value) => this.setPlace(left, place, value)
      )
    }
    const before = right.suspends ? this.keep(this.getPlace(left, place), this.mark) : this.getPlace(left, place)
    return this.setPlace(left, place, ["(", before, ` ${plain} `, this.expression(right), ")"])
  }

  private logicalAssignment(operator: string, read: Code, right: Node, write: (value: Code) => Code): Code {
    const result = this.register()
    const end = new Label()
    this.emit(`${result} = `, read, ";")
    const skips = operator === "&&"
      ? `!${result}`
      : operator === "||"
      ? result
      : `${result} !== null && ${result} !== undefined`
    this.emit(`if (${skips}) `, this.jump({ label: end, region: this.region }))
    const value = this.expression(right)
    this.emit(`${result} = `, write(value), ";")
    this.place(end)
    return result
  }

  private update(node: Node): Code {
    const { argument, operator, prefix } = node as { argument: Node; operator: string; prefix: boolean } & Node
    const place = this.memberPlace(argument, true)
    if (place.key !== undefined && argument["computed"]) {
      const { mark } = this
      place.key = this.keep([`${this.module.runtime("key")}(`, place.key, ")"], mark)
    }
    const result = this.register()
    this.emit(`${result} = ${this.module.runtime("numeric")}(`, this.getPlace(argument, place), ");")
    const next = this.register()
    this.emit(`${next} = ${result}; ${operator}${next};`)
    this.emit(this.setPlace(argument, place, next), ";")
    return prefix ? next : result
  }

  // --- members and calls, optional ones too

  /** A chain of members and calls: its value, or whether its last member was deleted. */
  private chain(node: Node, deletes = false): Code {
    const { mark } = this
    const optional = node.type === "ChainExpression"
    const end = new Label()
    const code = this.link(optional ? node["expression"] : node, end, deletes)
    if (!optional) return code
    this.release(mark)
    const result = this.register()
    this.emit(`${result} = `, code, ";")
    const after = new Label()
    this.emit(this.jump({ label: after, region: this.region }))
    this.place(end)
    this.emit(`${result} = ${deletes ? "true" : "undefined"};`)
    this.place(after)
    return result
  }

  /** Leaves a chain where its object is nothing. */
  private shortcut(node: Node, place: Code, end: Label): void {
    if (!node["optional"]) return
    this.emit("if (", place, " === null || ", place, " === undefined) ", this.jump({ label: end, region: this.region }))
  }

  private link(node: Node, end: Label, deletes = false): Code {
    switch (node.type) {
      case "MemberExpression": {
        const place = this.member(node, end)
        if (deletes) {
          const { key, name, object } = place
          const code: Code = key === undefined ? [wrapped(object), ".", name] : [wrapped(object), "[", key, "]"]
          return ["(delete ", code, ")"]
        }
        return [node.start, this.getPlace(node, place)]
      }
      case "CallExpression":
        return this.call(node, end)
      default:
        return this.expression(node)
    }
  }

  /** The object and key of a member within a chain. */
  private member(node: Node, end: Label): { object: Code; key: Code | undefined; name: Code } {
    const { computed, object, property } = node as { computed: boolean; object: Node; property: Node } & Node
    if (object.type === "Super") return this.memberPlace(node, false)
    const { mark } = this
    let from: Code = this.chained(object) ? this.link(object, end) : this.expression(object)
    const needed = computed && property.suspends === true || node["optional"]
    if (needed && !(this.stable(object) && !node["optional"])) from = this.keep(from, mark)
    this.shortcut(node, from, end)
    return computed
      ? { object: from, key: this.expression(property), name: "" }
      : { object: from, key: undefined, name: property["name"] ?? "" }
  }

  /** Does it belong to the same chain? */
  private chained(node: Node): boolean {
    return node.type === "MemberExpression" || node.type === "CallExpression"
  }

  /** A function that an optional chain in parentheses finds, and the object that it finds it in: neither if it is left. */
  private reference(node: Node): { readonly method: string; readonly self: string } {
    const self = this.temporary()
    const method = this.temporary()
    const { mark } = this
    const left = new Label()
    const after = new Label()
    const member: Node = node["expression"]
    const place = this.member(member, left)
    const isSuper = place.object === "super"
    this.emit(`${self} = `, isSuper ? this.rewriter.self(member["object"]) : place.object, ";")
    this.emit(`${method} = `, this.getPlace(member, isSuper ? place : { ...place, object: self }), ";")
    this.emit(this.jump({ label: after, region: this.region }))
    this.place(left)
    this.emit(`${self} = ${method} = undefined;`)
    this.place(after)
    this.release(mark)
    return { method, self }
  }

  private call(node: Node, end: Label): Code {
    const { arguments: args, callee } = node as { arguments: ReadonlyArray<Node>; callee: Node } & Node
    const later = args.some(({ suspends }) => suspends) || node["optional"]
    const { mark } = this
    if (callee.type === "Super") return this.module.fail("super() with a suspension in it", node)
    if (isReference(callee)) {
      const { method, self } = this.reference(callee)
      this.shortcut(node, method, end)
      return [
        node.start,
        `${this.module.runtime("call")}(${method}, ${self}`,
        args.length === 0 ? "" : ", ",
        this.join(this.operands(args)),
        ")"
      ]
    }
    if (callee.type !== "MemberExpression") {
      let code = this.chained(callee) ? this.link(callee, end) : this.expression(callee)
      if (later) {
        code = this.keep(code, mark)
        this.shortcut(node, code, end)
        // A field's value that is called has no `this`.
        return ["(0, ", code, ")(", this.join(this.operands(args)), ")"]
      }
      return [node.start, "(0, ", code, ")(", this.join(this.operands(args)), ")"]
    }
    if (!later) {
      const place = this.member(callee, end)
      const method = this.getPlace(callee, place)
      if (place.object === "super" || callee["property"].type === "PrivateIdentifier") {
        if (place.object !== "super") {
          // The object is needed twice.
          const object = this.keep(place.object, mark)
          return [
            `${this.module.runtime("call")}(`,
            this.getPlace(callee, { ...place, object }),
            ", ",
            object,
            args.length === 0 ? "" : ", ",
            this.join(this.operands(args)),
            ")"
          ]
        }
        return [
          `${this.module.runtime("call")}(`,
          method,
          `, ${this.rewriter.self(callee["object"])}`,
          args.length === 0 ? "" : ", ",
          this.join(this.operands(args)),
          ")"
        ]
      }
      return [node.start, method, "(", this.join(this.operands(args)), ")"]
    }
    const place = this.member(callee, end)
    let self: Code
    if (place.object === "super") self = this.rewriter.self(callee["object"])
    else {
      // The object is needed as `this`. Its key is part of the code that is evaluated next.
      if (callee["computed"] && !isField(place.object)) {
        place.object = this.keep(place.object, this.mark)
      } else if (!isField(place.object)) place.object = this.keep(place.object, mark)
      self = place.object
    }
    const after = this.mark
    const method = this.keep(this.getPlace(callee, place), after)
    this.shortcut(node, method, end)
    return [
      node.start,
      `${this.module.runtime("call")}(${method}, `,
      self,
      args.length === 0 ? "" : ", ",
      this.join(this.operands(args)),
      ")"
    ]
  }

  // --- literals

  private template(quasis: ReadonlyArray<Node>, expressions: ReadonlyArray<Node>): Code {
    let last = -1
    expressions.forEach(({ suspends }, i) => {
      if (suspends) last = i
    })
    const codes = expressions.map((expression, i): Code => {
      const { mark } = this
      const value = this.expression(expression)
      return i < last ? this.keep(["`${", value, "}`"], mark) : value
    })
    return quasis.map((quasi, i) => {
      const text = `${i === 0 ? "`" : ""}${quasi["value"].raw}${i === quasis.length - 1 ? "`" : ""}`
      return i < codes.length ? [text, "${", codes[i]!, "}"] : text
    })
  }

  private tagged(node: Node): Code {
    const { quasi, tag } = node as { quasi: Node; tag: Node } & Node
    const { module } = this
    let method: Code
    let self: Code = "undefined"
    if (isReference(tag)) {
      const reference = this.reference(tag)
      method = reference.method
      self = reference.self
    } else if (tag.type === "MemberExpression") {
      const place = this.member(tag, new Label())
      if (place.object === "super") self = this.rewriter.self(tag["object"])
      else {
        if (!isField(place.object)) place.object = this.keep(place.object, this.mark)
        self = place.object
      }
      method = this.keep(this.getPlace(tag, place), this.mark)
    } else method = this.kept(tag)
    const { quasis } = quasi as { quasis: ReadonlyArray<Node> } & Node
    const strings = module.fresh("$t")
    const cooked = quasis.map(({ value }) =>
      value.cooked === null || value.cooked === undefined ? "undefined" : JSON.stringify(value.cooked)
    )
    const raw = quasis.map(({ value }) => JSON.stringify(value.raw))
    module.constant(strings, `${module.runtime("strings")}([${cooked.join(", ")}], [${raw.join(", ")}])`)
    const { expressions } = quasi as { expressions: ReadonlyArray<Node> } & Node
    return [
      node.start,
      `${module.runtime("call")}(${method}, `,
      self,
      `, ${strings}`,
      this.operands(expressions).map((code) => [", ", code]),
      ")"
    ]
  }

  /** An object literal: it is made up to its first suspension, and gets the rest bit by bit. */
  private object(node: Node): Code {
    const { module } = this
    const home = node.scope!.boxed
    if (home) {
      const scope = node.scope!
      this.emit(`${module.frame}.s${scope.id} = ${this.rewriter.makeScope(scope)};`)
    }
    const object = this.temporary()
    this.emit(`${object} = {};`)
    if (home) this.emit(`${module.frame}.s${node.scope!.id}.home = ${object};`)
    for (const property of node["properties"] as ReadonlyArray<Node>) {
      const before = this.mark
      if (property.type === "SpreadElement") {
        this.emit(`${module.runtime("spread")}(${object}, `, this.expression(property["argument"]), ");")
      } else this.property(object, property)
      this.release(before)
    }
    return object
  }

  private property(object: string, property: Node): void {
    const { computed, key, kind, method, shorthand, value } = property as {
      computed: boolean
      key: Node
      kind: string
      method: boolean
      shorthand: boolean
      value: Node
    } & Node
    const { module } = this
    const name = key.type === "Identifier" ? key["name"] : key["value"]
    if (!computed && !shorthand && !method && kind === "init" && String(name) === "__proto__") {
      this.emit(`${module.runtime("setProto")}(${object}, `, this.expression(value), ");")
      return
    }
    let keyCode: Code = computed
      ? ""
      : key.type === "Identifier"
      ? JSON.stringify(key["name"])
      : new Slice(key.start, key.end)
    if (computed) {
      const { mark } = this
      const code: Code = [`${module.runtime("key")}(`, this.expression(key), ")"]
      keyCode = value.suspends || kind !== "init" || isFunction(value) ? this.keep(code, mark) : code
    }
    const native = kind !== "init" || method && value.unit!.inPlace && !value.unit!.generator
    if (native) {
      // Taken over from a literal that has only this.
      const prefix = kind === "init"
        ? `${value["async"] ? "async " : ""}${value["generator"] ? "*" : ""}`
        : `${kind} `
      const literal: Code = ["{ ", prefix, "[", keyCode, "]", this.wrappedText(value), " }"]
      const { outer } = value.unit!
      const text: Code = outer === undefined
        ? literal
        : [`((${module.scopeName(outer)}) => (`, literal, `))(${this.rewriter.scope(outer)})`]
      this.emit(`${module.runtime("members")}(${object}, `, text, ");")
      return
    }
    if (isFunction(value)) {
      const made = this.module.functionText(value, value.unit!, this.unit)
      this.emit(
        `${module.runtime("define")}(${object}, `,
        keyCode,
        ", ",
        typeof value.naming === "object"
          ? [`${module.runtime("computed")}(`, keyCode, ", ", made, ")[", keyCode, "]"]
          : made,
        ");"
      )
      return
    }
    if (value.type === "ClassExpression" && value.naming !== undefined && computed) {
      this.emit(`${module.runtime("spread")}(${object}, { [`, keyCode, "]: ", this.text(value), " });")
      return
    }
    this.emit(`${module.runtime("define")}(${object}, `, keyCode, ", ", this.expression(value), ");")
  }

  private wrappedText(value: Node): Code {
    return this.module.functionText(value, value.unit!, this.unit)
  }

  // --- classes

  /** A class whose heritage or keys suspend: they are evaluated first, then the class is. */
  protected class(node: Node): Code {
    const { module } = this
    const { body, superClass } = node as { body: Node; superClass: Node | null } & Node
    const scope = node.scope!
    if (scope.boxed) this.emit(`${module.frame}.s${scope.id} = ${this.rewriter.makeScope(scope)};`)
    const keys = new Map<Node, Code>()
    let heritage: Code | undefined
    if (superClass !== null) heritage = this.kept(superClass)
    for (const element of body["body"] as ReadonlyArray<Node>) {
      if (element["computed"] !== true) continue
      const { key } = element as { key: Node } & Node
      const { mark } = this
      keys.set(key, this.keep([`${module.runtime("key")}(`, this.expression(key), ")"], mark))
    }
    const given = heritage === undefined ? { keys } : { keys, heritage }
    const rewriter = new Rewriter(module, this.unit)
    const text = rewriter.piece(node.start, node.end, () => rewriter.classText(node, given))
    const naming = node["id"] ? undefined : typeof node.naming === "string" ? node.naming : undefined
    const named: Code = naming === undefined
      ? text
      : [`({ [${JSON.stringify(naming)}]: `, text, ` })[${JSON.stringify(naming)}]`]
    const outer = scope.boxed ? scope : rewriter.outerOfMembers(node)
    if (outer === undefined) return ["(", named, ")"]
    return [
      `((${module.scopeName(outer)}) => (`,
      named,
      `))(${scope.boxed ? `${module.frame}.s${scope.id}` : rewriter.scope(outer)})`
    ]
  }
}

/** Kinds of nodes that need no parentheses as operands. */
const SIMPLE = new Set([
  "Identifier",
  "ThisExpression",
  "MemberExpression",
  "CallExpression",
  "Literal",
  "TemplateLiteral",
  "ArrayExpression",
  "MetaProperty"
])

/** Is it an optional chain to a member? In parentheses, a call of it has the object as `this`. */
const isReference = ({ expression, type }: Node): boolean =>
  type === "ChainExpression" && (expression as Node).type === "MemberExpression"

const isField = (code: Code): boolean => typeof code === "string" && /^[\w$]+\.t\d+$/.test(code)

const wrapped = (code: Code): Code => typeof code === "string" ? code : ["(", code, ")"]
