/** The programs whose behaviour was recorded from the originals, in both gears; and the command that runs them. */

import { spawnSync } from "node:child_process"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { conformance, recorded } from "./conformance/command.ts"
import { describe as described, difference } from "./conformance/difference.ts"
import { gears, type ProgramGear } from "./conformance/gear.ts"
import { TICK } from "./conformance/gevent.ts"
import { type LayerName, layers } from "./conformance/layer.ts"
import { type Program, readPrograms } from "./conformance/program.ts"
import { run, runOnce } from "./conformance/run.ts"

/** How many of the recorded programs have to do what the original did: all of them. */
const floors: Readonly<Record<LayerName, Readonly<Partial<Record<ProgramGear, number>>>>> = {
  greenlet: { soft: 499, hard: 499, compiled: 499 },
  stackless: { soft: 520, hard: 520, compiled: 520, preempted: 520 },
  gevent: { soft: 227, hard: 227, compiled: 227 }
}

describe.each(["greenlet", "stackless", "gevent"] as const)("the recorded programs of %s", (layer) => {
  test.each(Object.entries(floors[layer]))("do what the original did, in the %s gear", async (name, floor) => {
    const gear = name as ProgramGear
    const programs = recorded[layer].flatMap(readPrograms)
    const differences: Array<string> = []
    for (const program of programs) {
      const found = difference(program, layers[layer]!.probe, await run({ layer, program, gear }))
      if (found !== undefined) differences.push(`${program.name} differs at line ${found.line}\n${described(found)}`)
    }
    const passed = programs.length - differences.length
    const report = [`${passed} of ${programs.length} passed`, ...differences.slice(0, 3)].join("\n\n")
    expect(passed < floor ? report : "").toBe("")
  }, 120_000)

  test.each(gears)("do it with a turn of the event loop anywhere in between, in the %s gear", async (gear) => {
    const programs = recorded[layer].flatMap(readPrograms).filter((_, index) => index % 9 === 0)
    const different: Array<string> = []
    for (const [index, program] of programs.entries()) {
      const turn = 1 + index % 100
      const found = difference(program, layers[layer]!.probe, await run({ layer, program, gear, turn }))
      if (found !== undefined) different.push(`${program.name} after ${turn} at line ${found.line}`)
    }
    expect(different).toEqual([])
  }, 120_000)
})

// ---- the command ----------------------------------------------------------------------------------------------------

/** An empty folder for made-up files. */
let directory: string

beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), "conformance-"))
})
afterAll(() => rmSync(directory, { recursive: true, force: true }))

/** A program for greenlets, and what it prints. */
const program = {
  name: "made-up",
  bodies: { g1: [["switch", "parent", 2]] },
  main: [["new", "g1"], ["switch", "g1", 1]],
  trace: [
    "main new g1",
    "main new g1 -> g1",
    "main switch g1 1",
    "g1 start 1",
    "g1 switch parent 2",
    "main switch g1 1 -> 2",
    "main end g1=a^main main=a^-"
  ]
}
/** The same with a trace that nothing prints. */
const wrong = { ...program, trace: program.trace.map((line) => line.replace("g1 start 1", "g1 start 3")) }

/** Writes a file of programs, or of anything. */
const file = (name: string, ...lines: Array<unknown>): string => {
  const text = lines.map((line) => typeof line === "string" ? line : JSON.stringify(line)).join("\n")
  writeFileSync(join(directory, name), text)
  return name
}

/** Runs the command in the folder, on this JavaScript thread. */
const command = async (...args: Array<string>) => {
  const printed: Array<string> = []
  const complaints: Array<string> = []
  const code = await conformance(args, {
    directory,
    run,
    print: (text) => printed.push(text),
    complain: (text) => complaints.push(text)
  })
  return { code, printed: printed.join("\n").split("\n"), complaint: complaints.join("\n") }
}

test("what a body sets when its thread ends does not reach the next program", async () => {
  const program = (name: string, ...first: Array<unknown>) => ({
    name,
    channels: ["a"],
    bodies: { t1: [...first, ["receive", "a"]] },
    main: [["spawn", "t1"], ["run"]],
    trace: [
      "main spawn t1",
      "main spawn t1 -> t1",
      "main run",
      "t1 start",
      "t1 receive a",
      "main run -> none",
      "main end run=1 ring=main t1=asb a=-1[t1]"
    ]
  })
  const sets = program("sets", ["try", [["receive", "a"]], [], [["callbacks", 1]]])
  const { printed } = await command(file("stackless-1.jsonl", sets, program("is told"), sets, program("is told")))
  expect(printed.at(-1)).toBe("8 passed, 0 failed")
})

test("a file whose programs all pass is counted, and the exit code is 0", async () => {
  const { code, complaint, printed } = await command(file("greenlet-right.jsonl", program, program))
  expect(printed).toEqual([
    "greenlet-right.jsonl (soft): 2 of 2 passed",
    "greenlet-right.jsonl (hard): 2 of 2 passed",
    "4 passed, 0 failed"
  ])
  expect(complaint).toBe("")
  expect(code).toBe(0)
})

test("in the compiled gear, what a body is made of is compiled: its loops, handlers and returns", async () => {
  const body = [
    ["try", [["repeat", 2, [["switch", "parent", 1]]], ["raise", "ValueError"]], [["ValueError", [["log", "v"]]]], [
      ["switch", "parent", 2],
      ["return", 4]
    ]],
    ["return", 3]
  ]
  const main = [["new", "g1"], ...[1, 2, 3, 4].map((n) => ["switch", "g1", n])]
  const of = async (gear: string) => {
    const job = { layer: "greenlet", gear, program: { name: "made-up", bodies: { g1: body }, main, trace: [] } }
    return (await run(job as never)).trace
  }
  const trace = await of("compiled")
  expect(trace).toEqual(await of("soft"))
  expect(trace).toContain("g1 ends 3")
  const { code, printed } = await command("--gear", "compiled", file("greenlet-right.jsonl", program))
  expect([code, printed.at(-1)]).toEqual([0, "1 passed, 0 failed"])
})

test(
  "in the pickled gear, everything is dumped and loaded between the ops of main, and does what the original did",
  () => {
    const npm = (...args: Array<string>) =>
      spawnSync("npm", ["run", "-s", "conformance", "--", "--gear", "pickled", ...args], { encoding: "utf8" }).stdout
    expect(npm("--layer", "greenlet").trimEnd().split("\n").at(-1)).toBe("499 passed, 0 failed")
    expect(npm("--layer", "greenlet", "--every", "3").trimEnd().split("\n").at(-1)).toBe("499 passed, 0 failed")
  },
  300_000
)

test("a wrong trace is reported with its first difference, and the exit code is 1", async () => {
  const { code, printed } = await command("--gear", "hard", file("greenlet-wrong.jsonl", program, wrong))
  expect(printed).toEqual([
    "made-up (hard) differs at line 4",
    "         1  main new g1",
    "         2  main new g1 -> g1",
    "         3  main switch g1 1",
    "  expected  g1 start 3",
    "       got  g1 start 1",
    "",
    "greenlet-wrong.jsonl (hard): 1 of 2 passed",
    "1 passed, 1 failed"
  ])
  expect(code).toBe(1)
})

test("a trace that is too long or too short differs where it should have ended, or gone on", async () => {
  const short = { ...program, trace: program.trace.slice(0, -1) }
  const long = { ...program, trace: [...program.trace, "g1 ends none"] }
  const { printed } = await command("--gear=soft", file("greenlet-lengths.jsonl", short, long))
  expect(printed.filter((line) => /differs|expected|got/.test(line))).toEqual([
    "made-up (soft) differs at line 7",
    "  expected  (no more)",
    "       got  main end g1=a^main main=a^-",
    "made-up (soft) differs at line 8",
    "  expected  g1 ends none",
    "       got  (no more)"
  ])
})

test("only the first three programs that fail are shown", async () => {
  const { printed } = await command(file("greenlet-many.jsonl", wrong, wrong, wrong, wrong))
  expect(printed.filter((line) => line.includes("differs"))).toHaveLength(3)
  expect(printed.at(-1)).toBe("0 passed, 8 failed")
})

test("a program without a trace passes if it reaches its end and its thread works afterwards", async () => {
  const { trace: _, ...crasher } = program
  const { code, printed } = await command(file("greenlet-crashers.jsonl", crasher))
  expect(printed.at(-1)).toBe("2 passed, 0 failed")
  expect(code).toBe(0)

  const { probe } = layers.greenlet!
  expect(difference(crasher, probe, { trace: ["main new g1"], probe: probe.trace! })?.expected).toBe("main end …")
  expect(difference(crasher, probe, { trace: ["main end …"], probe: probe.trace!.slice(1) })?.note).toContain("probe")
})

test("a program that does not end has failed, whatever it has printed", () => {
  const found = difference(program, program, { trace: program.trace, failure: "did not end" })
  expect(described(found!)).toContain("did not end")
})

test("a program that runs more ops than any recorded one is stopped", async () => {
  const endless = { ...program, main: [["repeat", 1000, [["log", 1]]]], trace: [] }
  const { trace } = await run({ layer: "greenlet", program: endless as never, gear: "soft" })
  expect(trace.at(-1)).toBe("STOP")
})

test("the layer of a file is that of its name, or else that of the shape of its programs, unless it is given", async () => {
  const fails = async (...args: Array<string>) => (await command("--gear", "soft", ...args)).code === 1
  expect(await fails(file("some.jsonl", program))).toBe(false)
  expect(await fails("--layer", "stackless", file("some.jsonl", program))).toBe(true)
  // a program for greenlets in the shape of one for stackless
  const channels = { ...program, channels: [] }
  expect(await fails(file("some.jsonl", channels))).toBe(true)
  expect(await fails(file("greenlet-some.jsonl", channels))).toBe(false)
  expect(await fails("--layer", "greenlet", file("some.jsonl", channels))).toBe(false)
  expect(await fails(file("some.jsonl", { ...program, things: {} }))).toBe(true)
})

test("a sample of the programs that tell the time do on the real clock what the original did", async () => {
  const sample = recorded.gevent.flatMap(readPrograms).filter((_, index) => index % 9 === 0)
  const differs = async (
    program: Program,
    attempt: number,
    clock: "virtual" | "real",
    tick = TICK
  ): Promise<boolean> => {
    const result = await runOnce({ layer: "gevent", program, gear: "soft", tick }, attempt, clock)
    return difference(program, layers.gevent!.probe, result) !== undefined
  }
  // those that hang on a tie between timers do something else now and then
  const programs: Array<Program> = []
  for (const program of sample) {
    const attempts = await Promise.all(Array.from({ length: 10 }, (_, attempt) => differs(program, attempt, "virtual")))
    if (!attempts.includes(true)) programs.push(program)
  }
  expect(programs.length).toBeGreaterThan(10)
  // On a machine that is busy some come late, by what its other programs take. So those have another chance, with ticks that
  // are longer: what a wait may be late by is half a tick, as gevent's own tests allow more where machines are slow.
  let late = programs
  for (const times of [1, 2, 4, 8, 8, 8, 16, 16]) {
    const onTime = await Promise.all(late.map(async (program) => !await differs(program, 0, "real", times * TICK)))
    late = late.filter((_, index) => !onTime[index])
  }
  expect(late.map(({ name }) => name)).toEqual([])
}, 300_000)

test.each([
  ["is no JSON", "greenlet-1.jsonl:2: is no JSON", [program, "{"]],
  ["holds no program", "greenlet-1.jsonl: holds no program", [""]],
  ["holds something else", "greenlet-1.jsonl:1: a program is an object", ["1"]],
  ["has a body that is no list", "greenlet-1.jsonl:1: the body g1 is no list of ops", [{
    ...program,
    bodies: { g1: 1 }
  }]],
  ["has an op that is none", "greenlet-1.jsonl:1: `main` holds 1, which is no op", [{ ...program, main: [1] }]],
  ["has a nested op that is none", "greenlet-1.jsonl:1: a repeat in `main` is no list of ops", [
    { ...program, main: [["repeat", 2]] }
  ]]
])("a file that %s is answered with 2 and a message", async (_, message, lines) => {
  const { code, complaint, printed } = await command(file("greenlet-1.jsonl", ...lines))
  expect(complaint).toBe(join(directory, message))
  expect(printed).toEqual([""])
  expect(code).toBe(2)
})

test("a file that is not there, and arguments without a meaning, are answered with 2 and a message", async () => {
  expect(await command("nowhere.jsonl")).toMatchObject({ code: 2, complaint: expect.stringContaining("ENOENT") })
  for (
    const args of [
      ["--gear", "third"],
      ["--layer", "asyncio"],
      ["--fast"],
      ["--gear"],
      ["--every", "2"],
      [
        "--gear=pickled",
        "--layer=gevent"
      ],
      ["--gear=pickled", "--every=0"],
      ["--fuel=7"],
      ["--gear=preempted", "--layer=greenlet"]
    ]
  ) {
    expect(await command(...args)).toMatchObject({ code: 2, complaint: expect.stringContaining("usage: ") })
  }
})

test("`npm run conformance` finds files from where it is called, and exits with the code of the command", () => {
  const npm = (...args: Array<string>) => {
    const { INIT_CWD: _, ...env } = process.env
    return spawnSync("npm", ["run", "-s", "--prefix", process.cwd(), "conformance", "--", ...args], {
      cwd: directory,
      encoding: "utf8",
      env
    })
  }
  const right = npm(file("greenlet-right.jsonl", program))
  expect(right.stdout.split("\n").at(-2)).toBe("2 passed, 0 failed")
  expect(right.status).toBe(0)
  expect(npm(file("greenlet-wrong.jsonl", wrong)).status).toBe(1)
  expect(npm("nowhere.jsonl").status).toBe(2)
}, 120_000)
