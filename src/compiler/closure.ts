/**
 * Functions. One in a function is made by a factory on top of the module, from the scope object around it, so that it can be
 * made again from the same. A generator function becomes one that makes a frame.
 */
import { capturedByParameters } from "./analyze.ts"
import type { Node } from "./ast.ts"
import type { Code } from "./code.ts"
import { hashOf } from "./hash.ts"
import type { Module, Point } from "./module.ts"
import { GIVEN, makeScope, scopeCode, visibleScope } from "./reference.ts"
import { Rewriter } from "./rewrite.ts"
import type { Scope, Variable } from "./scope.ts"
import { Statements } from "./statement.ts"
import type { Unit } from "./unit.ts"

export const functionText = (module: Module, node: Node, unit: Unit, parent: Unit): Code => {
  if (!unit.region) return plainFunction(module, node, unit)
  if (unit.inPlace) return inPlace(module, node, unit)
  const factory = module.numberedName("$m", unit.index)
  const { outer } = unit
  if (!module.defined.has(unit)) {
    module.defined.add(unit)
    const given = outer === undefined ? "" : module.scopeName(outer)
    const made = named(
      node,
      unit.generator ? wrapper(module, node, unit, true) : plainFunction(module, node, unit),
      unit.kind
    )
    const strict = unit.strict && !module.analysis.program.strict ? ` "use strict";` : ""
    const meta = module.metaOf(unit)
    const rest = outer === undefined ? "" : `, ${given}`
    const head = `(${given}) {${strict} `
    module.define(
      factory,
      unit.generator
        ? [
          `${head}const ${module.self} = ${module.runtime("generator")}(`,
          made,
          `, ${meta}${rest}); return ${module.self}; }`
        ]
        : [`${head}return ${module.runtime("closure")}(`, made, `, ${meta}${rest}); }`]
    )
    describe(module, node, unit, factory)
  }
  const argument = outer === undefined ? "" : scopeCode(module, parent, outer)
  return [node.start, `${factory}(${argument})`]
}

const inPlace = (module: Module, node: Node, unit: Unit): Code => {
  if (node.type === "FunctionDeclaration" && node["id"] === null && unit.generator) {
    // An anonymous default export is there before the module runs, as other declarations are: it gets a name of ours for that.
    const name = module.fresh("$default")
    node["id"] = { type: "Identifier", name }
    const text = inPlace(module, node, unit)
    module.prologue.push(`${module.runtime("computed")}("default", ${name});\n`)
    return text
  }
  const text = unit.generator ? wrapper(module, node, unit, false) : plainFunction(module, node, unit)
  const meta = module.metaOf(unit)
  if (!module.defined.has(unit)) {
    module.defined.add(unit)
    describe(module, node, unit, undefined)
  }
  if (unit.kind === "member" || unit.kind === "constructor" || unit.kind === "accessor") return text
  if (unit.kind === "method" && !unit.generator) return text
  const maker = module.runtime(unit.generator ? "generator" : "closure")
  if (node.type === "FunctionDeclaration") {
    if (node["id"] === null || node["inBlock"] === true) return text
    // Of two with one name it is the last.
    const { functions } = module.analysis.program.scope
    const later = functions.slice(functions.indexOf(node) + 1)
    if (!later.some(({ id }) => id?.name === node["id"].name)) {
      module.prologue.push(`${maker}(${node["id"].name}, ${module.meta}[${unit.index}]);\n`)
    }
    return text
  }
  if (unit.parent !== module.analysis.program && !unit.generator) return text
  return [`${maker}(`, named(node, text, unit.kind), `, ${meta})`]
}

/** A function's text in such a place that it has its name. */
const named = (node: Node, text: Code, kind: string): Code => {
  const { naming } = node
  if (kind === "method") {
    const key = JSON.stringify(typeof naming === "string" ? naming : "")
    const prefix = `${node["async"] ? "async " : ""}${node["generator"] && node["async"] ? "*" : ""}`
    return [`({ ${prefix}[${key}]`, text, ` })[${key}]`]
  }
  if (typeof naming !== "string" || node["id"]) return text
  const key = JSON.stringify(naming)
  return naming === "__proto__" ? [`({ [${key}]: `, text, ` })[${key}]`] : [`({ ${key}: `, text, ` })[${key}]`]
}

/** A function that is no compiled generator: its text, with what it captures or is captured of it moved. */
const plainFunction = (module: Module, node: Node, unit: Unit): Code => {
  const rewriter = new Rewriter(module, unit)
  const { body, params } = node as { body: Node; params: ReadonlyArray<Node> } & Node
  const block = body.type === "BlockStatement"
  const complex = capturedByParameters(unit)
  if (!complex && !unit.scope.boxed) {
    return rewriter.piece(node.start, node.end, () => {
      for (const param of params) rewriter.target(param)
      if (block) rewriter.functionBodyInPlace(body)
      else rewriter.walk(body)
    })
  }
  const arrow = node.type === "ArrowFunctionExpression"
  // what stands before a method's name is written where that is
  const own = arrow || unit.kind === "function"
  const head: Code = `${own && node["async"] ? "async " : ""}${functionHead(node, unit, arrow)}`
  const { before, text } = complex
    ? complexParameters(module, rewriter, unit, params, arrow)
    : { before: "", text: rewriter.parametersText(params) }
  const inner: Code = block
    ? rewriter.functionBody(body, complex ? before : "")
    : [
      "{",
      complex ? before : rewriter.entry(unit.scope),
      complex ? rewriter.functions(unit.scope) : "",
      " return (",
      rewriter.text(body),
      "); }"
    ]
  return [node.start, head, "(", text, ")", arrow ? " => " : " ", inner]
}

const functionHead = (node: Node, unit: Unit, arrow: boolean): string => {
  if (arrow || unit.kind !== "function") return ""
  return `function${node["generator"] ? "*" : ""} ${node["id"]?.name ?? ""}`
}

/**
 * Parameters that functions among them capture: they are taken from `arguments`, in the same order and with the same
 * defaults, into the scope object.
 */
const complexParameters = (
  module: Module,
  rewriter: Rewriter,
  unit: Unit,
  params: ReadonlyArray<Node>,
  arrow: boolean
): { readonly before: Code; readonly text: Code } => {
  const { scope } = unit
  const plain = params.findIndex(({ type }) => type === "AssignmentPattern" || type === "RestElement")
  const count = plain === -1 ? params.length : plain
  const names = Array.from({ length: count }, (_, i) => module.numberedName("$a", i))
  const all = arrow ? module.numberedName("$a", 99) : "arguments"
  const made = makeScope(
    module,
    unit,
    scope,
    (variable) => variable.kind === "parameter" || variable.late ? module.runtime("UNINITIALIZED") : variable.name
  )
  const { rest, targets } = rewriter.parameterTargets(params)
  const taken: Array<Code> = targets.map((target, i) => [i === 0 ? "" : ", ", `${i}: `, target])
  const from: Code = arrow ? `[${[...names, `...${all}`].join(", ")}]` : "arguments"
  const before: Code = [
    ` const ${module.scopeName(scope)} = ${made}; ({ `,
    taken,
    " } = ",
    from,
    ");",
    rest === undefined ? "" : [" ", rest, ` = ${module.runtime("restOf")}(`, from, `, ${targets.length});`]
  ]
  return { before, text: [...names, ...arrow ? [`...${all}`] : []].join(", ") }
}

/** The function that makes a frame. */
const wrapper = (module: Module, node: Node, unit: Unit, self: boolean): Code => {
  const { params } = node as { params: ReadonlyArray<Node> } & Node
  const { scope } = unit
  const name = module.numberedName("$G", unit.index)
  const complex = capturedByParameters(unit)
  // one among the parameters of another one
  const { wrapping } = module
  module.wrapping = unit
  const rewriter = new Rewriter(module, unit)
  const { before, text } = complex
    ? complexParameters(module, rewriter, unit, params, false)
    : { before: "", text: rewriter.parametersText(params) }
  const given: Array<string> = []
  const fields: Array<string> = []
  let made: Code = before
  if (scope.boxed) {
    if (!complex) made = ` const ${module.scopeName(scope)} = ${rewriter.makeScope(scope)};`
    given.push(module.scopeName(scope))
    fields.push(`s${scope.id}`)
  } else if (unit.outer !== undefined) {
    given.push(visibleScope(module, unit, unit.outer))
    fields.push(`s${unit.outer.id}`)
  }
  for (const variable of scope.variables.values()) {
    if (variable.storage !== "field" || !GIVEN.has(variable.kind)) continue
    given.push(variable.kind === "new.target" ? "undefined" : variable.name)
    fields.push(variable.field)
  }
  module.wrapping = wrapping
  frameCode(module, node, unit, name, fields)
  const construct = `new ${name}(${given.join(", ")})`
  // Functions of sloppy code have own properties that generator functions have not.
  const simple = params.every(({ type }) => type === "Identifier")
  const own = scope.variables.has("this") || scope.variables.has("arguments")
  const names = [node["id"]?.name, ...params.map((param) => param["name"])]
  const strict = hasOwnDirective(node) || !unit.strict && simple && !own && !names.some((name) => RESERVED.has(name))
    ? ` "use strict";`
    : ""
  const guard = unit.kind === "function"
    ? ` if (new.target !== undefined) ${module.runtime("constructed")}(new.target);`
    : ""
  const result = unit.kind === "function"
    ? `${module.runtime("adopt")}(${construct}, ${self ? module.self : `${module.metaOf(unit)}.value`})`
    : construct
  const head = unit.kind === "function" ? `function ${node["id"]?.name ?? ""}` : ""
  return [node.start, head, "(", text, `) {${strict}${guard}`, made, ` return ${result}; }`]
}

/** Names that strict code cannot use. */
const RESERVED = new Set(
  "arguments eval implements interface let package private protected public static yield".split(" ")
)

/** A function's own "use strict" goes with it. */
const hasOwnDirective = (node: Node): boolean =>
  node["body"].body.some((statement: Node) => statement["directive"] === "use strict")

/** The class of a generator's frames, and the function that resumes them. */
const frameCode = (module: Module, _node: Node, unit: Unit, name: string, given: ReadonlyArray<string>): void => {
  if (module.machines.has(unit)) return
  const machine = new Statements(module, unit)
  const resume = machine.resume()
  const fields: Array<Field> = []
  for (const { scope, variables } of framed(module, unit)) {
    if (scope.boxed && scope !== unit.scope && machineKeeps(unit, scope)) {
      fields.push({ name: `s${scope.id}`, scope, variable: undefined })
    }
    for (const variable of variables) {
      if (!given.includes(variable.field)) fields.push({ name: variable.field, scope, variable })
    }
  }
  for (let i = 0; i < machine.temporaries; i++) fields.push({ name: `t${i}`, scope: unit.scope, variable: undefined })
  const parameters = given.map((_, i) => `v${i}`)
  const assigned = [
    "this.pc = 0;",
    ...given.map((field, i) => `this.${field} = v${i};`),
    ...fields.map(({ name, scope, variable }) =>
      scope === unit.scope && variable?.checked && variable.lexical
        ? `this.${name} = ${module.runtime("UNINITIALIZED")};`
        : `this.${name} = undefined;`
    )
  ]
  module.define(name, `(${parameters.join(", ")}) { ${assigned.join(" ")} }`)
  module.prologue.push([`${module.runtime("frame")}(${name}, ${module.meta}[${unit.index}], `, resume, ");\n"])
  module.machines.set(unit, { machine, fields: [...given, ...fields.map((field) => field.name)] })
}

interface Field {
  readonly name: string
  readonly scope: Scope
  readonly variable: Variable | undefined
}

const machineKeeps = (unit: Unit, scope: Scope): boolean => scope.unit === unit && scope.node.suspends === true

/** The scopes of a unit with the variables that its frame holds. */
const framed = (module: Module, unit: Unit): Array<{ readonly scope: Scope; readonly variables: Array<Variable> }> =>
  module.analysis.scopes.get(unit)!.map((scope) => ({
    scope,
    variables: [...scope.variables.values()].filter(({ storage }) => storage === "field")
  }))

/** What the runtime is told about a function. */
export const describe = (module: Module, node: Node, unit: Unit, factory: string | undefined): void => {
  const { originalPlace } = module.parsed
  const kind = unit.generator
    ? "generator"
    : node["generator"]
    ? "async generator"
    : node["async"]
    ? "async"
    : node.type === "ArrowFunctionExpression"
    ? "arrow"
    : "function"
  const place = originalPlace(node.start)
  const parts: Array<Code> = [
    `name: ${JSON.stringify(unit.name)}`,
    `kind: "${kind}"`,
    `line: ${(place?.line ?? 0) + 1}`
  ]
  const machine = module.machines.get(unit)
  if (factory !== undefined) parts.push(`make: ${factory}`)
  let layout = ""
  if (machine !== undefined) {
    const { fields, machine: { points } } = machine
    layout = fields.join(" ")
    parts.push(`fields: "${layout}"`)
    parts.push(["points: [", points.map((point, i) => [i === 0 ? "" : ", ", pointCode(module, point)]), "]"])
  }
  parts.push(`hash: "${hashOf(module, unit, layout)}"`)
  module.functions[unit.index] = ["{ ", parts.map((part, i) => [i === 0 ? "" : ", ", part]), " }"]
}

/** `[pc, line, column, live fields that are not in every scope]` */
const pointCode = (module: Module, point: Point): Code => {
  const place = module.parsed.originalPlace(point.offset)
  const visible: Array<string> = []
  for (let scope: Scope | undefined = point.scope; scope !== undefined; scope = scope.parent) {
    if (scope !== point.scope.unit.scope && scope.boxed && machineKeeps(point.scope.unit, scope)) {
      visible.push(`s${scope.id}`)
    }
    for (const variable of scope.variables.values()) if (variable.storage === "field") visible.push(variable.field)
    if (scope === point.scope.unit.scope) break
  }
  const live = [...visible, ...point.temporaries.map((i) => `t${i}`)].join(" ")
  return [
    "[",
    point.label,
    `, ${(place?.line ?? -1) + 1}, ${(place?.column ?? -1) + 1}, "${live}"${point.preempted ? ", 1" : ""}]`
  ]
}
