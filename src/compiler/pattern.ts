/** Destructuring. A pattern in which nothing suspends stays a pattern; others are taken apart step by step. */
import type { Node } from "./ast.ts"
import { type Code, Label } from "./code.ts"
import { Expressions } from "./expression.ts"
import { placeCode } from "./reference.ts"

export abstract class Patterns extends Expressions {
  protected bind(target: Node, value: Code, declares: boolean): void {
    if (target.suspends !== true && target.type !== "AssignmentPattern") {
      if (target.type === "Identifier") {
        this.emit(declares ? this.declares(target, value) : this.rewriter.assign(target, value), ";")
      } else if (target.type === "MemberExpression") this.emit(this.rewriter.assignMember(target, value), ";")
      else this.emit("(", this.rewriter.declaring(target), " = ", value, ");")
      return
    }
    const { mark } = this
    switch (target.type) {
      case "AssignmentPattern":
        this.withDefault(target, value, declares)
        break
      case "ObjectPattern":
        this.objectPattern(target, value, declares)
        break
      case "ArrayPattern":
        this.arrayPattern(target, value, declares)
        break
      case "MemberExpression": {
        const kept = this.keep(value, this.mark)
        const place = this.memberPlace(target, false)
        this.emit(this.setPlace(target, place, kept), ";")
        break
      }
      default:
        this.emit(this.expression(target), ";")
    }
    this.release(mark)
  }

  private declares(node: Node, value: Code): Code {
    const { variable } = node
    const place = variable === undefined || variable.storage === "native"
      ? variable?.rename ?? node["name"]
      : placeCode(this.module, this.unit, variable)
    return [node.start, `${place} = `, value]
  }

  /** A target's object and key come before the value that it gets. */
  private prepared(target: Node, declares: boolean): (value: Code) => void {
    const inner: Node = target.type === "AssignmentPattern" ? target["left"] : target
    if (inner.type !== "MemberExpression") return (value) => this.bind(target, value, declares)
    const place = this.memberPlace(inner, true)
    return (value) => {
      if (target.type !== "AssignmentPattern") {
        this.emit(this.setPlace(inner, place, value), ";")
        return
      }
      this.defaulted(target, value, (result) => this.emit(this.setPlace(inner, place, result), ";"))
    }
  }

  private withDefault(target: Node, value: Code, declares: boolean): void {
    this.defaulted(target, value, (result) => this.bind(target["left"], result, declares))
  }

  private defaulted(target: Node, value: Code, use: (result: string) => void): void {
    const { mark } = this
    const result = this.register()
    const given = new Label()
    this.emit(`${result} = `, value, ";")
    this.emit(`if (${result} !== undefined) `, this.jump({ label: given, region: this.region }))
    this.emit(`${result} = `, this.expression(target["right"]), ";")
    this.place(given)
    use(result)
    this.release(mark)
  }

  private objectPattern(pattern: Node, value: Code, declares: boolean): void {
    const { module } = this
    const object = this.keep([`${module.runtime("destructured")}(`, value, ")"], this.mark)
    const keys: Array<Code> = []
    const { properties } = pattern as { properties: ReadonlyArray<Node> } & Node
    const rest = properties.at(-1)?.type === "RestElement"
    for (const property of properties) {
      const before = this.mark
      if (property.type === "RestElement") {
        const assign = this.prepared(property["argument"], declares)
        assign([`${module.runtime("rest")}(${object}, [`, this.join(keys), "])"])
        continue
      }
      const { computed, key, value: target } = property as { computed: boolean; key: Node; value: Node } & Node
      let from: Code
      if (computed) {
        const { mark } = this
        const place = this.keep([`${module.runtime("key")}(`, this.expression(key), ")"], mark)
        keys.push(place)
        from = [object, "[", place, "]"]
      } else if (key.type === "Identifier") {
        keys.push(JSON.stringify(key["name"]))
        from = [object, ".", key["name"]]
      } else {
        const text = this.text(key)
        keys.push([`${module.runtime("key")}(`, text, ")"])
        from = [object, "[", text, "]"]
      }
      this.prepared(target, declares)(from)
      // Keys that the rest leaves out are needed up to the end.
      if (!rest || !computed) this.release(before)
    }
  }

  private arrayPattern(pattern: Node, value: Code, declares: boolean): void {
    const { module } = this
    const cursor = this.keep([`${module.runtime("cursor")}(`, value, ")"], this.mark)
    const after = this.openIteration(cursor)
    for (const element of pattern["elements"] as ReadonlyArray<Node | null>) {
      const before = this.mark
      if (element === null) this.emit(`${cursor}.take();`)
      else if (element.type === "RestElement") {
        const assign = this.prepared(element["argument"], declares)
        assign(`${cursor}.rest()`)
      } else {
        const assign = this.prepared(element, declares)
        assign(`${cursor}.take()`)
      }
      this.release(before)
    }
    this.closeIteration(after, cursor, true)
  }

  /** From here on the cursor is closed by whoever leaves. */
  protected openIteration(cursor: Code): { readonly handler: Label } {
    const handler = new Label()
    this.region = { outer: this.region, handler, finalizer: undefined, cursor }
    this.regions = true
    this.emit(`${this.module.handler} = `, handler, ";")
    return { handler }
  }

  protected closeIteration({ handler }: { readonly handler: Label }, cursor: Code, closes: boolean): void {
    const outer = this.region!.outer
    const end = new Label()
    const leave = [`${this.module.handler} = `, this.handlerOf(outer), ";"]
    if (closes) this.emit(leave, " ", cursor, ".close();")
    this.region = outer
    if (closes) this.emit(this.jump({ label: end, region: outer }))
    this.place(handler)
    this.emit(leave, ` ${this.module.runtime("closeQuietly")}(`, cursor, `); throw ${this.module.value};`)
    if (closes) this.place(end)
  }
}
