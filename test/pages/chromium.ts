/** A real browser for tests: Chromium, driven by playwright-core. */
import { accessSync, constants } from "node:fs"
import { delimiter, join } from "node:path"
import { type Browser, chromium } from "playwright-core"

/** Where Chromium is: `CHROMIUM` says it, or it is on the path. */
const executable = (): string => {
  const folders = (process.env["PATH"] ?? "").split(delimiter)
  const candidates = [
    ...process.env["CHROMIUM"] === undefined ? [] : [process.env["CHROMIUM"]],
    ...["chromium", "chromium-browser", "google-chrome"].flatMap((name) => folders.map((folder) => join(folder, name)))
  ]
  const found = candidates.find((file) => {
    try {
      accessSync(file, constants.X_OK)
      return true
    } catch {
      return false
    }
  })
  if (found !== undefined) return found
  throw new Error(
    "there is no Chromium: install it with `apt-get install chromium`, or say with CHROMIUM=/path/to/chromium where it is"
  )
}

/** Starts it. Close it in the end. It has no sandbox, since tests run as root in containers. */
export const launch = (): Promise<Browser> =>
  chromium.launch({ executablePath: executable(), args: ["--no-sandbox", "--disable-dev-shm-usage"] })
