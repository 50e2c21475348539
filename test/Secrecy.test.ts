import { Buffer } from "node:buffer"
import { closeSync, openSync, readFileSync, readSync } from "node:fs"
import * as Net from "node:net"
import { join } from "node:path"
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Keys from "../src/domain/Keys.js"
import * as Command from "./utils/Command.js"
import * as Loopback from "./utils/Loopback.js"

const nicks = ["adalovelace", "grace-hopper"]
const text = "the quick brown fox jumps over the lazy dog"

/** A proxy to `port` that keeps every byte of either direction. */
const recorder = (port: number) =>
  Effect.gen(function* () {
    const chunks: Array<Buffer> = []
    const proxy = Net.createServer((inside) => {
      const outside = Net.connect(port, "127.0.0.1")
      for (const [from, to] of [
        [inside, outside],
        [outside, inside]
      ] as const) {
        from.on("error", () => to.destroy())
        from.on("data", (chunk) => {
          chunks.push(chunk)
          to.write(chunk)
        })
        from.on("end", () => to.end())
      }
    })
    return { port: yield* Loopback.listen(proxy), bytes: () => Buffer.concat(chunks) }
  })

/** A conversation through the server at `port`: one client says a text twice, another hears it and stays. */
const converse = (cwd: string, port: string) =>
  Effect.gen(function* () {
    const env = { CHAT_PORT: port }
    const listener = yield* Command.chat(["c", "--nick", nicks[0] ?? ""], { cwd, env })
    yield* listener.shows("joined")
    const said = yield* Command.run(["c", "--nick", nicks[1] ?? ""], { cwd, env, input: `${text}\n${text}\n` })
    expect(said.code).toBe(0)
    yield* listener.shows(`-- ${nicks[1]} left`)
    expect(listener.stdout().split(text).length).toBe(3)
    return listener
  })

it.scopedLive("what crosses the wire is two handshake lines and Fernet tokens, without a nick or a text", () =>
  Effect.gen(function* () {
    const cwd = yield* Command.directory
    const server = yield* Command.serve({ cwd })
    const { bytes, port } = yield* recorder(Number(server.port))
    yield* converse(cwd, String(port))
    const captured = bytes().toString("latin1")
    const lines = captured.split("\n").slice(0, -1)
    const tokens = lines.filter((line) => /^gAAAAA[\w-]{90,}={0,2}$/.test(line))
    // Two connections, each with a line of handshake either way; everything else is a token.
    expect(lines.length - tokens.length).toBe(4)
    expect(tokens.length).toBeGreaterThan(10)
    for (const secret of [...nicks, text]) {
      for (const encoding of ["utf8", "base64", "base64url", "hex"] as const) {
        expect(captured).not.toContain(Buffer.from(secret).toString(encoding).replace(/=+$/, ""))
      }
      for (const line of lines) expect(Buffer.from(line, "base64url").includes(secret)).toBe(false)
    }
  })
)

/** How often `needle` stands in the memory of a process, all of it: heap, buffers, stacks. */
const countInMemory = (pid: number, needle: Buffer): number => {
  const memory = openSync(`/proc/${pid}/mem`, "r")
  let count = 0
  try {
    for (const line of readFileSync(`/proc/${pid}/maps`, "utf8").split("\n")) {
      const [, from, to, name = ""] = /^([0-9a-f]+)-([0-9a-f]+) rw\S* \S+ \S+ \S+ *(.*)$/.exec(line) ?? []
      if (from === undefined || to === undefined || name.startsWith("[v")) continue
      const start = Number.parseInt(from, 16)
      const size = Number.parseInt(to, 16) - start
      // In pieces that overlap, so that nothing is missed where one ends.
      const piece = Buffer.alloc(Math.min(size, 16 * 1024 * 1024))
      for (let at = 0; at < size; at += Math.max(piece.length - needle.length, 1)) {
        let read: number
        try {
          read = readSync(memory, piece, 0, Math.min(piece.length, size - at), start + at)
        } catch {
          break // Reserved and not backed by anything: there is nothing to read.
        }
        for (let i = piece.indexOf(needle); i !== -1 && i < read; i = piece.indexOf(needle, i + 1)) count += 1
        if (at + read >= size) break
      }
    }
  } finally {
    closeSync(memory)
  }
  return count
}

const linux = process.platform === "linux"
if (!linux) console.warn("no search of memory: this system has no /proc")

describe.skipIf(!linux)("the memory of a server that has the server key only (needs /proc)", () => {
  it.scopedLive("holds no text and not the message key, where the same search finds both in a client", () =>
    Effect.gen(function* () {
      const cwd = yield* Command.directory
      yield* Command.run(["keygen"], { cwd })
      yield* Command.run(["keygen", "--server"], { cwd })
      const server = yield* Command.serve({ cwd }, ["--key-file", "server.key"])
      const client = yield* converse(cwd, server.port)
      const keys = Either.getOrThrow(Keys.parse(readFileSync(join(cwd, "secret.key"), "utf8")))
      const roomKey = Either.getOrThrow(Keys.roomKeys(keys))[0]
      const keyBytes = (key: Keys.AnyKey) => Buffer.from(Keys.toBase64Url(key), "base64url")
      const secrets = {
        text: Buffer.from(text),
        "text in 16 bits": Buffer.from(text, "utf16le"),
        "message key": keyBytes(Keys.messageKey(roomKey)),
        "message key in base64url": Buffer.from(Keys.toBase64Url(Keys.messageKey(roomKey)))
      }
      const found = (pid: number | undefined) =>
        Object.entries(secrets)
          .filter(([, secret]) => pid !== undefined && countInMemory(pid, secret) > 0)
          .map(([name]) => name)
      expect(found(server.child.pid)).toEqual([])
      expect(found(client.child.pid)).toEqual(expect.arrayContaining(["text", "message key"]))
      // The server does hold what it may: its own key, and the nicks.
      const serverKey = keyBytes(Keys.serverKey(roomKey))
      expect(countInMemory(server.child.pid ?? 0, serverKey)).toBeGreaterThan(0)
      expect(countInMemory(server.child.pid ?? 0, Buffer.from(nicks[0] ?? ""))).toBeGreaterThan(0)
    })
  )
})
