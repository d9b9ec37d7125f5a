// Gathers the pages of the site in site/pages: docs/, README.md and its companions, with links that hold there. llms.txt goes along.
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs"
import { dirname, join, relative } from "node:path/posix"
import { fileURLToPath } from "node:url"

const root = fileURLToPath(new URL("..", import.meta.url))
const out = fileURLToPath(new URL("pages", import.meta.url))
const { homepage } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"))
const repository = `${homepage.replace(/#.*/, "")}/blob/main`

/** Where a file of the repository is on the site. */
const places = new Map([
  ["README.md", "start.md"],
  ["docs/README.md", "index.md"],
  ["docs/decisions/README.md", "decisions/index.md"],
  ...["AGENTS", "CHANGELOG", "CODE_OF_CONDUCT", "CONTRIBUTING", "SECURITY"].map((
    name
  ) => /** @type {const} */ ([`${name}.md`, `project/${name.toLowerCase()}.md`]))
])
const pictures = []
for (const file of readdirSync(join(root, "docs"), { recursive: true, encoding: "utf8" })) {
  if (/\.(?:png|svg)$/.test(file)) pictures.push(file)
  else if (file.endsWith(".md") && !places.has(`docs/${file}`)) places.set(`docs/${file}`, file)
}

/** The link of a page, as it is on the site. @type {(file: string, link: string) => string} */
const moved = (file, link) => {
  if (/^([a-z]+:|#)/.test(link)) return link
  const [path = "", anchor] = link.split("#")
  const target = join(dirname(file), path).replace(/\/$/, "")
  const page = existsSync(join(root, target)) && statSync(join(root, target)).isDirectory()
    ? `${target}/README.md`
    : target
  const place = places.get(page)
  const hash = anchor === undefined ? "" : `#${anchor}`
  if (place === undefined) {
    return target.startsWith("docs/") ? link : `${repository}/${target}${hash}`
  }
  return relative(dirname(places.get(file) ?? ""), place) + hash
}

rmSync(out, { recursive: true, force: true })
for (const [file, place] of places) {
  let fenced = false
  const text = readFileSync(join(root, file), "utf8").split("\n").map((line) => {
    if (/^ *```/.test(line)) fenced = !fenced
    return fenced ? line : line.replace(/\]\(([^)\s]+)\)/g, (_, link) => `](${moved(file, link)})`)
  })
  mkdirSync(dirname(join(out, place)), { recursive: true })
  writeFileSync(join(out, place), text.join("\n"))
}
for (const file of pictures) cpSync(join(root, "docs", file), join(out, file))
const llms = readFileSync(join(root, "llms.txt"), "utf8").replace(
  /\]\(([^)\s]+)\)/g,
  (_, link) => `](/${(places.get(link) ?? link).replace(/\.md$/, ".html")})`
)
mkdirSync(join(out, "public"), { recursive: true })
writeFileSync(join(out, "public/llms.txt"), llms)
