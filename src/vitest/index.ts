/**
 * Tests for Vitest: each has a thread of its own, and fails for what it leaves behind.
 *
 * @since 0.1.0
 */
export { isolated, LeftBehind, type Leftover } from "../stackless/index.ts"
export { it, type Program, test, type TestWithThread } from "./test.ts"
