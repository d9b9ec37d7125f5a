/**
 * The messages that the package can give, by the class of the error, as the sources have them: also those that are put together
 * by a function, held in a constant, or handed to the function that makes the error.
 */
import { readFileSync } from "node:fs"
import { type Node, parseSync } from "oxc-parser"
import { sources } from "./sessions.ts"

/** What stands in a message for something that is known only when it is given. */
const HOLE = "…"

/** How many functions and constants a text is looked for in, one behind the other. */
const DEEP = 4

/** Classes of errors, by how their names end. */
const isError = (name: string): boolean =>
  /(?:Error|Exit|Failure|LeftBlocked|Mismatch|Unpicklable|Empty|Full|Timeout|TaskletsLeft)$/.test(name)

type Tree = Node & { readonly [key: string]: any }

/** A function of the sources. */
interface Function {
  readonly name: string
  readonly file: string
  readonly parameters: ReadonlyArray<string | undefined>
  readonly returned: Array<Tree>
  readonly constants: Map<string, Tree>
}

/** Where an expression stands: the functions around it, the innermost first. */
interface Place {
  readonly file: string
  readonly around: ReadonlyArray<Function>
}

interface Call extends Place {
  readonly arguments: ReadonlyArray<Tree>
}

/** What the sources have of functions, of their calls, and of constants, by name. */
class Sources {
  readonly functions = new Map<string, Array<Function>>()
  readonly calls = new Map<string, Array<Call>>()
  readonly constants = new Map<string, Array<{ readonly file: string; readonly value: Tree }>>()
  /** The errors that are made, with what their classes are called. */
  readonly errors: Array<Call & { readonly name: string }> = []

  constructor(files: ReadonlyArray<string>) {
    for (const file of files) {
      this.visit(parseSync(file, readFileSync(file, "utf8")).program, { file, around: [] }, "", "")
    }
  }

  /** @param name what a function is called that has no name of its own @param inClass the class around */
  private visit(node: unknown, place: Place, name: string, inClass: string): void {
    if (Array.isArray(node)) { for (const child of node) this.visit(child, place, "", inClass) }
    if (Array.isArray(node) || typeof node !== "object" || node === null) return
    const tree = node as Tree
    const { file } = place
    let { around } = place
    switch (tree.type) {
      case "FunctionDeclaration":
      case "FunctionExpression":
      case "ArrowFunctionExpression": {
        const own: Function = {
          name: tree.id?.name ?? name,
          file,
          parameters: tree.params.map(parameterName),
          returned: tree.body?.type === "BlockStatement" || tree.body == null ? [] : [tree.body as Tree],
          constants: new Map()
        }
        if (own.name !== "") enter(this.functions, own.name, own)
        around = [own, ...around]
        break
      }
      case "ClassDeclaration":
        inClass = tree.id?.name ?? ""
        break
      case "MethodDefinition":
        // a class of errors that says its message itself
        if (tree.kind === "get" && tree.key.type === "Identifier" && tree.key.name === "message") {
          for (const it of tree.value.body?.body ?? []) {
            if (it.type !== "ReturnStatement" || it.argument === null) continue
            this.errors.push({ name: inClass, arguments: [it.argument as Tree], file, around })
          }
        }
        break
      case "ReturnStatement":
        if (tree.argument !== null) around[0]?.returned.push(tree.argument)
        break
      case "VariableDeclarator":
        if (tree.init != null && tree.id.type === "Identifier") {
          const [own] = around
          if (own === undefined) enter(this.constants, tree.id.name, { file, value: tree.init })
          else own.constants.set(tree.id.name, tree.init)
        }
        break
      case "NewExpression":
        if (tree.callee.type === "Identifier" && isError(tree.callee.name)) {
          this.errors.push({ name: tree.callee.name, arguments: tree.arguments as never, file, around })
        }
        break
      case "CallExpression":
        this.call(tree, { file, around }, inClass)
    }
    for (const [key, child] of Object.entries(tree)) {
      const named = tree.type === "VariableDeclarator" && key === "init"
        ? tree.id
        : key === "value"
        ? tree["key"]
        : undefined
      this.visit(child, { file, around }, named?.name ?? "", inClass)
    }
  }

  private call(tree: Tree, place: Place, inClass: string): void {
    const { callee } = tree
    const taken: ReadonlyArray<Tree> = tree["arguments"]
    const called: string | undefined = callee.type === "MemberExpression" ? callee.property.name : callee.name
    if (callee.type === "Super") {
      if (isError(inClass)) this.errors.push({ name: inClass, arguments: taken, ...place })
    } else if (called === "exitOf") {
      if (isError(taken[0]?.["name"] ?? "")) {
        this.errors.push({ name: taken[0]!["name"], arguments: taken.slice(1), ...place })
      }
    } else if (called === "exitWith") {
      const name = place.file.startsWith("src/stackless/") ? "TaskletExit" : "GreenletExit"
      this.errors.push({ name, arguments: taken, ...place })
    } else if (called === "fail" && place.file.startsWith("src/compiler/")) {
      this.errors.push({ name: "CompileError", arguments: taken, ...place })
    } else if (called !== undefined) enter(this.calls, called, { arguments: taken, ...place })
  }

  /** The texts that an expression can be: several, where a condition decides. None, if it is known only at run time. */
  textsOf(node: Tree | undefined, place: Place, depth = 0): ReadonlyArray<string> {
    if (depth > DEEP) return []
    const texts = (inner: Tree | undefined): ReadonlyArray<string> => this.textsOf(inner, place, depth)
    switch (node?.type) {
      case "Literal":
        return typeof node.value === "string" ? [node.value] : []
      case "TemplateLiteral":
        return [
          node.quasis.map((quasi, i) => {
            const before = i === 0 ? "" : this.constantText(node.expressions[i - 1] as Tree, place) ?? HOLE
            return `${before}${quasi.value.cooked}`
          }).join("")
        ]
      case "ParenthesizedExpression":
      case "TSAsExpression":
      case "TSNonNullExpression":
        return texts(node.expression as Tree)
      case "ConditionalExpression":
        return [...texts(node.consequent as Tree), ...texts(node.alternate as Tree)]
      case "LogicalExpression":
        return [...texts(node.left as Tree), ...texts(node.right as Tree)]
      case "BinaryExpression": {
        const left = texts(node.left as Tree)
        const right = texts(node.right as Tree)
        return left.length + right.length === 0
          ? []
          : (left.length > 0 ? left : [HOLE]).flatMap((l) => (right.length > 0 ? right : [HOLE]).map((r) => l + r))
      }
      case "ObjectExpression":
        return node.properties.flatMap((property) =>
          property.type === "Property" && property.key.type === "Identifier" && property.key.name === "message"
            ? texts(property.value as Tree)
            : []
        )
      case "Identifier":
        return this.textsOfName(node.name, place, depth + 1)
      case "CallExpression":
        return node.callee.type === "Identifier" ? this.textsOfCall(node.callee.name, place.file, depth + 1) : []
      default:
        return []
    }
  }

  /** The text of a constant that has one. */
  private constantText(node: Tree, place: Place): string | undefined {
    if (node.type !== "Identifier") return undefined
    const { name } = node
    if (place.around.some(({ parameters }) => parameters.includes(name))) return undefined
    const [text, ...others] = this.textsOfName(name, place, DEEP)
    return others.length > 0 ? undefined : text
  }

  /** What a name stands for: a constant, or what the function around is called with. */
  private textsOfName(name: string, { around, file }: Place, depth: number): ReadonlyArray<string> {
    for (const [i, own] of around.entries()) {
      const constant = own.constants.get(name)
      if (constant !== undefined) return this.textsOf(constant, { file, around: around.slice(i) }, depth)
      const parameter = own.parameters.indexOf(name)
      if (parameter < 0) continue
      const alone = this.functions.get(own.name)?.length === 1
      return (this.calls.get(own.name) ?? []).filter((call) => alone || call.file === file)
        .flatMap((call) => this.textsOf(call.arguments[parameter], call, depth))
    }
    const constants = this.constants.get(name) ?? []
    const near = constants.filter((constant) => constant.file === file)
    return (near.length > 0 ? near : constants).flatMap(({ file, value }) =>
      this.textsOf(value, { file, around: [] }, depth)
    )
  }

  /** What a function gives back; what it has been given is known only at run time. */
  private textsOfCall(name: string, file: string, depth: number): ReadonlyArray<string> {
    const functions = this.functions.get(name) ?? []
    const near = functions.filter((own) => own.file === file)
    return (near.length > 0 ? near : functions).flatMap(({ constants, file, name, returned }) => {
      const own: Function = { name, file, parameters: [], returned, constants }
      return returned.flatMap((value) => this.textsOf(value, { file, around: [own] }, depth))
    })
  }
}

const parameterName = (node: Tree): string | undefined =>
  node.type === "AssignmentPattern"
    ? parameterName(node.left as Tree)
    : node.type === "TSParameterProperty"
    ? parameterName(node.parameter as Tree)
    : node["name"]

const enter = <A>(map: Map<string, Array<A>>, name: string, it: A): void => {
  const all = map.get(name)
  if (all === undefined) map.set(name, [it])
  else all.push(it)
}

/** Does the text say anything by itself? What stands in brackets is in the place of something unknown. */
const says = (text: string): boolean => /[a-z]{3}/i.test(text) && !/^\(.*\)$/.test(text)

/** The messages by class. */
export const messages = (): ReadonlyMap<string, ReadonlySet<string>> => {
  const found = new Map<string, Set<string>>()
  const all = new Sources(sources)
  for (const { arguments: taken, name, ...place } of all.errors) {
    const texts = taken.map((one) => all.textsOf(one, place)).find((texts) => texts.some(says)) ?? []
    for (const text of texts) {
      if (!says(text)) continue
      if (!found.has(name)) found.set(name, new Set())
      found.get(name)!.add(text.replaceAll(/\s+/g, " "))
    }
  }
  return found
}
