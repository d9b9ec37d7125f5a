/** Machines that know each other by certificates, or by a secret; and those that do not. */
import { Effect, Exit, type Scope } from "effect"
import { execFileSync } from "node:child_process"
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import type { Socket } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, describe, expect, test } from "vitest"
import { addressOf, dial, FOR_LINK, listen, type Security } from "../../src/cluster/machines/sockets.ts"
import { keyOf, spread, startCluster } from "./machines/cluster.ts"

const directory = mkdtempSync(join(tmpdir(), "certificates-"))
afterAll(() => rmSync(directory, { recursive: true, force: true }))

const openssl = (...args: ReadonlyArray<string>): void => {
  try {
    execFileSync("openssl", args, { cwd: directory, stdio: "pipe" })
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error
    throw new Error("these tests make certificates with openssl, which is not installed: apt-get install openssl", {
      cause: error
    })
  }
}
const read = (name: string): string => readFileSync(join(directory, name), "utf8")

/** An authority of that name, and a certificate of 127.0.0.1 that it has signed. */
const certificates = (name: string): NonNullable<Security["tls"]> => {
  const curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
  openssl(
    "req",
    "-x509",
    ...curve,
    "-keyout",
    `${name}-ca.key`,
    "-out",
    `${name}-ca.crt`,
    "-days",
    "2",
    "-subj",
    `/CN=${name}`
  )
  openssl("req", ...curve, "-keyout", `${name}.key`, "-out", `${name}.csr`, "-subj", "/CN=machine")
  writeFileSync(join(directory, "san"), "subjectAltName=IP:127.0.0.1")
  const signed = ["-CA", `${name}-ca.crt`, "-CAkey", `${name}-ca.key`, "-CAcreateserial", "-extfile", "san"]
  openssl("x509", "-req", "-in", `${name}.csr`, ...signed, "-out", `${name}.crt`, "-days", "2")
  return { key: read(`${name}.key`), cert: read(`${name}.crt`), ca: read(`${name}-ca.crt`) }
}
const ours = certificates("ours")
const theirs = certificates("theirs")

/** One machine connects to another one, and says a word: what has come of it. */
const connecting = (server: Security, client: Security): Promise<Exit.Exit<string, unknown>> => {
  const attempt: Effect.Effect<string, unknown, Scope.Scope> = Effect.gen(function*() {
    let heard: (word: string) => void
    const word = new Promise<string>((resolve) => {
      heard = resolve
    })
    const place = yield* listen({ host: "127.0.0.1", port: 0 }, server, (_purpose, socket) => {
      socket.on("data", (data) => heard(String(data)))
    })
    const socket: Socket = yield* dial(addressOf(place), FOR_LINK, client)
    yield* Effect.addFinalizer(() => Effect.sync(() => socket.destroy()))
    // it may be refused only after it has connected
    const closed = new Promise<string>((resolve) => socket.once("close", () => resolve("refused")))
    socket.write("hello")
    return yield* Effect.promise(() => Promise.race([word, closed]))
  })
  return Effect.runPromiseExit(Effect.scoped(attempt))
}

const isRefused = (exit: Exit.Exit<string, unknown>): boolean => Exit.isFailure(exit) || exit.value === "refused"

describe("who connects", () => {
  const secret = "a secret of our own"
  test.each<[string, Security, Security]>([
    ["the same secret", { secret }, { secret }],
    ["certificates of one authority", { tls: ours }, { tls: ours }]
  ])("is heard with %s", async (_, server, client) => {
    expect(await connecting(server, client)).toEqual(Exit.succeed("hello"))
  })
  test.each<[string, Security, Security]>([
    ["another secret", { secret }, { secret: "some other secret" }],
    ["no secret", { secret }, {}],
    ["a secret that the other one has not", {}, { secret }],
    ["a certificate of another authority", { tls: ours }, { tls: { ...theirs, ca: ours.ca } }],
    ["a certificate, to one that it does not trust", { tls: theirs }, { tls: ours }],
    ["no certificate", { tls: ours }, {}],
    ["a secret instead of a certificate", { tls: ours }, { secret }]
  ])("is refused with %s", async (_, server, client) => {
    expect(isRefused(await connecting(server, client))).toBe(true)
  })
})

test("machines with certificates are a cluster", async () => {
  const cluster = await startCluster()
  try {
    const [a, b] = await Promise.all([cluster.start({ tls: ours }), cluster.start({ tls: ours })])
    await spread(a!, b!)
    const key = await keyOf(b!, "by certificate")
    const receiving = b!.do("receive", key, 1)
    await a!.do("send", key, [{ buffer: [1, 2] }])
    expect(await receiving).toEqual([{ buffer: [1, 2] }])
    expect(await a!.do("travel", b!.address, a!.address, false)).toEqual([a!.child.pid, b!.child.pid, a!.child.pid])
  } finally {
    await cluster.remove()
  }
})
