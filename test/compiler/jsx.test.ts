/** JSX becomes calls before anything else: of React's runtime, or of what a comment names. */
import { compile } from "effect-stackless/compiler"
import * as frames from "effect-stackless/frames"
import { describe, expect, test } from "vitest"

describe.each(["jsx", "tsx"])("in a file .%s", (extension) => {
  test("an element may suspend in what it is made of, and closures in it are the module's", () => {
    const { code, map } = compile(
      `/** @jsxRuntime classic @jsx h @jsxFrag Fragment */
"use stackless"
const Fragment = "fragment"
const h = (type, props, ...children) => ({ type: type.name ?? type, props, children })
function Item() {}
exports.view = function* view(items) {
  const name = yield "name"
  return <div className={name} {...{ a: 1 }} onClick={() => name + items.length}>
    {items.map((item) => <Item key={item}>{item} text</Item>)}
    <><b>{yield "inner"}</b></>
  </div>
}
`,
      { filename: `view.${extension}`, format: "commonjs" }
    )
    const exports: any = {}
    new Function("require", "exports", code)(() => frames, exports)
    const view = exports.view(["x", "y"])
    const seen = [view.next().value, view.next("c").value]
    // A frame stands where the source says, not where the calls do.
    expect(frames.frameInfo(view)).toMatchObject({ line: 10, column: 11, locals: { name: "c" } })
    const { value } = view.next("in")
    expect(seen).toEqual(["name", "inner"])
    expect(JSON.parse(JSON.stringify(value))).toEqual({
      type: "div",
      props: { className: "c", a: 1 },
      children: [
        [
          { type: "Item", props: { key: "x" }, children: ["x", " text"] },
          { type: "Item", props: { key: "y" }, children: ["y", " text"] }
        ],
        { type: "fragment", props: null, children: [{ type: "b", props: null, children: ["in"] }] }
      ]
    })
    expect(value.props.onClick()).toBe("c2")
    expect(frames.functionInfo(value.props.onClick)?.function.name).toBe("view.onClick")
    expect(map.sources).toEqual([`view.${extension}`])
  })

  test("it is React's where nothing else is said", () => {
    const { code } = compile(`"use stackless"\nexport function* f() { return <a>{yield 1}</a> }`, {
      filename: `view.${extension}`
    })
    expect(code).toContain(`from "react/jsx-runtime"`)
  })
})
