/** A room that moves to a new key while people are in it, as its operator and its members go about it. */
import { copyFileSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import * as Schema from "effect/Schema"
import * as EntryJson from "../src/client/terminal/EntryJson.js"
import * as Command from "./utils/Command.js"
import * as Room from "./utils/Room.js"

const decode = Schema.decodeUnknownSync(Schema.parseJson(EntryJson.EntryJson))

/** What a client with `--json` has printed. */
const entries = (stdout: string) =>
  stdout
    .split("\n")
    .slice(0, -1)
    .map((line) => decode(line))

/** The same in short. */
const shown = (stdout: string) =>
  entries(stdout).map((entry) => {
    if (entry._tag === "Said") return `<${entry.nick}> ${entry.text}`
    return entry._tag === "Unreadable" ? `${entry.nick}: ${entry.reason}` : entry._tag
  })

/** The members whose `Joined` are there, by nick. */
const joined = (stdout: string, nick: string) =>
  entries(stdout).flatMap((entry) => (entry._tag === "Joined" && entry.nick === nick ? [entry.member] : []))

const saying = (text: string) => `${JSON.stringify({ _tag: "Said", text })}\n`

/** What is to be found in the size of what is kept. */
const owed = "owed ".repeat(200).trim()

/** The bytes of the outbox that the one client of a machine keeps. */
const outbox = (cwd: string) =>
  Effect.sync(() => {
    const home = join(cwd, ".state", "fernet-chat")
    const sizes = readdirSync(home).map((name) => statSync(join(home, name, "value.outbox"), { throwIfNoEntry: false }))
    return Math.max(0, ...sizes.map((found) => found?.size ?? 0))
  })

/** Waits until a client that has been without a server shows `text`: how soon it tries again is its own affair. */
const comesToShow = (client: Command.Running, text: string) =>
  Effect.repeat(
    Effect.sync(() => `${client.stdout()}\n${client.stderr()}`.includes(text)),
    { until: (is) => is, schedule: Schedule.spaced("50 millis") }
  )

const unreadable = (nick: string) => `-- a text in the name of ${nick} is not shown: it was sealed with another key`

/** What the server says, once nothing in its log needs the old key. */
const resealed = /all of the log is under the first key: the other keys can be taken out of the key file/

/** What the client is told that was let in there before, and is not any more. */
const turnedAway =
  /^chat: 127\.0\.0\.1:\d+ closed the connection before it let you in: try again; if it goes on, compare your key file with the server's, for the key may have been changed\n$/
const wrongKey = /^chat: wrong key, or not this chat: .* compare your key file with the server's\n$/

describe("a room that moves to a new key", () => {
  it.scopedLive("keeps its members and its log, and shuts out the old key when that is taken from the server", () =>
    Effect.gen(function* () {
      const home = yield* Command.directory
      /** The machines: each with a key file and state of its own. */
      const machine = (name: string) => {
        const cwd = join(home, name)
        mkdirSync(cwd)
        return { cwd, file: join(cwd, "secret.key") }
      }
      const at = { server: machine("server"), ada: machine("ada"), bob: machine("bob"), eve: machine("eve") }
      yield* Command.run(["keygen"], at.ada)
      const old = readFileSync(at.ada.file, "utf8")
      for (const { file } of [at.server, at.bob]) copyFileSync(at.ada.file, file)

      // Under the old key: two members, and one of them ends while the server is away and it still owes a text.
      const before = yield* Command.serve(at.server)
      const env = { CHAT_PORT: before.port }
      const adas = ["c", "--nick", "ada", "--profile", "desk", "--json"]
      const ada = yield* Command.chat(adas, { ...at.ada, env })
      yield* ada.shows('"Joined"')
      const bob = yield* Command.chat(["c", "--nick", "bob"], { ...at.bob, env })
      yield* bob.shows("-- bob joined")
      ada.write(saying("one"))
      yield* bob.shows("<ada> one")
      bob.write("two\n")
      yield* ada.shows("two")
      before.kill("SIGTERM")
      expect(yield* before.exit).toBe(0)
      yield* Effect.forEach([ada, bob], (client) => client.shows("reconnecting"))
      ada.write(saying(owed))
      yield* Room.eventually(outbox(at.ada.cwd), (size) => size > owed.length)
      ada.kill("SIGTERM")
      yield* ada.exit
      expect(shown(ada.stdout())).toEqual(["Joined", "Joined", "<ada> one", "<bob> two"])
      const [member] = joined(ada.stdout(), "ada")

      // The rotation. Members who have the new key before the server are told that it may be the key.
      const rotated = yield* Command.run(["keygen", "--rotate"], at.ada)
      expect(rotated.code).toBe(0)
      const [young = ""] = readFileSync(at.ada.file, "utf8").split("\n")
      expect(readFileSync(at.ada.file, "utf8")).toBe(`${young}\n${old}`)
      const early = yield* Command.serve(at.server, ["--port", before.port])
      const invite = yield* Command.run(["invite", "--host", "127.0.0.1"], { ...at.ada, env })
      expect(invite.stdout.trimEnd().endsWith(`#v1.${young}`)).toBe(true)
      const CHAT_INVITE = invite.stdout.trim()
      // With the new key alone she is nobody yet, which must not stay so when she has the old one beside it.
      const alone = yield* Command.run(adas, { ...at.ada, env: { ...env, CHAT_INVITE } })
      const beside = yield* Command.run(adas, { ...at.ada, env })
      expect([alone.code, beside.code]).toEqual([1, 1])
      expect(alone.stderr).toMatch(wrongKey)
      expect(beside.stderr).toMatch(turnedAway)
      early.kill("SIGTERM")
      yield* early.exit

      // The server has both keys: who has only the old one comes back by itself, and talks.
      copyFileSync(at.ada.file, at.server.file)
      const both = yield* Command.serve(at.server, ["--port", before.port])
      const words = /the key's words: (.*)/.exec(both.stdout())?.[1] ?? ""
      expect(rotated.stdout).toContain(`by voice: ${words}\n`)
      bob.write("still here\n")
      yield* comesToShow(bob, "<bob> still here")

      // Who has the new one is who it was: goes on where it was, and says what it owed.
      const again = yield* Command.chat(adas, { ...at.ada, env })
      yield* again.shows(`"${owed}"`)
      expect(shown(again.stdout())).toContain("<bob> still here")
      expect(shown(again.stdout())).not.toContain("<bob> two")
      expect(joined(again.stdout(), "ada").every((each) => each === member)).toBe(true)
      expect(entries(again.stdout())).toContainEqual(
        expect.objectContaining({ _tag: "Said", member, n: 2, nick: "ada", text: owed, own: true, past: false })
      )
      yield* bob.shows(unreadable("ada"))
      bob.write("what was that?\n")
      yield* again.shows("what was that?")

      // A newcomer with the new key only.
      const eve = yield* Command.chat(["c", "--nick", "eve"], { ...at.eve, env: { ...env, CHAT_INVITE } })
      yield* eve.shows("-- eve joined")
      eve.write("hello\n")
      yield* again.shows("hello")
      yield* bob.shows(unreadable("eve"))
      expect(eve.stdout()).toContain(`<ada> ${owed}\n`)
      expect(eve.stdout()).toContain(`${unreadable("bob")}\n`)
      expect(bob.stderr()).toMatch(/^(chat: reconnecting …\n)+$/)

      // All of it, old and new, out of the log of before.
      const all = yield* Command.run(["c", "--nick", "reader", "--json", "--since", "0"], { ...at.ada, env })
      const texts = shown(all.stdout).filter((each) => each.includes(" "))
      expect(texts).toEqual([
        "<ada> one",
        "<bob> two",
        "<bob> still here",
        `<ada> ${owed}`,
        "<bob> what was that?",
        "<eve> hello"
      ])

      // When the server has said that its log does not need it, the old key is taken from it; it goes on with the log.
      expect(rotated.stdout).toContain('"all of the log is under the first key"')
      yield* both.shows(resealed)
      both.kill("SIGTERM")
      yield* both.exit
      writeFileSync(at.server.file, `${young}\n`)
      const after = yield* Command.serve(at.server, ["--port", before.port])
      again.write(saying("among us"))
      yield* comesToShow(eve, "<ada> among us")
      expect(shown(again.stdout())).not.toContain("NewLog")
      for (const [args, message] of [
        [["c", "--nick", "bob", "--profile", "other"], wrongKey],
        [["send", "--nick", "bob", "--profile", "other", "hello"], wrongKey]
      ] as const) {
        const out = yield* Command.run(args, { ...at.bob, env })
        expect([out.code, out.stdout, out.stderr]).toEqual([1, "", expect.stringMatching(message)])
      }
      yield* after.shows(/refused: (\d+ times )?wrong key, or not a chat client/)
      // The one that was in is told once, and is still trying. When it is started anew it is told again.
      yield* comesToShow(bob, "closes the connection")
      expect(bob.stderr()).toMatch(
        /^(chat: reconnecting …\n)+chat: 127\.0\.0\.1:\d+ closes the connection before it lets you in: .*\n$/
      )
      expect(bob.child.exitCode).toBe(null)
      bob.kill("SIGKILL")
      yield* bob.exit
      const out = yield* Command.run(["c", "--nick", "bob"], { ...at.bob, env })
      expect([out.code, out.stdout, out.stderr]).toEqual([1, "", expect.stringMatching(turnedAway)])
      expect(bob.stdout()).not.toContain("among us")

      // With the new key beside the old one he is in again as who he was; he reads what he has missed.
      const bobs = joined(all.stdout, "bob")
      copyFileSync(at.ada.file, at.bob.file)
      const back = yield* Command.run(["c", "--nick", "bob", "--json"], {
        ...at.bob,
        env,
        input: saying("with you")
      })
      expect([back.code, back.stderr]).toEqual([0, ""])
      expect(shown(back.stdout)).toEqual(expect.arrayContaining(["<ada> among us", "<bob> with you"]))
      expect(new Set([...bobs, ...joined(back.stdout, "bob")]).size).toBe(1)
      yield* again.shows("with you")
      again.child.stdin?.end()
      expect(yield* again.exit).toBe(0)

      // All that was said, for who has both keys; a newcomer has the new one only.
      const whole = yield* Command.run(["c", "--nick", "reader", "--json", "--since", "0"], { ...at.ada, env })
      const later = [...texts, "<ada> among us", "<bob> with you"]
      expect(shown(whole.stdout).filter((each) => each.includes("> "))).toEqual(later)
      const news = yield* Command.run(["c", "--nick", "newcomer", "--json", "--since", "0"], {
        ...at.eve,
        env: { ...env, CHAT_INVITE }
      })
      expect(shown(news.stdout).filter((each) => each.includes(": ") || each.includes("> "))).toEqual([
        "ada: key",
        "bob: key",
        "bob: key",
        `<ada> ${owed}`,
        "bob: key",
        "<eve> hello",
        "<ada> among us",
        "<bob> with you"
      ])
      const unread = { _tag: "Unreadable", nick: "ada", reason: "key", n: 1, member }
      expect(entries(news.stdout)).toContainEqual(expect.objectContaining(unread))

      // The old line may go from who has been here with both: she is who she was, and reads no more what was under it.
      writeFileSync(at.ada.file, `${young}\n`)
      const own = yield* Command.run([...adas, "--since", "0"], { ...at.ada, env })
      expect(own.code).toBe(0)
      expect(new Set(joined(own.stdout, "ada"))).toEqual(new Set([member]))
      expect(shown(own.stdout)).toContain("ada: key")
      expect(entries(own.stdout)).toContainEqual(expect.objectContaining({ text: "among us", member, own: true }))
      expect(after.stderr()).not.toMatch(/ERROR|damaged/)
      expect(readdirSync(at.server.cwd).filter((name) => /^chat\.db\.\d/.test(name))).toEqual([])
    })
  )
})
