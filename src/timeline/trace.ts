/** Recordings for who uses them: made, saved, and made of an Effect. */
import * as Effect from "effect/Effect"
import { pageOf } from "./page.ts"
import { Recorder, type RecordOptions } from "./recorder.ts"
import { type Recording, recordingOf } from "./recording.ts"
import { traceEvents } from "./trace-events.ts"

/** What of Node is needed, which is asked for when it is used. */
interface Node {
  getBuiltinModule?(name: "node:fs"): FileSystem | undefined
}

interface FileSystem {
  openSync(file: string, flags: "w"): number
  writeSync(file: number, text: string): number
  closeSync(file: number): void
}

/**
 * A recording of what tasklets, channels and greenlets do.
 *
 * @category models
 * @since 0.1.0
 */
export class Timeline {
  private readonly recorder: Recorder

  /** The library makes them. */
  constructor(recorder: Recorder) {
    this.recorder = recorder
  }

  /** Ends it. Nothing is recorded, and nothing is paid for, any more. */
  stop(): void {
    this.recorder.stop()
  }

  /** @internal */
  get data(): Recording {
    return recordingOf(this.recorder)
  }

  /** It as a file in the Trace Event format, in pieces, for `ui.perfetto.dev` and `chrome://tracing`. */
  traceEvents(): Iterable<string> {
    return traceEvents(this.data)
  }

  /** It as a page that shows it in any browser and needs no network, in pieces. */
  page(): Iterable<string> {
    return pageOf(this.data)
  }

  /**
   * Writes it to a file: as a page if the name ends with `.html`, in the Trace Event format if it ends with `.json`. Throws `TypeError` for a name that ends otherwise,
   * `Error` where there is no file system or the file cannot be written.
   */
  save(file: string): void {
    const pieces = this.piecesOf(file)
    const fs = (globalThis as { process?: Node }).process?.getBuiltinModule?.("node:fs")
    if (fs === undefined) {
      throw new Error("there are no files here: page() and traceEvents() give what would be written")
    }
    const handle = fs.openSync(file, "w")
    try {
      for (const piece of pieces) fs.writeSync(handle, piece)
    } finally {
      fs.closeSync(handle)
    }
  }

  private piecesOf(file: string): Iterable<string> {
    requireName(file)
    return file.endsWith(".html") ? this.page() : this.traceEvents()
  }
}

const requireName = (file: unknown): void => {
  if (typeof file !== "string" || !/\.(?:html|json)$/.test(file)) {
    throw new TypeError(`a timeline is saved as a .html page, or as a .json file for Perfetto; got ${String(file)}`)
  }
}

/**
 * Records what all tasklets, and the greenlets of the current thread, do from now on, until it is stopped. The last `limit` events
 * are kept, 1,000,000 by default. Throws `TypeError` if that is no whole number from 1 on.
 *
 * While nothing is recorded, nothing is paid for.
 *
 * @category recording
 * @since 0.1.0
 */
export const record = (options?: RecordOptions): Timeline => new Timeline(new Recorder(options))

/**
 * What `trace` is told.
 *
 * @category models
 * @since 0.1.0
 */
export interface TraceOptions extends RecordOptions {
  /** Where it is saved: names that end with `.html` or `.json`. */
  readonly files: ReadonlyArray<string>
}

/**
 * Runs a program, and saves a recording of what its tasklets do when it has ended, however it ends.
 *
 * Throws `TypeError` for names of files that say nothing of their format. Dies if a file cannot be written.
 *
 * @category recording
 * @since 0.1.0
 */
export const trace = <A, E, R>(
  program: Effect.Effect<A, E, R>,
  { files, ...options }: TraceOptions
): Effect.Effect<A, E, R> => {
  for (const file of files) requireName(file)
  return Effect.acquireUseRelease(
    Effect.sync(() => record(options)),
    () => program,
    (timeline) =>
      Effect.sync(() => {
        timeline.stop()
        for (const file of files) timeline.save(file)
      })
  )
}
