import { readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { describe, expect, it } from "@effect/vitest"
import * as Arr from "effect/Array"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Client from "../src/client/Client.js"
import * as Fernet from "../src/domain/Fernet.js"
import * as Keys from "../src/domain/Keys.js"
import { Listener } from "../src/domain/Transport.js"
import * as TransportTcp from "../src/domain/TransportTcp.js"
import * as Command from "./utils/Command.js"
import * as RawServer from "./utils/RawServer.js"
import * as Room from "./utils/Room.js"
import * as Tmux from "./utils/Tmux.js"

/** A directory with the key of the tests' room. */
const directory = Effect.tap(Command.directory, (cwd) =>
  Effect.sync(() => {
    const text = Keys.format({ _tag: "RoomKeys", keys: Room.roomKeys })
    writeFileSync(join(cwd, "secret.key"), text, { mode: 0o600 })
  })
)

const command = (args: string) => `exec "${process.execPath}" "${Command.path}" ${args}`

/** `chat c` as `nick` in a terminal, once it is in. */
const joined = (nick: string, port: string, options: Tmux.Options) =>
  Effect.gen(function* () {
    const pane = yield* Tmux.open(command(`c --nick ${nick} --port ${port}`), options)
    yield* pane.shows(`you are ${nick}`)
    return pane
  })

/** A member in this process. */
const member = (nick: string, port: string) =>
  Layer.build(
    Client.layer({ keys: Room.roomKeys, nick }).pipe(
      Layer.provide([TransportTcp.layerDialer({ host: "127.0.0.1", port: Number(port) }), Fernet.layer])
    )
  ).pipe(
    Effect.map((context) => Client.Client.pipe(Effect.provide(context))),
    Effect.flatten
  )

describe.skipIf(!Tmux.isInstalled)("in a terminal (needs tmux)", () => {
  it.scopedLive("typing while 100 messages a second arrive loses no key and tears no line", () =>
    Effect.gen(function* () {
      const cwd = yield* directory
      const { port } = yield* Command.serve({ cwd })
      const pane = yield* joined("ada", port, { cwd, columns: 60, rows: 16 })
      const flood = yield* member("flood", port)
      const count = 300
      const sayAll = Effect.forEach(
        Arr.range(1, count),
        (i) => Effect.zipRight(Effect.fork(flood.say(`message ${i} of the flood`)), Effect.sleep("10 millis")),
        { discard: true }
      )
      const typed = Arr.range(1, 25).map((i) => `word${i} `)
      const typeAll = Effect.forEach(typed, (word) => Effect.zipRight(pane.type(word), Effect.sleep("50 millis")), {
        discard: true
      })
      yield* Effect.all([sayAll, typeAll], { concurrency: 2 })
      yield* pane.press("Enter")
      // Whoever reads what was said gets just what was typed.
      const [heard] = yield* Room.entries(flood, 1, (entry) =>
        entry._tag === "Said" && !entry.own ? entry.text : undefined
      )
      expect(heard).toBe(typed.join(""))
      yield* pane.shows(`message ${count} of the flood`)
      const rows = yield* pane.all
      const shown = rows.filter((row) => row.includes("flood>"))
      expect(shown.map((row) => row.slice(6))).toEqual(
        Arr.range(1, count).map((i) => `<flood> message ${i} of the flood`)
      )
      // What is neither a message nor below them: the text that was said, in rows.
      const others = rows.filter((row) => !/^\d\d:\d\d |^--|^> ?$|^ {6}/.test(row))
      expect(others).toEqual([])
    })
  )

  it.scopedLive("keys, commands, a paste, a resize, a lost server: as a chatter uses it", () =>
    Effect.gen(function* () {
      const cwd = yield* directory
      const server = yield* Command.serve({ cwd })
      const pane = yield* joined("ada", server.port, { cwd, columns: 60, rows: 20 })
      const bob = yield* member("bob", server.port)
      const heard = (text: string) =>
        Room.entries(bob, 1, (entry) => (entry._tag === "Said" && entry.text === text ? text : undefined))

      yield* pane.type("one tow")
      yield* pane.press("BSpace", "BSpace", "BSpace")
      yield* pane.type("two")
      yield* pane.press("C-a")
      yield* pane.type("zero ")
      yield* pane.press("Enter")
      yield* heard("zero one two")
      // A name, completed; two lines in one text.
      yield* pane.type("bo")
      yield* pane.press("Tab")
      yield* pane.type("first")
      yield* pane.press("M-Enter")
      yield* pane.type("second")
      yield* pane.press("Enter")
      yield* heard("bob: first\nsecond")
      // What was said before comes back, and what was typed does after it.
      yield* pane.type("draft")
      yield* pane.press("Up", "Up")
      yield* pane.shows("> zero one two")
      yield* pane.press("Down", "Down")
      yield* pane.shows("> draft")
      yield* pane.press("C-c")
      const lines = Arr.range(1, 7)
        .map((i) => `line ${i}`)
        .join("\n")
      yield* pane.paste(`${lines}\n`)
      yield* pane.press("Enter")
      yield* pane.shows("send 7 lines?")
      yield* pane.press("Enter")
      yield* heard(lines)
      yield* pane.type("/NAMES")
      yield* pane.press("Enter")
      yield* pane.shows("-- 2 here: ada, bob")
      yield* pane.type("/nmaes")
      yield* pane.press("Enter")
      yield* pane.shows("did you mean /names?")
      yield* bob.say("hello ADA")
      yield* pane.shows("<bob> hello ADA")
      yield* pane.type("/ignore bob")
      yield* pane.press("Enter")
      yield* pane.shows("what bob says is hidden")
      yield* bob.say("not to be seen")
      yield* pane.type("/unignore bob")
      yield* pane.press("Enter")
      yield* pane.shows("what bob says is shown again")
      expect((yield* pane.all).join("\n")).not.toContain("not to be seen")
      yield* pane.type("/history 3")
      yield* pane.press("Enter")
      yield* pane.shows("the server has nothing older")

      yield* pane.resize(24, 12)
      yield* pane.shows("2 here")
      yield* pane.resize(80, 24)
      yield* pane.shows(`2 here · 127.0.0.1:${server.port} · you are ada · online`)

      server.kill("SIGKILL")
      yield* server.exit
      yield* pane.shows("connection lost, next try in")
      yield* pane.type("said meanwhile")
      yield* pane.press("Enter")
      yield* pane.shows("said meanwhile (not yet sent)")
      yield* Command.serve({ cwd }, ["--port", server.port])
      yield* pane.shows(/\d\d:\d\d <ada> said meanwhile\n/)
      yield* heard("said meanwhile")
      yield* pane.type("/quit")
      yield* pane.press("Enter")
      yield* pane.shows("ada left")
    })
  )

  it.scopedLive(
    "who is turned away since the key was changed is told so, once and below the messages, drawn or not",
    () =>
      Effect.gen(function* () {
        const cwd = yield* directory
        const server = yield* Command.serve({ cwd })
        const dumb = yield* Tmux.open(`TERM=dumb ${command(`c --nick bob --port ${server.port}`)}`, { cwd })
        yield* dumb.shows("-- bob joined")
        const pane = yield* joined("ada", server.port, { cwd })
        server.kill("SIGKILL")
        yield* server.exit
        // Another key, and so a log of its own.
        yield* Command.serve({ cwd: yield* Command.directory }, ["--port", server.port])
        yield* pane.shows("· not let in: is the key still right?")
        const told = "-- 127.0.0.1:\\d+ closes the connection before it lets you in"
        for (const shown of [pane, dumb]) {
          yield* shown.shows(new RegExp(told))
          expect((yield* shown.all).join("\n").match(new RegExp(told, "g"))).toHaveLength(1)
        }
      })
  )

  it.scopedLive("first steps: an invite that does not show, a nick that is taken, another one, and all as it was", () =>
    Effect.gen(function* () {
      const cwd = yield* directory
      const { port } = yield* Command.serve({ cwd })
      yield* member("bob", port)
      const invite = (yield* Command.run(["invite", "--host", "127.0.0.1", "--port", port], { cwd })).stdout.trim()
      const elsewhere = yield* Command.directory
      const pane = yield* Tmux.open("PS1='$ ' exec bash --norc", { cwd: elsewhere, columns: 100, rows: 24 })
      const modes = "#{cursor_flag} #{alternate_on} #{mouse_any_flag} #{keypad_flag} #{wrap_flag}"
      const before = yield* pane.format(modes)
      yield* pane.type(`"${process.execPath}" "${Command.path}" c`)
      yield* pane.press("Enter")
      yield* pane.shows("an invite to join with (chat://…)")
      yield* pane.type(invite)
      yield* pane.press("Enter")
      yield* pane.shows("(y/n)")
      yield* pane.type("y")
      yield* pane.press("Enter")
      yield* pane.shows(/^nick:$/m)
      yield* pane.type("Bob")
      yield* pane.press("Enter")
      yield* pane.shows(/choose another\nnick:$/)
      yield* pane.type("ada")
      yield* pane.press("Enter")
      yield* pane.shows("you are ada")
      expect((yield* pane.all).join("\n")).not.toContain(invite.slice(-20))
      expect(readFileSync(join(elsewhere, "secret.key"), "utf8")).toBe(`${invite.slice(-44)}\n`)
      yield* pane.type("a draft")
      yield* pane.press("C-z")
      yield* pane.shows("Stopped")
      yield* pane.type("fg")
      yield* pane.press("Enter")
      yield* pane.shows("> a draft")
      yield* pane.press("C-c", "C-c")
      yield* pane.shows(/ada left\n\$$/)
      yield* pane.type("echo the shell again")
      yield* pane.press("Enter")
      yield* pane.shows(/^the shell again/m)
      expect(yield* pane.format(modes)).toBe(before)
      // Ended by a signal it leaves nothing behind, either.
      const own = `"${process.execPath}" "${Command.path}" c --nick cyd --port ${port}`
      yield* pane.type(`clear; sh -c 'echo $$ > pid; exec ${own}'`)
      yield* pane.press("Enter")
      yield* pane.shows("you are cyd")
      yield* pane.type("half a text")
      yield* pane.shows("> half a text")
      process.kill(Number(readFileSync(join(elsewhere, "pid"), "utf8")), "SIGHUP")
      yield* pane.shows(/-- not said: half a text\n\$$/)
      expect(yield* pane.format(modes)).toBe(before)
      // The next time the nick is offered.
      yield* pane.type(`"${process.execPath}" "${Command.path}" c --port ${port}`)
      yield* pane.press("Enter")
      yield* pane.shows(/^nick \[cyd\]:$/m)
      yield* pane.press("C-c")
    })
  )

  it.scopedLive("what a server or a member says cannot touch the terminal", () =>
    Effect.gen(function* () {
      const cwd = yield* directory
      const controls = [...Arr.range(0x00, 0x1f), ...Arr.range(0x7f, 0x9f), 0x61c, 0x200e, 0x200f]
      const bidi = [...Arr.range(0x2028, 0x202e), ...Arr.range(0x2066, 0x2069)]
      const nasty = [
        ...[...controls, ...bidi].map((code) => String.fromCodePoint(code)),
        "\u001b]0;owned\u0007",
        "\u001b]0;owned\u001b\\",
        "\u001b[31m\u001b[?25l\u001b[?1049h\u001b[2J\u001b[6n\u001b[?1000h",
        "\u009b31m",
        "\u001bc",
        "w".repeat(4000),
        `z${"\u0301\u0330\u0488".repeat(300)}`
      ]
      const context = yield* Layer.build(
        Layer.mergeAll(TransportTcp.layerListener({ host: "127.0.0.1", port: 0 }), Fernet.layer)
      )
      yield* Effect.gen(function* () {
        const { address } = yield* Listener
        const port = address.slice(address.lastIndexOf(":") + 1)
        const pane = yield* Tmux.open(command(`c --nick ada --port ${port}`), { cwd, columns: 60, rows: 20 })
        const server = yield* RawServer.accept
        yield* server.next
        server.welcome()
        yield* pane.shows("you are ada")
        const state =
          "#{pane_title}|#{cursor_flag}|#{alternate_on}|#{mouse_any_flag}|#{insert_flag}|#{keypad_flag}|#{wrap_flag}|#{origin_flag}"
        const before = yield* pane.format(state)
        let seq = 2
        let n = 0
        for (const text of nasty) {
          server.broadcast(
            { _tag: "Joined", seq: seq, at: 0, member: seq, nick: text.slice(0, 600) },
            {
              _tag: "Renamed",
              seq: seq + 1,
              at: 0,
              member: seq,
              nick: `x${text.slice(0, 600)}`,
              was: text.slice(0, 600)
            },
            { _tag: "Notice", seq: seq + 2, at: 0, text },
            { _tag: "Left", seq: seq + 3, at: 0, member: seq, nick: text.slice(0, 600), reason: "quit" }
          )
          // The text of a member, which may hold whatever its author wrote.
          n += 1
          server.broadcast(yield* RawServer.chat(seq + 4, n, text))
          seq += 5
        }
        server.broadcast({ _tag: "Notice", seq, at: 0, text: "the last of it" })
        yield* pane.shows("the last of it")
        expect(yield* pane.format(state)).toBe(before)
        const rows = yield* pane.all
        expect(rows.filter((row) => controls.some((code) => row.includes(String.fromCodePoint(code))))).toEqual([])
        // Nothing but what is shown of them is left of the colours that they asked for.
        expect(rows.join("\n")).toContain("^[[31m^[[?25l")
        // Its own nick, which stands before what waits to be sent, and in the line below the messages.
        server.broadcast({
          _tag: "Renamed",
          seq: seq + 1,
          at: 0,
          member: 1,
          nick: "\u001b]0;owned\u0007",
          was: "ada"
        })
        yield* pane.shows("you are ^[]0;owned^G")
        yield* pane.type("not in the log")
        yield* pane.press("Enter")
        yield* pane.shows("<^[]0;owned^G> not in the log")
        expect(yield* pane.format(state)).toBe(before)
        yield* pane.type("still here")
        yield* pane.shows("> still here")
        server.send({ _tag: "Rejected", reason: "nick-taken", detail: "\u001b]0;owned\u0007" })
        // What was being typed is not lost with the session.
        yield* pane.shows(/^-- not said: still here\nchat: the other side broke the protocol/m)
        expect(yield* pane.format("#{pane_title}")).toBe(before.split("|")[0])
      }).pipe(Effect.provide(context))
    })
  )
})
