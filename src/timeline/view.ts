/** The page at work: what its parts are, and what they do when somebody acts. */
import type { draw } from "./draw.ts"
import type { Lane, lastUpTo, Model, model } from "./model.ts"
import type { PageData } from "./page-data.ts"
import type { replay } from "./replay.ts"
import type { channelName, stateName } from "./waiting.ts"

/** What the page is made of besides. */
export interface Parts {
  readonly channelName: typeof channelName
  readonly draw: typeof draw
  readonly lastUpTo: typeof lastUpTo
  readonly model: typeof model
  readonly replay: typeof replay
  readonly stateName: typeof stateName
}

export const view = (parts: Parts, source: { readonly token: string } | null): void => {
  const { channelName, draw, lastUpTo, model, replay, stateName } = parts
  const browser = globalThis as any
  const { document, window } = browser
  const element = (html: string): any => {
    const template = document.createElement("template")
    template.innerHTML = html
    return template.content.firstElementChild
  }
  const escaped = (text: unknown): string =>
    String(text).replace(/[&<>"]/g, (c) => ({ "&": "&amp;", "<": "&lt;", ">": "&gt;", "\"": "&quot;" })[c]!)
  const bytes = (text: string): Uint8Array => {
    // what newer browsers have
    const { fromBase64 } = Uint8Array as any
    if (fromBase64 !== undefined) return fromBase64.call(Uint8Array, text)
    const binary = browser.atob(text)
    const array = new Uint8Array(binary.length)
    for (let i = 0; i < binary.length; i++) array[i] = binary.charCodeAt(i)
    return array
  }
  const unpack = (head: string, events: string): PageData => {
    const data: PageData = JSON.parse(head)
    const { length } = data
    const times = new Float64Array(length)
    const words = new Uint32Array(4 * length)
    const packed = bytes(events)
    let at = 0
    const next = (): number => {
      let number = 0
      for (let factor = 1;; factor *= 128) {
        const byte = packed[at++]!
        number += byte % 128 * factor
        if (byte < 128) return number
      }
    }
    let time = 0
    for (let i = 0; i < length; i++) {
      const later = next()
      time += later % 2 === 0 ? later / 2 : -(later + 1) / 2
      times[i] = time / 1e3
      for (let j = 4 * i; j < 4 * i + 4; j++) words[j] = next()
    }
    return { ...data, times, words }
  }
  const written = (id: string): string => document.getElementById(id).textContent

  // ---- what is shown ----
  let data = unpack(written("head"), written("events"))
  let shown: Model = model(data, replay)
  let lanes: Array<Lane> = []
  let from = 0
  let to = 1
  let scroll = 0
  let instant: number | undefined
  let selected: number | undefined
  let following = source !== null
  let panel: "waiting" | "channels" | "greenlets" | "selected" = "waiting"
  /** Of a live program: the frames of its greenlets now, by their numbers. */
  let frames = new Map<number, string>()

  const keys = [["running", "#2f9e44"], ["runnable", "#e2b93b"], ["blocked", "#8fa3b8"], ["an Effect", "#4f9a94"], [
    "deadlock",
    "#d6293e"
  ]]
  document.body.append(
    element(
      `<header><b>effect-stackless</b><input id="filter" type="search" placeholder="filter by name" aria-label="filter by name">
<select id="only" aria-label="which"><option value="">all</option><option value="stuck">blocked at the instant</option><option value="dead">in a deadlock</option></select>
<button id="all">whole</button><button id="waits" class="on">who waits</button><button id="graph">channels</button><button id="tree" hidden>greenlets</button>
<span class="soft" id="count"></span><span>${
        keys.map(([name, colour]) => `<i class="key" style="background:${colour}"></i>${name}`).join("")
      }</span></header>`
    ),
    element(
      `<main><div id="chart"><canvas id="canvas" tabindex="0" aria-label="timeline"></canvas></div><aside id="panel"></aside></main>`
    )
  )
  const get = (id: string): any => document.getElementById(id)
  const canvas = get("canvas")
  const context = canvas.getContext("2d")
  const strips = document.createElement("canvas")
  const scaleOf = (): number => window.devicePixelRatio || 1
  const LEFT = 170
  const TOP = 26
  const ROW = 18

  const stateAt = (lane: Lane, time: number): number => lastUpTo(lane.starts, time)
  /** What has happened in the last second of a live program. */
  const rates = (): string => {
    if (source === null) return ""
    const since = shown.end - 1_000
    const events = data.length - 1 - lastUpTo(data.times, since)
    const messages = shown.messages.filter(({ time }) => time > since).length
    return `; in the last second ${events.toLocaleString("en")} events, ${messages.toLocaleString("en")} messages`
  }
  const filter = (): void => {
    const words = get("filter").value.trim().toLowerCase()
    const only = get("only").value
    const time = instant ?? shown.end
    lanes = shown.lanes.filter((lane) => {
      if (words !== "" && !lane.name.toLowerCase().includes(words)) return false
      if (only === "dead") return lane.states.some((state) => (state & 16) !== 0)
      if (only === "stuck") {
        const i = stateAt(lane, time)
        return i >= 0 && ((lane.states[i]! & 7) === 1 || (lane.states[i]! & 7) === 2)
      }
      return true
    })
    get("count").textContent = `${lanes.length} of ${shown.lanes.length} tasklets and greenlets, ${
      shown.length.toLocaleString("en")
    } events${rates()}`
  }

  // ---- drawing: once a frame at most ----
  let asked = false
  const paint = (): void => {
    if (asked) return
    asked = true
    window.requestAnimationFrame(() => {
      asked = false
      const scale = scaleOf()
      const width = Math.round(canvas.clientWidth * scale)
      const height = Math.round(canvas.clientHeight * scale)
      if (canvas.width !== width || canvas.height !== height) {
        canvas.width = width
        canvas.height = height
      }
      scroll = Math.max(0, Math.min(scroll, lanes.length * ROW - canvas.clientHeight + TOP))
      draw(context, { lastUpTo, strips }, shown, lanes, {
        width,
        height,
        left: LEFT * scale,
        top: TOP * scale,
        row: ROW * scale,
        scroll: scroll * scale,
        from,
        to,
        instant,
        selected,
        dark: window.matchMedia("(prefers-color-scheme: dark)").matches,
        scale
      })
    })
  }

  // ---- the panel ----
  const stateOf = (lane: Lane, i: number): string =>
    i < 0 ? "not there yet" : stateName(data, channelName, lane.states[i]!, lane.waits[i]!)
  const millis = (time: number): string =>
    time >= 1_000
      ? `${(time / 1_000).toFixed(3)} s`
      : time >= 1
      ? `${time.toFixed(3)} ms`
      : `${(time * 1e3).toFixed(1)} µs`
  const row = (lane: Lane, time: number): string => {
    const i = stateAt(lane, time)
    const place = i < 0 ? "" : data.places[lane.places[i]!] ?? ""
    const red = i >= 0 && (lane.states[i]! & 16) !== 0 ? " class=\"red\"" : ""
    return `<tr class="pick" data-id="${lane.id}"><td>${escaped(lane.name)}</td><td${red}>${
      escaped(stateOf(lane, i))
    }<br><span class="at">${escaped(place)}</span></td><td class="soft">${
      i < 0 ? "" : millis(time - lane.starts[i]!)
    }</td></tr>`
  }
  const waitingPanel = (time: number): string => {
    const waiting = lanes.filter((lane) => {
      const i = stateAt(lane, time)
      return i >= 0 && [1, 2].includes(lane.states[i]! & 7)
    })
    return `<h2>Who waits at ${millis(time)}: ${waiting.length}</h2><table>${
      waiting.slice(0, 200).map((lane) => row(lane, time)).join("")
    }</table>${waiting.length > 200 ? `<p class="soft">and ${waiting.length - 200} more: filter by name</p>` : ""}`
  }
  /** The channels: who has sent to whom up to an instant, and who waits there. */
  const graphPanel = (time: number): string => {
    const edges = new Map<string, { from: number; to: number; channel: number; count: number }>()
    const sums = new Map<number, number>()
    for (const { channel, from, time: sent, to } of shown.messages) {
      if (sent > time) break
      sums.set(channel, (sums.get(channel) ?? 0) + 1)
      if (edges.size > 5_000) continue
      const key = `${channel} ${from} ${to}`
      const edge = edges.get(key)
      if (edge === undefined) edges.set(key, { from, to, channel, count: 1 })
      else edge.count++
    }
    const waits = new Map<number, Array<string>>()
    for (const lane of shown.lanes) {
      const i = stateAt(lane, time)
      if (i < 0 || (lane.states[i]! & 7) !== 1) continue
      const wait = lane.waits[i]!
      for (const one of data.channels[wait >> 1]?.waits ?? [wait]) {
        const list = waits.get(one >> 1) ?? []
        list.push(`${lane.name} ${one % 2 === 1 ? "sends" : "receives"}`)
        waits.set(one >> 1, list)
      }
    }
    const busiest = [...new Set([...sums.keys(), ...waits.keys()])]
      .map((id) => [id, sums.get(id) ?? 0] as const).sort(([, a], [, b]) => b - a).slice(0, 12)
    const who = (id: number): string => id < 0 ? "a fiber" : shown.byId.get(id)?.name ?? `#${id}`
    const height = 46
    const pictures = busiest.map(([id, sum]) => {
      const own = [...edges.values()].filter(({ channel }) => channel === id).sort((a, b) => b.count - a.count)
      const senders = [...new Set(own.map(({ from }) => from))].slice(0, 6)
      const receivers = [...new Set(own.map(({ to }) => to))].slice(0, 6)
      const tall = Math.max(height, 16 * Math.max(senders.length, receivers.length) + 12)
      const y = (i: number, n: number): number => tall / 2 + (i - (n - 1) / 2) * 16
      const line = (x1: number, y1: number, x2: number, y2: number): string =>
        `<path d="M${x1} ${y1} C ${(x1 + x2) / 2} ${y1}, ${
          (x1 + x2) / 2
        } ${y2}, ${x2} ${y2}" fill="none" stroke="#7048c8"/>`
      const label = (text: string, x: number, at: number, anchor: string): string =>
        `<text x="${x}" y="${at + 4}" text-anchor="${anchor}" fill="currentColor" font-size="11">${
          escaped(text.length > 16 ? `${text.slice(0, 15)}…` : text)
        }</text>`
      return `<h2>${escaped(channelName(data, id))} <span class="soft">${sum.toLocaleString("en")} messages</span></h2>
<svg width="318" height="${tall}">${
        senders.map((s, i) =>
          label(who(s), 2, y(i, senders.length), "start") + line(104, y(i, senders.length), 150, tall / 2)
        ).join("")
      }<circle cx="159" cy="${tall / 2}" r="8" fill="#7048c8"/>${
        receivers.map((r, i) =>
          line(168, tall / 2, 212, y(i, receivers.length)) + label(who(r), 216, y(i, receivers.length), "start")
        ).join("")
      }</svg>${
        (waits.get(id) ?? []).length === 0 ?
          "" :
          `<div class="soft">waits: ${escaped(waits.get(id)!.slice(0, 5).join(", "))}${
            waits.get(id)!.length > 5 ? ` and ${waits.get(id)!.length - 5} more` : ""
          }</div>`
      }`
    })
    return pictures.join("") || "<p class=\"soft\">no messages yet</p>"
  }
  /** The greenlets that are there at an instant, each below its parent. */
  const treePanel = (time: number): string => {
    const shows = new Set<number>()
    for (const { id, kind } of data.tracks) {
      const lane = shown.byId.get(id)
      if (kind !== "greenlet" || lane === undefined) continue
      const i = stateAt(lane, time)
      if (i < 0 || (lane.states[i]! & 7) === 4 || (lane.states[i]! & 7) === 5) continue
      // and those above it, wherever they are
      for (let at: Lane | undefined = lane; at !== undefined && !shows.has(at.id);) {
        shows.add(at.id)
        at = at.parent === undefined ? undefined : shown.byId.get(at.parent)
      }
    }
    const roots: Array<Lane> = []
    const children = new Map<number, Array<Lane>>()
    for (const id of [...shows].sort((a, b) => a - b)) {
      const lane = shown.byId.get(id)!
      if (lane.parent === undefined || !shown.byId.has(lane.parent)) roots.push(lane)
      else if (children.has(lane.parent)) children.get(lane.parent)!.push(lane)
      else children.set(lane.parent, [lane])
    }
    const rows: Array<string> = []
    const left = roots.map((lane) => ({ lane, depth: 0 })).reverse()
    while (left.length > 0 && rows.length < 500) {
      const { depth, lane } = left.pop()!
      for (const child of (children.get(lane.id) ?? []).reverse()) left.push({ lane: child, depth: depth + 1 })
      const i = stateAt(lane, time)
      const stands = (instant === undefined ? frames.get(lane.id) : undefined) ??
        (i < 0 ? "" : data.places[lane.places[i]!] ?? "")
      rows.push(
        `<div class="node" style="margin-left:${14 * Math.min(depth, 12)}px"><div class="pick" data-id="${lane.id}">${
          depth === 0 ? "" : "└ "
        }${escaped(lane.name)} <span class="soft">${escaped(stateOf(lane, i))}</span></div>${
          stands === "" ? "" : `<pre class="at">${escaped(stands)}</pre>`
        }</div>`
      )
    }
    return `<h2>Greenlets at ${millis(time)}: ${shows.size}</h2>${rows.join("")}${
      shows.size > rows.length ? `<p class="soft">and ${shows.size - rows.length} more</p>` : ""
    }`
  }
  const selectedPanel = (time: number): string => {
    const lane = shown.byId.get(selected!)
    if (lane === undefined) return ""
    const i = stateAt(lane, time)
    const sums = new Map<string, number>()
    const from = Math.max(0, lane.starts.length - 50_000)
    for (let j = from; j < lane.starts.length; j++) {
      const name = stateOf(lane, j)
      sums.set(name, (sums.get(name) ?? 0) + (lane.starts[j + 1] ?? shown.end) - lane.starts[j]!)
    }
    const parent = lane.parent === undefined ? "" : `<p>parent: ${escaped(shown.byId.get(lane.parent)?.name ?? "")}</p>`
    const acts = data.tracks.find(({ id }) => id === lane.id)?.kind === "tasklet"
    const buttons = source === null
      ? ""
      : !acts
      ? `<pre id="frames"></pre>`
      : `<p><button data-do="kill">kill</button> <button data-do="pause">pause</button> <button data-do="insert">insert</button> <span id="answer"></span></p><pre id="frames"></pre>`
    return `<h2>${escaped(lane.name)}</h2>${parent}<table>${
      row(lane, time)
    }</table>${buttons}<h2>Time in each state</h2><table>${
      [...sums].filter(([name]) => name !== "ended").sort(([, a], [, b]) => b - a).slice(0, 20)
        .map(([name, sum]) => `<tr><td>${escaped(name)}</td><td class="soft">${millis(sum)}</td></tr>`).join("")
    }</table><h2>Around ${millis(time)}</h2><table>${
      [...Array(11).keys()].map((k) => i - 5 + k).filter((j) => j >= 0 && j < lane.starts.length).map((j) =>
        `<tr><td class="soft">${millis(lane.starts[j]!)}</td><td>${j === i ? "<b>" : ""}${
          escaped(stateOf(lane, j))
        }</td></tr>`
      ).join("")
    }</table>`
  }
  const fill = (): void => {
    const time = instant ?? shown.end
    get("panel").innerHTML = panel === "channels"
      ? graphPanel(time)
      : panel === "greenlets"
      ? treePanel(time)
      : (panel === "selected" ? selectedPanel(time) : "") + waitingPanel(time)
    get("waits").className = panel === "channels" || panel === "greenlets" ? "" : "on"
    get("graph").className = panel === "channels" ? "on" : ""
    get("tree").className = panel === "greenlets" ? "on" : ""
    get("tree").hidden = !data.tracks.some(({ kind }) => kind === "greenlet")
  }
  const all = (): void => {
    filter()
    fill()
    paint()
  }
  const whole = (): void => {
    from = data.times[0] ?? 0
    to = Math.max(shown.end, from + 1e-3)
  }

  // ---- what somebody does ----
  const timeAt = (x: number): number => from + (x - LEFT) / (canvas.clientWidth - LEFT) * (to - from)
  const zoom = (x: number, factor: number): void => {
    const time = timeAt(x)
    const width = Math.max(1e-3, Math.min((to - from) * factor, 2 * shown.end + 1))
    from = time - (time - from) / (to - from) * width
    to = from + width
    following = false
    paint()
  }
  canvas.addEventListener("wheel", (event: any) => {
    event.preventDefault()
    if (event.ctrlKey || event.metaKey) zoom(event.offsetX, 1.0015 ** event.deltaY)
    else if (event.shiftKey || Math.abs(event.deltaX) > Math.abs(event.deltaY)) {
      const by = (event.deltaX || event.deltaY) / canvas.clientWidth * (to - from)
      from += by
      to += by
      following = false
      paint()
    } else {
      scroll += event.deltaY
      paint()
    }
  }, { passive: false })
  let drag: { x: number; y: number; moved: boolean } | undefined
  canvas.addEventListener("pointerdown", (event: any) => {
    drag = { x: event.offsetX, y: event.offsetY, moved: false }
    canvas.setPointerCapture(event.pointerId)
  })
  canvas.addEventListener("pointermove", (event: any) => {
    if (drag === undefined) return
    const dx = event.offsetX - drag.x
    const dy = event.offsetY - drag.y
    if (!drag.moved && Math.abs(dx) + Math.abs(dy) < 4) return
    const by = dx / (canvas.clientWidth - LEFT) * (to - from)
    from -= by
    to -= by
    scroll -= dy
    following = false
    drag = { x: event.offsetX, y: event.offsetY, moved: true }
    paint()
  })
  canvas.addEventListener("pointerup", (event: any) => {
    if (drag?.moved === false) {
      const r = Math.floor((event.offsetY - TOP + scroll) / ROW)
      selected = event.offsetY < TOP ? selected : lanes[r]?.id
      if (event.offsetX > LEFT) instant = timeAt(event.offsetX)
      panel = selected === undefined ? "waiting" : "selected"
      all()
    }
    drag = undefined
  })
  canvas.addEventListener("keydown", (event: any) => {
    const middle = (LEFT + canvas.clientWidth) / 2
    const by = (to - from) / 8
    if (event.key === "w" || event.key === "+") zoom(middle, 0.7)
    else if (event.key === "s" || event.key === "-") zoom(middle, 1.4)
    else if (event.key === "a" || event.key === "ArrowLeft") {
      from -= by
      to -= by
    } else if (event.key === "d" || event.key === "ArrowRight") {
      from += by
      to += by
    } else if (event.key === "ArrowDown") scroll += 3 * ROW
    else if (event.key === "ArrowUp") scroll -= 3 * ROW
    else return
    paint()
  })
  get("filter").addEventListener("input", all)
  get("only").addEventListener("change", all)
  get("all").addEventListener("click", () => {
    whole()
    instant = undefined
    following = source !== null
    all()
  })
  get("waits").addEventListener("click", () => {
    panel = "waiting"
    fill()
  })
  get("graph").addEventListener("click", () => {
    panel = "channels"
    fill()
  })
  get("tree").addEventListener("click", () => {
    panel = "greenlets"
    fill()
  })
  get("panel").addEventListener("click", (event: any) => {
    const verb = event.target.dataset.do
    if (verb !== undefined) return void act(verb)
    const id = event.target.closest(".pick")?.dataset.id
    if (id === undefined) return
    selected = Number(id)
    panel = "selected"
    const r = lanes.findIndex((lane) => lane.id === selected)
    if (r >= 0) scroll = r * ROW - canvas.clientHeight / 2
    all()
  })
  window.addEventListener("resize", paint)

  // ---- live ----
  const ask = async (path: string, method = "GET"): Promise<any> => {
    const answer = await browser.fetch(path, { method, headers: { authorization: `Bearer ${source!.token}` } })
    const body = await answer.json()
    if (!answer.ok) throw new Error(body.error)
    return body
  }
  const act = async (verb: string): Promise<void> => {
    const answer = await ask(`/tasklets/${selected}/${verb}`, "POST").then(() => "done", (error) => error.message)
    if (get("answer") !== null) get("answer").textContent = answer
  }
  const follow = async (): Promise<void> => {
    try {
      const { events, head } = await ask("/events")
      data = unpack(head, events)
      shown = model(data, replay)
      if (following) whole()
      const answer = get("answer")?.textContent
      if (panel === "greenlets") {
        const { greenlets } = await ask("/greenlets")
        frames = new Map(greenlets.map((greenlet: { id: number; frames: string }) => [greenlet.id, greenlet.frames]))
      }
      all()
      if (panel === "selected" && selected !== undefined) {
        const story = await ask(`/tasklets/${selected}`)
        if (get("frames") !== null) get("frames").textContent = story.frames
        if (answer && get("answer") !== null) get("answer").textContent = answer
      }
      browser.setTimeout(follow, 1_000)
    } catch (error) {
      get("count").textContent = `the program has ended: ${(error as Error).message}`
    }
  }

  whole()
  all()
  if (source !== null) browser.setTimeout(follow, 500)
}
