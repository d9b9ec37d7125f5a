/**
 * What was meant by a method that was passed as a body without its object: `tasklet(o.loop)()`.
 *
 * It has no `this`, and dies where it reads that. Nobody can tell before; so it is the error that is looked at. Of a body that has
 * begun nothing is kept but its frame. So Node is asked whose it is, as a debugger asks: when there is such an error, and
 * not before.
 */
import type { Body } from "./body.ts"
import { type DataFrame, DESCRIBE, isDataFrame } from "./data-frame.ts"
import { type Frame, isGenerator } from "./frame.ts"

/** What the engines say of a property of undefined, with its name if they tell that. */
const ofUndefined = /^Cannot (?:read|set) properties of undefined(?: \((?:reading|setting) '(.*)'\))?$/
/** The same where they say that it is `this`. */
const ofThis = /^Cannot destructure (?:property '.*' of )?'(?:this|\$f\.(?:s\d+\.)?self)' as it is undefined\.$/

/** Says in an error what was meant, if it comes of that. Returns the error. */
export const explained = (error: unknown, body: Body): unknown => {
  if (mayBeUnbound(error) && reads(error, Function.prototype.toString.call(body), false)) tell(error, body.name)
  return error
}

/** The same of a frame in the middle of its body, that has ended with the error. */
export const explainedIn = (error: unknown, frame: Frame | DataFrame | undefined): void => {
  if (!mayBeUnbound(error) || frame === undefined) return
  if (isDataFrame(frame)) {
    const text = frame["~resume"].toString().replaceAll(/\$f\.(?:s\d+\.)?self\b/g, "this")
      .replaceAll(/\$f\.s\d+\.p_(\w+?)_(?:get|set|call)\(this\b/g, "this.#$1")
    if (hasNoThis(frame) && reads(error, text, true)) {
      tell(error, frame[DESCRIBE]?.().name.replace(/^.*\./, "") ?? "method")
    }
  } else if (isGenerator(frame)) {
    const method = methodOf(frame)
    if (method !== undefined && reads(error, Function.prototype.toString.call(method), true)) tell(error, method.name)
  }
}

const mayBeUnbound = (error: unknown): error is TypeError =>
  error instanceof TypeError && (ofUndefined.test(error.message) || ofThis.test(error.message))

const tell = (error: TypeError, method: string): void => {
  const { message, stack } = error
  error.message = `${message.replace(/\.$/, "")}: if \`this\` is meant, the body has none. ` +
    `Pass it bound, as in o.${method}.bind(o), or write an arrow function, as in () => o.${method}()`
  if (typeof stack === "string") error.stack = stack.replace(message, () => error.message)
}

/**
 * Is what the error says read of `this` in the text of a function that has a `this` of its own? Of a private method the engines
 * tell the name of its class, and of what is taken apart not always that it is `this`: that counts where it is `known` that
 * `this` is undefined.
 */
const reads = ({ message }: TypeError, text: string, known: boolean): boolean => {
  if (/^(?:\([^)]*\)|[\w$]+)\s*=>/.test(text)) return false
  const name = ofUndefined.exec(message)?.[1]
  if (name === undefined) return ofThis.test(message)
  for (let at = text.indexOf("this"); at >= 0; at = text.indexOf("this", at + 4)) {
    const rest = text.slice(at + 4).replace(/^\s*\.\s*/, ".")
    if (rest.startsWith(`.${name}`) || rest.startsWith("[") || known && rest.startsWith(".#")) return true
  }
  return known && /\}\s*=\s*this\b/.test(text)
}

// ---- frames that are plain data -------------------------------------------------------------------------------------

/** `this` is in a frame, or in a scope that it shares with functions in it. */
const hasNoThis = (frame: DataFrame): boolean =>
  isUndefinedIn(frame) ||
  Object.entries(frame).some(([key, scope]) => /^s\d+$/.test(key) && typeof scope === "object" && isUndefinedIn(scope))

const isUndefinedIn = (fields: object | null): boolean =>
  fields !== null && Object.hasOwn(fields, "self") && (fields as { self: unknown }).self === undefined

// ---- generators -----------------------------------------------------------------------------------------------------

/** What of Node is needed, which is asked for when it is used. */
interface Inspector {
  Session: new() => {
    connect(): void
    disconnect(): void
    post(method: string, parameters: object, answered: (error: Error | null, answer: any) => void): void
  }
}

/** It takes a fifth of a millisecond, and 15 the first time: who makes such errors all the time is told now and then. */
const PAUSE = 50

let last = -Infinity

const key = Symbol.for("effect-stackless/generator")

/** The function of a generator that has no `this`; nothing if it has one, or nobody knows. */
const methodOf = (generator: Frame): Body | undefined => {
  const now = performance.now()
  const node = (globalThis as { process?: { getBuiltinModule?(name: string): unknown } }).process
  if (now - last < PAUSE || node?.getBuiltinModule === undefined) return undefined
  last = now
  const shared = globalThis as { [key]?: unknown }
  let found: unknown
  try {
    const { Session } = node.getBuiltinModule("node:inspector") as Inspector
    const session = new Session()
    session.connect()
    try {
      shared[key] = generator
      const expression = "globalThis[Symbol.for('effect-stackless/generator')]"
      session.post("Runtime.evaluate", { expression }, (_, answer) => {
        const { objectId } = answer.result
        session.post("Runtime.getProperties", { objectId, ownProperties: true }, (_, { internalProperties }) => {
          const its = (name: string): any =>
            internalProperties.find((property: any) => property.name === `[[${name}]]`)?.value
          if (its("GeneratorReceiver")?.type !== "undefined") return
          const functionDeclaration = `function() { ${expression} = this }`
          session.post(
            "Runtime.callFunctionOn",
            { objectId: its("GeneratorFunction").objectId, functionDeclaration },
            () => {
              found = shared[key]
            }
          )
        })
      })
    } finally {
      session.disconnect()
    }
  } catch {
    // there is no debugger here
  } finally {
    delete shared[key]
  }
  return typeof found === "function" ? found as Body : undefined
}
