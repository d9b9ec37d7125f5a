/**
 * Processes. Carries `gevent.subprocess` over Node's `child_process`.
 *
 * As upstream, a program that cannot be started is an error of the constructor, there is no shell unless it is asked for, and
 * a greenlet that waits for a process or in one of its pipes (pipe.ts) lets the others run. Where it differs: a process is
 * known to have ended when the JavaScript event loop has had a turn, so `poll` in a loop needs a `sleep` in it; and
 * `communicate` keeps no greenlets of its own.
 */
import type * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { type ChildProcess, spawn as spawnProcess, spawnSync } from "node:child_process"
import { accessSync, closeSync, constants as files, mkdtempSync, openSync, readSync, rmSync, statSync } from "node:fs"
import { Socket } from "node:net"
import { constants, devNull, tmpdir } from "node:os"
import { delimiter, join, resolve } from "node:path"
import type { Readable } from "node:stream"
import { fileURLToPath } from "node:url"
import { type Body, call, hold, type Operation, type Plain, ValueError } from "../../../greenlet/index.ts"
import { Steps } from "../core/hub.ts"
import { AbstractLinkable, type Link } from "../core/linkable.ts"
import type { Place } from "../core/wait-queue.ts"
import { type Data, SocketError } from "../net/socket.ts"
import { encodingOf, ReadPipe, type TextOptions, WritePipe } from "./pipe.ts"

/** That a stream of a process is a pipe. Mirrors `subprocess.PIPE`. */
export const PIPE = "pipe"
/** That a stream of a process leads nowhere. Mirrors `subprocess.DEVNULL`. */
export const DEVNULL = "ignore"
/** That what a process writes as its errors goes where its output goes. Mirrors `subprocess.STDOUT`. */
export const STDOUT = "stdout"

/**
 * Where a stream of a process leads: a pipe, nowhere, a descriptor, or what another process writes. It is the parent's if
 * left out.
 */
export type Stream = typeof PIPE | typeof DEVNULL | number | ReadPipe<string | Buffer>

/** What to run: a program and its arguments, or a program alone, or the command of a shell. */
export type Command = string | ReadonlyArray<string>

/** How to start a process. */
export interface PopenOptions extends TextOptions {
  readonly stdin?: Stream | undefined
  readonly stdout?: Exclude<Stream, ReadPipe<string | Buffer>> | undefined
  readonly stderr?: Exclude<Stream, ReadPipe<string | Buffer>> | typeof STDOUT | undefined
  /** Where it runs. */
  readonly cwd?: string | URL | undefined
  readonly env?: NodeJS.ProcessEnv | undefined
  /** Run the command by a shell? */
  readonly shell?: boolean | undefined
  /** The program to run, where that is not the first argument. */
  readonly executable?: string | undefined
  /** Make it the leader of a session of its own? */
  readonly startNewSession?: boolean | undefined
}

/** What pipes carry. */
type Content<O> = O extends { readonly text: true } | { readonly encoding: string } | { readonly errors: string } ?
  string
  : keyof O extends never ? Buffer
  : PopenOptions extends O ? string | Buffer
  : Buffer

type PipeOf<O, Name extends "stdin" | "stdout" | "stderr", P> = PopenOptions extends O ? P | undefined
  : O extends { readonly [N in Name]: typeof PIPE } ? P
  : undefined

type ContentOf<O, Name extends "stdout" | "stderr"> = O extends { readonly captureOutput: true } ? Content<O>
  : PopenOptions extends O ? Content<O> | undefined
  : O extends { readonly [N in Name]: typeof PIPE } ? Content<O>
  : undefined

// ---- errors ---------------------------------------------------------------------------------------------------------

/**
 * What is wrong with a process that was started. Mirrors `subprocess.SubprocessError`.
 *
 * @category errors
 * @since 0.1.0
 */
export class SubprocessError extends Error {
  override readonly name: string = "SubprocessError"
  static {
    hold(this, "gevent.SubprocessError")
  }
}

const asLine = (command: Command): string => typeof command === "string" ? command : command.join(" ")

/**
 * A process has ended with something else than 0. Mirrors `subprocess.CalledProcessError`.
 *
 * @category errors
 * @since 0.1.0
 */
export class CalledProcessError extends SubprocessError {
  override readonly name: string = "CalledProcessError"
  static {
    hold(this, "gevent.CalledProcessError")
  }
  readonly returncode: number
  readonly cmd: Command
  /** What it has written, if that was piped. */
  readonly output: string | Buffer | undefined
  /** What it has written as errors, if that was piped. */
  readonly stderr: string | Buffer | undefined
  constructor(returncode: number, cmd: Command, output?: string | Buffer, stderr?: string | Buffer) {
    const how = returncode < 0
      ? `died with ${signalNames.get(-returncode) ?? `unknown signal ${-returncode}`}`
      : `returned non-zero exit status ${returncode}`
    super(`Command '${asLine(cmd)}' ${how}.`)
    this.returncode = returncode
    this.cmd = cmd
    this.output = output
    this.stderr = stderr
  }
}

/**
 * A process did not end in time. Mirrors `subprocess.TimeoutExpired`.
 *
 * @category errors
 * @since 0.1.0
 */
export class TimeoutExpired extends SubprocessError {
  override readonly name: string = "TimeoutExpired"
  static {
    hold(this, "gevent.TimeoutExpired")
  }
  readonly cmd: Command
  readonly timeout: number
  /** What it had written until then, if that was piped and the process was killed for it. */
  readonly output: string | Buffer | undefined
  /** The same of its errors. */
  readonly stderr: string | Buffer | undefined
  constructor(cmd: Command, timeout: number, output?: string | Buffer, stderr?: string | Buffer) {
    super(`Command '${asLine(cmd)}' timed out after ${timeout} seconds`)
    this.cmd = cmd
    this.timeout = timeout
    this.output = output
    this.stderr = stderr
  }
}

const signalNames = new Map(Object.entries(constants.signals).map(([name, number]) => [number, name]))

// ---- a process ------------------------------------------------------------------------------------------------------

/**
 * A process, which runs. It can be waited for with others, by `wait` and `iwait`. Mirrors `gevent.subprocess.Popen`.
 *
 * @example
 * ```ts
 * import { Effect } from "effect"
 * import { call, PIPE, Popen } from "effect-stackless/compat/gevent"
 *
 * await Effect.runPromise(call(function*() {
 *   const sort = new Popen(["sort"], { stdin: PIPE, stdout: PIPE, text: true })
 *   yield* sort.stdin.writelines(["b\n", "a\n"])
 *   sort.stdin.close()
 *   return yield* sort.stdout.read()
 * })) // => "a\nb\n"
 * ```
 *
 * @category models
 * @since 0.1.0
 */
export class Popen<const O extends PopenOptions = PopenOptions> extends AbstractLinkable {
  readonly args: Command
  readonly pid: number
  /** The pipe to it, if `stdin` is `PIPE`. */
  readonly stdin: PipeOf<O, "stdin", WritePipe>
  /** The pipe from it, if `stdout` is `PIPE`. */
  readonly stdout: PipeOf<O, "stdout", ReadPipe<Content<O>>>
  /** The pipe of its errors, if `stderr` is `PIPE`. */
  readonly stderr: PipeOf<O, "stderr", ReadPipe<Content<O>>>
  private readonly process: ChildProcess
  private code: number | undefined = undefined
  private begun = false

  /**
   * Starts it. Throws `SocketError` with the system's code if that cannot be: `ENOENT` if there is no such program, or
   * directory to run it in; `ValueError` if the options contradict each other.
   */
  constructor(args: Command, options: O = {} as O) {
    super()
    const settings: PopenOptions = options
    encodingOf(settings)
    const { file, rest } = commandOf(args, settings)
    const { cwd, env, executable, startNewSession = false, stderr, stdin, stdout } = settings
    const merged = stderr === STDOUT && stdout === PIPE ? namedPipe() : undefined
    const program = executable ?? file
    let child: ChildProcess
    try {
      child = starting(program, settings, () =>
        spawnProcess(program, rest, {
          ...cwd === undefined ? {} : { cwd },
          ...env === undefined ? {} : { env },
          ...executable === undefined ? {} : { argv0: file },
          detached: startNewSession,
          stdio: [
            streamOf(stdin),
            merged?.writes ?? streamOf(stdout),
            merged?.writes ?? streamOf(stderr === STDOUT ? stdout ?? 1 : stderr)
          ]
        }))
    } catch (error) {
      if (merged !== undefined) closeSync(merged.reads)
      throw error
    } finally {
      if (merged !== undefined) closeSync(merged.writes)
    }
    this.args = args
    this.pid = child.pid!
    this.process = child
    child.unref()
    const pipeOf = <P>(Pipe: new(stream: any, options: TextOptions) => P, stream: unknown): any =>
      stream == null ? undefined : new Pipe(stream, settings)
    this.stdin = pipeOf(WritePipe, child.stdin)
    const output = merged === undefined
      ? child.stdout
      : new Socket({ fd: merged.reads, readable: true, writable: false })
    this.stdout = pipeOf(ReadPipe, output)
    this.stderr = pipeOf(ReadPipe, child.stderr)
    const { hub } = this
    // as upstream, the hub does not give up while a child may still change something
    hub.ref()
    child.on("exit", (code, signal) => {
      this.code = code ?? -constants.signals[signal!]
      for (const pipe of this.readers) pipe.attach()
      hub.arrives(() => {
        hub.unref()
        return this.checkAndNotify() as undefined
      })
    })
  }

  /** @internal while somebody waits for it, and only then, it keeps this process going */
  override addLink(link: Link): Place<Link> {
    this.process.ref()
    return super.addLink(link)
  }

  /** @internal */
  override removeLink(place: Place<Link>): void {
    super.removeLink(place)
    if (this.linkcount() === 0) this.process.unref()
  }

  private get readers(): ReadonlyArray<ReadPipe<Content<O>>> {
    return [this.stdout, this.stderr].filter((pipe) => pipe !== undefined)
  }

  /** The exit code, a negative signal number, or `undefined` while it runs. */
  get returncode(): number | undefined {
    return this.code
  }

  /** The same. Mirrors `Popen.poll`. */
  poll(): number | undefined {
    return this.code
  }

  /** Has it ended? */
  ready(): boolean {
    return this.code !== undefined
  }

  /**
   * Waits for its end; gives back the exit code. Dies with `TimeoutExpired` after `timeout` seconds. As upstream, it waits for
   * ever for a process that waits until somebody reads what it writes. Mirrors `Popen.wait`.
   */
  wait(timeout?: number | null): Operation<number> {
    return new Steps(() => this.waiting(timeout))
  }

  private *waiting(timeout: number | null | undefined): Generator<Effect.Effect<any, any>, number, any> {
    if (!this.ready() && !(yield* this.waitCore(timeout, this))) throw new TimeoutExpired(this.args, timeout!)
    return this.code!
  }

  /**
   * Writes `input` to it, and waits for all that it writes and for its end: `[stdout, stderr]`, `undefined` where there is no
   * pipe. Dies with `TimeoutExpired` after `timeout` seconds: it can be called again, and nothing is lost. Mirrors
   * `Popen.communicate`.
   */
  communicate(
    input?: Data,
    timeout?: number | null
  ): Operation<readonly [stdout: ContentOf<O, "stdout">, stderr: ContentOf<O, "stderr">]> {
    return new Steps<any>(() => this.communicating(input, timeout))
  }

  /** @internal */
  *communicating(
    input: Data | undefined,
    timeout: number | null | undefined
  ): Generator<Effect.Effect<any, any>, readonly [any, any], any> {
    const { hub, readers, stderr, stdin, stdout } = this
    const end = timeout == null ? undefined : hub.now() + timeout * 1000
    const left = () => end === undefined ? undefined : Math.max(0, end - hub.now()) / 1000
    if (!this.begun) stdin?.ends(input)
    this.begun = true
    for (const pipe of readers) pipe.collect()
    try {
      for (const pipe of readers) {
        if (!(yield* pipe.finishing(left()))) throw new TimeoutExpired(this.args, timeout!)
      }
    } finally {
      for (const pipe of readers) pipe.pauses()
    }
    for (const pipe of readers) pipe.close()
    if (!this.ready() && !(yield* this.waitCore(left(), this))) throw new TimeoutExpired(this.args, timeout!)
    return [stdout?.content, stderr?.content]
  }

  /**
   * Sends it a signal; nothing happens if it has ended. Throws `SocketError`, `EPERM` if that is not allowed. Mirrors
   * `Popen.send_signal`.
   */
  sendSignal(signal: NodeJS.Signals | number): void {
    if (this.ready()) return
    try {
      process.kill(this.pid, signal)
    } catch (error) {
      const { code, message } = error as NodeJS.ErrnoException
      if (code === "ESRCH") return
      throw code === "EPERM" || code === "EINVAL" ? new SocketError(code, message, error) : error
    }
  }

  /** Mirrors `Popen.terminate`. */
  terminate(): void {
    this.sendSignal("SIGTERM")
  }

  /** Mirrors `Popen.kill`. */
  kill(): void {
    this.sendSignal("SIGKILL")
  }

  /** Runs a block, then closes the pipes and waits for the end of the process. Mirrors `with Popen(…) as process:`. */
  within<Eff extends Effect.Effect<any, any, any>, A>(
    block: (process: this) => Generator<Eff, A, never>
  ): Operation<A, Effect.Error<Eff>, call.Services<Eff>>
  within<A, E, R>(
    block: (process: this) => Effect.Effect<A, E, R>
  ): Operation<A, E, call.Services<Effect.Effect<A, E, R>>>
  within<A>(block: (process: this) => Plain<A>): Operation<A>
  within(block: Body): Operation<any, any> {
    return new Steps(() => this.runningWithin(block))
  }

  private *runningWithin(block: Body): Generator<Effect.Effect<any, any>, any, any> {
    try {
      return yield* call(block, this)
    } finally {
      this.closes()
      yield* this.waiting(undefined)
    }
  }

  /** @internal */
  closes(): void {
    for (const pipe of this.readers) pipe.close()
    this.stdin?.close()
  }

  override toString(): string {
    return `<Popen ${asLine(this.args)} pid=${this.pid} returncode=${this.code ?? "none"}>`
  }
}

// ---- starting it ----------------------------------------------------------------------------------------------------

/** What is started, a shell if need be. */
const commandOf = (
  args: Command,
  { executable, shell, stderr, stdin, stdout }: PopenOptions
): { readonly file: string; readonly rest: ReadonlyArray<string> } => {
  const list = typeof args === "string" ? [args] : args
  if (!Array.isArray(list)) {
    throw new TypeError(`args is a program, or a list of it and its arguments; got ${typeof args}`)
  }
  const [file, ...rest]: ReadonlyArray<string> = list
  if (file === undefined) throw new ValueError("there is no program in args: name one as the first")
  if ((stdout as unknown) === STDOUT || (stdin as unknown) === STDOUT) {
    throw new ValueError("STDOUT can only be used for stderr")
  }
  if (process.platform === "win32") {
    if (stderr === STDOUT && stdout === PIPE) throw new ValueError("STDOUT and PIPE together need a POSIX system")
    return shell === true
      ? { file: process.env.ComSpec ?? "cmd.exe", rest: ["/d", "/s", "/c", list.join(" ")] }
      : { file, rest }
  }
  return shell === true ? { file: executable ?? "/bin/sh", rest: ["-c", ...list] } : { file, rest }
}

const streamOf = (stream: Stream | typeof STDOUT | undefined): "inherit" | "pipe" | "ignore" | number | Readable => {
  if (stream instanceof ReadPipe) return stream.lend()
  return stream === STDOUT || stream === undefined ? "inherit" : stream
}

/**
 * A pipe that can be given to a process twice: Node makes one for each stream. And a shell that joins the two would change
 * the environment, and the program's name for itself.
 */
const namedPipe = (): { readonly reads: number; readonly writes: number } => {
  let folder: string | undefined
  let reads: number | undefined
  try {
    folder = mkdtempSync(join(tmpdir(), "effect-stackless-"))
    const path = join(folder, "output")
    const { error } = spawnSync("mkfifo", ["-m", "600", path], { stdio: "ignore" })
    if (error !== undefined) throw error
    reads = openSync(path, files.O_RDONLY | files.O_NONBLOCK)
    return { reads, writes: openSync(path, files.O_WRONLY) }
  } catch (error) {
    if (reads !== undefined) closeSync(reads)
    throw systemError(error, folder ?? tmpdir())
  } finally {
    if (folder !== undefined) rmSync(folder, { recursive: true, force: true })
  }
}

/** Has it started; throws the system's error if it has not. */
const starting = (program: string, options: PopenOptions, start: () => ChildProcess): ChildProcess => {
  let child: ChildProcess
  try {
    child = start()
  } catch (error) {
    const { errno } = error as NodeJS.ErrnoException
    throw errno === undefined ? error : refusal(program, options) ?? systemError(error, program)
  }
  // of why a program was not found Node tells a listener, and later
  child.on("error", () => {})
  if (child.pid === undefined) throw refusal(program, options) ?? shortage(program)
  return child
}

/** There is such a program, but no room for a process. */
const shortage = (program: string): SocketError => {
  try {
    closeSync(openSync(devNull, "r"))
  } catch (error) {
    return systemError(error, program)
  }
  return systemError({ code: "EAGAIN" }, program)
}

const systemError = (error: unknown, path: string): SocketError => {
  const { code = "EIO" } = error as NodeJS.ErrnoException
  return new SocketError(code, `${descriptions[code] ?? code}: '${path}'`, error)
}

const descriptions: Readonly<Record<string, string>> = {
  E2BIG: "Argument list too long",
  EACCES: "Permission denied",
  EAGAIN: "Resource temporarily unavailable",
  EMFILE: "Too many open files",
  ENFILE: "Too many open files in system",
  ENOENT: "No such file or directory",
  ENOMEM: "Cannot allocate memory",
  ENOTDIR: "Not a directory"
}

/** What stands against running a program: looked up as the system does. */
const refusal = (program: string, { cwd, env = process.env }: PopenOptions): SocketError | undefined => {
  const directory = cwd === undefined ? process.cwd() : typeof cwd === "string" ? resolve(cwd) : fileURLToPath(cwd)
  try {
    if (!statSync(directory).isDirectory()) return systemError({ code: "ENOTDIR" }, directory)
  } catch (error) {
    return systemError(error, directory)
  }
  const folders = program.includes("/") ? [""] : (env.PATH ?? "/usr/bin:/bin").split(delimiter)
  let code = "ENOENT"
  for (const folder of folders) {
    const file = resolve(directory, folder, program)
    try {
      accessSync(file, files.X_OK)
      if (statSync(file).isFile()) return hasInterpreter(file) ? undefined : systemError({ code: "ENOENT" }, program)
      code = "EACCES"
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "EACCES") code = "EACCES"
    }
  }
  return systemError({ code }, program)
}

/** If it is a script, is there what it says should run it? */
const hasInterpreter = (file: string): boolean => {
  const head = Buffer.alloc(256)
  try {
    const descriptor = openSync(file, "r")
    readSync(descriptor, head)
    closeSync(descriptor)
    const [, interpreter] = /^#!\s*(\S+)/.exec(head.toString("latin1")) ?? []
    if (interpreter !== undefined) accessSync(interpreter, files.X_OK)
  } catch (error) {
    // a program may be run that may not be read
    return (error as NodeJS.ErrnoException).code === "EACCES"
  }
  return true
}

// ---- running one to its end -----------------------------------------------------------------------------------------

/** How to run a process to its end. */
export interface RunOptions extends PopenOptions {
  /** What it is to read: `stdin` is a pipe then. */
  readonly input?: Data | undefined
  /** How long it may take, in seconds: then it is killed. */
  readonly timeout?: number | null | undefined
}

/** How to `run` one. */
export interface RunToEndOptions extends RunOptions {
  /** Make pipes of `stdout` and `stderr`? */
  readonly captureOutput?: boolean | undefined
  /** Die with `CalledProcessError` for another exit code than 0? */
  readonly check?: boolean | undefined
}

/**
 * A process that has ended. Mirrors `subprocess.CompletedProcess`.
 *
 * @category models
 * @since 0.1.0
 */
export class CompletedProcess<out Out = string | Buffer | undefined, out Err = Out> {
  readonly args: Command
  readonly returncode: number
  /** What it has written, if that was piped. */
  readonly stdout: Out
  /** What it has written as errors, if that was piped. */
  readonly stderr: Err
  constructor(args: Command, returncode: number, stdout: Out, stderr: Err) {
    this.args = args
    this.returncode = returncode
    this.stdout = stdout
    this.stderr = stderr
  }

  /** Throws `CalledProcessError` if the exit code is not 0. Mirrors `CompletedProcess.check_returncode`. */
  checkReturncode(): void {
    const { args, returncode, stderr, stdout } = this as CompletedProcess<any>
    if (returncode !== 0) throw new CalledProcessError(returncode, args, stdout, stderr)
  }

  toString(): string {
    return `<CompletedProcess ${asLine(this.args)} returncode=${this.returncode}>`
  }
}

/**
 * Runs a process to its end. Dies with `SocketError` if it cannot be started, with `TimeoutExpired` when time is over, and,
 * if that is asked for, with `CalledProcessError`. A greenlet that is killed here kills the process. Mirrors
 * `subprocess.run`.
 *
 * @category operations
 * @since 0.1.0
 */
export const run = <const O extends RunToEndOptions = {}>(
  args: Command,
  options: O = {} as O
): Operation<CompletedProcess<ContentOf<O, "stdout">, ContentOf<O, "stderr">>, SocketError> =>
  new Steps<any, SocketError>(() => running(args, options))

function* running(
  args: Command,
  { captureOutput, check, input, timeout, ...options }: RunToEndOptions
): Generator<Effect.Effect<any, any>, CompletedProcess<any>, any> {
  if (input !== undefined && options.stdin !== undefined) {
    throw new ValueError("stdin and input arguments may not both be used.")
  }
  if (captureOutput === true && (options.stdout !== undefined || options.stderr !== undefined)) {
    throw new ValueError("stdout and stderr arguments may not be used with capture_output.")
  }
  const process = yield* started(args, {
    ...options,
    ...input === undefined ? {} : { stdin: PIPE },
    ...captureOutput === true ? { stdout: PIPE, stderr: PIPE } : {}
  })
  try {
    const [stdout, stderr] = yield* process.communicating(input, timeout)
    const completed = new CompletedProcess(args, process.returncode!, stdout, stderr)
    if (check === true) completed.checkReturncode()
    return completed
  } catch (error) {
    process.kill()
    yield* process.wait()
    if (!(error instanceof TimeoutExpired)) throw error
    // what its own children still hold open is not waited for
    throw new TimeoutExpired(args, timeout!, process.stdout?.content, process.stderr?.content)
  } finally {
    process.closes()
  }
}

/** Starts it; that this cannot be is a typed failure. */
function* started(args: Command, options: PopenOptions): Generator<Effect.Effect<any, any>, Popen, any> {
  try {
    return new Popen(args, options)
  } catch (error) {
    if (error instanceof SocketError) return yield* Exit.fail(error)
    throw error
  }
}

/**
 * Runs a process to its end; gives back its exit code. Dies as `run` does. Mirrors `subprocess.call`.
 *
 * @category operations
 * @since 0.1.0
 */
export const callProcess = (args: Command, options: RunOptions = {}): Operation<number, SocketError> =>
  new Steps<number, SocketError>(function*(): Generator<Effect.Effect<any, any>, number, any> {
    return (yield* running(args, options)).returncode
  })

/**
 * The same; dies with `CalledProcessError` for another exit code than 0. Mirrors `subprocess.check_call`.
 *
 * @category operations
 * @since 0.1.0
 */
export const checkCall = (args: Command, options: RunOptions = {}): Operation<number, SocketError> =>
  new Steps<number, SocketError>(function*(): Generator<Effect.Effect<any, any>, number, any> {
    return (yield* running(args, { ...options, check: true })).returncode
  })

/**
 * Runs a process to its end; gives back what it writes. Dies with `CalledProcessError` for another exit code than 0, with
 * `TimeoutExpired`, having killed it, when time is over. Mirrors `subprocess.check_output`.
 *
 * @category operations
 * @since 0.1.0
 */
export const checkOutput = <const O extends Omit<RunOptions, "stdout"> = {}>(
  args: Command,
  options: O = {} as O
): Operation<Content<O>, SocketError> =>
  new Steps<any, SocketError>(function*(): Generator<Effect.Effect<any, any>, any, any> {
    for (const name of ["stdout", "check"]) {
      if (name in options) throw new ValueError(`${name} argument not allowed, it will be overridden.`)
    }
    return (yield* running(args, { ...options as RunOptions, stdout: PIPE, check: true })).stdout
  })

/**
 * Runs a command in a shell; gives back its exit code and all that it writes, without the last line feed. Dies with
 * `SocketError`. Mirrors `subprocess.getstatusoutput`.
 *
 * @category operations
 * @since 0.1.0
 */
export const getstatusoutput = (
  command: string,
  options: Pick<TextOptions, "encoding" | "errors"> = {}
): Operation<readonly [exitcode: number, output: string], SocketError> =>
  new Steps<readonly [number, string], SocketError>(() => gettingOutput(command, options))

/**
 * The same without the exit code. Mirrors `subprocess.getoutput`.
 *
 * @category operations
 * @since 0.1.0
 */
export const getoutput = (
  command: string,
  options: Pick<TextOptions, "encoding" | "errors"> = {}
): Operation<string, SocketError> =>
  new Steps<string, SocketError>(function*(): Generator<Effect.Effect<any, any>, string, any> {
    return (yield* gettingOutput(command, options))[1]
  })

function* gettingOutput(
  command: string,
  options: TextOptions
): Generator<Effect.Effect<any, any>, readonly [number, string], any> {
  const { returncode, stdout } = yield* running(command, {
    ...options,
    shell: true,
    text: true,
    stdout: PIPE,
    stderr: STDOUT
  })
  return [returncode, stdout.replace(/\n$/, "")]
}
