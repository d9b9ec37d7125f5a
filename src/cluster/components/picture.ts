/** Networks as pictures. */

/** What goes from one component to another one. */
export interface Arrow {
  readonly from: string
  readonly to: string
  readonly label: string
}

/** What Mermaid draws: see mermaid.js.org/syntax/flowchart.html. */
export const mermaid = (title: string, names: ReadonlyArray<string>, arrows: ReadonlyArray<Arrow>): string => {
  const ids = new Map(names.map((name, i) => [name, `c${i}`]))
  const quoted = (text: string): string => `"${text.replace(/"/g, "#quot;")}"`
  return [
    "---",
    `title: ${JSON.stringify(title)}`,
    "---",
    "flowchart LR",
    ...names.map((name) => `  ${ids.get(name)}[${quoted(name)}]`),
    ...arrows.map(({ from, label, to }) => `  ${ids.get(from)} -->|${quoted(label)}| ${ids.get(to)}`),
    ""
  ].join("\n")
}

const WIDTH = 140
const HEIGHT = 44
const GAP_X = 120
const GAP_Y = 36
const MARGIN = 24
const TITLE = 28

/** A picture: columns from left to right as the values go, an arrow that goes back below the boxes. */
export const svg = (title: string, names: ReadonlyArray<string>, arrows: ReadonlyArray<Arrow>): string => {
  const columns = columnsOf(names, arrows)
  const rows = new Map<string, number>()
  const heights: Array<number> = []
  for (const name of names) {
    const column = columns.get(name)!
    rows.set(name, heights[column] ?? 0)
    heights[column] = (heights[column] ?? 0) + 1
  }
  const left = (name: string): number => MARGIN + columns.get(name)! * (WIDTH + GAP_X)
  const middle = (name: string): number => MARGIN + TITLE + rows.get(name)! * (HEIGHT + GAP_Y) + HEIGHT / 2
  const width = 2 * MARGIN + heights.length * WIDTH + Math.max(0, heights.length - 1) * GAP_X
  const bottom = MARGIN + TITLE + Math.max(1, ...heights) * (HEIGHT + GAP_Y)
  const back = arrows.filter(({ from, to }) => columns.get(to)! <= columns.get(from)!)
  const height = bottom + MARGIN + back.length * 24
  const lines = arrows.map((arrow) => {
    const { from, label, to } = arrow
    const [x1, y1, x2, y2] = [left(from) + WIDTH, middle(from), left(to), middle(to)]
    const below = back.indexOf(arrow)
    if (below < 0) {
      return path(`M ${x1} ${y1} C ${x1 + GAP_X / 2} ${y1}, ${x2 - GAP_X / 2} ${y2}, ${x2 - 6} ${y2}`) +
        text(label, (x1 + x2) / 2, (y1 + y2) / 2 - 6, 11)
    }
    const y = bottom + below * 24
    return path(
      `M ${x1} ${y1} C ${x1 + 40} ${y1}, ${x1 + 40} ${y}, ${x1 - 20} ${y} L ${x2 + 20} ${y} C ${x2 - 40} ${y}, ${
        x2 - 40
      } ${y2}, ${x2 - 6} ${y2}`
    ) + text(label, (x1 + x2) / 2, y - 6, 11)
  })
  const boxes = names.map((name) =>
    `<rect x="${left(name)}" y="${
      middle(name) - HEIGHT / 2
    }" width="${WIDTH}" height="${HEIGHT}" rx="6" fill="#fff" stroke="#333"/>` +
    text(name, left(name) + WIDTH / 2, middle(name) + 5, 14)
  )
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" font-family="sans-serif" role="img">`,
    `<title>${escaped(title)}</title>`,
    `<defs><marker id="arrow" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="8" markerHeight="8" orient="auto"><path d="M 0 0 L 8 4 L 0 8 z" fill="#333"/></marker></defs>`,
    text(title, width / 2, MARGIN, 16),
    ...lines,
    ...boxes,
    "</svg>",
    ""
  ].join("\n")
}

/** The column of each: one behind all that it receives from, as far as that can be, as arrows may go in circles. */
const columnsOf = (names: ReadonlyArray<string>, arrows: ReadonlyArray<Arrow>): ReadonlyMap<string, number> => {
  const columns = new Map<string, number>()
  const visiting = new Set<string>()
  const columnOf = (name: string): number => {
    const known = columns.get(name)
    if (known !== undefined) return known
    visiting.add(name)
    let column = 0
    for (const { from, to } of arrows) {
      if (to === name && !visiting.has(from)) column = Math.max(column, columnOf(from) + 1)
    }
    visiting.delete(name)
    columns.set(name, column)
    return column
  }
  for (const name of names) columnOf(name)
  return columns
}

const path = (d: string): string => `<path d="${d}" fill="none" stroke="#333" marker-end="url(#arrow)"/>`

const text = (what: string, x: number, y: number, size: number): string =>
  `<text x="${x}" y="${y}" font-size="${size}" text-anchor="middle">${escaped(what)}</text>`

const escaped = (what: string): string => what.replace(/[&<>"]/g, (c) => `&#${c.charCodeAt(0)};`)
