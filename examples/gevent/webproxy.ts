/**
 * A web proxy as a WSGI application: `GET /127.0.0.1:8080/path` is answered with what `http://127.0.0.1:8080/path` is.
 * After upstream's `examples/webproxy.py`.
 *
 *     node .build/examples/gevent/webproxy.js
 */
import { Effect } from "effect"
import { type Application, call, WSGIServer } from "effect-stackless/compat/gevent"
import { fileURLToPath } from "node:url"

/** Headers that are between two neighbours, and not passed on. */
const hopByHop = new Set([
  "connection",
  "keep-alive",
  "transfer-encoding",
  "content-encoding",
  "content-length",
  "date"
])

export const proxy: Application = function*(environ, startResponse) {
  const { PATH_INFO: path, QUERY_STRING: query, REQUEST_METHOD: method } = environ
  if (path === "/") {
    startResponse("200 OK", [["Content-Type", "text/plain"]])
    return ["Give me a host and a path: /127.0.0.1:8080/index.html"]
  }
  const url = `http:/${path}${query && `?${query}`}`
  const answer = yield* Effect.exit(Effect.tryPromise(async () => {
    const response = await fetch(url, { method, redirect: "manual" })
    return { response, body: new Uint8Array(await response.arrayBuffer()) }
  }))
  if (answer._tag === "Failure") {
    startResponse("502 Bad Gateway", [["Content-Type", "text/plain"]])
    return [`cannot get ${url}`]
  }
  const { body, response } = answer.value
  startResponse(
    `${response.status} ${response.statusText}`,
    [...response.headers].filter(([name]) => !hopByHop.has(name))
  )
  return [body]
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  await Effect.runPromise(call(function*() {
    console.log("Serving on http://127.0.0.1:8088/")
    yield* new WSGIServer(["127.0.0.1", 8088], proxy).serveForever()
  }))
}
