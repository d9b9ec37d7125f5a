/** Links between the pages lead somewhere, in the repository and in the package. */
import { execFileSync } from "node:child_process"
import { existsSync, readFileSync, statSync } from "node:fs"
import { dirname, join, normalize } from "node:path"
import { expect, test } from "vitest"

const listed = execFileSync("git", ["ls-files", "-co", "--exclude-standard", "*.md", "llms.txt"], { encoding: "utf8" })
const pages = listed.split("\n").filter((file) => file !== "" && existsSync(file))

/** The page without its code, in which nothing is a link or a heading. */
const prose = (page: string): string => readFileSync(page, "utf8").replace(/^( *)```[^]*?^\1```$/gm, "")

/** The anchors of the headings, as the host of the repository makes them. */
const anchors = (page: string): Array<string> => {
  const seen = new Map<string, number>()
  return [...prose(page).matchAll(/^#+ (.*)$/gm)].map(([, heading]) => {
    const slug = heading!.toLowerCase().replace(/[^\p{L}\p{N} _-]/gu, "").replace(/ /g, "-")
    const times = seen.get(slug) ?? 0
    seen.set(slug, times + 1)
    return times === 0 ? slug : `${slug}-${times}`
  })
}

interface Link {
  readonly page: string
  readonly link: string
  /** The file that the link leads to. */
  readonly file: string
  readonly anchor: string | undefined
}

const links: ReadonlyArray<Link> = pages.flatMap((page) =>
  [...prose(page).replace(/`[^`\n]*`/g, "").matchAll(/\]\(([^)\s]+)\)/g)].flatMap(([, link]) => {
    if (/^[a-z]+:/.test(link!)) return []
    const [path, anchor] = link!.split("#")
    return [{ page, link: link!, file: path === "" ? page : normalize(join(dirname(page), path!)), anchor }]
  })
)

const told = ({ link, page }: Link) => `${page}: ${link}`

test("links lead to files and headings that are there", () => {
  expect(links.length).toBeGreaterThan(20)
  const dead = links.filter(({ anchor, file }) =>
    !existsSync(file) || (anchor !== undefined && !(file.endsWith(".md") && anchors(file).includes(anchor)))
  )
  expect(dead.map(told)).toEqual([])
})

test("links from a page of the package lead to files of the package", () => {
  const packed = execFileSync("npm", ["pack", "--dry-run", "--json", "--ignore-scripts"], {
    encoding: "utf8",
    stdio: ["ignore", "pipe", "ignore"]
  })
  const files: Array<string> = JSON.parse(packed)[0].files.map(({ path }: { path: string }) => path)
  expect(files).toContain("AGENTS.md")
  expect(files).toContain("docs/stackless.md")
  const missing = links.filter(({ file, page }) => {
    const isThere = existsSync(file) && statSync(file).isDirectory()
      ? files.some((path) => path.startsWith(`${file.replace(/\/$/, "")}/`))
      : files.includes(file)
    return files.includes(page) && !isThere
  })
  expect(missing.map(told)).toEqual([])
})

test("every page of docs is in the list of pages, to which llms.txt leads", () => {
  const linked = (from: string) => links.filter(({ page }) => page === from).map(({ file }) => file)
  const listed = [...linked("docs/README.md"), ...linked("docs/decisions/README.md"), "docs/README.md"]
  expect(pages.filter((page) => page.startsWith("docs/") && !listed.includes(page))).toEqual([])
  expect(linked("llms.txt")).toContain("docs/README.md")
})
