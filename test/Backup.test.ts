import { spawnSync } from "node:child_process"
import {
  chmodSync,
  copyFileSync,
  existsSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync
} from "node:fs"
import { join } from "node:path"
import { describe, expect, it } from "@effect/vitest"
import * as Arr from "effect/Array"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import * as Command from "./utils/Command.js"

/** The numbers that ada has said, as somebody has been told. */
const numbers = (stdout: string) => Array.from(stdout.matchAll(/<ada> (\d+)\n/g), ([, n]) => Number(n))

/** A server, ada who talks in it, and bob who listens. */
const talk = Effect.gen(function* () {
  const cwd = yield* Command.directory
  const server = yield* Command.serve({ cwd }, ["--rate", "unlimited"])
  const env = { CHAT_PORT: server.port }
  const bob = yield* Command.chat(["c", "--nick", "bob"], { cwd, env })
  yield* bob.shows("-- bob joined")
  const ada = yield* Command.chat(["c", "--nick", "ada"], { cwd, env })
  yield* bob.shows("-- ada joined")
  let said = 0
  /** Says the next numbers; done when they are acknowledged. */
  const say = (count: number) =>
    Effect.suspend(() => {
      for (const _ of Arr.range(1, count)) ada.write(`${++said}\n`)
      return bob.shows(`<ada> ${said}\n`)
    })
  return { cwd, server, ada, bob, say, said: () => said }
})

/** All that a log holds, for who joins a server on it. The copy is not changed: the server has a copy of it. */
const history = Effect.fnUntraced(function* (cwd: string, copy: string) {
  const served = `${copy}.served`
  copyFileSync(join(cwd, copy), join(cwd, served))
  const args = ["--db", served, "--retain", "forever", "--socket", "reading.sock"]
  const { port } = yield* Command.serve({ cwd }, args)
  const options = { cwd, env: { CHAT_PORT: port } }
  const read = yield* Command.run(["c", "--nick", "reader", "--since", "0"], options)
  expect(read.code).toBe(0)
  expect(read.stderr).toBe("")
  return numbers(read.stdout)
}, Effect.scoped)

const filesOf = (cwd: string) => readdirSync(cwd).toSorted()

describe("chat backup", () => {
  it.scopedLive("copies what was acknowledged before it began, while more is said", () =>
    Effect.gen(function* () {
      const { cwd, said, say, server } = yield* talk
      yield* say(100)
      const before = said()
      const backup = yield* Effect.fork(Command.run(["backup", "copy.db"], { cwd }))
      while (Option.isNone(yield* Fiber.poll(backup))) yield* say(5)
      const { code, stderr, stdout } = yield* Fiber.join(backup)
      expect([code, stderr]).toEqual([0, ""])
      const [, head] = /^copied chat\.db to copy\.db: events 1 to (\d+), 2 members, \d+ KiB\n$/.exec(stdout) ?? []
      expect(statSync(join(cwd, "copy.db")).mode & 0o777).toBe(0o600)
      expect(filesOf(cwd).filter((name) => name.startsWith("copy"))).toEqual(["copy.db"])
      const copied = yield* history(cwd, "copy.db")
      // Two have joined before.
      expect(copied).toEqual(Arr.range(1, Number(head) - 2))
      expect(copied.length).toBeGreaterThanOrEqual(before)
      // The server goes on.
      yield* say(1)
      server.kill("SIGTERM")
      expect(yield* server.exit).toBe(0)
    })
  )

  it.scopedLive("copies a log that nobody serves, also after a crash, and a server goes on with the log", () =>
    Effect.gen(function* () {
      const { cwd, say, server } = yield* talk
      yield* say(20)
      server.kill("SIGKILL")
      yield* server.exit
      expect((yield* Command.run(["backup", "crashed.db"], { cwd })).code).toBe(0)
      expect(yield* history(cwd, "crashed.db")).toEqual(Arr.range(1, 20))
      const again = yield* Command.serve({ cwd })
      again.kill("SIGTERM")
      yield* again.exit
      expect((yield* Command.run(["backup", "stopped.db"], { cwd })).stdout).toMatch(/events 1 to 22, 2 members/)
      expect(yield* history(cwd, "stopped.db")).toEqual(Arr.range(1, 20))
      expect(yield* history(cwd, "chat.db")).toEqual(Arr.range(1, 20))
    })
  )

  it.scopedLive("restored with --new-log: members come back and owe nothing, and the old log can be read", () =>
    Effect.gen(function* () {
      const { ada, bob, cwd, say, server } = yield* talk
      yield* say(10)
      expect((yield* Command.run(["backup", "copy.db"], { cwd })).code).toBe(0)
      yield* say(5)
      // The machine is lost, and what is said meanwhile is owed.
      server.kill("SIGKILL")
      yield* server.exit
      yield* ada.shows("reconnecting")
      ada.write("owed\n")
      for (const name of filesOf(cwd)) if (/^chat\.db(-|$)/.test(name)) rmSync(join(cwd, name))
      copyFileSync(join(cwd, "copy.db"), join(cwd, "chat.db"))
      chmodSync(join(cwd, "chat.db"), 0o600)
      const restored = yield* Command.serve({ cwd }, ["--new-log", "--port", server.port])
      expect(restored.stdout()).toContain("the old log is in chat.db.1\n")
      yield* bob.shows("<ada> owed")
      expect(bob.stdout().match(/owed/g)?.length).toBe(1)
      ada.child.stdin?.end()
      expect(yield* ada.exit).toBe(0)
      yield* bob.shows("-- ada left")
      expect(numbers(bob.stdout())).toEqual(Arr.range(1, 15))
      // What was said after the copy is in nobody's log any more.
      expect(yield* history(cwd, "chat.db.1")).toEqual(Arr.range(1, 10))
    })
  )

  it.scopedLive("makes no copy where something is, and changes nothing there", () =>
    Effect.gen(function* () {
      const cwd = yield* Command.directory
      const server = yield* Command.serve({ cwd })
      writeFileSync(join(cwd, "mine"), "mine")
      writeFileSync(join(cwd, "other.db"), "not a log")
      const fails = (...args: ReadonlyArray<string>) =>
        Effect.map(Command.run(["backup", ...args], { cwd }), ({ code, stderr, stdout }) => {
          expect([code, stdout]).toEqual([1, ""])
          return stderr
        })
      const before = filesOf(cwd)
      expect(yield* fails("mine")).toBe("chat: mine is there already: name another file for the copy\n")
      expect(yield* fails("chat.db")).toContain("chat.db is there already")
      expect(yield* fails("no/copy.db")).toBe("chat: cannot make the copy no/copy.db: there is no such directory\n")
      expect(yield* fails("--db", "none.db", "copy.db")).toContain("none.db: it is not there. Name another with --db")
      expect(yield* fails("--db", "other.db", "copy.db")).toContain("other.db is not a log")
      expect(yield* Command.run(["backup", "-"], { cwd })).toEqual({
        code: 2,
        stdout: "",
        stderr: "chat: a copy is not printed: name a file for it\n"
      })
      expect(filesOf(cwd)).toEqual(before)
      expect(readFileSync(join(cwd, "mine"), "utf8")).toBe("mine")
      server.kill("SIGTERM")
      expect(yield* server.exit).toBe(0)
    })
  )

  // A disk of its own, which is small.
  const small = ["unshare", ["--user", "--map-root-user", "--mount", "sh", "-c"]] as const
  const canMount = spawnSync(small[0], [...small[1], "mount -t tmpfs -o size=8k tmpfs /mnt"]).status === 0

  it.scopedLive.skipIf(!canMount)("says that the disk is full, and leaves nothing on it", () =>
    Effect.gen(function* () {
      const cwd = yield* Command.directory
      yield* Command.serve({ cwd })
      const script = `mount -t tmpfs -o size=8k tmpfs /mnt; "$1" "$2" backup /mnt/copy.db; code=$?; ls -A /mnt; exit $code`
      const full = yield* Command.start(small[0], [...small[1], script, "sh", process.execPath, Command.path], { cwd })
      expect(yield* full.exit).toBe(1)
      expect(full.stderr()).toBe("chat: there is no room for the copy /mnt/copy.db: free space, or name another disk\n")
      expect(full.stdout()).toBe("")
      expect(existsSync(join(cwd, "chat.db"))).toBe(true)
    })
  )
})
