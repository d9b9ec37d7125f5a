/** Draws the lanes that are in sight. */
import type { Lane, lastUpTo, Model } from "./model.ts"

/** What is in sight. */
export interface Sight {
  /** In device pixels: the chart's size, and where the lanes begin. */
  readonly width: number
  readonly height: number
  readonly left: number
  readonly top: number
  readonly row: number
  /** How many pixels it is scrolled down. */
  readonly scroll: number
  /** The times at the left and the right end. */
  readonly from: number
  readonly to: number
  /** The instant that is looked at; none, if it is undefined. */
  readonly instant: number | undefined
  readonly selected: number | undefined
  readonly dark: boolean
  readonly scale: number
}

/** `context` is a canvas's; `strips` is a canvas that is not shown, on which the lanes are painted a pixel high. */
export const draw = (
  context: any,
  found: { readonly lastUpTo: typeof lastUpTo; readonly strips: any },
  { end, messages }: Model,
  lanes: ReadonlyArray<Lane>,
  sight: Sight
): void => {
  const { dark, from, height, instant, left, row, scale, scroll, selected, to, top, width } = sight
  const { lastUpTo, strips } = found
  const inner = width - left
  const x = (time: number): number => left + (time - from) / (to - from) * inner
  const colours = ["#e2b93b", "#8fa3b8", "#4f9a94", "#b9bfc7", "", "", "#c9cfd6", "#2f9e44"]
  if (dark) {
    colours[1] = "#5d7186"
    colours[3] = "#4a515a"
    colours[6] = "#3c434b"
  }
  // as an image has it: the bytes of red, green, blue and opacity
  function pixel(colour: string): number {
    const bytes = new Uint8Array([...[1, 3, 5].map((at) => parseInt(colour.slice(at, at + 2), 16)), 255])
    return new Uint32Array(bytes.buffer)[0]!
  }
  const text = dark ? "#e3e6ea" : "#1b1f24"
  const soft = dark ? "#98a2ae" : "#667"
  context.clearRect(0, 0, width, height)
  context.font = `${11 * scale}px system-ui, sans-serif`
  context.textBaseline = "middle"

  // a lane is two strips of pixels: its band, and the middle of it, which is all that is seen of those who wait
  const columns = Math.max(1, Math.round(inner))
  const pixelsOf = colours.map((colour) => colour === "" ? 0 : pixel(colour))
  const red = pixel("#d6293e")

  // ---- the lanes ----
  const firstRow = Math.max(0, Math.floor(scroll / row))
  const lastRow = Math.min(lanes.length, Math.ceil((scroll + height - top) / row) + 1)
  const rows = new Map<number, number>()
  const image = context.createImageData(columns, 2 * Math.max(1, lastRow - firstRow))
  const failed: Array<{ readonly at: number; readonly y: number }> = []
  const pixels = new Uint32Array(image.data.buffer)
  const column = (time: number): number => Math.floor((time - from) / (to - from) * columns)
  context.save()
  context.beginPath()
  context.rect(0, top, width, height - top)
  context.clip()
  for (let r = firstRow; r < lastRow; r++) {
    const { id, name, starts, states } = lanes[r]!
    const y = top + r * row - scroll
    rows.set(id, y + row / 2)
    if (id === selected) {
      context.fillStyle = dark ? "#2a3340" : "#e6eefb"
      context.fillRect(0, y, width, row)
    }
    context.fillStyle = text
    context.fillText(name, 8 * scale, y + row / 2, left - 12 * scale)
    const count = starts.length
    let i = Math.max(0, lastUpTo(starts, from))
    const band = 2 * (r - firstRow) * columns
    const middle = band + columns
    // the first column that is still empty
    let free = 0
    while (i < count && starts[i]! < to && free < columns) {
      const state = states[i]!
      const kind = state & 7
      const stuck = (state & 16) !== 0
      const begins = Math.max(free, column(starts[i]!))
      free = Math.min(columns, column(i + 1 < count ? starts[i + 1]! : end))
      let colour = stuck ? red : pixelsOf[kind]!
      let thin = !stuck && (kind === 3 || kind === 6 || kind === 1 || kind === 2)
      i++
      if (free <= begins) {
        // all that are in one pixel are drawn as one: as running, if one of them is
        free = begins + 1
        const last = from + free / columns * (to - from)
        let skipped = i
        let running = kind === 7
        while (skipped < count && skipped < i + 16 && starts[skipped]! <= last) {
          running ||= (states[skipped]! & 7) === 7
          skipped++
        }
        // the last one may go on beyond it
        i = Math.max(i, (skipped < i + 16 ? skipped : lastUpTo(starts, last) + 1) - 1)
        if (running) {
          colour = pixelsOf[7]!
          thin = false
        }
      }
      // a loop, since most are a pixel or two, for which `fill` takes longer
      for (let at = begins; at < free; at++) {
        pixels[middle + at] = colour
        if (!thin) pixels[band + at] = colour
      }
    }
    if ((states[count - 1]! & 7) === 5) failed.push({ at: x(starts[count - 1]!) - 4 * scale, y: y + row / 2 })
  }

  // one picture is sent to the canvas, however many slices there are
  strips.width = columns
  strips.height = image.height
  strips.getContext("2d").putImageData(image, 0, 0)
  context.imageSmoothingEnabled = false
  for (let r = firstRow; r < lastRow; r++) {
    const y = top + r * row - scroll
    const at = 2 * (r - firstRow)
    context.drawImage(strips, 0, at, columns, 1, left, y + 0.15 * row, inner, 0.7 * row)
    context.drawImage(strips, 0, at + 1, columns, 1, left, y + 0.32 * row, inner, 0.36 * row)
  }
  for (const { at, y } of failed) {
    context.fillStyle = "#d6293e"
    context.fillText("✕", at, y)
  }

  // ---- messages: those between two lanes in sight, as long as they can be told apart ----
  const firstFrom = (time: number): number => {
    let low = 0
    let high = messages.length
    while (low < high) {
      const middle = (low + high) >> 1
      if (messages[middle]!.time < time) low = middle + 1
      else high = middle
    }
    return low
  }
  const firstMessage = firstFrom(from)
  const lastMessage = firstFrom(to)
  context.strokeStyle = dark ? "#c9a7ff" : "#7048c8"
  context.fillStyle = context.strokeStyle
  context.lineWidth = scale
  context.beginPath()
  const few = lastMessage - firstMessage < 1_000
  for (let m = few ? firstMessage : lastMessage; m < lastMessage; m++) {
    const message = messages[m]!
    const start = rows.get(message.from)
    const goal = rows.get(message.to)
    if (start === undefined || goal === undefined) continue
    const at = x(message.time)
    const head = (goal > start ? -1 : 1) * 4 * scale
    context.moveTo(at, start)
    context.lineTo(at, goal)
    context.moveTo(at - 3 * scale, goal + head)
    context.lineTo(at, goal)
    context.lineTo(at + 3 * scale, goal + head)
  }
  context.stroke()
  context.restore()

  // ---- the scale of time ----
  const step = (() => {
    const rough = (to - from) / Math.max(1, inner / (110 * scale))
    const power = 10 ** Math.floor(Math.log10(rough))
    return [1, 2, 5, 10].map((f) => f * power).find((s) => s >= rough) ?? rough
  })()
  context.fillStyle = soft
  context.strokeStyle = dark ? "#333a43" : "#d8dce2"
  context.lineWidth = 1
  context.beginPath()
  for (let t = Math.ceil(from / step) * step; t <= to; t += step) {
    const at = Math.round(x(t)) + 0.5
    context.moveTo(at, top - 4 * scale)
    context.lineTo(at, height)
    const shown = step >= 1_000
      ? `${+(t / 1_000).toFixed(3)} s`
      : step >= 0.1
      ? `${+t.toFixed(3)} ms`
      : `${+(t * 1e3).toFixed(3)} µs`
    context.fillText(shown, at + 3, top - 10 * scale)
  }
  context.stroke()
  if (instant !== undefined && instant >= from && instant <= to) {
    context.fillStyle = "#2f6fd0"
    context.fillRect(x(instant) - scale / 2, 0, scale, height)
  }
}
