export * as greenlet from "./greenlet/index.ts"
export * as stackless from "./stackless/index.ts"
