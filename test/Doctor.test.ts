import { chmodSync, copyFileSync, lstatSync, readdirSync, readFileSync, writeFileSync } from "node:fs"
import * as Net from "node:net"
import { join } from "node:path"
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as Checks from "../src/cli/Checks.js"
import * as Command from "./utils/Command.js"
import * as Loopback from "./utils/Loopback.js"
import * as Tmux from "./utils/Tmux.js"

const decode = Schema.decodeUnknownSync(Schema.parseJson(Checks.Report), { onExcessProperty: "error" })

/** All that is in a directory: what is in each file, and what the system knows of it. */
const snapshot = (directory: string) =>
  readdirSync(directory, { recursive: true, encoding: "utf8" })
    .sort()
    .map((name) => {
      const stat = lstatSync(join(directory, name))
      const { ctimeMs, ino, mode, mtimeMs, size } = stat
      const holds = stat.isFile() ? readFileSync(join(directory, name)).toString("latin1") : ""
      return { name, ctimeMs, ino, mode, mtimeMs, size, holds }
    })

/** Looks at `cwd`, sees that nothing there has changed, and gives the findings by check, and the exit code. */
const look = (cwd: string, ...args: ReadonlyArray<string>) =>
  Effect.gen(function* () {
    const before = snapshot(cwd)
    const port = args.includes("--port") ? [] : ["--port", "0"]
    const { code, stderr, stdout } = yield* Command.run(["doctor", "--json", ...port, ...args], { cwd })
    expect(snapshot(cwd)).toEqual(before)
    expect(stderr).toBe("")
    const report = decode(stdout)
    const found = Object.fromEntries(report.checks.map(({ check, message, result }) => [check, `${result} ${message}`]))
    return { code, result: report.result, ...found } as Record<string, unknown>
  })

/** A directory in which a server has kept a log, and was ended in good order. */
const served = Effect.gen(function* () {
  const cwd = yield* Command.directory
  const server = yield* Command.serve({ cwd })
  yield* Command.run(["admin", "say", "hello"], { cwd })
  server.kill("SIGTERM")
  expect(yield* server.exit).toBe(0)
  return cwd
})

/** Something that is no chat, on a free port; it ends every connection. */
const stranger = Effect.suspend(() => {
  const server = Net.createServer((socket) =>
    socket
      .on("error", () => {})
      .resume()
      .end("220 mail\r\n")
  )
  return Effect.map(Loopback.listen(server), String)
})

const checks = ["node", "key", "clock", "port", "addresses", "database", "files", "socket", "terminal", "state"]

describe("chat doctor", () => {
  it.scopedLive("finds all well, before a server was there, while it runs and after it, and changes nothing", () =>
    Effect.gen(function* () {
      const cwd = yield* Command.directory
      const fresh = yield* look(cwd)
      expect(fresh).toMatchObject({
        code: 0,
        result: "warn",
        key: expect.stringMatching(/^warn there is no key file secret\.key: chat s makes one/),
        port: "ok a free one is taken",
        addresses: expect.stringMatching(/^warn only this machine reaches a server on 127\.0\.0\.1: chat s --host/),
        database: expect.stringMatching(/^ok chat\.db is not there yet/),
        socket: "ok no server answers at chat.sock: none runs here",
        state: expect.stringMatching(/^ok .* is not there yet: chat c makes it$/)
      })
      expect(Object.keys(fresh)).toEqual(["code", "result", ...checks])

      const server = yield* Command.serve({ cwd })
      yield* Command.run(["admin", "say", "hello"], { cwd })
      expect(yield* look(cwd, "--port", server.port)).toMatchObject({
        code: 0,
        key: expect.stringMatching(/^ok secret\.key holds a room key; its words: /),
        port: `ok a chat of this key serves on 127.0.0.1:${server.port}`,
        addresses: expect.stringMatching(/^warn only this machine reaches the server that runs/),
        database: expect.stringMatching(/^ok the server that runs here keeps its log in chat\.db; /),
        socket: expect.stringMatching(/^ok the server at chat\.sock is up for .*, with 0 here$/)
      })
      server.kill("SIGTERM")
      expect(yield* server.exit).toBe(0)
      expect(yield* look(cwd)).toMatchObject({
        code: 0,
        clock: expect.stringMatching(/^ok /),
        database: expect.stringMatching(/^ok chat\.db is whole and of this key, up to event 1; /)
      })
      const { code, stdout } = yield* Command.run(["doctor", "--port", "0"], { cwd })
      expect(code).toBe(0)
      expect(stdout.split("\n").map((line) => line.slice(0, 16).trim())).toEqual([
        expect.stringMatching(/^ok {4}node/),
        ...checks.slice(1).map((check) => expect.stringMatching(new RegExp(`^(ok {4}|warn {2})${check}`))),
        ""
      ])
    })
  )

  it.scopedLive("finds a key that others may read, that is none, or is another's", () =>
    Effect.gen(function* () {
      const cwd = yield* served
      chmodSync(join(cwd, "secret.key"), 0o640)
      expect(yield* look(cwd)).toMatchObject({
        code: 1,
        result: "fail",
        key: "fail others than you may read or change secret.key: run chmod 600 secret.key",
        database: expect.stringMatching(/^ok chat\.db is whole; /)
      })
      chmodSync(join(cwd, "secret.key"), 0o600)
      yield* Command.run(["keygen", "--server"], { cwd })
      expect(yield* look(cwd, "--key-file", "server.key")).toMatchObject({
        code: 0,
        key: expect.stringMatching(/^ok server\.key holds a server key: it serves, and does not join; /),
        database: expect.stringMatching(/of this key/)
      })
      const mixed = ["secret.key", "server.key"].map((name) => readFileSync(join(cwd, name), "utf8")).join("")
      writeFileSync(join(cwd, "mixed.key"), mixed, { mode: 0o600 })
      expect(yield* look(cwd, "--key-file", "mixed.key")).toMatchObject({
        code: 1,
        key: expect.stringMatching(/^fail .*mixed/)
      })
      writeFileSync(join(cwd, "none.key"), "no key\n", { mode: 0o600 })
      expect(yield* look(cwd, "--key-file", "none.key")).toMatchObject({
        code: 1,
        key: expect.stringMatching(/^fail .*line 1 is not a key/)
      })
      yield* Command.run(["keygen", "-o", "other.key"], { cwd })
      expect(yield* look(cwd, "--key-file", "other.key")).toMatchObject({
        code: 1,
        key: expect.stringMatching(/^ok /),
        database: expect.stringMatching(/^fail chat\.db was written under another key/)
      })
    })
  )

  it.scopedLive("finds a port that something else has, or a chat of another key, or that is not of this machine", () =>
    Effect.gen(function* () {
      const cwd = yield* Command.directory
      yield* Command.run(["keygen"], { cwd })
      const other = yield* Command.directory
      const server = yield* Command.serve({ cwd: other })
      for (const port of [yield* stranger, server.port]) {
        expect(yield* look(cwd, "--port", port)).toMatchObject({
          code: 1,
          port: `fail 127.0.0.1:${port} is in use, by something else or by a chat of another key: end that one, or choose another port with --port`
        })
      }
      expect(yield* look(cwd, "--port", server.port, "--key-file", "none.key")).toMatchObject({
        code: 0,
        port: expect.stringMatching(/^warn .* without a key nobody can tell/)
      })
      // An address for documentation, which nobody has.
      expect(yield* look(cwd, "--host", "203.0.113.7")).toMatchObject({
        code: 1,
        port: expect.stringMatching(/^fail cannot listen on 203\.0\.113\.7:0 .*--host$/)
      })
    })
  )

  it.scopedLive("finds a socket that no server could make, and state that no client could keep", () =>
    Effect.gen(function* () {
      const cwd = yield* Command.directory
      yield* Command.run(["keygen"], { cwd })
      writeFileSync(join(cwd, "chat.sock"), "")
      expect(yield* look(cwd)).toMatchObject({
        code: 0,
        socket:
          "warn chat s cannot make the socket chat.sock: there is something else of that name. Name another file with --socket"
      })
      for (const [socket, reason] of [
        ["secret.key", "there is something else of that name"],
        ["nowhere/chat.sock", "there is no such directory, or you may not write in it"]
      ] as const) {
        expect(yield* look(cwd, "--socket", socket)).toMatchObject({
          code: 1,
          socket: `fail chat s cannot make the socket ${socket}: ${reason}. Name another file with --socket`
        })
        // As it says.
        const serving = yield* Command.run(["s", "--port", "0", "--ephemeral", "--socket", socket], { cwd })
        expect(serving).toMatchObject({ code: 1, stdout: "" })
      }
      const env = { XDG_STATE_HOME: join(cwd, "secret.key") }
      const { code, stdout } = yield* Command.run(["doctor", "--port", "0"], { cwd, env })
      expect(code).toBe(1)
      expect(stdout).toMatch(/^fail {2}state .* is not there, and you may not make it: /m)
    })
  )

  it.scopedLive("finds a log that another process has, that was cut off, is damaged, or no log at all", () =>
    Effect.gen(function* () {
      const cwd = yield* served
      const database = /^fail /
      copyFileSync(join(cwd, "chat.db"), join(cwd, "bad.db"))
      const bytes = readFileSync(join(cwd, "bad.db"))
      bytes.fill(0xff, 4096, 8192)
      writeFileSync(join(cwd, "bad.db"), bytes)
      expect(yield* look(cwd, "--db", "bad.db")).toMatchObject({
        code: 1,
        database: expect.stringMatching(/^fail bad\.db is damaged: /)
      })
      writeFileSync(join(cwd, "letter.db"), "a letter".repeat(100))
      expect(yield* look(cwd, "--db", "letter.db")).toMatchObject({
        code: 1,
        database: expect.stringMatching(/^fail letter\.db is not a log, or its beginning is damaged: .*--db$/)
      })
      expect(yield* look(cwd, "--db", "nowhere/chat.db")).toMatchObject({
        code: 1,
        database: expect.stringMatching(database)
      })

      // Its operator is elsewhere.
      const server = yield* Command.serve({ cwd }, ["--socket", "elsewhere.sock"])
      expect(yield* look(cwd, "--port", server.port)).toMatchObject({
        code: 0,
        port: `ok a chat of this key serves on 127.0.0.1:${server.port}`,
        database: "warn a server keeps its log in chat.db: name its socket with --socket",
        socket: "warn no server answers at chat.sock, but one runs here: name its socket with --socket"
      })
      // Where it is not asked for by its port either, it may be anything.
      expect(yield* look(cwd)).toMatchObject({
        code: 1,
        database: "fail another process keeps its log in chat.db: end it, or name another file with --db",
        socket: "ok no server answers at chat.sock: none runs here"
      })
      expect(yield* look(cwd, "--socket", "elsewhere.sock")).toMatchObject({
        code: 0,
        database: expect.stringMatching(/^ok the server that runs here/)
      })
      yield* Command.run(["admin", "say", "--socket", "elsewhere.sock", "cut off"], { cwd })
      server.kill("SIGKILL")
      yield* server.exit
      expect(yield* look(cwd)).toMatchObject({
        code: 0,
        database: expect.stringMatching(/^warn chat\.db was not closed in good order/)
      })
    })
  )
})

describe.skipIf(!Tmux.isInstalled)("in a terminal (needs tmux)", () => {
  it.scopedLive("tells what the terminal can do", () =>
    Effect.gen(function* () {
      const cwd = yield* Command.directory
      const command = `LC_ALL=C.UTF-8 "${process.execPath}" "${Command.path}" doctor --port 0; echo "exit $?"`
      const pane = yield* Tmux.open(command, { cwd, columns: 130 })
      yield* pane.shows("exit 0")
      const rows = yield* pane.all
      expect(rows.find((row) => row.includes("terminal"))).toMatch(/^ok +terminal +130 columns, UTF-8, .*colours$/)
    })
  )
})
