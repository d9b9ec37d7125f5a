/** What runs on a worker of a pool: it loads its modules, and runs the tasklets that come. */
import * as Effect from "effect/Effect"
import { isMainThread, parentPort, workerData } from "node:worker_threads"
import { persistent } from "../../pickle/index.ts"
import { getruncount, run } from "../../stackless/index.ts"
import { MAIN, Places, setPlaces } from "./places.ts"
import { Place, Pool, type WorkerReady, type WorkerStart } from "./pool.ts"

/** Runs whatever is runnable, until nothing is, and nothing waits for the outside. */
let running = false
const goOn = (): void => {
  if (running || getruncount() <= 1) return
  running = true
  Effect.runFork(run()).addObserver((exit) => {
    running = false
    // of a tasklet that nobody waits for: the others go on
    if (exit._tag === "Failure") Effect.runFork(Effect.logError("a tasklet has died", exit.cause))
    goOn()
  })
}

const serve = async ({ modules, name, names, ports }: WorkerStart): Promise<void> => {
  const places = new Places(name, names, () => {}, goOn)
  setPlaces(places)
  const port = parentPort!
  try {
    for (const module of modules) await import(module)
  } catch (error) {
    port.postMessage({ error } satisfies WorkerReady)
    return
  }
  places.connect(MAIN, port)
  for (const [other, port] of ports) {
    places.connect(other, port)
    port.on("close", () => places.lose(other))
    // the program decides how long a worker lives
    port.unref()
  }
  port.postMessage({} satisfies WorkerReady)
}

// tasklets that come may refer to them, also where no module of the program does
persistent("effect-stackless/cluster/Pool", Pool)
persistent("effect-stackless/cluster/Place", Place)

const start = workerData as WorkerStart | null
if (!isMainThread && start?.pool === "effect-stackless") await serve(start)
