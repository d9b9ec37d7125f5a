/** CRC-32, as zlib and PNG have it: it finds damage by accident, and none that somebody means. */

/** Four tables, so that a step takes four bytes. */
const tables = Array.from({ length: 4 }, () => new Uint32Array(256)) as [
  Uint32Array,
  Uint32Array,
  Uint32Array,
  Uint32Array
]
for (let n = 0; n < 256; n++) {
  let c = n
  for (let k = 0; k < 8; k++) c = c & 1 ? c >>> 1 ^ 0xED_B8_83_20 : c >>> 1
  tables[0][n] = c
}
for (let t = 1; t < 4; t++) {
  for (let n = 0; n < 256; n++) {
    const c = tables[t - 1]![n]!
    tables[t]![n] = c >>> 8 ^ tables[0][c & 255]!
  }
}

export const crc32 = (bytes: Uint8Array): number => {
  const [t0, t1, t2, t3] = tables
  let c = 0xFF_FF_FF_FF
  let i = 0
  for (const end = bytes.length - 3; i < end; i += 4) {
    c ^= bytes[i]! | bytes[i + 1]! << 8 | bytes[i + 2]! << 16 | bytes[i + 3]! << 24
    c = t3[c & 255]! ^ t2[c >>> 8 & 255]! ^ t1[c >>> 16 & 255]! ^ t0[c >>> 24]!
  }
  for (; i < bytes.length; i++) c = t0[(c ^ bytes[i]!) & 255]! ^ c >>> 8
  return ~c >>> 0
}
