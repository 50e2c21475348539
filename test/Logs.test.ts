import { Buffer } from "node:buffer"
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Fernet from "../src/domain/Fernet.js"
import * as Keys from "../src/domain/Keys.js"
import * as TransportTcp from "../src/domain/TransportTcp.js"
import * as Command from "./utils/Command.js"
import * as RawClient from "./utils/RawClient.js"
import * as Room from "./utils/Room.js"

const text = "the quick brown fox jumps over the lazy dog"
const key = Keys.toBase64Url(Room.roomKeys[0])

/** What no log may hold, and how else it may be written. */
const secrets: Readonly<Record<string, Buffer>> = {
  text: Buffer.from(text),
  ticket: Buffer.from(RawClient.ticket, "base64url"),
  "room key": Buffer.from(key, "base64url"),
  "server key": Buffer.from(Keys.toBase64Url(Room.serverKeys[0]), "base64url"),
  "message key": Buffer.from(Keys.toBase64Url(Keys.messageKey(Room.roomKeys[0])), "base64url")
}

/** The secrets that are in a text in any writing, and whether a token is. */
const found = (log: string): ReadonlyArray<string> => [
  ...Object.entries(secrets).flatMap(([name, secret]) =>
    (["utf8", "hex", "base64", "base64url"] as const)
      .filter((encoding) => log.includes(secret.toString(encoding).replace(/=+$/, "")))
      .map((encoding) => `${name} as ${encoding}`)
  ),
  ...(/gAAAAA/.test(log) ? ["a token"] : [])
]

/** A server in a directory of its own, in the room of these tests. */
const serve = (args: ReadonlyArray<string>, env: Record<string, string> = {}) =>
  Effect.gen(function* () {
    const cwd = yield* Command.directory
    writeFileSync(join(cwd, "secret.key"), Keys.format({ _tag: "RoomKeys", keys: Room.roomKeys }), { mode: 0o600 })
    const server = yield* Command.serve({ cwd, env }, args)
    const way = TransportTcp.layerDialer({ host: "127.0.0.1", port: Number(server.port) })
    const to = Effect.provide(Layer.merge(way, Fernet.layer))
    return { cwd, server, to, options: { cwd, env: { CHAT_PORT: server.port } } }
  })

type Serving = Effect.Effect.Success<ReturnType<typeof serve>>

/** Provokes whatever makes a server say something, each with secrets in it; the metrics that it shows then. */
const provoke = ({ options, server, to }: Serving) =>
  Effect.gen(function* () {
    // One who stays, to the end of the server; one who says something and leaves; one who is killed.
    const stays = yield* Command.chat(["c", "--nick", "stays", "--listen"], options)
    yield* stays.shows("stays joined")
    expect((yield* Command.run(["c", "--nick", "ada"], { ...options, input: `${text}\n` })).code).toBe(0)
    const killed = yield* Command.chat(["c", "--nick", "killed"], options)
    yield* stays.shows("killed joined")
    killed.kill("SIGKILL")
    yield* server.shows(/\blost\b/)

    /** Members who say what is none of a member's business. */
    const sealed = Effect.map(Fernet.Fernet, (fernet) =>
      fernet.encrypt([Keys.messageKey(Room.roomKeys[0])], Buffer.from(text))
    )
    const token = yield* Effect.provide(sealed, Fernet.layer)
    const faults: ReadonlyArray<(raw: Effect.Effect.Success<ReturnType<typeof RawClient.joined>>) => void> = [
      (raw) => raw.write(`${text}\n`),
      (raw) => raw.write(`${key}\n`),
      (raw) => raw.sendText(`{"frame":1,"messages":["${text}`),
      (raw) => raw.send({ _tag: text, ticket: RawClient.ticket }),
      (raw) => raw.send({ _tag: "Nick", nick: text, ticket: RawClient.ticket, [key]: key }),
      (raw) => raw.send({ _tag: "Say", n: 7, sealed: token }),
      (raw) => raw.send({ _tag: "Say", n: 1, sealed: text }),
      (raw) => raw.write(`${RawClient.ticket}\n`)
    ]
    for (const fault of faults) {
      yield* Effect.scoped(
        Effect.gen(function* () {
          const raw = yield* RawClient.joined("eve")
          fault(raw)
          yield* RawClient.untilEnd(raw)
        })
      ).pipe(to)
    }
    // Strangers: who shows the key itself, a text, another key, or a first message again.
    for (const line of [key, RawClient.ticket, text, "x".repeat(2_000)]) {
      yield* Effect.scoped(
        Effect.gen(function* () {
          const stranger = yield* RawClient.connect
          stranger.write(`${line}\n`)
          expect(yield* stranger.line).toEqual(Option.none())
        })
      ).pipe(to)
    }
    yield* Effect.scoped(
      Effect.gen(function* () {
        const { hello } = yield* RawClient.open
        const again = yield* RawClient.connect
        again.write(`${hello}\n`)
        expect(yield* again.line).toEqual(Option.none())
      })
    ).pipe(to)
    yield* server.shows(/(?:\boutcome\W+protocol\b[\s\S]*){8}/)
    const [metrics = ""] = /http:\S+\/metrics/.exec(server.stdout()) ?? []
    const shown = yield* Effect.promise(async () => (await fetch(metrics)).text())
    server.kill("SIGTERM")
    expect(yield* server.exit).toBe(0)
    return shown
  })

/** Each event of a log of this format, by its fields. */
const parse: Record<string, (line: string) => Record<string, unknown>> = {
  json: (line) => JSON.parse(line),
  logfmt: (line) =>
    Object.fromEntries(
      Array.from(line.matchAll(/([\w.-]+)=("(?:[^"\\]|\\.)*"|\S*)/g), ([, name = "", value = ""]) => [
        name,
        value.startsWith('"') ? JSON.parse(value) : value
      ])
    ),
  pretty: (line) => {
    const [, time, level = "INFO", message] = /^(\S+) (?:([A-Z]{4,5}) )?(.*?)(?= \w+=|$)/.exec(line) ?? []
    const fields = Array.from(line.matchAll(/ (\w+)=(\S*)/g), ([, name = "", value = ""]) => [name, value])
    return { time, level: level.toLowerCase(), message, ...Object.fromEntries(fields) }
  }
}

describe("the server's log at its most talkative", () => {
  for (const [format, read] of Object.entries(parse)) {
    it.scopedLive(
      `as ${format} tells of all that happens, and like the metrics holds no key, no ticket and no text`,
      () =>
        Effect.gen(function* () {
          // A search that finds nothing has to be one that would.
          for (const [name, secret] of Object.entries(secrets)) {
            expect(found(`x${secret.toString("base64url")}y${secret.toString("hex")}`)).toContain(`${name} as hex`)
          }
          const serving = yield* serve(["--log-format", format, "--log-level", "all", "--metrics", "0"])
          const metrics = yield* provoke(serving)
          const log = serving.server.stderr()
          expect(found(log + serving.server.stdout())).toEqual([])
          // They have counted all of it.
          expect(metrics).toMatch(/^chat_connections_ended_total\{outcome="protocol"\} 8$/m)
          expect(metrics).toMatch(/^chat_texts_total [1-9]/m)
          expect(found(metrics)).toEqual([])
          const events = log.trimEnd().split("\n").map(read)
          for (const { level, time } of events) {
            expect(time).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/)
            expect(["trace", "debug", "info"]).toContain(level)
          }
          const ends = events.filter(({ message }) => message === "a connection has ended")
          const outcomes = ends.map(({ nick, outcome }) => `${nick} ${outcome}`).toSorted()
          expect(outcomes).toEqual([
            "ada quit",
            ...Array.from({ length: 8 }, () => "eve protocol"),
            "killed lost",
            "stays shutdown"
          ])
          const [ada] = ends.filter(({ nick }) => nick === "ada")
          expect(ada).toMatchObject({ level: "info", from: expect.stringMatching(/^127\.0\.0\.1:\d+$/) })
          for (const field of ["member", "bytes_in", "bytes_out", "seconds"])
            expect(Number(ada?.[field])).toBeGreaterThan(0)
          expect(events.filter(({ message }) => String(message).startsWith("refused: ")).length).toBeGreaterThan(0)
        })
    )
  }
})

describe("what the log says", () => {
  const ended = "a connection has ended"
  const visit = ({ options, server }: Serving) =>
    Effect.gen(function* () {
      expect((yield* Command.run(["c", "--nick", "ada"], options)).code).toBe(0)
      server.kill("SIGTERM")
      yield* server.exit
      return server.stderr()
    })

  it.scopedLive("is for people, from info on, where nothing else is asked for", () =>
    Effect.gen(function* () {
      const log = yield* Effect.flatMap(serve([]), visit)
      expect(log).toMatch(/^\S+Z a connection has ended bytes_in=\d+ .*outcome=quit seconds=[\d.]+\n$/)
    })
  )

  it.scopedLive("begins at the level that the variable names, unless the flag names another", () =>
    Effect.gen(function* () {
      expect(yield* Effect.flatMap(serve([], { CHAT_LOG_LEVEL: "warning" }), visit)).toBe("")
      const flagged = yield* serve(["--log-level", "info"], { CHAT_LOG_LEVEL: "warning", CHAT_LOG_FORMAT: "json" })
      expect(JSON.parse(yield* visit(flagged))).toMatchObject({ level: "info", message: ended, nick: "ada", member: 1 })
      expect(yield* Effect.flatMap(serve(["--log-level=none"]), visit)).toBe("")
    })
  )

  const wrong: ReadonlyArray<readonly [args: ReadonlyArray<string>, env: Record<string, string>, message: string]> = [
    [["--log-level", "loud"], {}, "--log-level or $CHAT_LOG_LEVEL is one of all, trace,"],
    [[], { CHAT_LOG_LEVEL: "loud" }, "--log-level or $CHAT_LOG_LEVEL is one of all, trace,"],
    [["--log-format", "xml"], {}, "--log-format is pretty, json or logfmt"],
    [[], { CHAT_LOG_FORMAT: "xml" }, "--log-format is pretty, json or logfmt"],
    [["--log-format", key], {}, "--log-format is pretty, json or logfmt"]
  ]
  it.scopedLive.each(wrong)("cannot be asked for as nobody knows it: %j %j", ([args, env, message]) =>
    Effect.gen(function* () {
      const cwd = yield* Command.directory
      const { code, stderr } = yield* Command.run(["s", "--port", "0", ...args], { cwd, env })
      expect(code).toBe(2)
      expect(stderr).toContain(message)
      expect(found(stderr)).toEqual([])
    })
  )
})
