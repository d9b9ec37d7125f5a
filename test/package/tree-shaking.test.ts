import { fileURLToPath } from "node:url"
import { rolldown } from "rolldown"
import { expect, test } from "vitest"

const source = fileURLToPath(new URL("../../src/index.ts", import.meta.url))

/** The program, bundled with what it uses of the package. */
const bundled = async (program: string): Promise<string> => {
  const bundle = await rolldown({
    input: "program",
    external: /^effect/,
    plugins: [{
      name: "program",
      resolveId: (id) => id === "program" ? id : undefined,
      load: (id) => id === "program" ? program : undefined
    }]
  })
  const { output } = await bundle.generate({ minify: true })
  return output[0].code
}

const from = JSON.stringify(source)

test("a program that uses greenlets alone carries no tasklets", async () => {
  const code = await bundled(`import { greenlet } from ${from}; console.log(greenlet.getcurrent())`)
  expect(code).toContain("stands for the main greenlet")
  expect(code).not.toContain("tasklet is alive")
})

test("a program that uses nothing carries nothing", async () => {
  const code = await bundled(`import {} from ${from}; console.log(1)`)
  expect(code.trim()).toBe("console.log(1);")
})
