/** How the values of a channel are written: by a schema as JSON, or else as pickles. */
import * as Schema from "effect/Schema"
import { dumps, loads } from "../pickle/index.ts"

export interface Codec<T> {
  /** Says how values are written, so that two programs find out that they differ. */
  readonly id: string
  readonly encode: (value: T) => Uint8Array
  readonly decode: (bytes: Uint8Array) => T
}

export const pickled: Codec<any> = {
  id: "pickle",
  encode: (value) => dumps(value),
  decode: (bytes) => loads(bytes)
}

/** What says which schema it is: two that have the same text take the same values. */
export const textOf = (schema: Schema.Codec<any, any>): string =>
  JSON.stringify(Schema.toJsonSchemaDocument(schema).schema)

const made = new WeakMap<object, Codec<any>>()

/** The same for the same schema. */
export const codecOf = <T>(schema: Schema.Codec<T, any> | undefined): Codec<T> => {
  if (schema === undefined) return pickled
  let codec = made.get(schema)
  if (codec === undefined) made.set(schema, codec = byJson(schema))
  return codec
}

const byJson = <T>(schema: Schema.Codec<T, any>): Codec<T> => {
  const json = Schema.toCodecJson(schema)
  const encode = Schema.encodeUnknownSync(json)
  const decode = Schema.decodeUnknownSync(json)
  return {
    id: `json ${textOf(schema)}`,
    encode: (value) => new TextEncoder().encode(JSON.stringify(encode(value))),
    decode: (bytes) => decode(JSON.parse(new TextDecoder().decode(bytes))) as T
  }
}
