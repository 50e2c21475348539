import { execFileSync } from "node:child_process"
import { mkdtemp, rename, rm, symlink, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { afterAll, beforeAll, describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { build } from "esbuild"
import * as Command from "./utils/Command.js"

const root = fileURLToPath(new URL("..", import.meta.url))

const names = ["bridge", "doorman", "two-rooms"]

/** The examples, built as scripts/run.mjs builds each before it runs it. */
let built = ""

beforeAll(async () => {
  built = await mkdtemp(join(tmpdir(), "fernet-chat-"))
  await symlink(join(root, "node_modules"), join(built, "node_modules"), "junction")
  await build({
    entryPoints: {
      ...Object.fromEntries(names.map((name) => [name, join(root, `examples/${name}.ts`)])),
      StoreWorker: join(root, "src/server/StoreWorker.ts")
    },
    outdir: built,
    outExtension: { ".js": ".mjs" },
    splitting: true,
    alias: { "fernet-chat": join(root, "src/index.ts") },
    bundle: true,
    platform: "node",
    format: "esm",
    external: ["libsql"],
    banner: { js: 'import{createRequire}from"node:module";const require=createRequire(import.meta.url);' },
    logLevel: "error"
  })
  // Where the log looks for it.
  await rename(join(built, "StoreWorker.mjs"), join(built, "StoreWorker.js"))
  await writeFile(join(built, "package.json"), '{ "type": "module" }')
})

afterAll(() => rm(built, { recursive: true }))

/** A directory with a key. */
const withKey = Effect.tap(Command.directory, (cwd) => Command.run(["keygen"], { cwd }))

const example = (name: string, cwd: string, env: Record<string, string>, ...args: ReadonlyArray<string>) =>
  Command.start(process.execPath, [join(built, `${name}.mjs`), ...args], { cwd, env })

const portOf = (running: Command.Running, name = "") =>
  new RegExp(`${name}serving on \\S+:(\\d+)`).exec(running.stdout())?.[1] ?? ""

describe("the example of a doorman", () => {
  it.scopedLive("greets who comes and who comes back, and keeps names that look like the staff's", () =>
    Effect.gen(function* () {
      const cwd = yield* withKey
      const server = yield* example("doorman", cwd, { CHAT_PORT: "0" })
      yield* server.shows(/serving on \S+:\d+/)
      const env = { CHAT_PORT: portOf(server) }
      const ada = yield* Command.chat(["c", "--nick", "ada"], { cwd, env })
      yield* ada.shows("<doorman> welcome, ada")
      for (const nick of ["Admin-2", "аdmin", "TheRoot"]) {
        const { code, stderr } = yield* Command.run(["c", "--nick", nick], { cwd, env })
        expect([code, stderr]).toEqual([1, `chat: "${nick}" looks like a name of the staff: choose another\n`])
      }
      expect((yield* Command.run(["c", "--nick", "bob"], { cwd, env })).code).toBe(0)
      yield* ada.shows("<doorman> welcome, bob")
      expect((yield* Command.run(["c", "--nick", "bob"], { cwd, env })).code).toBe(0)
      yield* ada.shows("<doorman> welcome back, bob")
      expect(ada.stdout().match(/welcome/g)?.length).toBe(3)
      server.kill("SIGTERM")
      expect(yield* server.exit).toBe(0)
      expect(server.stderr()).toBe("")
    })
  )
})

describe("the example of two rooms", () => {
  it.scopedLive("keeps them apart, and each with its log", () =>
    Effect.gen(function* () {
      const cwd = yield* withKey
      for (const room of ["red", "blue"]) yield* Command.run(["keygen", "-o", `${room}.key`], { cwd })
      const serve = Effect.gen(function* () {
        const server = yield* example("two-rooms", cwd, { RED_PORT: "0", BLUE_PORT: "0" })
        yield* server.shows(/red: serving on \S+:\d+/)
        yield* server.shows(/blue: serving on \S+:\d+/)
        return server
      })
      const join = (
        server: Command.Running,
        room: string,
        key: string,
        input: string,
        ...args: ReadonlyArray<string>
      ) =>
        Command.run(
          ["c", "--nick", "ada", "--port", portOf(server, `${room}: `), "--key-file", `${key}.key`, ...args],
          {
            cwd,
            input
          }
        )
      const first = yield* serve
      expect((yield* join(first, "red", "red", "in red\n")).stdout).toContain("<ada> in red")
      expect((yield* join(first, "blue", "blue", "in blue\n")).stdout).toBe(
        "-- ada joined\n<ada> in blue\n-- ada left\n"
      )
      // The key of the other room is none of this one.
      expect((yield* join(first, "blue", "red", "")).stderr).toContain("key")
      first.kill("SIGTERM")
      yield* first.exit
      const second = yield* serve
      const past = yield* join(second, "red", "red", "", "--since", "0")
      expect(past.stdout).toContain("<ada> in red")
      expect(past.stdout).not.toContain("blue")
    })
  )
})

describe("the example of a bridge", () => {
  /** A bridge to a shell, and somebody who watches. */
  const bridged = Effect.fnUntraced(function* (script: string) {
    const cwd = yield* withKey
    const server = yield* Command.serve({ cwd }, ["--rate", "unlimited", "--burst", "unlimited"])
    const env = { CHAT_PORT: server.port }
    const watcher = yield* Command.chat(["c", "--nick", "bob"], { cwd, env })
    yield* watcher.shows("-- bob joined")
    const bridge = yield* example("bridge", cwd, env, "sh", "-c", script)
    yield* watcher.shows("-- sh joined")
    return { cwd, env, watcher, bridge }
  })

  it.scopedLive("types what is said into a program, says what it answers, and leaves when it ends", () =>
    Effect.gen(function* () {
      const script = 'while read -r line && [ "$line" != bye ]; do echo "got $line"; done; echo; echo done'
      const { bridge, watcher } = yield* bridged(script)
      watcher.write("one\ntwo\n")
      yield* watcher.shows("<sh> got one")
      yield* watcher.shows("<sh> got two")
      watcher.write("bye\n")
      yield* watcher.shows("<sh> done")
      yield* watcher.shows("-- sh left")
      expect(yield* bridge.exit).toBe(0)
      expect(bridge.stderr()).toBe("")
    })
  )

  it.scopedLive("waits for a program that reads slowly, and loses nothing of what is said meanwhile", () =>
    Effect.gen(function* () {
      // It reads one line, then nothing until the gate opens: more than what pipes hold.
      const script = "read -r first; cat gate; grep -n -m 1 '^end'"
      const { bridge, cwd, env, watcher } = yield* bridged(script)
      execFileSync("mkfifo", [join(cwd, "gate")])
      const lines = 500
      const input = `first\n${`${"x".repeat(3000)}\n`.repeat(lines)}end\n`
      expect((yield* Command.run(["c", "--nick", "ada"], { cwd, env, input })).code).toBe(0)
      yield* watcher.shows("-- ada left")
      expect(watcher.stdout()).not.toContain("<sh>")
      yield* Effect.promise(() => writeFile(join(cwd, "gate"), ""))
      yield* watcher.shows(`<sh> ${lines + 1}:end`)
      yield* watcher.shows("-- sh left")
      expect(yield* bridge.exit).toBe(0)
      expect(bridge.stderr()).toBe("")
    })
  )

  it.scopedLive("ends the program with itself", () =>
    Effect.gen(function* () {
      const { bridge, watcher } = yield* bridged('echo "$$"; exec cat')
      yield* watcher.shows(/<sh> \d+\n/)
      const pid = Number(/<sh> (\d+)/.exec(watcher.stdout())?.[1])
      bridge.kill("SIGTERM")
      expect(yield* bridge.exit).toBe(0)
      yield* watcher.shows("-- sh left")
      expect(() => process.kill(pid, 0)).toThrow("ESRCH")
    })
  )
})
