/** Draws curves as SVG, over a logarithmic axis. */

export interface Curve {
  readonly label: string
  readonly points: ReadonlyArray<readonly [x: number, y: number]>
}

export interface Plot {
  readonly title: string
  /** What the axes count. */
  readonly x: string
  readonly y: string
  /** The one that is highest on the right first. */
  readonly curves: ReadonlyArray<Curve>
}

const WIDTH = 820
const HEIGHT = 420
/** The area of the curves. */
const LEFT = 64
const RIGHT = 580
const TOP = 56
const BOTTOM = 350

const COLOURS = ["#b3471d", "#1d5fb3", "#2c7a3f"]

/** An SVG document. It has a ground of its own, to be read on a dark page as well. */
export const plot = ({ curves, title, x, y }: Plot): string => {
  const all = curves.flatMap(({ points }) => points)
  const [from, to] = [Math.min(...all.map(([x]) => x)), Math.max(...all.map(([x]) => x))]
  const { step, top } = scaleOf(Math.max(...all.map(([, y]) => y)))
  const across = (x: number) => LEFT + (RIGHT - LEFT) * Math.log(x / from) / Math.log(to / from)
  const up = (y: number) => BOTTOM - (BOTTOM - TOP) * y / top
  const xs = curves[0]!.points.map(([x]) => x)
  const ys = Array.from({ length: top / step + 1 }, (_, i) => i * step)
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" font-family="sans-serif" font-size="13">`,
    `<rect width="${WIDTH}" height="${HEIGHT}" fill="#ffffff"/>`,
    text(LEFT, 28, title, { size: 17 }),
    ...ys.flatMap((y) => [
      line(LEFT, up(y), RIGHT, up(y), y === 0 ? "#444444" : "#dddddd"),
      text(LEFT - 10, up(y) + 4, String(y), { anchor: "end" })
    ]),
    text(LEFT - 10, TOP - 14, y, { anchor: "end" }),
    ...xs.flatMap((x) => [
      line(across(x), BOTTOM, across(x), BOTTOM + 5, "#444444"),
      text(across(x), BOTTOM + 22, short(x), { anchor: "middle" })
    ]),
    text((LEFT + RIGHT) / 2, BOTTOM + 48, x, { anchor: "middle" }),
    ...curves.flatMap(({ label, points }, i) => {
      const at = points.map(([x, y]) => [across(x).toFixed(1), up(y).toFixed(1)] as const)
      const colour = COLOURS[i]!
      const [, last] = points.at(-1)!
      return [
        `<polyline points="${at.map((p) => p.join()).join(" ")}" fill="none" stroke="${colour}" stroke-width="2"/>`,
        ...at.map(([x, y]) => `<circle cx="${x}" cy="${y}" r="3.5" fill="${colour}"/>`),
        text(RIGHT + 12, up(last) + 4, label, { colour })
      ]
    }),
    "</svg>",
    ""
  ].join("\n")
}

/** Round steps up to a number that nothing is above, seven at most. */
const scaleOf = (highest: number): { readonly step: number; readonly top: number } => {
  const power = 10 ** Math.floor(Math.log10(highest))
  const step = power * [0.2, 0.5, 1, 2].find((part) => highest / (part * power) <= 7)!
  return { step, top: Math.ceil(highest / step) * step }
}

const short = (n: number): string => n >= 1_000_000 ? `${n / 1_000_000} M` : n >= 1000 ? `${n / 1000} k` : String(n)

const line = (x1: number, y1: number, x2: number, y2: number, colour: string): string =>
  `<line x1="${x1.toFixed(1)}" y1="${y1.toFixed(1)}" x2="${x2.toFixed(1)}" y2="${y2.toFixed(1)}" stroke="${colour}"/>`

const text = (
  x: number,
  y: number,
  words: string,
  { anchor = "start", colour = "#222222", size = 13 }: { anchor?: string; colour?: string; size?: number }
): string =>
  `<text x="${x.toFixed(1)}" y="${
    y.toFixed(1)
  }" text-anchor="${anchor}" fill="${colour}" font-size="${size}">${words}</text>`
