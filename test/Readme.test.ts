import { execFileSync } from "node:child_process"
import { cpSync, existsSync, readFileSync, symlinkSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as EntryJson from "../src/client/terminal/EntryJson.js"
import * as Command from "./utils/Command.js"

const root = fileURLToPath(new URL("..", import.meta.url))
const readme = readFileSync(join(root, "README.md"), "utf8")

/** The blocks of one language. */
const blocks = (language: string) =>
  // Within a list they are indented.
  Array.from(
    readme.matchAll(new RegExp(`^( *)\`\`\`${language}\\n(.*?)^\\1\`\`\`$`, "gms")),
    ([, indent = "", text = ""]) => text.replaceAll(new RegExp(`^${indent}`, "gm"), "")
  )

const commands = blocks("sh").flatMap((block) => block.trim().split("\n"))

/** The project as it would be cloned, with the packages installed. */
const checkout = Effect.map(Command.directory, (directory) => {
  const files = execFileSync("git", ["ls-files", "--cached", "--others", "--exclude-standard"], { cwd: root })
  for (const file of files.toString().trim().split("\n")) {
    if (!file.startsWith("test/")) cpSync(join(root, file), join(directory, file))
  }
  symlinkSync(join(root, "node_modules"), join(directory, "node_modules"))
  return directory
})

/** A line of JSON has nothing beside its shape. */
const decodeEntry = Schema.decodeUnknownSync(Schema.parseJson(EntryJson.EntryJson), { onExcessProperty: "error" })

const shell = (line: string, options: Command.Options) => Command.start("sh", ["-c", `exec ${line}`], options)

/** Ctrl-C, which a terminal sends to all that a command has started. */
const interrupt = (running: Command.Running) =>
  Effect.zipRight(
    Effect.sync(() => running.child.pid !== undefined && process.kill(-running.child.pid, "SIGINT")),
    running.exit
  )

/** Runs a line to its end. */
const toEnd = (line: string, options: Command.Options) =>
  Effect.gen(function* () {
    const running = yield* Command.start("sh", ["-c", line], { input: "", ...options })
    return { code: yield* running.exit, stdout: running.stdout() }
  })

describe("the README", () => {
  it.scopedLive("shows commands that work as they are shown, in their order", () =>
    Effect.gen(function* () {
      const cwd = yield* checkout
      const run = yield* Effect.sync(() => {
        const left = [...commands]
        /** Takes the next command of the README, which has to be `expected`. */
        return (expected: string) => {
          expect(left.shift()).toBe(expected)
          return expected
        }
      })
      const line = run("npm install && npm start").replace("npm install && ", "")
      const server = yield* shell(line, { cwd, env: { CHAT_PORT: "0" } })
      yield* server.shows(/serving on 127\.0\.0\.1:\d+/)
      const env = { CHAT_PORT: /serving on 127\.0\.0\.1:(\d+)/.exec(server.stdout())?.[1] ?? "" }

      const ada = yield* shell(run("npx chat c --nick ada"), { cwd, env })
      yield* ada.shows("-- ada joined")

      yield* interrupt(server)
      yield* ada.shows("reconnecting")
      const open = yield* shell(run("npx chat s --host 0.0.0.0"), { cwd, env })
      yield* open.shows("serving on 0.0.0.0:")

      const invite = yield* toEnd(run("npx chat invite --host 192.0.2.7"), { cwd, env })
      expect(invite.stdout).toMatch(/^chat:\/\/192\.0\.2\.7:\d+#v1\.[\w-]{43}=\n$/)
      // What a terminal asks for, variables say here.
      const CHAT_INVITE = invite.stdout.trim().replace("192.0.2.7", "127.0.0.1")
      const guest = yield* toEnd(run("npx chat c"), { cwd, env: { CHAT_INVITE, CHAT_NICK: "eve" } })
      expect(guest.code).toBe(0)
      yield* ada.shows("-- eve left")

      expect((yield* toEnd(run("chmod 600 secret.key"), { cwd })).code).toBe(0)
      const bob = yield* toEnd(run("npx chat c --host 192.0.2.7 --nick bob").replace("192.0.2.7", "127.0.0.1"), {
        cwd,
        env
      })
      expect(bob).toEqual({
        code: 0,
        stdout: "-- ada joined\n-- eve joined\n-- eve left\n-- bob joined\n-- bob left\n"
      })

      const sent = yield* toEnd(run("npx chat send --nick backup the backup is done"), { cwd, env })
      expect(sent).toEqual({ code: 0, stdout: "" })
      yield* ada.shows("<backup> the backup is done")

      expect((yield* toEnd(run(String.raw`printf 'the tests pass\n' | npx chat c --nick ci`), { cwd, env })).code).toBe(
        0
      )
      yield* ada.shows("<ci> the tests pass")

      const json = yield* toEnd(run("npx chat c --nick reader --json --since 0 < /dev/null"), { cwd, env })
      expect(json.code).toBe(0)
      const printed = json.stdout
        .trimEnd()
        .split("\n")
        .map((line) => decodeEntry(line))
      expect(printed[0]).toMatchObject({ _tag: "Joined", seq: 1, nick: "ada" })
      expect(printed.flatMap((entry) => (entry._tag === "Said" ? [entry.text] : []))).toEqual([
        "the backup is done",
        "the tests pass"
      ])

      expect((yield* toEnd(run("npx chat admin names"), { cwd })).stdout).toMatch(/^ada \(@1\) live since /)
      expect((yield* toEnd(run("npx chat admin stats"), { cwd })).stdout).toMatch(/^members +1$/m)
      expect((yield* toEnd(run("npx chat admin say the server moves at noon"), { cwd })).code).toBe(0)
      yield* ada.shows("-- the operator says: the server moves at noon")
      expect((yield* toEnd(run("npx chat admin kick ada"), { cwd })).stdout).toMatch(/^kicked ada, /)
      expect(yield* ada.exit).toBe(1)
      expect((yield* toEnd(run("npx chat admin ban --ticket-only bob"), { cwd })).stdout).toMatch(/^banned bob, /)
      expect((yield* toEnd(run("npx chat admin bans"), { cwd })).stdout).toMatch(/^bob \(@\d+\) since /)
      expect(yield* toEnd(run("npx chat admin unban bob"), { cwd })).toEqual({ code: 0, stdout: "unbanned bob\n" })
      expect(yield* toEnd(run("npx chat admin stop"), { cwd })).toEqual({ code: 0, stdout: "the server is ending\n" })
      expect(yield* open.exit).toBe(0)
      const doctor = yield* toEnd(run("npx chat doctor"), { cwd, env })
      expect(doctor.code).toBe(0)
      expect(doctor.stdout).toMatch(/^ok +database +chat\.db is whole and of this key/m)

      const observed = yield* shell(run("npx chat s --log-format json --metrics 127.0.0.1:9464").replace("9464", "0"), {
        cwd,
        env: { CHAT_PORT: "0" }
      })
      yield* observed.shows(/metrics: .*\n/)
      const [at = ""] = /http:\S+(?=\/metrics\n)/.exec(observed.stdout()) ?? []
      for (const path of ["/metrics", "/healthz", "/readyz"]) {
        expect((yield* Effect.promise(() => fetch(`${at}${path}`))).status, path).toBe(200)
      }
      yield* interrupt(observed)
      expect(existsSync(join(cwd, "docs/grafana.json"))).toBe(true)

      const fresh = yield* shell(run("npx chat s --new-log"), { cwd, env: { CHAT_PORT: "0" } })
      yield* fresh.shows("the old log is in chat.db.1")
      yield* fresh.shows("serving on 127.0.0.1:")
      expect((yield* toEnd(run("npx chat backup copy.db"), { cwd })).stdout).toMatch(/^copied chat.db to copy.db: /)
      yield* interrupt(fresh)
      const copyAt = / --port 55556/
      const copy = yield* shell(run("npx chat s --db copy.db --port 55556 --retain forever").replace(copyAt, ""), {
        cwd,
        env: { CHAT_PORT: "0" }
      })
      yield* copy.shows(/serving on 127\.0\.0\.1:\d+/)
      const read = run("npx chat c --port 55556 --nick reader --since 0 < /dev/null").replace(copyAt, "")
      const there = { CHAT_PORT: /serving on 127\.0\.0\.1:(\d+)/.exec(copy.stdout())?.[1] ?? "" }
      expect((yield* toEnd(read, { cwd, env: there })).code).toBe(0)
      yield* interrupt(copy)

      expect((yield* toEnd(run("npx chat keygen -o room.key"), { cwd })).code).toBe(0)
      expect((yield* toEnd(run("npx chat keygen --server -o server.key"), { cwd })).code).toBe(0)
      const blind = yield* shell(run("npx chat s --key-file server.key"), { cwd, env: { CHAT_PORT: "0" } })
      yield* blind.shows("serving on 127.0.0.1:")
      yield* interrupt(blind)

      const rotated = yield* toEnd(run("npx chat keygen --rotate"), { cwd })
      expect(rotated.stdout).toContain("secret.key begins with a new key")
      expect((yield* toEnd(run("npx chat keygen --server --force"), { cwd })).code).toBe(0)
      const both = yield* shell(run("npx chat s --key-file server.key"), { cwd, env: { CHAT_PORT: "0" } })
      yield* both.shows("serving on 127.0.0.1:")
      yield* both.shows(/all of the log .*\n/)
      expect(readme).toContain(`\n   ${/all of the log .*/.exec(both.stderr())?.[0]}\n`)
      yield* interrupt(both)
      const [young = "", old] = readFileSync(join(cwd, "server.key"), "utf8").trim().split("\n")
      expect(old).toMatch(/^server:/)
      writeFileSync(join(cwd, "server.key"), `${young}\n`)
      const alone = yield* shell("npx chat s --key-file server.key", { cwd, env: { CHAT_PORT: "0" } })
      yield* alone.shows("serving on 127.0.0.1:")
      yield* interrupt(alone)
      expect(existsSync(join(cwd, "chat.db.2"))).toBe(false)

      const limited = yield* shell(run("npx chat s --connections-per-address unlimited --rate 50"), {
        cwd,
        env: { CHAT_PORT: "0", CHAT_KEY_FILE: "room.key", CHAT_DB: "limited.db" }
      })
      yield* limited.shows("serving on 127.0.0.1:")
      yield* interrupt(limited)

      // The benchmark would disturb the tests, and the last one is the command that runs this test: CI runs both.
      const ci = readFileSync(join(root, ".ci/run"), "utf8").split("\n")
      const bench = run("npm run bench -- --quick")
      expect(ci).toContain(bench)
      expect(ci).toContain(run("npm install && npm test"))
      expect(() => run("")).toThrow()
    })
  )

  it("shows a line of JSON for each kind of event, as the Schema has it", () => {
    const shown = blocks("json").flatMap((block) => block.trim().split("\n"))
    expect(shown.map((line) => EntryJson.format(decodeEntry(line)))).toEqual(shown)
    expect(new Set(shown.map((line) => decodeEntry(line)._tag)).size).toBe(EntryJson.EntryJson.members.length)
  })

  it("shows the examples as they are in the project", () => {
    const examples = ["echo-bot.ts", "server.ts"].map((name) => readFileSync(join(root, "examples", name), "utf8"))
    // Without the comment that says which file it is.
    expect(blocks("ts")).toEqual(examples.map((text) => text.slice(text.indexOf("\n") + 1)))
  })
})
