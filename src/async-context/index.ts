/**
 * `AsyncLocalStorage` of Node in greenlets and tasklets: it follows each of them, if the program asks for it.
 *
 * @since 0.1.0
 */
export { followAsyncLocalStorage } from "./follow.ts"
export { runWith } from "./run-with.ts"
