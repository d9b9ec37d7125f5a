import { availableParallelism } from "node:os"
import { fileURLToPath } from "node:url"
import { defineConfig } from "vitest/config"
import stackless from "./src/plugin/vite.ts"

const src = fileURLToPath(new URL("src", import.meta.url))

export default defineConfig({
  // Durable tasklets are compiled.
  plugins: [stackless({ include: /\/test\/cluster\/programs\/[^?]*\.ts/ })],
  resolve: {
    // The package's own name means its sources, as in tsconfig.json.
    alias: [
      { find: /^effect-stackless$/, replacement: `${src}/index.ts` },
      {
        find: /^effect-stackless\/(vite|rollup|rolldown|esbuild|webpack|rspack|bun)$/,
        replacement: `${src}/plugin/$1.ts`
      },
      { find: /^effect-stackless\/(.+)$/, replacement: `${src}/$1/index.ts` }
    ]
  },
  test: {
    include: ["test/**/*.test.ts"],
    // Processes, not threads: tests measure the heap and set V8's flags, which are the process's.
    pool: "forks",
    // By default one core is left free, which of two is half of the machine.
    maxWorkers: Math.max(2, availableParallelism() - 1),
    execArgv: ["--expose-gc"],
    testTimeout: 60_000,
    hookTimeout: 60_000
  }
})
