/**
 * The inspector: the page of a timeline, live, for a program that runs. It is served to this machine alone, to who has its token;
 * and it keeps no process alive.
 */
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { Greenlet } from "../greenlet/index.ts"
import type { Tasklet } from "../stackless/index.ts"
import { packed, pageOf } from "./page.ts"
import { Recorder, type RecordOptions } from "./recorder.ts"
import { recordingOf } from "./recording.ts"

/**
 * An inspector cannot be had: there is no server here, or its port is taken.
 *
 * @category errors
 * @since 0.1.0
 */
export class InspectError extends Data.TaggedError("InspectError")<{
  readonly message: string
  readonly cause?: unknown
}> {}

/**
 * An inspector that is on.
 *
 * @category models
 * @since 0.1.0
 */
export interface Inspector {
  /** The address to open, with the token in it. */
  readonly url: string
  readonly port: number
  readonly token: string
}

/**
 * What `inspect` is told.
 *
 * @category models
 * @since 0.1.0
 */
export interface InspectOptions extends RecordOptions {
  /** The port on 127.0.0.1; any that is free, if left out. */
  readonly port?: number
}

/** What of Node is needed, which is asked for when it is used. */
interface Node {
  getBuiltinModule?(name: string): any
}

/** How many events the page shows. */
const LIMIT = 50_000

/**
 * Serves the page of a timeline for the program that runs, until the scope ends, and logs its address. The page shows who runs and
 * who waits on what, the queues of channels, frames with their lines and variables; and it can kill, pause and insert
 * tasklets. Only this machine is served, and only who has the token that is in the address.
 *
 * While it is on, what happens is recorded. It does not keep the process alive. Fails with `InspectError` where there is no server, or
 * the port is taken. Throws `TypeError` if the port is none.
 *
 * @category inspection
 * @since 0.1.0
 */
export const inspect = (
  { limit = LIMIT, port = 0 }: InspectOptions = {}
): Effect.Effect<Inspector, InspectError, Scope.Scope> => {
  if (!(Number.isInteger(port) && port >= 0 && port < 65_536)) {
    throw new TypeError(`inspect takes a port from 0 to 65535; got ${String(port)}`)
  }
  return Effect.tap(
    Effect.map(
      Effect.acquireRelease(serve(port, limit), (server) => Effect.sync(server.close)),
      ({ inspector }) => inspector
    ),
    ({ url }) => Effect.logInfo(`the inspector is at ${url}`)
  )
}

interface Server {
  readonly inspector: Inspector
  readonly close: () => void
}

const serve = (port: number, limit: number): Effect.Effect<Server, InspectError> =>
  Effect.callback((resume) => {
    const node = (globalThis as { process?: Node }).process
    const http = node?.getBuiltinModule?.("node:http")
    if (http === undefined) {
      return resume(Effect.fail(new InspectError({ message: "an inspector needs a server, which there is in Node" })))
    }
    const token = crypto.randomUUID()
    const recorder = new Recorder({ limit })
    const server = http.createServer((request: Request, response: Response) => {
      let answer: Answer
      try {
        answer = answerTo(request, token, recorder, node!)
      } catch (error) {
        answer = refusal(500, String(error))
      }
      response.writeHead(answer.status, { "content-type": answer.type, "cache-control": "no-store" })
      response.end(answer.body)
    })
    const close = (): void => {
      recorder.stop()
      server.close()
      server.closeAllConnections()
    }
    server.once("error", (cause: Error) => {
      close()
      resume(Effect.fail(new InspectError({ message: `the inspector cannot be served: ${cause.message}`, cause })))
    })
    server.on("connection", (socket: { unref(): void }) => socket.unref())
    server.listen(port, "127.0.0.1", () => {
      server.unref()
      const { port } = server.address()
      resume(Effect.succeed({ inspector: { url: `http://127.0.0.1:${port}/?token=${token}`, port, token }, close }))
    })
    return Effect.sync(close)
  })

interface Request {
  readonly method: string
  readonly url: string
  readonly headers: { readonly host?: string; readonly authorization?: string; readonly origin?: string }
}

interface Response {
  writeHead(status: number, headers: object): void
  end(body: string): void
}

interface Answer {
  readonly status: number
  readonly type: string
  readonly body: string
}

const json = (body: object, status = 200): Answer => ({ status, type: "application/json", body: JSON.stringify(body) })

const refusal = (status: number, error: string): Answer => json({ error }, status)

const answerTo = ({ headers, method, url }: Request, token: string, recorder: Recorder, node: Node): Answer => {
  const { pathname, searchParams } = new URL(url, "http://127.0.0.1")
  // a page of somebody else's may have this machine asked by another name
  if (!/^(?:127\.0\.0\.1|localhost)(?::\d+)?$/.test(headers.host ?? "")) {
    return refusal(403, "the inspector is asked as 127.0.0.1 or localhost, and by no other name")
  }
  const given = headers.authorization?.replace(/^Bearer /, "") ?? (pathname === "/" ? searchParams.get("token") : null)
  if (given !== token) {
    return refusal(401, "the inspector takes requests that have its token: open the address that inspect() has logged")
  }
  const [, id, verb] = /^\/tasklets\/(\d+)(?:\/(kill|pause|insert))?$/.exec(pathname) ?? []
  const expected = verb === undefined ? "GET" : "POST"
  if (method !== expected) return refusal(405, `this is asked with ${expected}`)
  if (pathname === "/") {
    return {
      status: 200,
      type: "text/html; charset=utf-8",
      body: [...pageOf(recordingOf(recorder), { token })].join("")
    }
  }
  if (pathname === "/events") return json(packed(recordingOf(recorder)))
  if (pathname === "/greenlets") return json({ greenlets: greenletsOf(recorder, node) })
  if (id === undefined) {
    return refusal(404, "there are /, /events, /greenlets, /tasklets/N and /tasklets/N/kill, pause and insert")
  }
  const party = recorder.parties.find(({ track }) => track.id === Number(id))?.party
  if (party === undefined) return refusal(404, `there is no tasklet or greenlet #${id} any more`)
  if (verb === undefined) return json({ printed: String(party), frames: framesOf(party, node) })
  if (party instanceof Greenlet) return refusal(409, "a greenlet is switched to by its program alone")
  try {
    act(party, verb)
    return json({ printed: String(party) })
  } catch (error) {
    return refusal(409, (error as Error).message)
  }
}

const act = (tasklet: Tasklet, verb: string): void => {
  if (verb === "insert") tasklet.insert()
  else if (verb === "pause") tasklet.remove()
  else if (tasklet.isMain) throw new Error("the main tasklet is the program outside")
  else Effect.runSync(tasklet.kill({ pending: true }))
}

/** How many greenlets are shown with their frames. */
const GREENLETS = 1_000

/** The greenlets that have not ended, each behind its parent, which `parent` names. */
const greenletsOf = (recorder: Recorder, node: Node): ReadonlyArray<object> =>
  recorder.greenlets(GREENLETS).map(({ party, track: { id, main, name, parent } }) => ({
    id,
    name,
    main,
    parent,
    state: party.toJSON().state,
    frames: framesOf(party, node)
  }))

/** Its frames, the innermost first, with their lines and variables. */
const framesOf = (party: Tasklet | Greenlet, node: Node): string => {
  const print = node.getBuiltinModule?.("node:util").inspect
  const lines: Array<string> = []
  for (let frame = party instanceof Greenlet ? party.grFrame : party.frame; frame !== undefined; frame = frame.back) {
    lines.push(frame.lines[0] ?? `in ${frame.name}`)
    for (const [name, value] of Object.entries(frame.locals ?? {})) {
      lines.push(
        `    ${name} = ${print(value, { depth: 1, maxArrayLength: 10, maxStringLength: 200, breakLength: 100 })}`
      )
    }
  }
  return lines.join("\n")
}
