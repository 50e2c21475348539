import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Command from "./utils/Command.js"
import * as Tmux from "./utils/Tmux.js"

/** A server in a directory of its own, its operator and members there. */
const chat = Effect.gen(function* () {
  const cwd = yield* Command.directory
  const server = yield* Command.serve({ cwd })
  const env = { CHAT_PORT: server.port }
  const admin = (...args: ReadonlyArray<string>) => Command.run(["admin", ...args], { cwd })
  const stay = (nick: string, ...args: ReadonlyArray<string>) =>
    Effect.tap(Command.chat(["c", "--nick", nick, ...args], { cwd, env }), (client) => client.shows(nick))
  return { cwd, env, server, admin, stay }
})

const printed = (stdout: string) => ({ code: 0, stdout, stderr: "" })

/** What a member is shown who comes only now. */
const history = (cwd: string, port: string, ...args: ReadonlyArray<string>) =>
  Effect.map(
    Command.run(["c", "--nick", "late", "--since", "0", ...args], { cwd, env: { CHAT_PORT: port } }),
    ({ stdout }) => stdout.trim().split("\n")
  )

describe("chat admin say", () => {
  it.scopedLive("is heard by all in its place, whatever they read with, and by who comes after a restart", () =>
    Effect.gen(function* () {
      const { admin, cwd, server, stay } = yield* chat
      const ada = yield* stay("ada")
      const bob = yield* stay("bob", "--json")
      yield* ada.shows("-- bob joined")
      ada.write("before\n")
      yield* bob.shows("before")
      expect(yield* admin("say", "back", "at noon")).toEqual(printed("said to all, as event 4\n"))
      ada.write("after\n")
      yield* ada.shows("<ada> after")
      yield* bob.shows("after")
      expect(ada.stdout().split("\n").slice(-4, -1)).toEqual([
        "<ada> before",
        "-- the operator says: back at noon",
        "<ada> after"
      ])
      const [, notice] = bob.stdout().trim().split("\n").slice(-3)
      expect(JSON.parse(notice ?? "")).toEqual({
        _tag: "Notice",
        seq: 4,
        at: expect.any(Number),
        text: "back at noon"
      })
      yield* server.shows("the operator has said something: event 4")
      // It is for the members: the operator's log is elsewhere.
      expect(server.stderr()).not.toContain("noon")

      server.kill("SIGKILL")
      yield* server.exit
      const next = yield* Command.serve({ cwd })
      expect(yield* history(cwd, next.port)).toContain("-- the operator says: back at noon")
    })
  )

  it.scopedLive("takes words, words with dashes, and standard input as one text", () =>
    Effect.gen(function* () {
      const { cwd, server } = yield* chat
      const say = (args: ReadonlyArray<string>, input = "") => Command.run(["admin", "say", ...args], { cwd, input })
      expect(yield* say(["--", "--not", "an option"])).toEqual(printed("said to all, as event 1\n"))
      expect((yield* say(["-"], "two\nlines\n\n")).code).toBe(0)
      // Names of other commands are words like any others.
      expect((yield* say(["stop", "send", "s", "names"])).code).toBe(0)
      expect(yield* history(cwd, server.port)).toEqual([
        "-- the operator says: --not an option",
        "-- the operator says: two\\nlines",
        "-- the operator says: stop send s names",
        "-- late joined",
        "-- late left"
      ])
      const tooLong = yield* say(["-"], "x".repeat(4_001))
      expect(tooLong).toEqual({
        code: 1,
        stdout: "",
        stderr: "chat: a text has 1 to 4000 characters, this one 4001\n"
      })
      expect(yield* say(["hi", "--frob"])).toMatchObject({
        code: 2,
        stderr: expect.stringContaining("options go before")
      })
      expect((yield* history(cwd, server.port)).length).toBe(7)
    })
  )
})

describe("chat admin names and stats", () => {
  it.scopedLive("tell who is here, and how the server is", () =>
    Effect.gen(function* () {
      const { admin, stay } = yield* chat
      expect(yield* admin("names")).toEqual(printed("nobody is here\n"))
      const ada = yield* stay("ada")
      const bob = yield* stay("bob")
      yield* ada.shows("-- bob joined")
      yield* bob.shows("-- bob joined")
      ada.write("hello\n")
      yield* bob.shows("hello")
      bob.kill("SIGKILL")
      yield* bob.exit
      const names = yield* Effect.repeat(admin("names"), { until: ({ stdout }) => stdout.includes("away") })
      expect(names.stdout).toMatch(
        /^ada \(@1\) live since \S+Z, from 127\.0\.0\.1:\d+\nbob \(@2\) away since \S+Z, from 127\.0\.0\.1\n$/
      )
      const { code, stdout } = yield* admin("stats")
      expect(code).toBe(0)
      for (const line of [
        /^version +\d+\.\d+\.\d+, Node \d/m,
        /^members +2$/m,
        /^live +1$/m,
        /^head +3$/m,
        /^texts +1$/m
      ]) {
        expect(stdout).toMatch(line)
      }
      expect(stdout).toMatch(/^log takes +yes$/m)
      expect(stdout).toMatch(/^log file +\/.*\/chat\.db$/m)
    })
  )
})

describe("chat admin stop", () => {
  it.scopedLive("ends the server as a signal does: all hear Bye, it exits with 0, and members come back", () =>
    Effect.gen(function* () {
      const { admin, cwd, server, stay } = yield* chat
      const ada = yield* stay("ada", "--json")
      expect(yield* admin("stop")).toEqual(printed("the server is ending\n"))
      expect(yield* server.exit).toBe(0)
      expect(server.stderr()).toMatch(/^\S+Z ending, as the operator has asked\n/)
      expect(server.stderr()).toContain("outcome=shutdown")
      expect((yield* admin("stop")).stderr).toContain("nobody answers at the socket chat.sock")
      yield* Command.serve({ cwd }, ["--port", server.port])
      expect((yield* admin("say", "here again")).code).toBe(0)
      yield* ada.shows("here again")
    })
  )
})

describe.skipIf(!Tmux.isInstalled)("in a terminal (needs tmux)", () => {
  it.scopedLive("what the operator says is shown above what is being typed", () =>
    Effect.gen(function* () {
      const { admin, cwd, server } = yield* chat
      const command = `"${process.execPath}" "${Command.path}" c --nick ada --port ${server.port}`
      const pane = yield* Tmux.open(command, { cwd, columns: 100 })
      yield* pane.shows("you are ada")
      yield* pane.type("half a thought")
      yield* pane.shows("half a thought")
      expect((yield* admin("say", "back at noon")).code).toBe(0)
      yield* pane.shows("-- the operator says: back at noon")
      const rows = (yield* pane.all).filter((row) => row !== "")
      expect(rows.slice(-3)).toEqual([
        expect.stringMatching(/^\d\d:\d\d -- the operator says: back at noon$/),
        expect.stringContaining("you are ada"),
        "> half a thought"
      ])
    })
  )
})
