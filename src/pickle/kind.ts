/** The kinds of records: how each is written, checked, made and filled. */
import type { DataFrame, FunctionMeta, ResumePoint, ScopeMeta } from "../frames/index.ts"

/** What a kind writes with. */
export interface Writing {
  /** Begins a record: its prototype stands first, where it is none of the usual ones. */
  begin(family: Family): void
  value(value: unknown): void
  /** In an array, that there is nothing. */
  hole(): void
  /** A number of the kind's own, from 0 on. */
  integer(n: number): void
  double(x: number): void
  bytes(bytes: Uint8Array): void
  /**
   * Ends a record: writes its properties, or what is left of them from `keys[from]` on, and says what type it has. Those that
   * the kind has written are skipped.
   */
  properties(
    object: object,
    family: Family,
    extra?: number,
    keys?: ReadonlyArray<PropertyKey>,
    skipped?: (key: PropertyKey, descriptor: PropertyDescriptor) => boolean,
    from?: number
  ): void
  /** Ends a record that has no properties. */
  shapeless(family: Family, object: object, extra?: number): void
  /** Ends a record whose properties the kind has written, all of them ordinary ones. */
  keyed(family: Family, extra: number, keys: ReadonlyArray<string>): void
  /** The `pc` of a frame, which says something else while the dump lasts. */
  placeOf(frame: DataFrame): number
  /** Says that code of the program is about to run, which may look at anything. */
  programRuns(): void
  /** The family of a kind that no prototype tells. */
  family(kind: Kind): Family
  /** The numbers of the names of a function's code, and of a scope. */
  codeNumber(meta: FunctionMeta): number
  scopeNumber(meta: ScopeMeta): number
}

/** What a pickle names, by the numbers of the names. */
export interface Names {
  code(number: number): FunctionMeta
  /** What makes frames of this program's version of a function out of those of the pickle's, if that is another one. */
  migration(number: number): Migration | undefined
  scope(number: number): ScopeMeta
}

/**
 * A frame of a function that has changed since the pickle was made.
 *
 * @category models
 * @since 0.1.0
 */
export interface ChangedFrame {
  /** The function: package, module, name. */
  readonly function: string
  /** The hash that its code had. */
  readonly hash: string
  /** Where the frame stood: the number of a `yield*`, 2 for the first one in the function, 4 for the second, and so on. */
  readonly pc: number
  /** What its variables were, by name. What the compiler keeps beside them has names that begin otherwise. */
  readonly locals: Readonly<Record<string, unknown>>
  /** Where frames of the function as it is now can stand. */
  readonly points: ReadonlyArray<ResumePoint>
}

/**
 * What a frame becomes: where it stands in the function as it is now, and its variables there.
 *
 * @category models
 * @since 0.1.0
 */
export interface MigratedFrame {
  readonly pc: number
  readonly locals: Readonly<Record<string, unknown>>
}

export interface Migration {
  readonly hash: string
  readonly migrate: (frame: ChangedFrame) => MigratedFrame
}

/** What a kind checks with: each reads what was written so, and throws if it is something else. */
export interface Checking {
  /** Also a hole, if that may be. */
  value(mayBeHole?: boolean): void
  string(): void
  /** What is no object, of a type as `typeof` gives it. */
  primitive(type: string): void
  /** A record of a kind. */
  record(kind: Kind): void
  /** A record of a kind that a microthread can be in the middle of. */
  frame(): void
  /** A record of a kind, or `undefined`. */
  optionalRecord(kind: Kind): void
  integer(): number
  double(): number
  /** Gives back how many there are. */
  bytes(): number
  properties(type: Type): void
}

/** What a kind makes and fills with. */
export interface Making {
  value(): unknown
  /** The next byte, which stays where it is. */
  peek(): number
  byte(): number
  integer(): number
  double(): number
  bytes(): Uint8Array
  properties(object: object, type: Type): void
  define(object: object, key: PropertyKey, attributes: number, value: unknown): void
  /** What an object of a type inherits from, and its class. */
  prototypeOf(type: Type): object | null
  classOf(type: Type): unknown
  readonly names: Names
  /** Was the object made by this load, not found by its name? */
  isLoaded(object: object): boolean
  /** Says that the record which was read last has a place of which there may be only one. */
  claimLast(): void
  /** Calls `f` when all objects are filled; then what was given to `whenComplete`. Either may throw. */
  whenFilled(f: () => void): void
  whenComplete(f: () => void): void
  /** Calls `f` when nothing can go wrong any more. */
  atEnd(f: () => void): void
}

/** What records of one type have in common, as a pickle says it. */
export interface Type {
  readonly kind: Kind
  /** Where the prototype comes from, see format.ts. */
  readonly prototype: number
  /** The class, if it is a named one. */
  readonly named: unknown
  readonly extensible: boolean
  /** What a kind has to say of its own. */
  readonly extra: number
  /** The keys; nothing if each record has its own. */
  readonly keys: ReadonlyArray<PropertyKey> | undefined
  /** Are the properties writable, enumerable, configurable? */
  readonly attributes: Uint8Array
  /** Can the properties simply be assigned, as nothing else is by those names in the prototype? */
  readonly assignable: boolean
}

/** The same of who looks at a pickle without loading it: names are no more than names. */
export interface SeenType extends Omit<Type, "attributes" | "assignable" | "keys"> {
  readonly named: string | undefined
  readonly keys: ReadonlyArray<string> | undefined
}

/** What a kind says of a record that somebody only looks at. */
export interface Telling {
  readonly about?: Readonly<Record<string, string | number | ReadonlyArray<string>>>
  readonly properties?: Readonly<Record<string, string>>
  readonly elements?: ReadonlyArray<string>
}

/** What is known of the records with one prototype, before they are looked at. */
export interface Family {
  readonly kind: Kind
  /** What `type.prototype` will be. */
  readonly prototype: number
  /** The number of the class's name. */
  readonly named: number
  /** What stands first in each record: the prototype, or its class. */
  readonly held: object | undefined
  /** Of frames, whose they are. */
  readonly meta: FunctionMeta | undefined
  /** Shapes, by what the kind says of its own. */
  readonly shapes: Map<number, Shape>
}

/** The keys that an object has been seen to have, one after another. */
export class Shape {
  readonly family: Family
  readonly extra: number
  readonly parent: Shape | undefined
  readonly key: PropertyKey
  readonly attributes: number
  readonly count: number
  /** The numbers of the types, of those that are extensible and of those that are not. */
  extensible = -1
  inextensible = -1
  /** The next one, where it was always the same key. */
  private next: Shape | undefined = undefined
  private others: Map<PropertyKey, Array<Shape>> | undefined = undefined

  constructor(family: Family, extra: number, parent: Shape | undefined, key: PropertyKey, attributes: number) {
    this.family = family
    this.extra = extra
    this.parent = parent
    this.key = key
    this.attributes = attributes
    this.count = parent === undefined ? 0 : parent.count + 1
  }

  with(key: PropertyKey, attributes: number): Shape {
    const { next } = this
    if (next !== undefined && next.key === key && next.attributes === attributes) return next
    const others = this.others?.get(key)
    const found = others?.find((shape) => shape.attributes === attributes)
    if (found !== undefined) return found
    const made = new Shape(this.family, this.extra, this, key, attributes)
    if (next === undefined) this.next = made
    else if (others !== undefined) others.push(made)
    else (this.others ??= new Map()).set(key, [made])
    return made
  }
}

export interface Kind<O extends object = any> {
  /** What it is called in errors. */
  readonly name: string
  /** Its number in pickles. */
  readonly code: number
  /** Writes a record. Of the family it is known that its prototype is that of the object. */
  write(pickler: Writing, object: O, family: Family): void
  /** Checks a record, making nothing. */
  scan(scanner: Checking, type: Type): void
  /** Makes the object, empty. */
  make(loader: Making, type: Type): O
  /** Fills it. */
  fill(loader: Making, object: O, type: Type): void
  /** Can a microthread be in the middle of it? */
  readonly isFrame?: boolean
  /** Does `make` need other objects, which are made before? */
  readonly late?: boolean
  /** Does `make` need all that it refers to filled? */
  readonly last?: boolean
  /** The prototype of those that have their kind's. */
  readonly prototype?: object
  /** Others that objects of this kind may have; what they are then, the kind sees. */
  readonly others?: ReadonlyArray<object>
  /** Is an object what its prototype promises? */
  is?(object: object): boolean
  /** Checks a type when it is read. */
  check?(type: Type, names: Names): void
  /**
   * Says what a record is that somebody only looks at.
   *
   * @param seen what `scan` has met in it, but for its properties, as text
   * @param names of the pickle, as they stand in it
   */
  tell?(
    seen: ReadonlyArray<string>,
    type: SeenType,
    names: ReadonlyArray<{ readonly name: string; readonly hash?: string }>
  ): Telling
  /** For errors: what the object is called, and where in it another one stands. */
  describe?(object: O): string
  locate?(object: O, inner: unknown): string | undefined
}
