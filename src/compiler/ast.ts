/**
 * The syntax tree, as oxc makes it: ESTree with offsets. What the compiler's passes find out about a node they write on it,
 * in the fields named here.
 */

// What the passes find out of nodes, named before it is there: the files of those names add to each what it is.

/** scope.ts */
export interface Scope {}

/** scope.ts */
export interface Variable {}

/** unit.ts */
export interface Unit {}

export interface Node {
  readonly type: string
  readonly start: number
  readonly end: number
  /** Children and attributes, by ESTree's names. */
  [key: string]: any
  /** Does its generator suspend somewhere in it? */
  suspends?: true
  /** Of a loop: may its generator be preempted in it, and suspends nowhere else in it, nor in a loop within? */
  tight?: true
  /** The function that it is, or that its initializer or static block is evaluated as. */
  unit?: Unit
  /** The scope that it opens. */
  scope?: Scope
  /** The variable that it refers to or declares. */
  variable?: Variable
  /** May its variable be uninitialized there? */
  checked?: true
  /** The statement that it leaves or continues. */
  target?: Node
  /** The name that an anonymous function or class gets from where it stands. */
  naming?: Naming
}

/** A name that is known, or the key that it is computed from. */
export type Naming = string | { readonly key: Node }

export const isFunction = (node: Node): boolean =>
  node.type === "FunctionExpression" || node.type === "FunctionDeclaration" || node.type === "ArrowFunctionExpression"

export const isClass = (node: Node): boolean => node.type === "ClassExpression" || node.type === "ClassDeclaration"

export const isLoop = (node: Node): boolean =>
  node.type === "WhileStatement" || node.type === "DoWhileStatement" || node.type === "ForStatement" ||
  node.type === "ForOfStatement" || node.type === "ForInStatement"

/** The name of the method that is called plainly, as in `object.name(…)`, if it is one of those. */
export const methodCalled = (node: Node, names: ReadonlySet<string>): string | undefined => {
  if (node.type !== "CallExpression" || node["optional"]) return undefined
  const { computed, object, optional, property, type } = node["callee"] as {
    computed: boolean
    object: Node
    optional: boolean
    property: Node
  } & Node
  return type === "MemberExpression" && !computed && !optional && object.type !== "Super" &&
      property.type === "Identifier" && names.has(property["name"])
    ? property["name"]
    : undefined
}

export const isPattern = (node: Node): boolean => node.type === "ObjectPattern" || node.type === "ArrayPattern"

/** Names that a function or class has of its own need none from where it stands. */
export const isAnonymous = (node: Node): boolean =>
  node.type === "ArrowFunctionExpression" ||
  (node.type === "FunctionExpression" || node.type === "ClassExpression") && !node["id"]

/** The identifiers that a pattern binds or assigns to. */
export const boundNames = (pattern: Node, into: Array<Node> = []): Array<Node> => {
  switch (pattern.type) {
    case "Identifier":
      into.push(pattern)
      break
    case "ObjectPattern":
      for (const property of pattern["properties"]) {
        boundNames(property.type === "RestElement" ? property.argument : property.value, into)
      }
      break
    case "ArrayPattern":
      for (const element of pattern["elements"]) if (element !== null) boundNames(element, into)
      break
    case "AssignmentPattern":
      boundNames(pattern["left"], into)
      break
    case "RestElement":
      boundNames(pattern["argument"], into)
      break
  }
  return into
}
