/**
 * What there is of compiled code: modules, their functions by id, closures and scope objects. Compiled modules register here
 * when they are loaded; who wants to know something of a frame or a function asks here.
 */
import { type DataFrame, DESCRIBE, type Description, type Mode } from "../greenlet/kernel/data-frame.ts"
import { framePrototype, GeneratorFunctionPrototype, Given, moveFrame } from "./frame.ts"

/** The version of what compiled code and this runtime agree on. */
export const FORMAT = 3

/**
 * A function of a compiled module, or a class on top of it.
 *
 * @category models
 * @since 0.1.0
 */
export interface FunctionMeta {
  /** Its name within the module, with those of the functions and classes around it. */
  readonly name: string
  readonly kind: "generator" | "async generator" | "async" | "arrow" | "function" | "class"
  /** Where it begins, from 1 on. */
  readonly line: number
  /** A hash of its code, which white space and comments do not change, and of what its frames hold. */
  readonly hash: string
  /** The fields of its frames in their order, but for `pc`. */
  readonly fields?: ReadonlyArray<string>
  /** Where its frames can be suspended: `pc`, line, column, and the fields that are in use there. */
  readonly points?: ReadonlyArray<ResumePoint>
  /** Makes it anew from the scope object around it. */
  readonly make?: (scope?: object) => (...args: ReadonlyArray<unknown>) => unknown
  /** The module that it is of. */
  readonly module: ModuleMeta
  /** The function itself, where there is only one: it stands on top of its module. */
  readonly value?: (...args: ReadonlyArray<unknown>) => unknown
  /** The class of its frames. */
  readonly frame?: new(...args: ReadonlyArray<unknown>) => DataFrame
}

export interface ResumePoint {
  readonly pc: number
  readonly line: number
  readonly column: number
  readonly live: ReadonlyArray<string>
  /** Is it the head of a loop, where frames are preempted? */
  readonly preempted: boolean
}

export interface ModuleMeta {
  readonly package: string
  /** Its path within the package. */
  readonly name: string
  readonly functions: ReadonlyArray<FunctionMeta>
}

/** The class of a scope object, and the fields that hold its variables. */
export interface ScopeMeta {
  readonly module: ModuleMeta
  /** Package, module, the function that it is of, and its place among those of that function. */
  readonly id: string
  readonly fields: ReadonlyArray<string>
  readonly class: new(...args: ReadonlyArray<unknown>) => object
}

type Mutable<A> = { -readonly [K in keyof A]: A[K] }

/** What a compiled module says of itself. */
export interface Registration {
  readonly format: number
  readonly package: string
  readonly module: string
  readonly functions: ReadonlyArray<
    Omit<FunctionMeta, "fields" | "points" | "module"> & {
      readonly fields?: string
      readonly points?: ReadonlyArray<readonly [pc: number, line: number, column: number, live: string, preempted?: 1]>
    }
  >
  readonly scopes: ReadonlyArray<
    readonly [of: new(...args: ReadonlyArray<unknown>) => object, fields: string, functionIndex: number]
  >
}

const modules = new Map<string, ModuleMeta>()
const functions = new Map<string, FunctionMeta>()
// a module that is loaded anew takes the place of the old one, which can be collected
const scopes = new WeakMap<object, ScopeMeta>()
const scopesById = new Map<string, ScopeMeta>()
const resumes = new WeakMap<object, FunctionMeta>()

/** The id of a function: package, module, name. */
export const idOf = (meta: FunctionMeta): string => `${meta.module.package}/${meta.module.name}#${meta.name}`

const words = (text: string): Array<string> => text === "" ? [] : text.split(" ")

/** Called on top of every compiled module. */
export const register = (registration: Registration): ReadonlyArray<FunctionMeta> => {
  const { format, module: name, package: package_ } = registration
  if (format !== FORMAT) {
    throw new Error(
      `${package_}/${name} was compiled for format ${format} of effect-stackless/frames, and this one has format ${FORMAT}: compile it again with the version that it runs with`
    )
  }
  const metas: Array<FunctionMeta> = []
  const module: ModuleMeta = { package: package_, name, functions: metas }
  for (const one of registration.functions) {
    const { fields, points, ...others } = one
    const meta: Mutable<FunctionMeta> = { ...others, module }
    if (fields !== undefined) meta.fields = words(fields)
    if (points !== undefined) {
      meta.points = points.map(([pc, line, column, live, preempted]) => ({
        pc,
        line,
        column,
        live: words(live),
        preempted: preempted === 1
      }))
    }
    metas.push(meta)
    functions.set(idOf(meta), meta)
  }
  const counts = new Map<number, number>()
  for (const [of, fields, index] of registration.scopes) {
    const count = counts.get(index) ?? 0
    counts.set(index, count + 1)
    const owner = metas[index]
    const id = `${owner === undefined ? `${package_}/${name}#` : idOf(owner)}:${count}`
    const meta: ScopeMeta = { module, id, fields: words(fields), class: of }
    scopes.set(of.prototype, meta)
    scopesById.set(id, meta)
  }
  modules.set(`${package_}/${name}`, module)
  return metas
}

const shortName = ({ name }: FunctionMeta): string => name.slice(name.lastIndexOf(".") + 1)

const describeFrame = function(this: DataFrame): Description {
  const { file, line, column, locals, function: meta } = frameInfo(this)!
  return { name: shortName(meta), file, line, column, locals }
}

/** The class of a function's frames gets its prototype. */
export const frame = (
  of: new(...args: ReadonlyArray<unknown>) => DataFrame,
  meta: FunctionMeta,
  resume: (mode: Mode, value: unknown) => unknown
): void => {
  Object.defineProperty(resume, "name", { value: shortName(meta), configurable: true })
  of.prototype = Object.defineProperty(framePrototype(resume) as DataFrame, DESCRIBE, { value: describeFrame })
  ;(meta as Mutable<FunctionMeta>).frame = of
  resumes.set(resume, meta)
}

type AnyFunction = (...args: ReadonlyArray<unknown>) => unknown

/** A closure knows its function and the scope object around it, in private fields that the program cannot see. */
class Closure extends Given {
  #meta: FunctionMeta
  #scope: object | undefined

  constructor(value: AnyFunction, meta: FunctionMeta, scope: object | undefined) {
    super(value)
    this.#meta = meta
    this.#scope = scope
  }

  static metaOf(value: object): FunctionMeta | undefined {
    return #meta in value ? value.#meta : undefined
  }

  static scopeOf(value: object): object | undefined {
    return #meta in value ? value.#scope : undefined
  }
}

let newClasses: Array<WeakRef<Function>> = []

/** The classes of compiled modules that nobody has taken from here yet. */
export const takeClasses = (): ReadonlyArray<Function> => {
  const taken = newClasses.flatMap((ref) => ref.deref() ?? [])
  newClasses = []
  return taken
}

/** Marks a function of a compiled module. */
export const closure = <F extends AnyFunction>(value: F, meta: FunctionMeta, scope?: object): F => {
  if (meta.make === undefined) (meta as Mutable<FunctionMeta>).value = value
  if (meta.kind === "class") newClasses.push(new WeakRef(value))
  void new Closure(value, meta, scope)
  return value
}

/** Marks a class with decorators: they may have put another one in its place, which is marked as what it is. */
export const decorated = (value: AnyFunction, meta: FunctionMeta): void => {
  if (Closure.metaOf(value) === undefined) closure(value, meta)
}

/** Marks a function that makes frames: it looks like a generator function. */
export const generator = <F extends AnyFunction>(value: F, meta: FunctionMeta, scope?: object): F => {
  if (Object.hasOwn(value, "prototype")) (value as { prototype?: unknown }).prototype = meta.frame!.prototype
  else Object.defineProperty(value, "prototype", { value: meta.frame!.prototype, writable: true })
  Object.setPrototypeOf(value, GeneratorFunctionPrototype)
  return closure(value, meta, scope)
}

/** A frame's prototype is what its function says. */
export const adopt = <A extends object>(made: A, value: { readonly prototype?: unknown } | undefined): A => {
  if (value === undefined) return made
  const { prototype } = value
  if (prototype === Object.getPrototypeOf(made)) return made
  if (typeof prototype !== "function" && (typeof prototype !== "object" || prototype === null)) return made
  moveFrame(made, prototype)
  return made
}

/** A generator function is no constructor. */
export const constructed = (value: unknown): never => {
  throw new TypeError(`${typeof value === "function" ? value.name : "it"} is not a constructor`)
}

// --- reflection

/**
 * Where a frame stands.
 *
 * @category models
 * @since 0.1.0
 */
export interface FrameInfo {
  readonly function: FunctionMeta
  readonly pc: number
  /** The file within its package, and where in it; 0 where the frame is not suspended. */
  readonly file: string
  readonly line: number
  readonly column: number
  /** The variables in scope there, by name. */
  readonly locals: Readonly<Record<string, unknown>>
}

/** What is known of a compiled frame; nothing, if it is none. */
export const frameInfo = (frame: unknown): FrameInfo | undefined => {
  if (typeof frame !== "object" || frame === null) return undefined
  const resume = (frame as Partial<DataFrame>)["~resume"]
  const meta = resume === undefined ? undefined : resumes.get(resume)
  if (meta === undefined) return undefined
  const { pc } = frame as DataFrame
  const point = meta.points!.find((point) => point.pc === pc)
  const locals: Record<string, unknown> = {}
  const take = (fields: ReadonlyArray<string>, of: object): void => {
    for (const field of fields) {
      const value = (of as Record<string, unknown>)[field]
      if (/^s\d+$/.test(field)) takeScope(value)
      else if (field.startsWith("$")) locals[nameOf(field)] ??= value
      else if (field === "self") locals["this"] = value
      else if (field === "args") locals["arguments"] = value
    }
  }
  const takeScope = (scope: unknown): void => {
    for (let at = scope; typeof at === "object" && at !== null; at = (at as { up?: unknown }).up) {
      const known = scopes.get(Object.getPrototypeOf(at))
      if (known !== undefined) take(known.fields, at)
    }
  }
  if (pc !== -1) {
    const { fields = [] } = meta
    take(point?.live ?? fields, frame)
    // the scope object that it was made with is in use everywhere
    if (point !== undefined) take(fields.slice(0, 1).filter((field) => /^s\d+$/.test(field)), frame)
  }
  return {
    function: meta,
    pc,
    file: meta.module.name,
    line: point?.line ?? (pc === 0 ? meta.line : 0),
    column: point?.column ?? 0,
    locals
  }
}

/** The name of the variable that a field holds. */
const nameOf = (field: string): string => field.slice(1).replace(/_\d+_$/, "")

/** What is known of a function of a compiled module: what it is, and the scope object around it. */
export const functionInfo = (
  value: unknown
): { readonly function: FunctionMeta; readonly scope: object | undefined } | undefined => {
  if (typeof value !== "function") return undefined
  const meta = Closure.metaOf(value)
  return meta === undefined ? undefined : { function: meta, scope: Closure.scopeOf(value) }
}

/**
 * What a bound function is made of.
 *
 * @category models
 * @since 0.1.0
 */
export interface BoundInfo {
  readonly target: Function
  readonly self: unknown
  readonly args: ReadonlyArray<unknown>
}

/** A bound function knows what it is made of, in a private field. */
class Bound extends Given {
  #info: BoundInfo
  constructor(value: Function, info: BoundInfo) {
    super(value)
    this.#info = info
  }
  static infoOf(value: object): BoundInfo | undefined {
    return #info in value ? value.#info : undefined
  }
}

const functionBind = Function.prototype.bind

/** `f.bind(self, …args)` in compiled code. */
export const bind = (f: any, ...given: ReadonlyArray<unknown>): unknown => {
  const method: unknown = f.bind
  if (method !== functionBind || typeof f !== "function") {
    if (typeof method !== "function") throw new TypeError("bind is not a function")
    return Reflect.apply(method, f, given)
  }
  const made: Function = Reflect.apply(functionBind, f, given)
  const [self, ...args] = given
  const before = Bound.infoOf(f)
  // what is bound twice has the first `this`
  const info = before === undefined ? { target: f, self, args } : { ...before, args: [...before.args, ...args] }
  void new Bound(made, info)
  return made
}

/** What a function is made of that compiled code has bound. */
export const boundInfo = (value: Function): BoundInfo | undefined => Bound.infoOf(value)

/** A bound function whose parts are given later: those of a pickle may refer to it. */
export const rebound = (): { readonly value: Function; readonly fill: (info: BoundInfo) => void } => {
  const info: { -readonly [K in keyof BoundInfo]: BoundInfo[K] } = { target: rebound, self: undefined, args: [] }
  const value = (...args: ReadonlyArray<unknown>): unknown =>
    Reflect.apply(info.target, info.self, [...info.args, ...args])
  void new Bound(value, info)
  return { value, fill: (given) => Object.assign(info, given) }
}

/** What is known of a scope object. */
export const scopeInfo = (value: unknown): ScopeMeta | undefined =>
  typeof value === "object" && value !== null ? scopes.get(Object.getPrototypeOf(value)) : undefined

/** The scope objects with an id. */
export const lookupScope = (id: string): ScopeMeta | undefined => scopesById.get(id)

/** The function with an id. */
export const lookup = (id: string): FunctionMeta | undefined => functions.get(id)
