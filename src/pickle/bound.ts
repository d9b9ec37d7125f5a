/** Functions that `bind` has made in compiled code: what is bound, to what, and with which arguments. */
import { boundInfo, rebound } from "../frames/index.ts"
import { UnpicklingError } from "./errors.ts"
import type { Kind } from "./kind.ts"

const filling = new WeakMap<Function, ReturnType<typeof rebound>["fill"]>()

export const boundKind: Kind<Function> = {
  name: "bound function",
  code: 56,
  write(pickler, f, family) {
    const { args, self, target } = boundInfo(f)!
    pickler.begin(family)
    pickler.value(target)
    pickler.value(self)
    pickler.integer(args.length)
    for (const arg of args) pickler.value(arg)
    pickler.properties(f, family, 0)
  },
  scan(scanner, type) {
    scanner.value()
    scanner.value()
    for (let n = scanner.integer(); n > 0; n--) scanner.value()
    scanner.properties(type)
  },
  make() {
    const { fill, value } = rebound()
    filling.set(value, fill)
    return value
  },
  fill(loader, f, type) {
    const target = loader.value()
    if (typeof target !== "function") throw new UnpicklingError("the pickle has a bound function of what is none")
    const self = loader.value()
    const args: Array<unknown> = []
    for (let n = loader.integer(); n > 0; n--) args.push(loader.value())
    filling.get(f)!({ target, self, args })
    loader.properties(f, type)
  },
  describe: (f) => `function ${String(Reflect.getOwnPropertyDescriptor(f, "name")?.value)}`
}
