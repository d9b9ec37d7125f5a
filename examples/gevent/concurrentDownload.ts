/**
 * Downloads several pages at once: upstream's `examples/concurrent_download.py`. No monkey-patching: a greenlet that waits
 * for `fetch` lets the others run.
 *
 *     node .build/examples/gevent/concurrentDownload.js http://127.0.0.1:8080/a http://127.0.0.1:8080/b
 */
import { Effect } from "effect"
import { call, joinall, spawn } from "effect-stackless/compat/gevent"
import { fileURLToPath } from "node:url"

export function* printHead(url: string) {
  console.log(`Starting ${url}`)
  const data = yield* Effect.promise(async () => (await fetch(url)).text())
  console.log(`${url}: ${data.length} bytes: ${JSON.stringify(data.slice(0, 50))}`)
  return data.length
}

/** Downloads them all; the numbers of bytes. */
export function* download(urls: ReadonlyArray<string>) {
  const jobs = urls.map((url) => spawn(printHead, url))
  yield* joinall(jobs)
  return jobs.map((job) => job.value)
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  await Effect.runPromise(call(download, process.argv.slice(2)))
}
