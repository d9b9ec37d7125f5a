// Checks the built site: each link within it leads to a page that is there, and to an anchor that is on it.
import { existsSync, readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"

const dist = fileURLToPath(new URL(".vitepress/dist", import.meta.url))
const pages = readdirSync(dist, { recursive: true, encoding: "utf8" }).filter((file) => file.endsWith(".html"))
const ids = new Map(pages.map((page) => {
  const html = readFileSync(join(dist, page), "utf8")
  return [page, new Set([...html.matchAll(/ id="([^"]*)"/g)].map(([, id]) => id))]
}))

const dead = new Set()
let links = 0
for (const page of pages) {
  const html = readFileSync(join(dist, page), "utf8")
  for (const [, href = ""] of html.matchAll(/<a [^>]*href="([^"]*)"/g)) {
    if (/^[a-z]+:/.test(href)) continue
    links++
    const url = new URL(href, `http://site/${page}`)
    const path = decodeURIComponent(url.pathname.slice(1))
    const file = path === "" || path.endsWith("/") ? `${path}index.html` : path
    const anchor = decodeURIComponent(url.hash.slice(1))
    const there = ids.get(file)
    const holds = there === undefined
      ? existsSync(join(dist, file)) && anchor === ""
      : anchor === "" || there.has(anchor)
    if (!holds) dead.add(`${page}: ${href}`)
  }
}
for (const link of dead) console.error(`dead link in ${link}`)
console.log(`${links} links on ${pages.length} pages, ${dead.size} dead`)
process.exitCode = dead.size === 0 ? 0 : 1
