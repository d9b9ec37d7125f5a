import { readFileSync } from "node:fs"
import { defineConfig } from "vitepress"

const { description, homepage } = JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8"))

// The sidebar is the list of pages, docs/README.md.
const sidebar = readFileSync(new URL("../../docs/README.md", import.meta.url), "utf8").split(/^## /m).slice(1).map((
  part
) => ({
  text: part.slice(0, part.indexOf("\n")),
  items: [...part.matchAll(/^- \[(.*)\]\((.*)\.md\)/gm)].map(([, text, link = ""]) => ({
    text,
    link: `/${link.replace(/README$/, "index")}.html`
  }))
}))

export default defineConfig({
  title: "effect-stackless",
  description,
  srcDir: "pages",
  // links.mjs checks the links, with their anchors.
  ignoreDeadLinks: true,
  markdown: {
    anchor: {
      // as the host of the repository makes them, so that a link holds in both places
      slugify: (heading) => heading.toLowerCase().replace(/[^\p{L}\p{N} _-]/gu, "").replace(/ /g, "-")
    }
  },
  themeConfig: {
    search: { provider: "local" },
    outline: "deep",
    socialLinks: [{ icon: "github", link: homepage.replace(/#.*/, "") }],
    nav: [
      { text: "Start", link: "/start.html" },
      { text: "Tutorial", link: "/tutorial.html" },
      { text: "Reference", link: "/reference/index.html" }
    ],
    sidebar: [{ text: "Start", link: "/start.html" }, ...sidebar, { text: "Reference", link: "/reference/index.html" }]
  }
})
