/**
 * Who holds the thread: in development mode, what kept the JavaScript event loop from its turn for long is told of, as gevent's
 * monitor thread does.
 *
 * While a loop of plain code runs, nothing else does in its realm. So in Node a second thread looks on: where the first gives no
 * sign of life, it stops that for a moment, as a debugger does, and reads where it stands. Elsewhere it is only seen
 * afterwards that something took long.
 */
import * as Effect from "effect/Effect"
import * as Metric from "effect/Metric"
import { runningThread } from "./current.ts"

/** What of Node is needed, which is asked for when it is used: who bundles this for a browser has none. */
interface Node {
  getBuiltinModule?(name: string): any
}

interface Held {
  /** How long, in milliseconds. */
  readonly held: number
  /** Whose code it was. */
  readonly who: string | undefined
  /** Source positions, the innermost first. */
  readonly frames: ReadonlyArray<{
    readonly name: string
    readonly url: string
    readonly line: number
    readonly column: number
  }>
}

/** How often something has held the thread for long, and for how many milliseconds in all. */
const times = Metric.counter("stackless_held", {
  description: "how often something kept the event loop from its turn for longer than developmentMode says"
})
const milliseconds = Metric.counter("stackless_held_millis", {
  description: "for how many milliseconds it did so"
})

const key = Symbol.for("effect-stackless/current")

/** Tells of what holds the thread for longer than so many milliseconds. Returns a function that stops that. */
export const watchThread = (slow: number): () => void => {
  const node = (globalThis as { process?: Node }).process
  const period = Math.max(1, slow / 4)
  const found = node?.getBuiltinModule?.("node:worker_threads")
  // a second thread can look at the main thread only
  return found?.isMainThread !== true ? watchAlone(slow, period) : watchFrom(found, node!, slow, period)
}

const watchAlone = (slow: number, period: number): () => void => {
  let last = performance.now()
  return every(period, () => {
    const now = performance.now()
    const held = now - last - period
    last = now
    if (held > slow) tell({ held, who: undefined, frames: [] }, (place) => place)
  })
}

const watchFrom = (threads: any, node: Node, slow: number, period: number): () => void => {
  const beats = new Int32Array(new SharedArrayBuffer(4))
  const globals = globalThis as { [key]?: unknown }
  globals[key] = () => String(runningThread()?.current ?? "")
  const worker = new threads.Worker(onlooker, { eval: true, workerData: { beats, slow, period } })
  worker.on("message", (held: Held) => tell(held, (place) => original(node, place)))
  let alone: (() => void) | undefined
  worker.on("error", () => {
    alone ??= watchAlone(slow, period)
  })
  worker.unref()
  const stop = every(period, () => void Atomics.add(beats, 0, 1))
  return () => {
    stop()
    alone?.()
    delete globals[key]
    void worker.terminate()
  }
}

const every = (period: number, f: () => void): () => void => {
  const timer = setInterval(f, period) as unknown as { unref?: () => void }
  timer.unref?.()
  return () => clearInterval(timer as never)
}

interface Place {
  readonly url: string
  readonly line: number
  readonly column: number
}

/** Where it stands in what was written, if Node has a source map of it: it has with `--enable-source-maps`. */
const original = (node: Node, place: Place): Place => {
  const map = node.getBuiltinModule?.("node:module").findSourceMap?.(place.url)
  const entry = map?.findEntry(place.line - 1, place.column - 1)
  return entry?.originalSource === undefined
    ? place
    : { url: entry.originalSource, line: entry.originalLine + 1, column: entry.originalColumn + 1 }
}

/** The folder of the package, unless it is bundled with the program. */
const here = /\/greenlet\/kernel\/[^/]*$/.test(import.meta.url) ? new URL("../..", import.meta.url).href : undefined

const isProgram = ({ url }: Place): boolean =>
  url !== "" && !url.startsWith("node:") && !url.includes("/node_modules/effect/") &&
  (here === undefined || !url.startsWith(here))

const tell = ({ frames, held, who }: Held, original: (place: Place) => Place): void => {
  const own = frames.filter(isProgram)
  // it was the machine that was busy
  if (frames.length > 0 && own.length === 0) return
  const lines = own.map((frame) => {
    const { column, line, url } = original(frame)
    return `at ${frame.name || "<anonymous>"} (${url}:${line}:${column})`
  })
  const whose = who === undefined || who === "" ? "something" : who
  const message = [`${whose} held the thread for ${Math.round(held)} ms`, ...lines.slice(0, 10)].join("\n    ")
  Effect.runFork(Effect.andThen(
    Effect.logWarning(message),
    Effect.andThen(Metric.update(times, 1), Metric.update(milliseconds, Math.round(held)))
  ))
}

/**
 * What the second thread runs. It is text, so that there is no file of it that a bundler would have to know of. It is a debugger only
 * while it looks: Node waits for one at the end of a process, and says so.
 */
const onlooker = `
const { parentPort, workerData: { beats, period, slow } } = require("node:worker_threads")
const { Session } = require("node:inspector")
let found
let session
const look = () => {
  const looking = session = new Session()
  const urls = new Map()
  looking.connectToMainThread()
  looking.on("Debugger.scriptParsed", ({ params: { scriptId, url } }) => urls.set(scriptId, url))
  looking.on("Debugger.paused", ({ params: { callFrames } }) => {
    const frames = callFrames.slice(0, 30).map(({ functionName, location }) => ({
      name: functionName, url: urls.get(location.scriptId) ?? "", line: location.lineNumber + 1, column: (location.columnNumber ?? 0) + 1
    }))
    const expression = "globalThis[Symbol.for('effect-stackless/current')]?.()"
    // not in the frame that it stopped in: the V8 of Node 20 ends the process where that is a constructor before its super()
    looking.post("Runtime.evaluate", { expression, returnByValue: true }, (_, answer) => {
      found = { frames, who: answer?.result?.value }
      looking.post("Debugger.resume", stop)
    })
  })
  looking.post("Debugger.enable")
  looking.post("Debugger.pause")
}
const stop = () => {
  session?.disconnect()
  session = undefined
}
let last = 0
let since = performance.now()
setInterval(() => {
  const now = performance.now()
  const beat = Atomics.load(beats, 0)
  if (beat !== last) {
    if (found !== undefined) parentPort.postMessage({ held: now - since, ...found })
    found = undefined
    stop()
    last = beat
    since = now
  } else if (last > 0 && now - since > slow && found === undefined && session === undefined) look()
}, period)
`
