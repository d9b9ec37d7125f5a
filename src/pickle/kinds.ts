/** All kinds of records. */
import { arrayKind } from "./array.ts"
import { boundKind } from "./bound.ts"
import { bufferKind, nodeBufferKind, viewKinds } from "./buffers.ts"
import { codeKinds } from "./code.ts"
import { mapKind, setKind } from "./collections.ts"
import type { Kind } from "./kind.ts"
import { argumentsKind, objectKind } from "./object.ts"
import { reducedKind } from "./reduce.ts"
import { microthreadKinds } from "./tasklets.ts"
import { boxedKinds, dateKind, errorKinds, regExpKind } from "./values.ts"

const kinds: ReadonlyArray<Kind> = [
  objectKind,
  argumentsKind,
  arrayKind,
  mapKind,
  setKind,
  dateKind,
  regExpKind,
  bufferKind,
  nodeBufferKind,
  reducedKind,
  ...boxedKinds,
  ...errorKinds,
  ...viewKinds,
  ...codeKinds,
  boundKind,
  ...microthreadKinds
]

/** Each by the number that it has in pickles. */
export const kindByCode: ReadonlyMap<number, Kind> = new Map(kinds.map((kind) => [kind.code, kind]))

/** Each by the prototype that its objects have, if nobody has made a class of them. */
export const kindOfPrototype: ReadonlyMap<object, Kind> = new Map(
  kinds.flatMap((kind) =>
    [...kind.prototype === undefined ? [] : [kind.prototype], ...kind.others ?? []].map((
      prototype
    ) => [prototype, kind])
  )
)

export { objectKind, reducedKind }
