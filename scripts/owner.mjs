// Where the repository lives is for its owner to say. Until then the word OWNER stands for it, in the files below.
//
//   node scripts/owner.mjs NAME      fills it in: the user or the organization of the host
//   node scripts/owner.mjs --check   fails while it is not filled in, so that nothing is published like that
import { execFileSync } from "node:child_process"
import { readFileSync, writeFileSync } from "node:fs"
import { fileURLToPath } from "node:url"

const root = fileURLToPath(new URL("..", import.meta.url))
const placeholder = /(github\.com\/|@)OWNER(?=\/effect-stackless)/g
const files = execFileSync("git", ["ls-files", "*.json", "*.md", "*.yml", "*.txt"], { cwd: root, encoding: "utf8" })
  .split("\n").filter((file) => file !== "")
const unfilled = files.filter((file) => readFileSync(root + file, "utf8").search(placeholder) !== -1)

const [name = "--check"] = process.argv.slice(2)
if (name !== "--check") {
  for (const file of unfilled) {
    writeFileSync(root + file, readFileSync(root + file, "utf8").replace(placeholder, `$1${name}`))
    console.log(file)
  }
} else if (unfilled.length > 0) {
  console.error(`OWNER stands for the owner of the repository in ${unfilled.join(", ")}.`)
  console.error("Fill it in first: node scripts/owner.mjs NAME")
  process.exitCode = 1
}
