// Writes the version of package.json into jsr.json.
import { readFileSync, writeFileSync } from "node:fs"

const file = new URL("../jsr.json", import.meta.url)
const { version } = JSON.parse(readFileSync(new URL("../package.json", import.meta.url), "utf8"))
const jsr = JSON.parse(readFileSync(file, "utf8"))
writeFileSync(file, `${JSON.stringify({ ...jsr, version }, null, 2)}\n`)
