/** The tests of greenlets and tasklets, compiled: the bodies in them are frames, and no generators. */
import { defineConfig } from "vitest/config"
import stackless from "./src/plugin/vite.ts"
import generators from "./vitest.config.ts"

export default defineConfig({
  ...generators,
  plugins: [stackless({ all: true, include: /\/test\/[^?]*\.ts/ })],
  test: {
    ...generators.test,
    name: "compiled",
    include: ["test/greenlet/**/*.test.ts", "test/stackless/**/*.test.ts", "test/async-context/**/*.test.ts"],
    // A recursion without end overflows nothing, but takes all the memory there is. And what is measured in processes of its
    // own is not compiled.
    exclude: ["test/stackless/recursion.test.ts", "test/greenlet/memory.test.ts"],
    setupFiles: ["test/compiled.ts"]
  }
})
