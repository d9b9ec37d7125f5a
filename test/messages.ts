/** The messages that the package can give, by the class of the error, as the sources have them. */
import { readFileSync } from "node:fs"
import { type Node, parseSync } from "oxc-parser"
import { sources } from "./sessions.ts"

/** What stands in a message for something that is known only when it is given. */
const HOLE = "…"

/** Classes of errors, by how their names end. */
const isError = (name: string): boolean =>
  /(?:Error|Exit|Failure|LeftBlocked|Mismatch|Unpicklable|Empty|Full|Timeout|TaskletsLeft)$/.test(name)

type Tree = Node & { readonly [key: string]: any }

/** The texts that an expression can be: several, where a condition decides. None, if it is known only at run time. */
const textsOf = (node: Tree | undefined): ReadonlyArray<string> => {
  switch (node?.type) {
    case "Literal":
      return typeof node.value === "string" ? [node.value] : []
    case "TemplateLiteral":
      return [node.quasis.map((quasi: Tree, i: number) => `${i > 0 ? HOLE : ""}${quasi.value.cooked}`).join("")]
    case "ConditionalExpression":
      return [...textsOf(node.consequent), ...textsOf(node.alternate)]
    case "BinaryExpression": {
      const left = textsOf(node.left)
      const right = textsOf(node.right)
      return left.length + right.length === 0
        ? []
        : (left.length > 0 ? left : [HOLE]).flatMap((l) => (right.length > 0 ? right : [HOLE]).map((r) => l + r))
    }
    case "ObjectExpression":
      return node.properties.flatMap((property: Tree) =>
        property.key?.name === "message" ? textsOf(property.value) : []
      )
    default:
      return []
  }
}

/** Does the text say anything by itself? */
const says = (text: string): boolean => /[a-z]{3}/i.test(text)

/** The messages by class. */
export const messages = (): ReadonlyMap<string, ReadonlySet<string>> => {
  const found = new Map<string, Set<string>>()
  const add = (name: string, texts: ReadonlyArray<string>): void => {
    const [first] = texts
    if (first === undefined) return
    const all = found.get(name) ?? new Set()
    found.set(name, all)
    for (const text of texts) if (says(text)) all.add(text.replaceAll(/\s+/g, " "))
  }
  for (const file of sources) {
    const visit = (node: unknown): void => {
      if (Array.isArray(node)) { for (const child of node) visit(child) }
      else if (typeof node === "object" && node !== null) {
        const tree = node as Tree
        if (tree.type === "NewExpression" && tree.callee.type === "Identifier" && isError(tree.callee.name)) {
          add(
            tree.callee.name,
            tree.arguments.map(textsOf).find((texts: ReadonlyArray<string>) => texts.length > 0) ?? []
          )
        } else if (tree.type === "CallExpression" && file.startsWith("src/compiler/")) {
          const callee: Tree = tree.callee
          if ((callee.property?.name ?? callee.name) === "fail") add("CompileError", textsOf(tree.arguments[0]))
        }
        for (const child of Object.values(tree)) visit(child)
      }
    }
    visit(parseSync(file, readFileSync(file, "utf8")).program)
  }
  for (const [name, texts] of found) if (texts.size === 0) found.delete(name)
  return found
}
