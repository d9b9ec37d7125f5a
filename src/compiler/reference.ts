/** How code of a unit refers to scope objects and to variables. */
import type { Node } from "./ast.ts"
import type { Code } from "./code.ts"
import type { Module } from "./module.ts"
import type { Scope, Variable } from "./scope.ts"
import type { Unit } from "./unit.ts"

/** Is the scope object a field of its generator's frame? */
export const inFrame = (module: Module, scope: Scope): boolean => {
  const { node, unit } = scope
  return unit.generator && module.wrapping !== unit && (scope === unit.scope || node.suspends === true)
}

/** The scope object of a scope, as code of `unit` refers to it. */
export const scopeCode = (module: Module, unit: Unit, scope: Scope): string => {
  if (scope.unit === unit) {
    return inFrame(module, scope) && !scope.local
      ? `${module.frame}.s${scope.id}`
      : module.scopeName(scope)
  }
  if (!unit.generator || module.wrapping === unit) return visibleScope(module, unit, scope)
  const outer = unit.outer!
  const from = unit.scope.boxed ? `s${unit.scope.id}.up` : `s${outer.id}`
  return `${module.frame}.${from}${steps(outer, scope)}`
}

/** The same where the function `unit` stands, in code that is not its frame's. */
export const visibleScope = (module: Module, unit: Unit, scope: Scope): string => {
  if (!unit.inPlace) return module.scopeName(unit.outer!) + steps(unit.outer!, scope)
  const { outer, parent } = unit
  // In a frame's code, what stays in place is put into a function that has the innermost scope object as a parameter.
  if (parent!.generator && outer !== undefined) return module.scopeName(outer) + steps(outer, scope)
  return scopeCode(module, parent!, scope)
}

/** The way from a scope object to one around it. */
const steps = (from: Scope, to: Scope): string => {
  let code = ""
  for (let at = from; at !== to; at = around(at)!) code += ".up"
  return code
}

/** The next scope object outside of one. */
export const around = (scope: Scope): Scope | undefined => {
  const { unit } = scope
  let at = scope === unit.scope ? undefined : scope.parent
  while (at !== undefined && !at.boxed) at = at === unit.scope ? undefined : at.parent
  return at ?? (unit.needsOuter ? unit.outer : undefined)
}

/** Where a variable that is not native is kept. */
export const placeCode = (module: Module, unit: Unit, variable: Variable): string =>
  variable.storage === "missing"
    ? module.runtime("UNINITIALIZED")
    : variable.local !== undefined
    ? variable.local
    : variable.mapped !== undefined
    ? `${placeCode(module, unit, variable.mapped.to)}[${variable.mapped.index}]`
    : variable.storage === "field"
    ? `${module.frame}.${variable.field}`
    : `${scopeCode(module, unit, variable.scope)}.${variable.field}`

/** Reads a variable that is not native. */
export const readCode = (module: Module, unit: Unit, node: Node): Code => {
  const variable = node.variable!
  const place = placeCode(module, unit, variable)
  return node.checked ? [node.start, `${module.runtime("checked")}(${place}, "${variable.name}")`] : [node.start, place]
}

/** Makes the object of a scope that is entered. */
export const makeScope = (module: Module, unit: Unit, scope: Scope, native: (variable: Variable) => string): string => {
  const outer = around(scope)
  const given = givenAtCreation(scope).map(native)
  const args = outer === undefined ? given : [scopeCode(module, unit, outer), ...given]
  return `new ${module.scopeClass(scope)}(${args.join(", ")})`
}

/** The variables whose values the scope object is made with; of a loop's all, since each iteration makes a copy. */
export const givenAtCreation = (scope: Scope): ReadonlyArray<Variable> =>
  scope.boxes.filter(({ kind }) => scope.kind === "loop" || scope.kind === "function" && GIVEN.has(kind))

/** Kinds of variables that a function has from its call. */
export const GIVEN: ReadonlySet<string> = new Set(["parameter", "self", "this", "arguments", "new.target"])

/** How code from outside of a class reaches a private name of it. */
export const ACCESSES = ["get", "set", "has", "call"] as const

/** The class of the objects of a scope. */
export const defineScope = (module: Module, scope: Scope): void => {
  const given = new Set(givenAtCreation(scope))
  const names: Array<string> = []
  const parameters: Array<string> = []
  const outer = around(scope) !== undefined
  if (outer) parameters.push("up")
  let body = outer ? " this.up = up;" : ""
  let i = 0
  for (const variable of scope.boxes) {
    if (variable.kind !== "private") names.push(variable.field)
    if (given.has(variable)) {
      parameters.push(`v${i}`)
      body += ` this.${variable.field} = v${i++};`
    } else {
      if (variable.kind === "private") {
        // Functions that reach the private name, given by the class itself.
        for (const access of ACCESSES) body += ` this.${variable.field}_${access} = undefined;`
        continue
      }
      const initial = variable.checked && variable.lexical ? module.runtime("UNINITIALIZED") : "undefined"
      body += ` this.${variable.field} = ${initial};`
    }
  }
  module.define(module.scopeClass(scope), `(${parameters.join(", ")}) {${body} }`)
  module.scopes.push(`[${module.scopeClass(scope)}, "${names.join(" ")}", ${scope.unit.index}]`)
}
