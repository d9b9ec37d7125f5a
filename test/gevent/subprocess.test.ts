/** Processes: how they start, what they read and write, how they end. */
import { Effect } from "effect"
import * as gevent from "effect-stackless/compat/gevent"
import { spawnSync } from "node:child_process"
import { mkdtempSync, realpathSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, describe, expect, expectTypeOf, test } from "vitest"
import { caught, realProgram, type Steps } from "./program.ts"

const { DEVNULL, PIPE, STDOUT } = gevent
const node = process.execPath

const folder = realpathSync(mkdtempSync(join(tmpdir(), "subprocess-")))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

/** What is thrown. */
const thrown = (f: () => unknown): unknown => {
  try {
    return f()
  } catch (error) {
    return error
  }
}

describe("a process", () => {
  realProgram("is written to and read from", function*() {
    const echoing = new gevent.Popen([node, "-e", "process.stdin.pipe(process.stdout); console.error('err')"], {
      stdin: gevent.PIPE,
      stdout: gevent.PIPE,
      stderr: gevent.PIPE
    })
    expect(echoing.poll()).toBe(undefined)
    const [out, err] = yield* echoing.communicate("hello")
    expect([String(out), String(err), echoing.returncode]).toEqual(["hello", "err\n", 0])
  })

  realProgram("gives its output, or an error that says how it ended", function*() {
    expect(String(yield* gevent.checkOutput([node, "-p", "6 * 7"]))).toBe("42\n")
    const failed = yield* caught(gevent.checkOutput([node, "-e", "console.log('x'); process.exit(3)"]))
    expect(failed).toBeInstanceOf(gevent.CalledProcessError)
    expect(failed).toMatchObject({ returncode: 3, output: Buffer.from("x\n") })
    expect(yield* caught(gevent.checkOutput([node, "-e", "setTimeout(() => {}, 60000)"], { timeout: 0.2 })))
      .toBeInstanceOf(gevent.TimeoutExpired)
    expect(yield* gevent.callProcess([node, "-e", "process.exit(2)"])).toBe(2)
    expect(yield* caught(gevent.checkCall(["/nowhere/to/be/found"]))).toMatchObject({ code: "ENOENT" })
  })

  realProgram("is killed, and its return code is the signal's", function*() {
    const sleeping = new gevent.Popen([node, "-e", "setTimeout(() => {}, 60000)"])
    expect(yield* caught(sleeping.wait(0.01))).toBeInstanceOf(gevent.TimeoutExpired)
    sleeping.kill()
    expect(yield* sleeping.wait()).toBe(-9)
  })

  realProgram("can be terminated, and gets no signal once it has ended", function*() {
    const sleeping = new gevent.Popen(["sleep", "60"])
    expect(sleeping.pid).toBeGreaterThan(1)
    expect(String(sleeping)).toBe(`<Popen sleep 60 pid=${sleeping.pid} returncode=none>`)
    sleeping.sendSignal("SIGSTOP")
    sleeping.sendSignal("SIGCONT")
    expect(yield* caught(sleeping.wait(0.02))).toMatchObject({ timeout: 0.02, cmd: ["sleep", "60"] })
    sleeping.terminate()
    expect(yield* sleeping.wait()).toBe(-15)
    expect([sleeping.poll(), sleeping.returncode]).toEqual([-15, -15])
    sleeping.kill()
    sleeping.sendSignal(10)
  })

  realProgram("can be waited for with others", function*({ log, lines }) {
    const slow = new gevent.Popen(["sleep", "60"])
    const fast = new gevent.Popen(["true"])
    fast.rawlink((process) => log(process.returncode))
    expect(yield* gevent.wait([slow, fast], { count: 1 })).toEqual([fast])
    slow.kill()
    expect(yield* gevent.wait([slow, fast])).toEqual([fast, slow])
    expect(lines).toEqual([0])
  })

  realProgram("gives back no buffer where there is no pipe", function*() {
    expect(yield* new gevent.Popen(["true"]).communicate()).toEqual([undefined, undefined])
    const [out, err] = yield* new gevent.Popen(["sh", "-c", "echo lost >&2; echo kept"], {
      stdout: PIPE,
      stderr: DEVNULL
    }).communicate()
    expect([String(out), err]).toEqual(["kept\n", undefined])
  })

  realProgram("has its pipes closed and its end waited for by a block", function*() {
    const process = new gevent.Popen(["cat"], { stdin: PIPE, stdout: PIPE, text: true })
    const line = yield* process.within(function*(cat) {
      yield* cat.stdin.write("hello\n")
      return yield* cat.stdout.readline()
    })
    expect([line, process.returncode]).toEqual(["hello\n", 0])
    expect(yield* caught(process.stdin.write("x"))).toMatchObject({ name: "SocketError", code: "EBADF" })
    expect(yield* caught(process.stdout.read())).toMatchObject({ code: "EBADF" })
  })
})

describe("what cannot be started", () => {
  const script = join(folder, "script")
  writeFileSync(script, "#!/nowhere/interpreter\n", { mode: 0o755 })
  const locked = join(folder, "locked")
  writeFileSync(locked, "", { mode: 0o644 })

  test.each<[code: string, path: string, args: gevent.Command, options: gevent.PopenOptions]>([
    ["ENOENT", "/nowhere", ["/nowhere"], {}],
    ["ENOENT", "no-such-program", ["no-such-program"], { stdin: PIPE, stdout: PIPE, stderr: STDOUT }],
    ["ENOENT", "ls -l", "ls -l", {}],
    ["ENOENT", "ls", ["ls"], { env: { PATH: "/nowhere" } }],
    ["ENOENT", "/nowhere", ["ls"], { cwd: "/nowhere" }],
    ["ENOTDIR", locked, ["ls"], { cwd: locked }],
    ["E2BIG", "true", ["true", "x".repeat(10_000_000)], {}],
    ["EACCES", "/tmp", ["/tmp"], {}],
    ["EACCES", locked, [locked], {}],
    ["ENOENT", script, [script], {}],
    ["ENOENT", "/nowhere/sh", ["true"], { shell: true, executable: "/nowhere/sh" }]
  ])("is %s of %s at once", (code, path, args, options) => {
    const error = thrown(() => new gevent.Popen(args, options))
    expect(error).toBeInstanceOf(gevent.SocketError)
    expect(error).toMatchObject({ code, message: expect.stringContaining(`: '${path}'`) })
  })

  test("is a TypeError where there are no arguments", () => {
    expect(() => new gevent.Popen(undefined as never)).toThrow("args is a program, or a list of it and its arguments")
  })

  test("is a ValueError where the options contradict each other", () => {
    for (
      const [args, options, message] of [
        [[], {}, "there is no program in args"],
        [["ls"], { stdout: STDOUT as never }, "STDOUT can only be used for stderr"],
        [["ls"], { encoding: "nope" }, "unknown encoding: nope"]
      ] as const
    ) {
      const error = thrown(() => new gevent.Popen(args, options))
      expect(error).toBeInstanceOf(gevent.ValueError)
      expect(error).toMatchObject({ message: expect.stringContaining(message) })
    }
  })

  realProgram("is a typed failure of `run`", function*() {
    const code = yield* gevent.run(["/nowhere"]).pipe(Effect.catch((error) => Effect.succeed(error.code)))
    expect(code).toBe("ENOENT")
  })
})

describe("run", () => {
  realProgram("tells all of a process that has ended", function*() {
    const both = yield* gevent.run(["sh", "-c", "echo out; echo err >&2; exit 3"], { captureOutput: true, text: true })
    expectTypeOf(both.stdout).toEqualTypeOf<string>()
    expect(both).toBeInstanceOf(gevent.CompletedProcess)
    expect({ ...both }).toEqual({
      args: ["sh", "-c", "echo out; echo err >&2; exit 3"],
      returncode: 3,
      stdout: "out\n",
      stderr: "err\n"
    })
    const failed = thrown(() => both.checkReturncode())
    expect(failed).toBeInstanceOf(gevent.SubprocessError)
    expect(failed).toMatchObject({
      name: "CalledProcessError",
      message: "Command 'sh -c echo out; echo err >&2; exit 3' returned non-zero exit status 3.",
      output: "out\n",
      stderr: "err\n"
    })
    expect(yield* caught(gevent.run(["sh", "-c", "kill -9 $$"], { check: true }))).toMatchObject({
      returncode: -9,
      message: "Command 'sh -c kill -9 $$' died with SIGKILL."
    })
    const fed = yield* gevent.run(["cat"], { input: "hello", stdout: PIPE })
    expectTypeOf(fed.stdout).toEqualTypeOf<Buffer>()
    expectTypeOf(fed.stderr).toEqualTypeOf<undefined>()
    const options: gevent.RunToEndOptions = { captureOutput: true }
    expectTypeOf((yield* gevent.run(["true"], options)).stdout).toEqualTypeOf<string | Buffer | undefined>()
    expect([fed.stdout, fed.stderr]).toEqual([Buffer.from("hello"), undefined])
    fed.checkReturncode()
  })

  realProgram("refuses options that contradict each other, as upstream", function*() {
    expect(yield* caught(gevent.run(["cat"], { input: "x", stdin: PIPE }))).toMatchObject({
      name: "ValueError",
      message: "stdin and input arguments may not both be used."
    })
    expect(yield* caught(gevent.run(["cat"], { captureOutput: true, stdout: PIPE }))).toMatchObject({
      message: "stdout and stderr arguments may not be used with capture_output."
    })
    expect(yield* caught(gevent.checkOutput(["ls"], { stdout: PIPE } as never))).toMatchObject({
      message: "stdout argument not allowed, it will be overridden."
    })
  })

  realProgram("kills a process that takes too long, and gives what it had written", function*() {
    const began = Date.now()
    const error = yield* caught(
      gevent.run(["sh", "-c", "echo early; exec sleep 60"], { stdout: PIPE, timeout: 1, text: true })
    )
    expect(error).toBeInstanceOf(gevent.TimeoutExpired)
    expect(error).toMatchObject({ output: "early\n", stderr: undefined, timeout: 1 })
    expect(Date.now() - began).toBeLessThan(30_000)
  })

  realProgram("kills the process of a greenlet that is killed, and leaves nothing behind", function*({ body }) {
    const pids: Array<number> = []
    const running = gevent.spawn(body(function*(): Steps {
      yield* gevent.run(["sh", "-c", "echo $$; exec sleep 60"], { stdout: PIPE })
    }))
    const watching = gevent.spawn(body(function*(): Steps {
      const sleeping = new gevent.Popen(["sh", "-c", "echo $$; exec sleep 60"], { stdout: PIPE, text: true })
      pids.push(Number(yield* sleeping.stdout.readline()))
      try {
        yield* sleeping.stdout.read()
      } finally {
        sleeping.kill()
      }
    }))
    while (pids.length === 0) yield* gevent.sleep(0.01)
    yield* gevent.killall([running, watching])
    expect([running.value, watching.value]).toEqual([expect.any(gevent.GreenletExit), expect.any(gevent.GreenletExit)])
    while (thrown(() => process.kill(pids[0]!, 0)) === true) yield* gevent.sleep(0.01)
    // nothing keeps the hub waiting any more
    expect(yield* gevent.gethub().join(5)).toBe(true)
  })

  realProgram("takes commands for a shell, a directory, an environment and another name", function*() {
    const text = (args: gevent.Command, options: gevent.RunOptions = {}) =>
      gevent.checkOutput(args, { ...options, text: true })
    expect(yield* text("echo $0-$((6 * 7))", { shell: true })).toBe("/bin/sh-42\n")
    expect(yield* text(["echo $0 $1", "a", "b"], { shell: true })).toBe("a b\n")
    expect(yield* text(["pwd"], { cwd: folder })).toBe(`${folder}\n`)
    expect(yield* text(["sh", "-c", "echo $GREETING"], { env: { ...process.env, GREETING: "hi" } })).toBe("hi\n")
    expect(yield* text(["other", "-c", "echo $0"], { executable: "/bin/sh" })).toBe("other\n")
    expect(yield* gevent.getoutput("echo a; echo b >&2; exit 3")).toBe("a\nb")
    expect(yield* gevent.getstatusoutput("echo a; echo; exit 3")).toEqual([3, "a\n"])
    expect(yield* gevent.getstatusoutput("kill -9 $$")).toEqual([-9, ""])
    expect(yield* gevent.callProcess("exit 5", { shell: true })).toBe(5)
    const merged = yield* gevent.checkOutput(["sh", "-c", "echo 1; echo 2 >&2; echo 3; echo 4 >&2"], { stderr: STDOUT })
    expect(String(merged)).toBe("1\n2\n3\n4\n")
    expect(yield* gevent.callProcess(["sh", "-c", "echo x >&2"], { stdout: DEVNULL, stderr: STDOUT })).toBe(0)
    // the environment is what it was given, and so is the name that the program has for itself
    const env = { "a.b": "1", "C-D": "x\ny", E: "" }
    const options = { stdout: PIPE, stderr: STDOUT, env, executable: process.execPath, text: true } as const
    const shows = "console.log(JSON.stringify([process.argv0, process.env])); console.error('too')"
    const [output] = yield* new gevent.Popen(["by another name", "-e", shows], options).communicate()
    const [first, second] = output.split("\n")
    expect([JSON.parse(first!), second]).toEqual([["by another name", env], "too"])
    // what it has written can be another's to read
    const one = new gevent.Popen(["sh", "-c", "echo 1; echo 2 >&2"], { stdout: PIPE, stderr: STDOUT })
    expect(String(yield* gevent.checkOutput(["sort", "-r"], { stdin: one.stdout }))).toBe("2\n1\n")
  })
})

describe("the pipes of a process", () => {
  realProgram("are read by number and by line, and written as the process reads", function*() {
    const cat = new gevent.Popen(["cat"], { stdin: PIPE, stdout: PIPE })
    expectTypeOf(cat.stdout).toEqualTypeOf<gevent.ReadPipe<Buffer>>()
    expectTypeOf(cat.stderr).toEqualTypeOf<undefined>()
    expect(yield* cat.stdin.write("ab\ncd\nef")).toBe(8)
    yield* cat.stdin.flush()
    expect(String(yield* cat.stdout.readline())).toBe("ab\n")
    expect(String(yield* cat.stdout.read(1))).toBe("c")
    cat.stdin.close()
    expect(String(yield* cat.stdout.read(-1))).toBe("d\nef")
    expect((yield* cat.stdout.read(-1)).length).toBe(0)
    expect((yield* cat.stdout.readline()).length).toBe(0)
    expect(yield* cat.wait()).toBe(0)
  })

  realProgram("can be read after the process has ended, and by lines", function*() {
    const printing = new gevent.Popen(["printf", "a\\nb\\nc"], { stdout: PIPE, text: true })
    yield* printing.wait()
    yield* gevent.sleep(0.02)
    const lines: Array<string> = []
    expect(yield* printing.stdout.next()).toEqual({ done: false, value: "a\n" })
    yield* printing.stdout.each((line) => void lines.push(line))
    expect(lines).toEqual(["b\n", "c"])
    expect(yield* printing.stdout.next()).toEqual({ done: true, value: undefined })
    expect(yield* new gevent.Popen(["printf", "1\\n2\\n"], { stdout: PIPE, text: true }).stdout.readlines()).toEqual([
      "1\n",
      "2\n"
    ])
  })

  realProgram("carry text in an encoding, with the newlines of all systems", function*() {
    const print = (bytes: string, options: gevent.TextOptions) => gevent.checkOutput(["printf", bytes], options)
    expect(yield* print("a\\r\\nb\\rc\\n", { text: true })).toBe("a\nb\nc\n")
    expect(yield* print("\\377", { encoding: "latin1" })).toBe("ÿ")
    expect(yield* print("\\377", { errors: "replace" })).toBe("\uFFFD")
    expect(yield* caught(print("\\377", { text: true }))).toMatchObject({
      name: "ValueError",
      message: expect.stringContaining("is no UTF-8")
    })
    // a character and a newline that come in two parts
    const parts = ["printf '\\303'; sleep 0.05; printf '\\244\\r'; sleep 0.05; printf '\\nb\\r'"]
    const whole = new gevent.Popen(parts, { shell: true, stdout: PIPE, text: true })
    expect(yield* whole.stdout.readline()).toBe("ä\n")
    expect(yield* whole.stdout.read(1)).toBe("b")
    expect(yield* whole.stdout.read()).toBe("\n")
    const latin = new gevent.Popen(["od", "-An", "-tu1"], { stdin: PIPE, stdout: PIPE, encoding: "latin1" })
    expect((yield* latin.communicate("ÿ"))[0]).toMatch(/^ +255\n$/)
  })

  realProgram("say that nobody reads any more, which Node may know at once", function*() {
    const over = new gevent.Popen(["true"], { stdin: PIPE })
    for (const until = Date.now() + 100; Date.now() < until;);
    expect(yield* caught(over.stdin.write("anybody?"))).toMatchObject({ code: "EPIPE" })
    const deaf = new gevent.Popen(["sleep", "0.02"], { stdin: PIPE })
    expect(yield* caught(deaf.stdin.write(Buffer.alloc(1_000_000)))).toMatchObject({ code: "EPIPE" })
    yield* deaf.wait()
    expect(yield* caught(deaf.stdin.write("more"))).toMatchObject({ name: "SocketError", code: "EPIPE" })
    // what Node says when it closes the pipe before the system tells of it
    const ended = new gevent.Popen(["sleep", "60"], { stdin: PIPE })
    ended.stdin.stream.destroy(Object.assign(new Error("write ECANCELED"), { code: "ECANCELED" }))
    expect(yield* caught(ended.stdin.write("more"))).toMatchObject({ name: "SocketError", code: "EPIPE" })
    ended.kill()
    yield* ended.wait()
    // what a process does not read to its end is none of the errors of `communicate`
    const partial = new gevent.Popen(["head", "-c", "1"], { stdin: PIPE, stdout: PIPE })
    expect(String((yield* partial.communicate("x".repeat(1_000_000)))[0])).toBe("x")
  })

  realProgram("lead from one process into another", function*() {
    const first = new gevent.Popen(["sh", "-c", "echo b; echo a; echo c"], { stdout: PIPE })
    const second = new gevent.Popen(["sort"], { stdin: first.stdout, stdout: PIPE, text: true })
    first.stdout.close()
    expect((yield* second.communicate())[0]).toBe("a\nb\nc\n")
    expect(yield* first.wait()).toBe(0)
    expect(() => new gevent.Popen(["cat"], { stdin: first.stdout })).toThrow(gevent.ValueError)
    const read = new gevent.Popen(["echo", "too late"], { stdout: PIPE })
    yield* read.stdout.read(1)
    expect(() => new gevent.Popen(["cat"], { stdin: read.stdout })).toThrow("Start both at once")
  })

  realProgram("serve one greenlet at a time, which hears that they were closed", function*({ body }) {
    const sleeping = new gevent.Popen(["sleep", "60"], { stdout: PIPE })
    const reading = gevent.spawn(body(function*(): Steps<unknown> {
      return yield* caught(sleeping.stdout.read())
    }))
    yield* gevent.sleep(0.01)
    expect(yield* caught(sleeping.stdout.readline())).toBeInstanceOf(gevent.ConcurrentObjectUseError)
    sleeping.stdout.close()
    expect(yield* reading.get()).toMatchObject({ code: "EBADF" })
    sleeping.kill()
    yield* sleeping.wait()
  })

  realProgram("lose nothing when `communicate` runs out of time, or its greenlet is killed", function*({ body }) {
    const slow = new gevent.Popen(["sh", "-c", "echo a; sleep 0.3; echo b; echo err >&2"], {
      stdout: PIPE,
      stderr: PIPE,
      text: true
    })
    expect(yield* caught(slow.communicate(undefined, 0.1))).toBeInstanceOf(gevent.TimeoutExpired)
    const asking = gevent.spawn(body(() => slow.communicate() as never))
    yield* gevent.sleep(0.02)
    yield* asking.kill()
    expect(yield* slow.communicate()).toEqual(["a\nb\n", "err\n"])
    expect(yield* slow.communicate()).toEqual(["a\nb\n", "err\n"])
  })

  realProgram("let other greenlets go on, and a timeout through", function*({ body, lines, log }) {
    const silent = new gevent.Popen(["sleep", "60"], { stdout: PIPE })
    gevent.spawn(body(function*(): Steps {
      for (let n = 0; n < 3; n++) {
        yield* gevent.sleep(0.01)
        log(n)
      }
    }))
    while (lines.length < 3) {
      const timeout = new gevent.Timeout(0.1)
      expect(yield* caught(timeout.within(() => silent.stdout.read(1)))).toBe(timeout)
    }
    expect(lines).toEqual([0, 1, 2])
    silent.kill()
    expect((yield* silent.communicate())[0].length).toBe(0)
  })

  realProgram("make a process wait whose output nobody reads: memory stays flat", function*() {
    const size = 100_000_000
    const before = process.memoryUsage().rss
    const pouring = new gevent.Popen(["head", "-c", String(size), "/dev/zero"], { stdout: PIPE })
    yield* gevent.sleep(0.3)
    expect(pouring.poll()).toBe(undefined)
    expect(process.memoryUsage().rss - before).toBeLessThan(20_000_000)
    let [read, most] = [0, 0]
    for (;;) {
      const { length } = yield* pouring.stdout.read(65_536)
      if (length === 0) break
      read += length
      if (read % (65_536 * 256) !== 0) continue
      globalThis.gc!()
      // the collector frees buffers beside the program
      yield* gevent.sleep(0.01)
      most = Math.max(most, process.memoryUsage().arrayBuffers)
    }
    expect(read).toBe(size)
    expect(most).toBeGreaterThan(0)
    expect(most).toBeLessThan(32_000_000)
    expect(yield* pouring.wait()).toBe(0)
  })

  realProgram("make a greenlet wait whose process does not read", function*({ body, log, lines }) {
    const size = 10_000_000
    const slow = new gevent.Popen(["sh", "-c", "sleep 0.3; wc -c"], { stdin: PIPE, stdout: PIPE, text: true })
    const writing = gevent.spawn(body(function*(): Steps {
      const part = Buffer.alloc(65_536)
      for (let written = 0; written < size; written += part.length) {
        yield* slow.stdin.write(part)
        log(written)
      }
      slow.stdin.close()
    }))
    yield* gevent.sleep(0.1)
    expect(lines.length).toBeLessThan(10)
    yield* writing.get()
    expect(Number(yield* slow.stdout.read())).toBe(Math.ceil(size / 65_536) * 65_536)
  })
})

describe("in a program of its own", () => {
  const program = (main: string) => {
    const source = `
      import { Effect } from "effect"
      import * as gevent from "effect-stackless/compat/gevent"
      const { PIPE } = gevent
      await Effect.runPromise(gevent.call(function*() { ${main} }))`
    const began = Date.now()
    const { status, stderr, stdout } = spawnSync(process.execPath, ["--input-type=module", "-e", source], {
      timeout: 60_000,
      encoding: "utf8"
    })
    return { status, stderr, stdout, milliseconds: Date.now() - began }
  }

  test("a process keeps its parent going while somebody waits for it or its pipes", () => {
    const { milliseconds: _, ...rest } = program(`
      const lines = new gevent.Popen(["sh", "-c", "sleep 0.3; echo a; sleep 0.3; echo b"], { stdout: PIPE, text: true })
      console.log(yield* lines.stdout.readlines())
      console.log(yield* new gevent.Popen(["sleep", "0.3"]).wait())
      console.log((yield* gevent.wait([new gevent.Popen(["sleep", "0.3"])])).length)`)
    expect(rest).toEqual({ status: 0, stderr: "", stdout: "[ 'a\\n', 'b\\n' ]\n0\n1\n" })
  })

  test("a process does not keep its parent going when the main greenlet has ended", () => {
    const { milliseconds, ...rest } = program(`
      new gevent.Popen(["sleep", "15"], { stdin: PIPE, stdout: PIPE, stderr: gevent.DEVNULL })
      yield* gevent.sleep(0.01)`)
    expect(rest).toEqual({ status: 0, stderr: "", stdout: "" })
    expect(milliseconds).toBeLessThan(10_000)
  })
})
