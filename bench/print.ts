/** How numbers and tables of them are printed. */
import type { Unit } from "./measurement.ts"

/** Four digits, which is more than the noise allows. */
export const rounded = (number: number): number => Number(number.toPrecision(4))

export const inUnit = (number: number, unit: Unit): string => {
  switch (unit) {
    case "/s":
      if (number < 1000) return `${number.toFixed(0)} /s`
      return number < 100_000 ? `${(number / 1000).toFixed(1)} k/s` : `${(number / 1_000_000).toFixed(2)} M/s`
    case "frames/s":
      return `${number.toFixed(1)} frames/s`
    case "×":
      return `${number.toFixed(2)} ×`
    case "ns":
      return `${number.toFixed(number < 100 ? 1 : 0)} ns`
    case "µs":
      return `${number.toFixed(number < 10 ? 3 : 1)} µs`
    case "ms":
      return `${number.toFixed(0)} ms`
    case "bytes":
      return `${number.toFixed(0)} bytes`
    case "MB":
      return `${number.toFixed(0)} MB`
  }
}

/** Lines up columns: words to the left, numbers, which are all columns but the first and the last, to the right. */
export const table = (rows: ReadonlyArray<ReadonlyArray<string>>): string => {
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)))
  return rows
    .map((row) =>
      row
        .map((cell, column) =>
          column === 0 || column === row.length - 1 ? cell.padEnd(widths[column]!) : cell.padStart(widths[column]!)
        )
        .join("  ")
        .trimEnd()
    )
    .join("\n")
}
