/** The files of a new project. */

/** What of `package.json` of this package a new project takes over. */
export interface Manifest {
  readonly version: string
  readonly devDependencies: Readonly<Record<string, string>>
}

/** What the compiler, the type check and the test need, in the versions that this package is tested with. */
const DEVELOPMENT = [
  "@effect/tsgo",
  "@jridgewell/sourcemap-codec",
  "@types/node",
  "oxc-parser",
  "oxc-transform",
  "typescript",
  "unplugin",
  "vite",
  "vitest"
]

/** The files of a project of this name, by their paths. */
export const templateOf = (
  name: string,
  { devDependencies, version }: Manifest
): Readonly<Record<string, string>> => ({
  "package.json": `${
    JSON.stringify(
      {
        name,
        private: true,
        type: "module",
        scripts: {
          start: "effect-stackless run src/main.ts",
          test: "vitest run",
          check: "tsc && effect-tsgo diagnostics --project tsconfig.json && effect-stackless check"
        },
        dependencies: { "effect": devDependencies["effect"], "effect-stackless": `^${version}` },
        devDependencies: Object.fromEntries(DEVELOPMENT.map((name) => [name, devDependencies[name]]))
      },
      undefined,
      2
    )
  }\n`,
  "tsconfig.json": `{
  "compilerOptions": {
    "target": "ES2022",
    "lib": ["ES2022"],
    "module": "nodenext",
    "moduleDetection": "force",
    "types": ["node"],
    "noEmit": true,

    // Files import "./x.ts", and hold no syntax but types that has to go.
    "allowImportingTsExtensions": true,
    "erasableSyntaxOnly": true,
    "verbatimModuleSyntax": true,

    "strict": true,
    "exactOptionalPropertyTypes": true,
    "noUncheckedIndexedAccess": true,
    "skipLibCheck": true,

    // Effect's own diagnostics. An operation without yield* in front of it does not happen, so that is an error.
    "plugins": [{
      "name": "@effect/language-service",
      "diagnosticSeverity": {
        "floatingEffect": "error",
        "floatingEffectInVitest": "error",
        "missingStarInYieldEffectGen": "error"
      }
    }]
  },
  "include": ["src", "test", "vitest.config.ts"]
}
`,
  "vitest.config.ts": `import stackless from "effect-stackless/vite"
import { defineConfig } from "vitest/config"

// Files that say "use stackless" are compiled in tests as they are in \`npm start\`.
export default defineConfig({ plugins: [stackless()] })
`,
  "src/cook.ts": `"use stackless"
import type { Channel } from "effect-stackless/stackless"

/** Cooks what is ordered, and counts the dishes. */
export function* cook(orders: Channel<string>, dishes: Channel<string>) {
  for (let number = 1;; number++) {
    const order = yield* orders.receive()
    yield* dishes.send(\`\${number}. \${order}\`)
  }
}
`,
  "src/main.ts": `"use stackless"
import { Effect } from "effect"
import { dumps, loads } from "effect-stackless/pickle"
import { call, channel, schedule, tasklet } from "effect-stackless/stackless"
import { cook } from "./cook.ts"

function* main() {
  const orders = channel<string>()
  const dishes = channel<string>()
  const chef = tasklet(cook)(orders, dishes)
  yield* orders.send("soup")
  console.log(yield* dishes.receive())

  // The cook comes back to its loop, and waits for an order. Now it and the channels become bytes.
  yield* schedule()
  const bytes = dumps({ chef, orders, dishes })
  yield* chef.kill()

  // Another cook comes out of them, here or in another process, and counts on where the first one stood.
  const kitchen = loads<{ chef: typeof chef; orders: typeof orders; dishes: typeof dishes }>(bytes)
  yield* kitchen.orders.send("bread")
  console.log(yield* kitchen.dishes.receive())
  yield* kitchen.chef.kill()
}

await Effect.runPromise(call(main))
`,
  "test/cook.test.ts": `import { channel, tasklet } from "effect-stackless/stackless"
import { test } from "effect-stackless/vitest"
import { expect } from "vitest"
import { cook } from "../src/cook.ts"

test("a cook counts the dishes", function*() {
  const orders = channel<string>()
  const dishes = channel<string>()
  const chef = tasklet(cook)(orders, dishes)
  for (const dish of ["1. soup", "2. bread"]) {
    yield* orders.send(dish.slice(3))
    expect(yield* dishes.receive()).toBe(dish)
  }
  // A test fails for a tasklet that it leaves blocked.
  yield* chef.kill()
})
`,
  ".gitignore": "node_modules/\n",
  "README.md": `# ${name}

\`\`\`sh
npm install
npm start
npm test
npm run check # the types, and every forgotten yield*
\`\`\`

\`src/cook.ts\` is a tasklet that receives from one channel and sends to another. \`src/main.ts\` stops it, makes bytes of it, and has it go
on from them. The guides are in \`node_modules/effect-stackless/docs\`: begin with \`tutorial.md\`.
`
})
