/** Source in, code and map out. */
import { analyze } from "./analyze.ts"
import type { Node } from "./ast.ts"
import { describe, functionText } from "./closure.ts"
import { type Code, mapOf, print, type SourceMap } from "./code.ts"
import { CompileError } from "./errors.ts"
import { FORMAT } from "./format.ts"
import { Module } from "./module.ts"
import { moduleName } from "./names.ts"
import { type Format, parse } from "./parse.ts"
import { defineScope } from "./reference.ts"
import { Rewriter } from "./rewrite.ts"

/** What `compile` is told. */
export interface CompileOptions {
  /** The file that the source is of: errors, the source map and the names of functions say it, and its extension its language. */
  readonly filename: string
  /** Compile every generator function, whether the directive is there or not. */
  readonly all?: boolean
  /** Let loops be preempted: by default, yes. `false` takes the checks out. */
  readonly preempt?: boolean
  /** How the file is loaded; by default as its extension says, or else by whether it has an `import` or `export`. */
  readonly format?: Format
  /** Make a source map; by default, yes. */
  readonly sourceMap?: boolean
}

export interface Compiled {
  readonly code: string
  readonly map: SourceMap
  /** Is it a module, or CommonJS or a script? */
  readonly module: boolean
}

const OPTIONS = new Set(["filename", "all", "preempt", "format", "sourceMap"])

/**
 * Compiles the generator functions of a module into functions that make frames, which are plain data. Those that
 * `"use stackless"` stands over are; with `all`, all of them. A module that has none comes
 * back without its types, and otherwise as it is.
 *
 * Throws a `CompileError` where something cannot be compiled.
 *
 * @example
 * ```ts
 * import { compile } from "effect-stackless/compiler"
 *
 * const { code } = compile(`"use stackless"; export function* f() { yield 1 }`, { filename: "f.js" })
 * console.log(code.includes("function*")) // => false
 * ```
 *
 * @category compiler
 * @since 0.1.0
 */
export const compile = (code: string, options: CompileOptions): Compiled => {
  const { all, filename, format, preempt, sourceMap } = checked(code, options)
  const given = parse(code, filename, format)
  const analysis = analyze(given, all, preempt)
  const parsed = { ...given, source: without(analysis.directives, given.source) }
  const result = (text: string, mappings: string): Compiled => ({
    code: text,
    map: mapOf(filename, code, sourceMap ? mappings : ""),
    module: parsed.module
  })
  if (!analysis.any) return result(parsed.source, parsed.mappings)
  const module = new Module(parsed, analysis, preempt)
  module.functionText = (node, unit, _parent) => functionText(module, node, unit, _parent)
  let index = 0
  const taken = new Map<string, number>()
  for (const unit of analysis.units) {
    const { label, node, parent } = unit
    const own = node["id"]?.name ?? (typeof node.naming === "string" ? node.naming : label ?? "")
    const name = `${parent?.name ? `${parent.name}.` : ""}${own || "<anonymous>"}`
    const count = taken.get(name) ?? 0
    taken.set(name, count + 1)
    // Functions of one name are told apart by their order.
    unit.name = count === 0 ? name : `${name}~${count}`
    if (unit.kind !== "initializer") unit.index = index++
    else if (analysis.scopes.get(unit)!.some(({ boxed }) => boxed)) {
      unit.index = index++
      describe(module, node, unit, undefined)
    }
  }
  for (const [node, name] of analysis.classes) {
    const count = taken.get(name) ?? 0
    taken.set(name, count + 1)
    module.classes.set(node, index)
    const line = (parsed.originalPlace(node.start)?.line ?? 0) + 1
    const id = JSON.stringify(count === 0 ? name : `${name}~${count}`)
    module.functions[index++] = `{ name: ${id}, kind: "class", line: ${line}, hash: "" }`
  }
  for (const scopes of analysis.scopes.values()) {
    for (const scope of scopes) if (scope.boxed) defineScope(module, scope)
  }
  const { program } = parsed
  const at = afterDirectives(program, parsed.source)
  const rewriter = new Rewriter(module, analysis.program)
  const body = rewriter.piece(
    at,
    program.end,
    () => rewriter.walkAll(program["body"].filter((node: Node) => node.start >= at))
  )
  const head = rewriter.piece(0, at, () => {})
  const whole: Code = [head, at > 0 ? "\n" : "", prologue(module), body]
  const printed = print(whole, parsed)
  return result(printed.code, printed.mappings)
}

interface Checked {
  readonly all: boolean
  readonly filename: string
  readonly format: Format | undefined
  readonly preempt: boolean
  readonly sourceMap: boolean
}

const checked = (code: unknown, options: CompileOptions): Checked => {
  const filename = typeof options?.filename === "string" ? options.filename : ""
  const fail = (reason: string): never => {
    throw new CompileError(reason, filename || "(unknown)", typeof code === "string" ? code : "", 0)
  }
  if (typeof code !== "string") {
    fail(`compile takes the source as a string; got ${code === null ? "null" : typeof code}`)
  }
  if (filename === "") fail("compile takes { filename }, the name of the file that the source is of")
  for (const name of Object.keys(options)) {
    if (!OPTIONS.has(name)) fail(`compile has no option "${name}"; there are ${[...OPTIONS].join(", ")}`)
  }
  for (const name of ["all", "preempt", "sourceMap"] as const) {
    const value: unknown = options[name]
    if (value !== undefined && typeof value !== "boolean") {
      fail(`the option "${name}" is true or false; got ${String(value)}`)
    }
  }
  const { format } = options
  if (format !== undefined && format !== "module" && format !== "commonjs") {
    fail(`the option "format" is "module" or "commonjs"; got ${String(format)}`)
  }
  return {
    all: options.all ?? false,
    filename,
    format,
    preempt: options.preempt ?? true,
    sourceMap: options.sourceMap ?? true
  }
}

/** The text with white space where those nodes stand: what is compiled is not compiled again. */
const without = (nodes: Iterable<Node>, source: string): string => {
  let text = source
  for (const { end, start } of nodes) text = text.slice(0, start) + " ".repeat(end - start) + text.slice(end)
  return text
}

/** Where code of our own may begin: behind `#!` and the directives. */
const afterDirectives = (program: Node, source: string): number => {
  let at = 0
  if (source.startsWith("#!")) at = source.indexOf("\n") + 1 || source.length
  for (const statement of program["body"] as ReadonlyArray<Node>) {
    if (statement["directive"] === undefined) break
    at = statement.end
  }
  return at
}

const prologue = (module: Module): Code => {
  const { parsed } = module
  const register = module.runtime("register")
  const names = moduleName(parsed.filename)
  const registered: Code = [
    `${register}({ format: ${FORMAT}, package: ${JSON.stringify(names.package)}, `,
    `module: ${JSON.stringify(names.module)}, functions: [`,
    module.functions.map((one) => [one, ",\n"]),
    `], scopes: [${module.scopes.join(", ")}] });\n`
  ]
  const { begin, meta } = module
  const code: Code = parsed.module
    ? [
      `var ${meta};\nfunction ${begin}() {\n${meta} = `,
      registered,
      module.prologue,
      `return ${meta};\n}\n${meta} ?? ${begin}();\n`
    ]
    : [`const ${meta} = `, registered, module.prologue]
  const imports = [...module.imports].map(([name, local]) => `${name}${parsed.module ? " as" : ":"} ${local}`).join(
    ", "
  )
  const imported = parsed.module
    ? `import { ${imports} } from "effect-stackless/frames";\n`
    : `const { ${imports} } = require("effect-stackless/frames");\n`
  return [imported, module.definitions, code]
}
