/**
 * The project's own TypeScript, as `check` needs it: a tree, and the types in it. TypeScript 5.9 and 6 are asked by their compiler
 * API, in this process. TypeScript 7 is another program, and is asked by what it calls its unstable API.
 */
import { existsSync, readFileSync, statSync } from "node:fs"
import { createRequire } from "node:module"
import { dirname, join, resolve } from "node:path"
import { pathToFileURL } from "node:url"
import { CommandFailure } from "./failure.ts"

/** A node of the tree. Both have the same names for what is in one. */
export interface Node {
  readonly kind: number
  readonly parent: Node
  readonly expression?: Node
  readonly left?: Node
  readonly right?: Node
  readonly operatorToken?: Node
  readonly operator?: number
  readonly operand?: Node
  readonly condition?: Node
  readonly whenTrue?: Node
  readonly whenFalse?: Node
  readonly arguments?: ReadonlyArray<Node>
  readonly body?: Node
  readonly name?: Node
  readonly asteriskToken?: Node
  forEachChild(visit: (node: Node) => void): void
  getStart(file?: Node): number
  getText(file?: Node): string
}

export interface SourceFile extends Node {
  readonly fileName: string
  readonly text: string
}

export type Type = object

/** What is asked of a project. */
export interface Typing {
  /** The numbers of the kinds of nodes. */
  readonly kinds: Readonly<Record<string, number>>
  readonly files: ReadonlyArray<SourceFile>
  typeOf(node: Node): Type | undefined
  /** What the context wants an expression to be. */
  wantedOf(node: Node): Type | undefined
  /** Of a union its members; of another type, it. */
  membersOf(type: Type): ReadonlyArray<Type>
  has(type: Type, property: string): boolean
  nameOf(type: Type): string | undefined
  /** What its call signatures return. */
  resultsOf(type: Type): ReadonlyArray<Type>
  isNothing(type: Type): boolean
  isVoid(type: Type): boolean
  close(): void
}

/** Opens a project with the TypeScript that is installed there. Throws `CommandFailure`. */
export const openProject = async (where: string): Promise<Typing> => {
  const config = configOf(where)
  const require = createRequire(config)
  let manifest: string
  try {
    manifest = require.resolve("typescript/package.json")
  } catch {
    throw new CommandFailure({ message: `check needs TypeScript in the project: npm install --save-dev typescript` })
  }
  const { version } = JSON.parse(readFileSync(manifest, "utf8")) as { readonly version: string }
  const [major = 0, minor = 0] = version.split(".").map(Number)
  if (major < 5 || major === 5 && minor < 9) {
    throw new CommandFailure({ message: `check needs TypeScript 5.9 or later; the project has ${version}` })
  }
  if (major < 7) return compilerApi(require("typescript"), config)
  const sync = join(dirname(manifest), "dist/api/sync/api.js")
  const ast = join(dirname(manifest), "dist/ast/index.js")
  if (!existsSync(sync) || !existsSync(ast)) {
    throw new CommandFailure({
      message:
        `check does not know how to ask TypeScript ${version}: install one that it knows beside it, npm install --save-dev typescript@6`
    })
  }
  return unstableApi(await import(pathToFileURL(sync).href), await import(pathToFileURL(ast).href), config)
}

/** The `tsconfig.json` of a folder or of one above it, or the one that is named. */
const configOf = (where: string): string => {
  const start = resolve(where)
  if (!existsSync(start)) throw new CommandFailure({ message: `there is no file or folder ${where}` })
  if (!statSync(start).isDirectory()) return start
  for (let folder = start;; folder = dirname(folder)) {
    const config = join(folder, "tsconfig.json")
    if (existsSync(config)) return config
    if (dirname(folder) === folder) {
      throw new CommandFailure({ message: `there is no tsconfig.json in ${where}, nor above it` })
    }
  }
}

const isOwn = (fileName: string): boolean => !fileName.includes("/node_modules/") && !/\.d\.[cm]?ts$/.test(fileName)

// The two APIs have types of their own, which differ with their versions: what is used of them is said here.

const compilerApi = (ts: any, config: string): Typing => {
  const programs: Array<any> = []
  const seen = new Set<string>()
  const open = (config: string): void => {
    if (seen.has(config)) return
    seen.add(config)
    const host = {
      ...ts.sys,
      onUnRecoverableConfigFileDiagnostic(diagnostic: any) {
        throw new CommandFailure({ message: ts.flattenDiagnosticMessageText(diagnostic.messageText, "\n") })
      }
    }
    const parsed = ts.getParsedCommandLineOfConfigFile(config, { noEmit: true }, host)
    if (parsed.fileNames.length > 0) {
      programs.push(ts.createProgram({ rootNames: parsed.fileNames, options: parsed.options }))
    }
    for (const reference of parsed.projectReferences ?? []) open(ts.resolveProjectReferencePath(reference))
  }
  open(config)
  const checkers = new Map<unknown, any>()
  const files = new Map<string, SourceFile>()
  for (const program of programs) {
    for (const file of program.getSourceFiles()) {
      if (!isOwn(file.fileName) || files.has(file.fileName)) continue
      files.set(file.fileName, file)
      checkers.set(file, program.getTypeChecker())
    }
  }
  let checker: any
  /** Types are asked for of the program that a node is of. */
  const at = (node: Node): any => checker = checkers.get((node as any).getSourceFile())
  return {
    kinds: ts.SyntaxKind,
    files: [...files.values()],
    typeOf: (node) => at(node).getTypeAtLocation(node),
    wantedOf: (node) => at(node).getContextualType(node),
    membersOf: (type: any) => type.isUnion() ? type.types : [type],
    has: (type, property) => checker.getPropertyOfType(checker.getApparentType(type), property) !== undefined,
    nameOf: (type: any) => type.getSymbol()?.name,
    resultsOf: (type) =>
      checker.getSignaturesOfType(type, ts.SignatureKind.Call).map((signature: any) =>
        checker.getReturnTypeOfSignature(signature)
      ),
    isNothing: (type: any) => (type.flags & (ts.TypeFlags.Undefined | ts.TypeFlags.Null | ts.TypeFlags.Void)) !== 0,
    isVoid: (type: any) => (type.flags & ts.TypeFlags.Void) !== 0,
    close() {}
  }
}

const unstableApi = (sync: any, ast: any, config: string): Typing => {
  const api = new sync.API({ cwd: dirname(config) })
  const snapshot = api.updateSnapshot({ openProjects: [config] })
  const checkers = new Map<string, any>()
  const files: Array<SourceFile> = []
  for (const { checker, program } of snapshot.getProjects()) {
    for (const name of program.getSourceFileNames()) {
      if (!isOwn(name) || checkers.has(name)) continue
      const file = program.getSourceFile(name)
      if (file === undefined) continue
      checkers.set(name, checker)
      files.push(file)
    }
  }
  let checker: any
  const at = (node: Node): any => checker = checkers.get((node as any).getSourceFile().fileName)
  const { SignatureKind, TypeFlags } = sync
  return {
    kinds: ast.SyntaxKind,
    files,
    typeOf: (node) => at(node).getTypeAtLocation(node),
    wantedOf: (node) => at(node).getContextualType(node),
    membersOf: (type: any) => type.isUnionType() ? type.getTypes() : [type],
    has: (type, property) => checker.getPropertyOfType(checker.getApparentType(type) ?? type, property) !== undefined,
    nameOf: (type: any) => type.getSymbol()?.name,
    resultsOf: (type) =>
      checker.getSignaturesOfType(type, SignatureKind.Call).map((signature: any) =>
        checker.getReturnTypeOfSignature(signature)
      ).filter((type: unknown) => type !== undefined),
    isNothing: (type: any) => (type.flags & (TypeFlags.Undefined | TypeFlags.Null | TypeFlags.Void)) !== 0,
    isVoid: (type: any) => (type.flags & TypeFlags.Void) !== 0,
    close() {
      // Closing ends its input and then kills it. Killed while it ends by itself, it writes "context canceled" at times: the end of
      // its input is enough.
      const child = api.client?.channel?.child
      if (child !== undefined) child.kill = () => true
      api.close()
    }
  }
}
