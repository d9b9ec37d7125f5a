/** Processes. Carries `gevent.subprocess` over Node's `child_process`; without a shell, as upstream. */
import type { Effect } from "effect"
import { type ChildProcess, spawn as spawnProcess } from "node:child_process"
import type { Readable } from "node:stream"
import type { Operation } from "../../greenlet/index.ts"
import { Event } from "./event.ts"
import { gethub, type Hub, Steps } from "./hub.ts"
import { type Data, failing, type SocketError, socketError } from "./socket.ts"

/** That a stream of a process is a pipe. Mirrors `subprocess.PIPE`. */
export const PIPE = "pipe"
/** That a stream of a process leads nowhere. Mirrors `subprocess.DEVNULL`. */
export const DEVNULL = "ignore"

/** Where a stream of a process leads: it is the parent's if left out. */
export type Stream = typeof PIPE | typeof DEVNULL

/** How to start a process. */
export interface PopenOptions {
  readonly stdin?: Stream
  readonly stdout?: Stream
  readonly stderr?: Stream
  readonly cwd?: string
  readonly env?: NodeJS.ProcessEnv
  /** Run the command by a shell? */
  readonly shell?: boolean
}

/**
 * A process has ended with something else than 0. Mirrors `subprocess.CalledProcessError`.
 *
 * @category errors
 * @since 0.1.0
 */
export class CalledProcessError extends Error {
  override readonly name: string = "CalledProcessError"
  readonly returncode: number
  readonly cmd: ReadonlyArray<string>
  readonly output: Buffer | undefined
  constructor(returncode: number, cmd: ReadonlyArray<string>, output?: Buffer) {
    super(`Command '${cmd.join(" ")}' returned non-zero exit status ${returncode}.`)
    this.returncode = returncode
    this.cmd = cmd
    this.output = output
  }
}

/**
 * A process did not end in time. Mirrors `subprocess.TimeoutExpired`.
 *
 * @category errors
 * @since 0.1.0
 */
export class TimeoutExpired extends Error {
  override readonly name: string = "TimeoutExpired"
  readonly cmd: ReadonlyArray<string>
  readonly timeout: number
  constructor(cmd: ReadonlyArray<string>, timeout: number) {
    super(`Command '${cmd.join(" ")}' timed out after ${timeout} seconds`)
    this.cmd = cmd
    this.timeout = timeout
  }
}

/**
 * A process. Mirrors `gevent.subprocess.Popen`.
 *
 * @category models
 * @since 0.1.0
 */
export class Popen {
  readonly args: ReadonlyArray<string>
  private readonly process: ChildProcess
  private readonly hub: Hub = gethub()
  private readonly ended: Event = new Event(this)
  private code: number | undefined = undefined
  private error: SocketError | undefined = undefined

  constructor(args: ReadonlyArray<string>, options: PopenOptions = {}) {
    this.args = args
    const { stderr = "inherit", stdin = "inherit", stdout = "inherit", ...rest } = options
    this.process = spawnProcess(args[0]!, args.slice(1), { ...rest, stdio: [stdin, stdout, stderr] })
    this.process.on("error", (error) => {
      this.error = socketError(error)
      this.ended.set()
    })
    this.process.on("close", (code, signal) => {
      this.code = code ?? -(signalNumbers[signal ?? ""] ?? 1)
      this.ended.set()
    })
  }

  get pid(): number | undefined {
    return this.process.pid
  }

  /** The exit code, a negative signal number, or `undefined` while it runs. */
  get returncode(): number | undefined {
    return this.code
  }

  /** The same. Mirrors `Popen.poll`. */
  poll(): number | undefined {
    return this.code
  }

  /** Waits for its end; gives back the exit code. Dies with `TimeoutExpired`, or `SocketError` if it cannot be started. */
  wait(timeout?: number): Operation<number, SocketError> {
    return new Steps<number, SocketError>(() => this.waiting(timeout))
  }

  private *waiting(timeout: number | undefined): Generator<Effect.Effect<any, any>, number, any> {
    this.hub.ref()
    try {
      if (!(yield* this.ended.wait(timeout))) throw new TimeoutExpired(this.args, timeout!)
    } finally {
      this.hub.unref()
    }
    if (this.error !== undefined) yield* failing(this.error)
    return this.code!
  }

  /**
   * Writes `input` to it, and waits for all that it writes and for its end: `[stdout, stderr]`. Dies as `wait` does.
   * Mirrors `Popen.communicate`.
   */
  communicate(input?: Data, timeout?: number): Operation<readonly [Buffer, Buffer], SocketError> {
    return new Steps<readonly [Buffer, Buffer], SocketError>(() => this.communicating(input, timeout))
  }

  private *communicating(
    input: Data | undefined,
    timeout: number | undefined
  ): Generator<Effect.Effect<any, any>, readonly [Buffer, Buffer], any> {
    const { stderr, stdin, stdout } = this.process
    const [out, err] = [collecting(stdout), collecting(stderr)]
    // a process that does not read its input to the end is none of the caller's errors
    stdin?.on("error", () => {})
    stdin?.end(input)
    yield* this.waiting(timeout)
    return [Buffer.concat(out), Buffer.concat(err)]
  }

  /** Sends it a signal. Mirrors `Popen.send_signal`. */
  sendSignal(signal: NodeJS.Signals): void {
    this.process.kill(signal)
  }

  /** Mirrors `Popen.terminate`. */
  terminate(): void {
    this.process.kill("SIGTERM")
  }

  /** Mirrors `Popen.kill`. */
  kill(): void {
    this.process.kill("SIGKILL")
  }

  toString(): string {
    return `<Popen ${this.args.join(" ")}>`
  }
}

const signalNumbers: Readonly<Record<string, number>> = {
  SIGHUP: 1,
  SIGINT: 2,
  SIGQUIT: 3,
  SIGABRT: 6,
  SIGKILL: 9,
  SIGUSR1: 10,
  SIGSEGV: 11,
  SIGUSR2: 12,
  SIGPIPE: 13,
  SIGALRM: 14,
  SIGTERM: 15
}

/** What a stream brings, from now on. */
const collecting = (stream: Readable | null): Array<Buffer> => {
  const parts: Array<Buffer> = []
  stream?.on("data", (part: Buffer) => parts.push(part))
  return parts
}

/** How to run a process to its end. */
export interface RunOptions extends PopenOptions {
  readonly input?: Data
  readonly timeout?: number
}

/**
 * Runs a process to its end; gives back its exit code. Mirrors `subprocess.call`.
 *
 * @category operations
 * @since 0.1.0
 */
export const callProcess = (args: ReadonlyArray<string>, options: RunOptions = {}): Operation<number, SocketError> =>
  new Steps<number, SocketError>(function*(): Generator<Effect.Effect<any, any>, number, any> {
    return (yield* running(args, options))[0]
  })

/**
 * The same; dies with `CalledProcessError` for another exit code than 0. Mirrors `subprocess.check_call`.
 *
 * @category operations
 * @since 0.1.0
 */
export const checkCall = (args: ReadonlyArray<string>, options: RunOptions = {}): Operation<number, SocketError> =>
  new Steps<number, SocketError>(function*(): Generator<Effect.Effect<any, any>, number, any> {
    const [code, output] = yield* running(args, options)
    if (code !== 0) throw new CalledProcessError(code, args, output)
    return code
  })

/**
 * Runs a process to its end; gives back what it writes. Dies with `CalledProcessError` for another exit code than 0, with
 * `TimeoutExpired`, having killed it, when time is over. Mirrors `subprocess.check_output`.
 *
 * @category operations
 * @since 0.1.0
 */
export const checkOutput = (args: ReadonlyArray<string>, options: RunOptions = {}): Operation<Buffer, SocketError> =>
  new Steps<Buffer, SocketError>(function*(): Generator<Effect.Effect<any, any>, Buffer, any> {
    const [code, output] = yield* running(args, { stdin: DEVNULL, ...options, stdout: PIPE })
    if (code !== 0) throw new CalledProcessError(code, args, output)
    return output
  })

function* running(
  args: ReadonlyArray<string>,
  { input, timeout, ...options }: RunOptions
): Generator<Effect.Effect<any, any>, readonly [number, Buffer], any> {
  const process = new Popen(args, input === undefined ? options : { ...options, stdin: PIPE })
  try {
    const [output] = yield* process.communicate(input, timeout)
    return [process.returncode!, output]
  } catch (error) {
    process.kill()
    throw error
  }
}
