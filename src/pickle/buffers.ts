/** Array buffers, and the views of them. Several views of one buffer share it afterwards as before. */
import { succeeds } from "./collections.ts"
import { UnpicklingError } from "./errors.ts"
import type { Kind } from "./kind.ts"
import { Unpicklable } from "./unpicklable.ts"

const getter = (prototype: object, name: string): (() => any) | undefined =>
  Reflect.getOwnPropertyDescriptor(prototype, name)?.get

const ofTypedArrays = Object.getPrototypeOf(Uint8Array.prototype) as object
const bufferOfTypedArray = getter(ofTypedArrays, "buffer")!
const offsetOfTypedArray = getter(ofTypedArrays, "byteOffset")!
const lengthOfTypedArray = getter(ofTypedArrays, "byteLength")!
const tagOfTypedArray = getter(ofTypedArrays, Symbol.toStringTag as unknown as string)!
const bufferLength = getter(ArrayBuffer.prototype, "byteLength")!
const resizable = getter(ArrayBuffer.prototype, "resizable")
const maxByteLength = getter(ArrayBuffer.prototype, "maxByteLength")
const detached = getter(ArrayBuffer.prototype, "detached")

/** Its `extra` says that it can be resized. */
const RESIZABLE = 1

export const bufferKind: Kind<ArrayBuffer> = {
  name: "ArrayBuffer",
  code: 7,
  prototype: ArrayBuffer.prototype,
  is: (object) => succeeds(bufferLength, object),
  write(pickler, buffer, family) {
    if (detached?.call(buffer) === true) {
      throw new Unpicklable("an ArrayBuffer that was transferred cannot be pickled: it is gone")
    }
    const extra = resizable?.call(buffer) === true ? RESIZABLE : 0
    pickler.begin(family)
    if (extra === RESIZABLE) pickler.integer(maxByteLength!.call(buffer))
    pickler.bytes(new Uint8Array(buffer))
    pickler.properties(buffer, family, extra)
  },
  check(type) {
    if (type.extra === RESIZABLE && resizable === undefined) {
      throw new UnpicklingError("the pickle has a resizable ArrayBuffer, which this engine has not")
    }
  },
  scan(scanner, type) {
    const max = type.extra === RESIZABLE ? scanner.integer() : undefined
    const length = scanner.bytes()
    if (max !== undefined && max < length) {
      throw new UnpicklingError("an ArrayBuffer of the pickle is longer than it may be")
    }
    scanner.properties(type)
  },
  make(loader, type) {
    const max = type.extra === RESIZABLE ? loader.integer() : undefined
    const bytes = loader.bytes()
    const buffer = max === undefined ? new ArrayBuffer(bytes.length) : resizableBuffer(bytes.length, max)
    new Uint8Array(buffer).set(bytes)
    return buffer
  },
  fill(loader, buffer, type) {
    if (type.extra === RESIZABLE) loader.integer()
    loader.bytes()
    loader.properties(buffer, type)
  }
}

const resizableBuffer = (length: number, max: number): ArrayBuffer =>
  new (ArrayBuffer as unknown as new(length: number, options: { maxByteLength: number }) => ArrayBuffer)(length, {
    maxByteLength: max
  })

// ---- Node's buffers -------------------------------------------------------------------------------------------------

interface NodeBuffer {
  readonly prototype: object
  from(bytes: Uint8Array): Uint8Array
}

const Buffer: NodeBuffer | undefined = (globalThis as { readonly Buffer?: NodeBuffer }).Buffer

/**
 * Node's `Buffer`: its bytes alone. Small ones are parts of memory that Node shares out, where others' bytes lie beside them; so what it
 * is a part of is not written.
 */
export const nodeBufferKind: Kind<Uint8Array> = {
  name: "Buffer",
  code: 13,
  ...Buffer === undefined ? {} : { prototype: Buffer.prototype },
  is: (object) => object !== Buffer!.prototype && tagOfTypedArray.call(object) === "Uint8Array",
  write(pickler, view, family) {
    if (!succeeds(bufferLength, bufferOfTypedArray.call(view))) {
      throw new Unpicklable("memory that threads share cannot be pickled")
    }
    const bytes = new Uint8Array(
      bufferOfTypedArray.call(view),
      offsetOfTypedArray.call(view),
      lengthOfTypedArray.call(view)
    )
    pickler.begin(family)
    pickler.bytes(bytes)
    pickler.properties(view, family, 0, Reflect.ownKeys(view).slice(bytes.length))
  },
  check() {
    if (Buffer === undefined) {
      throw new UnpicklingError("the pickle has a Buffer, which is Node's, and this engine has not: send a Uint8Array")
    }
  },
  scan(scanner, type) {
    scanner.bytes()
    scanner.properties(type)
  },
  make: (loader) => Buffer!.from(loader.bytes()),
  fill(loader, view, type) {
    loader.bytes()
    loader.properties(view, type)
  }
}

// ---- views ----------------------------------------------------------------------------------------------------------

interface ViewClass {
  readonly name: string
  readonly prototype: object
  readonly BYTES_PER_ELEMENT?: number
  new(buffer: ArrayBuffer, offset: number, length?: number): ArrayBufferView
}

const viewClasses: ReadonlyArray<ViewClass> = [
  DataView,
  Int8Array,
  Uint8Array,
  Uint8ClampedArray,
  Int16Array,
  Uint16Array,
  Int32Array,
  Uint32Array,
  Float32Array,
  Float64Array,
  BigInt64Array,
  BigUint64Array
]

/** Its `extra` says that it is as long as its buffer, which can be resized. */
const TRACKS_LENGTH = 1

const littleEndian = new Uint8Array(new Uint16Array([1]).buffer)[0] === 1

export const viewKinds: ReadonlyArray<Kind<ArrayBufferView>> = viewClasses.map((Class, i): Kind<ArrayBufferView> => {
  const isDataView = Class.prototype === DataView.prototype
  const owner = isDataView ? DataView.prototype : ofTypedArrays
  const bufferOf = getter(owner, "buffer")!
  const offsetOf = getter(owner, "byteOffset")!
  const lengthOf = getter(owner, "byteLength")!
  const tagOf = getter(owner, Symbol.toStringTag as unknown as string)
  const { BYTES_PER_ELEMENT: size = 1 } = Class
  return {
    name: Class.name,
    code: 32 + i,
    late: true,
    prototype: Class.prototype,
    is: (object) =>
      object !== Class.prototype &&
      (tagOf === undefined ? succeeds(bufferOf, object) : tagOf.call(object) === Class.name),
    write(pickler, view, family) {
      if (!littleEndian && size > 1) {
        throw new Unpicklable(
          "numbers of several bytes cannot be pickled on this machine, which has their highest byte first"
        )
      }
      let offset: number
      let length: number
      try {
        offset = offsetOf.call(view)
        length = lengthOf.call(view)
      } catch (error) {
        throw new Unpicklable(`a ${Class.name} that is out of its buffer's bounds cannot be pickled`, { cause: error })
      }
      const buffer: ArrayBuffer = bufferOf.call(view)
      const extra = tracksLength(buffer, view, offset, length, size) ? TRACKS_LENGTH : 0
      pickler.begin(family)
      pickler.value(buffer)
      pickler.integer(offset)
      pickler.integer(length)
      const elements = isDataView ? 0 : length / size
      pickler.properties(view, family, extra, Reflect.ownKeys(view).slice(elements))
    },
    scan(scanner, type) {
      scanner.record(bufferKind)
      scanner.integer()
      scanner.integer()
      scanner.properties(type)
    },
    make(loader, type) {
      if (!littleEndian && size > 1) {
        throw new UnpicklingError(
          "the pickle has numbers of several bytes, with their lowest byte first; this machine has not"
        )
      }
      const buffer = loader.value() as ArrayBuffer
      const offset = loader.integer()
      const length = loader.integer()
      if (offset % size !== 0 || length % size !== 0 || offset + length > buffer.byteLength) {
        throw new UnpicklingError(`a ${Class.name} of the pickle is out of its buffer's bounds`)
      }
      if (type.extra === TRACKS_LENGTH) {
        if (resizable?.call(buffer) !== true) throw new UnpicklingError(`a ${Class.name} of the pickle is too long`)
        return new Class(buffer, offset)
      }
      return new Class(buffer, offset, length / size)
    },
    fill(loader, view, type) {
      loader.value()
      loader.integer()
      loader.integer()
      loader.properties(view, type)
    },
    locate: () => "its buffer"
  }
})

/** Is a view as long as its buffer will be? It does not say; so the buffer is made a little longer or shorter, and back. */
const tracksLength = (
  buffer: ArrayBuffer,
  view: ArrayBufferView,
  offset: number,
  length: number,
  size: number
): boolean => {
  if (resizable === undefined || !succeeds(bufferLength, buffer) || !resizable.call(buffer)) return false
  const total: number = bufferLength.call(buffer)
  if (offset + length + size <= total) return false
  const { resize } = ArrayBuffer.prototype as unknown as { resize: (length: number) => void }
  const max: number = maxByteLength!.call(buffer)
  if (total + size <= max) {
    resize.call(buffer, total + size)
    const tracks = view.byteLength !== length
    resize.call(buffer, total)
    return tracks
  }
  if (length < size) return false
  // what is cut off comes back as zeros
  const kept = new Uint8Array(buffer).slice()
  resize.call(buffer, total - size)
  const tracks = view.byteLength === length - size
  resize.call(buffer, total)
  new Uint8Array(buffer).set(kept)
  return tracks
}
