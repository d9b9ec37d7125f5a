/**
 * What was meant by a method that was passed as a body without its object: `tasklet(o.loop)()`.
 *
 * It has no `this`, and dies where it reads that. Nobody can tell before; so it is the error that is looked at.
 */
import type { Body } from "./body.ts"

/** What the engines say of a property of undefined, with its name if they tell that. */
const ofUndefined = /^Cannot (?:read|set) properties of undefined(?: \((?:reading|setting) '(.*)'\))?$/

/** Says in an error what was meant, if it comes of that. Returns the error. */
export const explained = (error: unknown, body: Body): unknown => {
  if (!(error instanceof TypeError)) return error
  const { message, stack } = error
  const name = ofUndefined.exec(message)?.[1]
  if (name === undefined || !reads(body, name)) return error
  const { name: method } = body
  error.message = `${message}: if \`this\` is meant, the body has none. ` +
    `Pass it bound, as in o.${method}.bind(o), or write an arrow function, as in () => o.${method}()`
  if (typeof stack === "string") error.stack = stack.replace(message, () => error.message)
  return error
}

/** Is `this.name` in the text of a function that has a `this` of its own? */
const reads = (body: Body, name: string): boolean => {
  const text = Function.prototype.toString.call(body)
  if (/^(?:\([^)]*\)|[\w$]+)\s*=>/.test(text)) return false
  for (let at = text.indexOf("this"); at >= 0; at = text.indexOf("this", at + 4)) {
    const rest = text.slice(at + 4).replace(/^\s*\.\s*/, ".")
    if (rest.startsWith(`.${name}`) || rest.startsWith("[")) return true
  }
  return false
}
