/**
 * What compiled modules make: frames, scope objects, closures, cursors. Each is of a function that is named by its package, its
 * module and its own name, and of one version of it, which is named by a hash.
 */
import {
  ArrayCursor,
  type DataFrame,
  delegate,
  delegateOf,
  END,
  frameInfo,
  functionInfo,
  type FunctionMeta,
  idOf,
  IndexCursor,
  IteratorCursor,
  KeyCursor,
  lookup,
  lookupScope,
  type Part,
  scopeInfo,
  type ScopeMeta,
  StringCursor,
  UNINITIALIZED
} from "../frames/index.ts"
import { UnpicklingError } from "./errors.ts"
import type { Kind, Migration } from "./kind.ts"
import { nameOwn } from "./names.ts"
import { Unpicklable } from "./unpicklable.ts"

nameOwn("frames:UNINITIALIZED", UNINITIALIZED)
nameOwn("frames:END", END)

// ---- scope objects --------------------------------------------------------------------------------------------------

export const scopeKind: Kind = {
  name: "scope",
  code: 48,
  write(pickler, scope, family) {
    pickler.begin(family)
    pickler.properties(scope, family, pickler.scopeNumber(scopeInfo(scope)!))
  },
  check(type, names) {
    const meta = names.scope(type.extra)
    const fields = Object.keys(new meta.class())
    const same = type.keys !== undefined && type.keys.length === fields.length &&
      type.keys.every((key, i) => key === fields[i])
    if (!same) {
      throw new UnpicklingError(
        `the variables of ${meta.id} were ${type.keys?.map(String).join(", ")} when the pickle was made, and are ${
          fields.join(", ")
        } now`
      )
    }
  },
  scan(scanner, type) {
    scanner.properties(type)
  },
  make: (loader, type) => new (loader.names.scope(type.extra).class)(),
  fill(loader, scope, type) {
    loader.properties(scope, type)
  },
  tell: (_seen, { extra }, names) => ({ about: placeOf(names[extra]) }),
  locate: (scope, inner) => variableOf(scope, Object.keys(scope), inner)
}

/** What an id says for who only looks: function, file and hash. */
const placeOf = (name: { readonly name: string; readonly hash?: string } | undefined): Record<string, string> => {
  if (name === undefined) return {}
  const [file = ""] = name.name.split("#")
  return { function: name.name, file, ...(name.hash === undefined ? {} : { hash: name.hash }) }
}

export const isScope = (o: object): boolean => scopeInfo(o) !== undefined

// ---- frames ---------------------------------------------------------------------------------------------------------

/** How many places a function can be suspended at, as the number of a frame's type says function and place. */
const PLACES = 2 ** 20

const frames = new WeakMap<FunctionMeta, ReadonlyMap<number, ReadonlyArray<string>>>()

/** The fields that are in use at each place. */
const livesOf = (meta: FunctionMeta): ReadonlyMap<number, ReadonlyArray<string>> => {
  let found = frames.get(meta)
  if (found === undefined) {
    const { fields = [], points = [] } = meta
    // the scope object that it was made with is in use everywhere, and stands first
    const always = fields.slice(0, /^s\d+$/.test(fields[0] ?? "") ? 1 : 0)
    const lives = new Map<number, ReadonlyArray<string>>(
      points.map(({ live, pc }) => [pc, [...always, ...live.filter((field) => !always.includes(field))]])
    )
    lives.set(0, fields)
    lives.set(-1, [])
    frames.set(meta, found = lives)
  }
  return found
}

const RUNNING = -2

/** The prototype of a function's frames is none. */
export const metaOfFrame = (o: object): FunctionMeta | undefined =>
  Object.hasOwn(o, "pc") ? frameInfo(o)?.function : undefined

export const frameKind: Kind<DataFrame> = {
  name: "frame",
  code: 49,
  isFrame: true,
  write(pickler, frame, family) {
    const meta = family.meta!
    const pc = pickler.placeOf(frame)
    if (pc === RUNNING) {
      throw new Unpicklable("a frame that is running cannot be pickled: dump its tasklet from another one")
    }
    const live = livesOf(meta).get(pc)
    if (live === undefined) throw new Unpicklable(`a frame of ${meta.name} stands at ${pc}, where none can stand`)
    pickler.begin(family)
    const fields = frame as unknown as Record<string, unknown>
    for (const field of live) pickler.value(fields[field])
    pickler.value(pc > 0 ? delegateOf(frame) : undefined)
    pickler.keyed(family, pickler.codeNumber(meta) * PLACES + pc + 2, live)
  },
  check(type, names) {
    const meta = names.code(Math.floor(type.extra / PLACES))
    if (names.migration(Math.floor(type.extra / PLACES)) !== undefined && type.keys !== undefined) return
    const live = livesOf(meta).get(type.extra % PLACES - 2)
    if (
      meta.frame === undefined || live === undefined || type.keys === undefined || type.keys.length !== live.length ||
      !type.keys.every((key, i) => key === live[i])
    ) throw new UnpicklingError(`the pickle has a frame of ${idOf(meta)} at a place where none can stand`)
  },
  scan(scanner, type) {
    for (let n = type.keys!.length; n >= 0; n--) scanner.value()
  },
  make(loader, type) {
    const frame = new (loader.names.code(Math.floor(type.extra / PLACES)).frame!)()
    frame.pc = type.extra % PLACES - 2
    return frame
  },
  fill(loader, frame, type) {
    const code = Math.floor(type.extra / PLACES)
    const migration = loader.names.migration(code)
    if (migration !== undefined) {
      const locals: Record<string, unknown> = Object.create(null)
      for (const key of type.keys!) locals[variableName(String(key))] = loader.value()
      loader.value()
      loader.whenFilled(() => migrated(frame, loader.names.code(code), migration, locals))
      return
    }
    const fields = frame as unknown as Record<PropertyKey, unknown>
    for (const key of type.keys!) fields[key] = loader.value()
    const iterator = loader.value()
    if (iterator !== undefined) {
      if (typeof (iterator as Partial<Iterator<unknown>> | null)?.next !== "function") {
        throw new UnpicklingError("a frame of the pickle delegates to what is no iterator")
      }
      delegate(frame, iterator as Iterator<unknown>)
    }
  },
  tell(seen, { extra, keys = [] }, names) {
    const pc = extra % PLACES - 2
    const properties: Record<string, string> = Object.create(null)
    keys.forEach((key, i) => properties[variableName(key)] = seen[i]!)
    const delegate = seen[keys.length]!
    return {
      about: {
        ...placeOf(names[Math.floor(extra / PLACES)]),
        at: pc === 0 ? "its beginning" : pc === -1 ? "its end" : pc,
        ...(delegate === "undefined" ? {} : { delegates: delegate })
      },
      properties,
      elements: []
    }
  },
  describe(frame) {
    const info = frameInfo(frame)!
    const place = info.line === 0 ? info.file : `${info.file}:${info.line}`
    return `frame ${info.function.name} (${place})`
  },
  locate: (frame, inner) => variableOf(frame, Object.keys(frame), inner) ?? "what it delegates to"
}

/** The name of the variable that a field holds. */
const variableName = (field: string): string => field.startsWith("$") ? field.slice(1).replace(/_\d+_$/, "") : field

/** Has the reader make a frame of the function as it is now. */
const migrated = (
  frame: DataFrame,
  meta: FunctionMeta,
  { hash, migrate }: Migration,
  locals: Readonly<Record<string, unknown>>
): void => {
  const { points = [] } = meta
  const { locals: now, pc } = migrate({ function: idOf(meta), hash, pc: frame.pc, locals, points })
  const live = livesOf(meta).get(pc)
  if (live === undefined) {
    throw new UnpicklingError(`the migration of ${idOf(meta)} gave ${pc}, where no frame of it can stand`)
  }
  const fields = frame as unknown as Record<string, unknown>
  for (const field of live) fields[field] = now[variableName(field)]
  frame.pc = pc
}

/** The variable in a field, for errors. */
const variableOf = (holder: object, fields: ReadonlyArray<string>, value: unknown): string | undefined => {
  const field = fields.find((field) => Reflect.getOwnPropertyDescriptor(holder, field)?.value === value)
  if (field === undefined) return undefined
  if (field === "self") return "this"
  if (field === "args") return "arguments"
  return field.startsWith("$") ? `local ${variableName(field)}` : undefined
}

// ---- closures -------------------------------------------------------------------------------------------------------

export const closureKind: Kind<Function> = {
  name: "function",
  code: 50,
  late: true,
  write(pickler, f, family) {
    const info = functionInfo(f)
    if (info === undefined) throw new Unpicklable(notCompiled(f))
    const { function: meta, scope } = info
    if (meta.make === undefined) {
      throw new Unpicklable(
        `the function ${meta.name} cannot be made anew by itself: it is part of a class or an object`
      )
    }
    pickler.begin(family)
    pickler.value(scope)
    pickler.properties(
      f,
      family,
      pickler.codeNumber(meta),
      undefined,
      (key, descriptor) => isGiven(f, key, descriptor)
    )
  },
  check(type, names) {
    const meta = names.code(type.extra)
    if (meta.make === undefined) {
      throw new UnpicklingError(`the pickle has a function ${idOf(meta)}, which cannot be made anew by itself`)
    }
  },
  scan(scanner, type) {
    scanner.optionalRecord(scopeKind)
    scanner.properties(type)
  },
  make(loader, type) {
    const scope = loader.value() as object | undefined
    return loader.names.code(type.extra).make!(scope)
  },
  fill(loader, f, type) {
    loader.value()
    loader.properties(f, type)
  },
  tell: ([scope = "undefined"], { extra }, names) => ({
    about: { ...placeOf(names[extra]), ...(scope === "undefined" ? {} : { scope }) },
    elements: []
  }),
  describe: (f) => `function ${String(Reflect.getOwnPropertyDescriptor(f, "name")?.value)}`
}

const sourceOf = (f: Function): string => Function.prototype.toString.call(f)

const notCompiled = (f: Function): string => {
  const name: unknown = Reflect.getOwnPropertyDescriptor(f, "name")?.value
  const source = sourceOf(f)
  if (source.startsWith("class")) {
    return `the class ${name} cannot be found by its name: define it on top of a compiled module, or name it with persistent`
  }
  if (/^[gs]et\s/.test(source) && /^[gs]et /.test(String(name))) {
    return `the accessor ${name} cannot be pickled, in compiled modules as well: put it into a class on top of one, or name it with persistent`
  }
  return source.endsWith("{ [native code] }")
    ? `the function ${name} is the engine's, and says not what it is made of: name it with persistent, or write a function that calls it`
    : `the function ${name} is of no compiled module: compile its module, or name it with persistent`
}

/** Does a function have this property anyway, when it is made? */
const isGiven = (f: Function, key: PropertyKey, { value }: PropertyDescriptor): boolean => {
  if (key === "name" || key === "length" || key === "arguments" || key === "caller") return true
  if (key !== "prototype") return false
  if (typeof value !== "object" || value === null) return false
  // what its frames inherit from
  if (value === functionInfo(f)!.function.frame?.prototype) return true
  const keys = Reflect.ownKeys(value)
  return keys.length === 0 || keys.length === 1 && keys[0] === "constructor" &&
      Reflect.getOwnPropertyDescriptor(value, "constructor")!.value === f
}

// ---- cursors --------------------------------------------------------------------------------------------------------

const plainCursor = (
  Class: new(...args: ReadonlyArray<any>) => object,
  code: number,
  fields: ReadonlyArray<string>
): Kind<Record<string, unknown>> => ({
  name: "cursor",
  code,
  prototype: Class.prototype,
  write(pickler, cursor, family) {
    pickler.begin(family)
    for (const field of fields) pickler.value(cursor[field])
    pickler.keyed(family, 0, fields)
  },
  check({ keys }) {
    if (keys === undefined || keys.length !== fields.length || !keys.every((key, i) => key === fields[i])) {
      throw new UnpicklingError("the pickle has a for…of or for…in that is none")
    }
  },
  scan(scanner, type) {
    scanner.properties(type)
  },
  make: () => Object.create(Class.prototype),
  fill(loader, cursor) {
    for (const field of fields) cursor[field] = loader.value()
  },
  describe: () => "for…of"
})

const PARTS: ReadonlyArray<Part> = ["entries", "keys", "values"]

/** A native iterator that is held: nothing says where it stands, but how many it still brings. */
const iteratorCursorKind: Kind<IteratorCursor> = {
  name: "cursor",
  code: 54,
  prototype: IteratorCursor.prototype,
  write(pickler, cursor, family) {
    const { iterator, part, source } = cursor
    pickler.begin(family)
    if (iterator === undefined || !(source instanceof Map || source instanceof Set)) {
      pickler.value(iterator)
      pickler.value(undefined)
      pickler.integer(0)
      pickler.integer(0)
    } else {
      const left = putBack(cursor, source)
      pickler.value(undefined)
      pickler.value(source)
      pickler.integer(left)
      pickler.integer(PARTS.indexOf(part))
    }
    pickler.shapeless(family, cursor)
  },
  scan(scanner) {
    scanner.value()
    scanner.value()
    scanner.integer()
    scanner.integer()
  },
  make: () => Object.create(IteratorCursor.prototype),
  fill(loader, cursor) {
    const iterator = loader.value() as Iterator<unknown> | undefined
    const source = loader.value()
    const left = loader.integer()
    const part = PARTS[loader.integer()]
    if (part === undefined) throw new UnpicklingError("a for…of of the pickle goes over what no collection has")
    if (source === undefined) {
      if (iterator !== undefined && typeof (iterator as Partial<Iterator<unknown>> | null)?.next !== "function") {
        throw new UnpicklingError("a for…of of the pickle has no iterator")
      }
      loader.whenFilled(() => Object.assign(cursor, { iterator, step: iterator?.next, source: undefined, part }))
      return
    }
    if (!(source instanceof Map || source instanceof Set)) {
      throw new UnpicklingError("a for…of of the pickle goes over what is no collection")
    }
    // the collection may not be filled yet
    Object.assign(cursor, { iterator: undefined, step: undefined, source, part })
    loader.whenFilled(() => {
      const iterator = advanced(source, part, left)
      Object.assign(cursor, { iterator, step: iterator.next })
    })
  },
  describe: () => "for…of"
}

/** How many values an iterator still brings. That ends it, so one that stands at the same place takes its place. */
const putBack = (cursor: IteratorCursor, source: Map<unknown, unknown> | Set<unknown>): number => {
  let left = 0
  while (!(cursor.step.call(cursor.iterator!) as IteratorResult<unknown>).done) left++
  cursor.iterator = advanced(source, cursor.part, left)
  return left
}

const { entries, keys, values } = Map.prototype
const ofMap = { entries, keys, values }
const ofSet = { entries: Set.prototype.entries, keys: Set.prototype.keys, values: Set.prototype.values }

const advanced = (source: Map<unknown, unknown> | Set<unknown>, part: Part, left: number): Iterator<unknown> => {
  const iterator: Iterator<unknown> = source instanceof Map ? ofMap[part].call(source) : ofSet[part].call(source)
  for (let n = source.size - left; n > 0; n--) iterator.next()
  return iterator
}

export const codeKinds: ReadonlyArray<Kind> = [
  scopeKind,
  frameKind,
  closureKind,
  plainCursor(ArrayCursor, 51, ["array", "index"]),
  plainCursor(StringCursor, 52, ["string", "index"]),
  plainCursor(KeyCursor, 53, ["object", "keys", "index"]),
  iteratorCursorKind,
  plainCursor(IndexCursor, 55, ["array", "index", "part"])
]

// ---- names ----------------------------------------------------------------------------------------------------------

/** The function of this program that a pickle names; throws if there is none. */
export const functionWith = (id: string): FunctionMeta => {
  const meta = lookup(id)
  if (meta === undefined) {
    throw new UnpicklingError(
      `the pickle has the function ${id}, which this program has not: import its module before loads`
    )
  }
  return meta
}

/** A function that has changed, and nobody has said what becomes of its frames. */
export const changed = ({ hash: now, ...meta }: FunctionMeta, hash: string): UnpicklingError => {
  const id = idOf({ hash: now, ...meta })
  return new UnpicklingError(
    `the function ${id} has changed since the pickle was made: its hash was ${hash}, and is ${now} now; give loads a migrate for it`
  )
}

export const scopeWith = (id: string): ScopeMeta => {
  const meta = lookupScope(id)
  if (meta === undefined) {
    throw new UnpicklingError(
      `the pickle has variables of ${id}, which this program has not: import its module before loads`
    )
  }
  return meta
}

export { type DataFrame, functionInfo, type FunctionMeta, idOf, scopeInfo, type ScopeMeta }
