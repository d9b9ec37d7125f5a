/**
 * Frames that are data, as generators. A compiled generator function makes an object with `pc` and its locals as fields; what
 * it can do is found through its prototype. The kernel resumes it directly; whoever else steps it uses the methods here,
 * which do what a generator's do.
 */
import { closeOf, isObject } from "../greenlet/kernel/cursor.ts"
import {
  BEGIN,
  completion,
  type DataFrame,
  DELEGATE,
  DESCRIBE,
  DONE,
  isDataFrame,
  type Mode,
  NEXT,
  PREEMPTED,
  RESUME,
  RETURN,
  RETURNED,
  RUNNING,
  THROW,
  THROWN,
  YIELDED
} from "../greenlet/kernel/data-frame.ts"
import { resumeOnLoan } from "../greenlet/kernel/fuel.ts"

/** The prototypes of the language's own generators. */
export const GeneratorFunctionPrototype: object = Object.getPrototypeOf(function*() {})
const GeneratorPrototype: object = Object.getPrototypeOf(Object.getPrototypeOf((function*() {})()))
const iteratorOfIterator = (GeneratorPrototype as { [Symbol.iterator]: unknown })[Symbol.iterator]

/** A class whose constructor gives back what it is given: a subclass puts its private fields there. */
export const Given: new(object: object) => object = (() => {
  const Given = function(object: object) {
    return object
  }
  return Given as unknown as new(object: object) => object
})()

/** What a frame that is stepped by hand delegates to. It is kept in a private field, which only such frames get. */
class Delegation extends Given {
  #iterator: Iterator<unknown> | undefined
  #next: Iterator<unknown>["next"]
  #pc = 0

  private constructor(frame: DataFrame, iterator: Iterator<unknown>, next: Iterator<unknown>["next"]) {
    super(frame)
    this.#iterator = iterator
    this.#next = next
  }

  static start(frame: DataFrame, iterator: Iterator<unknown>, next: Iterator<unknown>["next"]): void {
    if (#iterator in frame) {
      const delegation = frame as unknown as Delegation
      delegation.#iterator = iterator
      delegation.#next = next
    } else void new Delegation(frame, iterator, next)
  }

  static of(frame: DataFrame): Iterator<unknown> | undefined {
    return #iterator in frame ? (frame as unknown as Delegation).#iterator : undefined
  }

  static nextOf(frame: DataFrame): Iterator<unknown>["next"] {
    return (frame as unknown as Delegation).#next
  }

  static end(frame: DataFrame): void {
    ;(frame as unknown as Delegation).#iterator = undefined
  }

  /** While what it delegates to runs, it runs. */
  static running(frame: DataFrame): void {
    const delegation = frame as unknown as Delegation
    delegation.#pc = frame.pc
    frame.pc = RUNNING
  }

  static suspended(frame: DataFrame): void {
    frame.pc = (frame as unknown as Delegation).#pc
  }
}

/** What a frame that is stepped by hand delegates to, at a `yield*`. */
export const delegateOf = (frame: DataFrame): Iterator<unknown> | undefined => Delegation.of(frame)

/** Has a frame that stands at a `yield*` delegate to an iterator. */
export const delegate = (frame: DataFrame, iterator: Iterator<unknown>): void => {
  Delegation.start(frame, iterator, iterator.next)
}

const isFrame = (value: unknown): value is DataFrame & Iterator<unknown> => isDataFrame(value)

/** A frame that delegates to a frame of ours: both are stepped without one calling the other. */
const isPlainFrame = (value: unknown): value is DataFrame & Iterator<unknown> =>
  isFrame(value) && value.next === methods.next &&
  (value as unknown as { [Symbol.iterator]: unknown })[Symbol.iterator] === iteratorOfIterator

const step = (frame: DataFrame, mode: Mode, value: unknown): unknown => {
  if (!isFrame(frame)) throw new TypeError(`${describe(mode)} method called on incompatible receiver ${String(frame)}`)
  const { pc } = frame
  if (pc === RUNNING) throw new TypeError("Generator is already running")
  if (pc === BEGIN && mode !== NEXT) frame.pc = DONE
  if (frame.pc === DONE) {
    if (mode === THROW) throw value
    return { value: mode === RETURN ? value : undefined, done: true }
  }
  return pc > 0 && (pc & 1) === 0 && Delegation.of(frame) !== undefined
    ? delegated(frame, mode, value)
    : run([frame], mode, value)
}

const describe = (mode: Mode): string => mode === NEXT ? "next" : mode === THROW ? "throw" : "return"

/**
 * Resumes the innermost of frames that delegate to one another, and goes on in the outer ones with what comes of it, until
 * one of them yields or the outermost has ended.
 */
const run = (stack: Array<DataFrame>, firstMode: Mode, firstValue: unknown): unknown => {
  let mode: Mode = firstMode
  let value = firstValue
  for (;;) {
    const frame = stack.at(-1)!
    let failed = false
    if (frame.pc === BEGIN && mode !== NEXT) {
      frame.pc = DONE
      failed = mode === THROW
    } else {
      try {
        value = frame["~resume"](mode, value)
        if (value === PREEMPTED) value = resumeOnLoan(frame)
        if (value === THROWN) {
          value = completion.value
          failed = true
        } else if (value === RETURNED || value === YIELDED) value = completion.value
      } catch (error) {
        frame.pc = DONE
        value = error
        failed = true
      }
    }
    const { pc } = frame
    if (pc === DONE || failed) {
      stack.pop()
      if (stack.length === 0) {
        if (failed) throw value
        return { value, done: true }
      }
      const outer = stack.at(-1)!
      Delegation.suspended(outer)
      Delegation.end(outer)
      // A return goes on outwards.
      mode = failed ? THROW : mode === RETURN ? RETURN : NEXT
      continue
    }
    if ((pc & 1) === 1) {
      for (let i = stack.length - 2; i >= 0; i--) Delegation.suspended(stack[i]!)
      return { value, done: false }
    }
    // `yield* value`
    let result: unknown
    try {
      if (isPlainFrame(value)) {
        if (value.pc === RUNNING) throw new TypeError("Generator is already running")
        Delegation.start(frame, value, value.next)
        if (value.pc === DONE) {
          Delegation.end(frame)
          mode = NEXT
          value = undefined
          continue
        }
        if (value.pc === BEGIN || Delegation.of(value) === undefined) {
          Delegation.running(frame)
          stack.push(value)
          mode = NEXT
          value = undefined
          continue
        }
      }
      const iterator = iteratorOf(value)
      const { next } = iterator
      Delegation.start(frame, iterator, next)
      Delegation.running(frame)
      result = next.call(iterator, undefined as never)
      if (!isObject(result)) throw new TypeError(`Iterator result ${String(result)} is not an object`)
      Delegation.suspended(frame)
      if (!(result as IteratorResult<unknown>).done) {
        for (let i = stack.length - 2; i >= 0; i--) Delegation.suspended(stack[i]!)
        return result
      }
      value = (result as IteratorResult<unknown>).value
      mode = NEXT
    } catch (error) {
      if (frame.pc === RUNNING) Delegation.suspended(frame)
      value = error
      mode = THROW
    }
    if (Delegation.of(frame) !== undefined) Delegation.end(frame)
  }
}

/** A step of a frame that is in the middle of a `yield*`. */
const delegated = (outermost: DataFrame, mode: Mode, value: unknown): unknown => {
  const stack: Array<DataFrame> = [outermost]
  let frame = outermost
  for (;;) {
    const iterator = Delegation.of(frame)!
    if (isPlainFrame(iterator) && iterator.pc !== RUNNING && iterator.pc !== DONE && plain(iterator, mode)) {
      Delegation.running(frame)
      stack.push(iterator)
      frame = iterator
      const { pc } = frame
      if (pc > 0 && (pc & 1) === 0 && Delegation.of(frame) !== undefined) continue
      return run(stack, mode, value)
    }
    let nextMode = mode
    let nextValue = value
    Delegation.running(frame)
    try {
      const result = stepIterator(iterator, Delegation.nextOf(frame), mode, value)
      Delegation.suspended(frame)
      if (result !== undefined) {
        if (!result.done) {
          for (let i = stack.length - 2; i >= 0; i--) Delegation.suspended(stack[i]!)
          return result
        }
        nextValue = result.value
        nextMode = mode === RETURN ? RETURN : NEXT
      }
    } catch (error) {
      if (frame.pc === RUNNING) Delegation.suspended(frame)
      nextValue = error
      nextMode = THROW
    }
    Delegation.end(frame)
    return run(stack, nextMode, nextValue)
  }
}

/** Is the method that is asked for the one of ours? */
const plain = (frame: Iterator<unknown>, mode: Mode): boolean =>
  mode === NEXT || (mode === THROW ? frame.throw === methods.throw : frame.return === methods.return)

/** What an iterator says to a step; nothing, if it has no `return`. */
const stepIterator = (
  iterator: Iterator<unknown>,
  next: Iterator<unknown>["next"],
  mode: Mode,
  value: unknown
): IteratorResult<unknown> | undefined => {
  let result: unknown
  if (mode === NEXT) result = next.call(iterator, value as never)
  else if (mode === THROW) {
    const method = iterator.throw
    if (method === undefined || method === null) {
      closeOf(iterator)
      throw new TypeError("The iterator does not provide a 'throw' method.")
    }
    result = method.call(iterator, value)
  } else {
    const method = iterator.return
    if (method === undefined || method === null) return undefined
    result = method.call(iterator, value)
  }
  if (!isObject(result)) throw new TypeError(`Iterator result ${String(result)} is not an object`)
  return result as IteratorResult<unknown>
}

const iteratorOf = (value: unknown): Iterator<unknown> => {
  const method = (value as { [Symbol.iterator]?: unknown } | null | undefined)?.[Symbol.iterator]
  if (typeof method !== "function") throw new TypeError(`${typeof value} is not iterable`)
  const iterator: unknown = method.call(value)
  if (!isObject(iterator)) throw new TypeError("Result of the Symbol.iterator method is not an object")
  return iterator as unknown as Iterator<unknown>
}

/** The methods of a generator. They are objects' methods, so that nobody constructs them. */
const methods = {
  next(this: DataFrame, value: unknown): unknown {
    return step(this, NEXT, value)
  },
  return(this: DataFrame, value: unknown): unknown {
    return step(this, RETURN, value)
  },
  throw(this: DataFrame, error: unknown): unknown {
    return step(this, THROW, error)
  }
}

const takeDelegate = function(this: DataFrame): Iterator<unknown> | undefined {
  const delegate = Delegation.of(this)
  if (delegate !== undefined) Delegation.end(this)
  return delegate
}

const GENERATOR = GeneratorPrototype as Record<string, unknown>
const KEPT: ReadonlySet<PropertyKey> = new Set([RESUME, DELEGATE, DESCRIBE])

/** Gives a frame another prototype. What it is found by and can do is its own from then on, if that does not have it. */
export const moveFrame = (frame: object, prototype: object): void => {
  const before: object = Object.getPrototypeOf(frame)
  Object.setPrototypeOf(frame, prototype)
  const { next, return: returns, throw: throws } = prototype as Record<string, unknown>
  const found: Record<string, unknown> = { next, return: returns, throw: throws }
  const others = (prototype as Partial<DataFrame>)["~resume"] !== (before as DataFrame)["~resume"]
  for (const name of Reflect.ownKeys(before)) {
    const keeps = KEPT.has(name)
      ? others
      : typeof name === "string" && Object.hasOwn(methods, name) && found[name] === GENERATOR[name]
    if (keeps) Object.defineProperty(frame, name, Object.getOwnPropertyDescriptor(before, name)!)
  }
}

/** The prototype of a function's frames. */
export const framePrototype = (resume: (mode: Mode, value: unknown) => unknown): object => {
  const prototype = Object.create(GeneratorPrototype) as object
  for (const [name, value] of Object.entries(methods)) {
    Object.defineProperty(prototype, name, { value, writable: true, configurable: true, enumerable: false })
  }
  Object.defineProperty(prototype, RESUME, { value: resume })
  Object.defineProperty(prototype, DELEGATE, { value: takeDelegate })
  return prototype
}
