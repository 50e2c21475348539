import { existsSync, mkdirSync, statSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Command from "./utils/Command.js"
import * as Tmux from "./utils/Tmux.js"

/** A server in a directory of its own, and its operator there. */
const chat = (...args: ReadonlyArray<string>) =>
  Effect.gen(function* () {
    const cwd = yield* Command.directory
    const server = yield* Command.serve({ cwd }, args)
    const env = { CHAT_PORT: server.port }
    const admin = (...args: ReadonlyArray<string>) => Command.run(["admin", ...args], { cwd })
    /** Somebody who says a line and leaves: the exit code and what was wrong. */
    const visit = (nick: string, ...args: ReadonlyArray<string>) =>
      Effect.map(
        Command.run(["c", "--nick", nick, ...args], { cwd, env, input: "hello" }),
        ({ code, stderr }) => [code, stderr] as const
      )
    const stay = (nick: string, ...args: ReadonlyArray<string>) =>
      Effect.tap(Command.chat(["c", "--nick", nick, ...args], { cwd, env }), (client) => client.shows(nick))
    return { cwd, server, env, admin, visit, stay }
  })

/** What a command prints that goes well. */
const printed = (...lines: ReadonlyArray<string>) => ({
  code: 0,
  stdout: lines.map((line) => `${line}\n`).join(""),
  stderr: ""
})

/** What is told of a command that fails, in a line. */
const told = (line: string, code = 1) => ({ code, stdout: "", stderr: `chat: ${line}\n` })

const subcommands = ["names", "stats", "say", "kick", "ban", "unban", "bans", "stop"]

const kicked = "the operator has put you out of the room: you may join again"
const barred = "the operator has barred you, or all from your address: only the operator can let you in again"
const keyNote = "who holds the key can come back from elsewhere as somebody new: only a new key shuts out for good"

describe("chat admin", () => {
  it.scopedLive("kicks: all are told, the client ends by itself, and may be started again", () =>
    Effect.gen(function* () {
      const { admin, server, stay, visit } = yield* chat()
      const ada = yield* stay("ada")
      const bob = yield* stay("bob", "--json")
      yield* ada.shows("-- bob joined")
      expect(yield* admin("kick", "Bob")).toEqual(
        printed("kicked bob, who may join again: chat admin ban bob keeps a kicked member out")
      )
      yield* ada.shows("-- bob was put out by the operator")
      // It does not come back by itself, with its input still open.
      expect(yield* bob.exit).toBe(1)
      expect(bob.stderr()).toBe(`chat: ${kicked}\n`)
      expect(JSON.parse(bob.stdout().trim().split("\n").at(-1) ?? "")).toMatchObject({
        _tag: "Left",
        nick: "bob",
        reason: "kicked"
      })
      expect(ada.stdout()).toBe("-- ada joined\n-- bob joined\n-- bob was put out by the operator\n")
      expect(yield* visit("bob")).toEqual([0, ""])
      const log = server.stderr().split("\n")
      expect(log[0]).toMatch(/^\S+Z kicked bob \(member \d\)$/)
      expect(log[1]).toMatch(/^\S+Z a connection has ended .* nick=bob outcome=kicked /)
    })
  )

  it.scopedLive("bans by ticket and address, lists, and lifts it, over a restart", () =>
    Effect.gen(function* () {
      const { admin, cwd, server, stay, visit } = yield* chat()
      const ada = yield* stay("ada")
      const bob = yield* stay("bob")
      yield* ada.shows("-- bob joined")
      expect(yield* admin("ban", "bob")).toEqual(
        printed(
          "banned bob, and all from 127.0.0.1",
          "also here from 127.0.0.1: ada; they stay, but are not let in again",
          "to let them in, bar the ticket alone: chat admin ban --ticket-only @2",
          keyNote
        )
      )
      expect(yield* bob.exit).toBe(1)
      expect(bob.stderr()).toBe(`chat: ${barred}\n`)
      for (const nick of ["bob", "eve"]) expect(yield* visit(nick)).toEqual([1, `chat: ${barred}\n`])
      // Another nick of the same member.
      expect(yield* visit("robert", "--profile", "bob")).toEqual([1, `chat: ${barred}\n`])
      server.kill("SIGTERM")
      expect(yield* server.exit).toBe(0)
      yield* Command.serve({ cwd }, ["--port", server.port])
      expect((yield* admin("bans")).stdout).toMatch(
        /^bob \(@2\) since \d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ, and all from 127.0.0.1\n$/
      )
      // Ada has lost the connection, and comes from there.
      expect(yield* ada.exit).toBe(1)
      expect(ada.stderr()).toContain(barred)

      expect(yield* admin("ban", "--ticket-only", "@2")).toEqual(printed("banned bob, by its ticket only", keyNote))
      expect((yield* admin("bans")).stdout).toMatch(/^bob \(@2\) since \S+Z, by its ticket only\n$/)
      expect(yield* visit("eve")).toEqual([0, ""])
      expect(yield* visit("bob")).toEqual([1, `chat: ${barred}\n`])
      expect(yield* admin("unban", "BOB")).toEqual(printed("unbanned bob"))
      expect(yield* visit("bob")).toEqual([0, ""])
      expect(yield* admin("bans")).toEqual(printed("nobody is banned"))
      // It has left: by the nick that it had last, and with where the server has seen it.
      expect(yield* admin("ban", "eve")).toEqual(printed("banned eve, and all from 127.0.0.1", keyNote))
      expect(yield* admin("unban", "eve")).toEqual(printed("unbanned eve, and all from 127.0.0.1"))
    })
  )

  it.scopedLive("says that an address stays barred by another ban", () =>
    Effect.gen(function* () {
      const { admin, stay } = yield* chat()
      const ada = yield* stay("ada")
      const bob = yield* stay("bob")
      yield* ada.shows("-- bob joined")
      for (const [nick, client] of [["ada", ada] as const, ["bob", bob] as const]) {
        yield* admin("ban", nick)
        expect(yield* client.exit).toBe(1)
      }
      expect(yield* admin("unban", "ada")).toEqual(
        printed("unbanned ada", "all from 127.0.0.1 stay barred, by the ban of bob")
      )
      expect(yield* admin("unban", "bob")).toEqual(printed("unbanned bob, and all from 127.0.0.1"))
    })
  )

  it.scopedLive("names who is here where nobody is meant, and exits 1", () =>
    Effect.gen(function* () {
      const { admin, stay, visit } = yield* chat()
      const ada = yield* stay("ada")
      yield* visit("bob")
      yield* ada.shows("-- bob left")
      expect(yield* admin("kick", "eve")).toEqual(told('nobody here is called "eve"; here are: ada'))
      expect(yield* admin("kick", "bob")).toEqual(
        told('"bob" is not here any more, and can only be banned; here are: ada')
      )
      expect(yield* admin("ban", "eve")).toEqual(told('nobody here is called "eve", or was; here are: ada'))
      expect(yield* admin("unban", "ada")).toEqual(told("nobody is banned"))
    })
  )

  it.scopedLive("is told how to be used where it is not", () =>
    Effect.gen(function* () {
      const cwd = yield* Command.directory
      const admin = (...args: ReadonlyArray<string>) => Command.run(["admin", ...args], { cwd })
      expect(yield* admin("kick")).toEqual(told("Missing argument <nick> (chat --help shows how)", 2))
      expect(yield* admin("kick", "x".repeat(200))).toEqual(told("a nick has 1 to 128 characters", 2))
      for (const args of [[], ["--help"]]) {
        const { code, stdout } = yield* admin(...args)
        expect(code).toBe(0)
        expect(stdout).toContain("a server on this machine")
        for (const name of subcommands) expect(stdout).toMatch(new RegExp(`- ${name} `))
      }
      for (const args of [["frob"], ["frob", "--json"], ["frob", "ada"]]) {
        expect(yield* admin(...args)).toEqual(
          told(`chat admin has no frob: it has ${subcommands.join(", ")} (chat admin --help shows how)`, 2)
        )
      }
      expect(yield* Command.run(["frob"], { cwd })).toMatchObject({
        code: 2,
        stderr: expect.stringMatching(/ for chat /)
      })
      expect((yield* admin("ban", "--help")).stdout).toContain("Only a new key shuts out for good who holds the key")
    })
  )
})

describe("the operator's socket", () => {
  it.scopedLive("is its owner's alone, beside the key file or where it is named, and goes with the server", () =>
    Effect.gen(function* () {
      const { admin, cwd, server } = yield* chat()
      expect(statSync(join(cwd, "chat.sock")).isSocket()).toBe(true)
      expect(statSync(join(cwd, "chat.sock")).mode & 0o7777).toBe(0o600)
      expect(server.stderr()).toBe("")
      server.kill("SIGTERM")
      yield* server.exit
      expect(existsSync(join(cwd, "chat.sock"))).toBe(false)
      const message =
        "nobody answers at the socket chat.sock: start the server (chat s), or name its socket with --socket"
      expect(yield* admin("bans")).toEqual(told(message))

      mkdirSync(join(cwd, "room"))
      yield* Command.run(["keygen", "-o", "room/room.key"], { cwd })
      yield* Command.serve({ cwd }, ["--key-file", "room/room.key"])
      expect(statSync(join(cwd, "room", "chat.sock")).isSocket()).toBe(true)
      expect(yield* admin("bans", "--key-file", "room/room.key")).toEqual(printed("nobody is banned"))
      expect(yield* Command.run(["admin", "bans"], { cwd, env: { CHAT_KEY_FILE: "room/room.key" } })).toEqual(
        printed("nobody is banned")
      )
      const env = { CHAT_SOCKET: "named.sock" }
      yield* Command.serve({ cwd, env }, ["--ephemeral"])
      expect(yield* Command.run(["admin", "bans"], { cwd, env })).toEqual(printed("nobody is banned"))
      expect(yield* admin("bans", "--socket", "./named.sock")).toEqual(printed("nobody is banned"))
    })
  )

  it.scopedLive("of a server that was killed is replaced, and says until then that nobody answers", () =>
    Effect.gen(function* () {
      const { admin, cwd, server } = yield* chat()
      server.kill("SIGKILL")
      yield* server.exit
      expect(statSync(join(cwd, "chat.sock")).isSocket()).toBe(true)
      expect(yield* admin("bans")).toMatchObject({ code: 1, stderr: expect.stringContaining("nobody answers") })
      const next = yield* Command.serve({ cwd })
      expect(next.stderr()).toBe("")
      expect(yield* admin("bans")).toEqual(printed("nobody is banned"))
    })
  )

  it.scopedLive("is one server's: another serves all the same and says so, and does not where it was named", () =>
    Effect.gen(function* () {
      const { admin, cwd, server, visit } = yield* chat()
      const other = yield* Command.serve({ cwd }, ["--ephemeral"])
      yield* other.shows("does not reach")
      expect(other.stderr()).toMatch(
        /^\S+Z WARN chat admin does not reach this server: the socket chat\.sock is another server's: end that one, or name another file with --socket\n$/
      )
      yield* visit("ada")
      const named = yield* Command.run(["s", "--port", "0", "--ephemeral", "--socket", "chat.sock"], { cwd })
      expect(named).toEqual(
        told("the socket chat.sock is another server's: end that one, or name another file with --socket")
      )
      // It is still the first one's.
      expect((yield* admin("ban", "ada")).code).toBe(0)
      yield* server.shows("banned ada")
      const third = yield* Command.serve({ cwd }, ["--ephemeral", "--socket", "third.sock"])
      expect(third.stderr()).toBe("")
      expect(yield* admin("bans", "--socket", "third.sock")).toEqual(printed("nobody is banned"))
    })
  )

  it.scopedLive("is none where its path is too long or something else is there", () =>
    Effect.gen(function* () {
      const cwd = yield* Command.directory
      const deep = join(cwd, "d".repeat(60), "d".repeat(60))
      mkdirSync(deep, { recursive: true })
      yield* Command.run(["keygen", "-o", join(deep, "room.key")], { cwd })
      const server = yield* Command.serve({ cwd }, ["--key-file", join(deep, "room.key"), "--ephemeral"])
      yield* server.shows("does not reach")
      expect(server.stderr()).toMatch(
        /^\S+Z WARN chat admin does not reach this server: .*chat\.sock: the path of a socket has at most 10[37] bytes\. .*--socket\n$/
      )
      // From where the key is, the path is short.
      const near = yield* Command.serve({ cwd: deep }, ["--key-file", "room.key", "--ephemeral"])
      expect(near.stderr()).toBe("")
      writeFileSync(join(cwd, "letter"), "a letter")
      const refused = (path: string) =>
        Command.run(["s", "--port", "0", "--ephemeral", "--socket", path], { cwd: deep })
      expect(yield* refused(join(cwd, "letter"))).toMatchObject({
        code: 1,
        stderr: expect.stringContaining("something else of that name")
      })
      expect(yield* refused("x".repeat(120))).toMatchObject({ code: 1, stderr: expect.stringContaining("bytes") })
    })
  )
})

describe.skipIf(!Tmux.isInstalled)("in a terminal (needs tmux)", () => {
  it.scopedLive("who is put out sees it happen, and why the chat ends", () =>
    Effect.gen(function* () {
      const { admin, cwd, server } = yield* chat()
      for (const [act, nick, why] of [
        ["kick", "ada", kicked],
        ["ban", "bob", barred]
      ] as const) {
        const command = `"${process.execPath}" "${Command.path}" c --nick ${nick} --port ${server.port}; echo "exit $?"`
        const pane = yield* Tmux.open(command, { cwd, columns: 120 })
        yield* pane.shows(`you are ${nick}`)
        yield* pane.type("half a thought")
        yield* pane.shows("half a thought")
        expect((yield* admin(act, nick)).code).toBe(0)
        yield* pane.shows("exit 1")
        const rows = yield* pane.all
        expect(rows.filter((row) => row !== "" && !row.startsWith("Pane is dead")).slice(-4)).toEqual([
          expect.stringContaining(`-- ${nick} was put out by the operator`),
          "-- not said: half a thought",
          `chat: ${why}`,
          "exit 1"
        ])
      }
    })
  )
})
