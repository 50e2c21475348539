import { spawnSync } from "node:child_process"
import { copyFileSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Command from "./utils/Command.js"

const root = fileURLToPath(new URL("..", import.meta.url))
const unit = readFileSync(join(root, "hosting/chat.service"), "utf8")

/** What the unit sets, in its order. */
const settings = unit.split("\n").flatMap((line) => {
  const [, name, value] = /^(\w+)=(.*)$/.exec(line) ?? []
  return name === undefined || value === undefined ? [] : [[name, value] as const]
})
const all = (name: string) => settings.flatMap(([each, value]) => (each === name ? [value] : []))
const one = (name: string) => all(name).join("\n")

const [program = "", ...args] = one("ExecStart").split(" ")
const environment = Object.fromEntries(all("Environment").map((line) => line.split("=")))

const has = (command: string, ...args: ReadonlyArray<string>) => spawnSync(command, args).status === 0
const canAnalyze = has("systemd-analyze", "--version")
const canTrace = canAnalyze && has("strace", "-f", "-qq", "-o", "/dev/null", "true")

const analyze = (...args: ReadonlyArray<string>) => {
  const { status, stderr, stdout } = spawnSync("systemd-analyze", args, { encoding: "utf8" })
  return { status, said: `${stdout}${stderr}` }
}

/** The system calls of a set, as `@system-service`. */
const callsOf = (set: string): ReadonlyArray<string> =>
  analyze("syscall-filter", set)
    .said.split("\n")
    .slice(1)
    .map((line) => line.trim())
    .flatMap((line) => (line.startsWith("@") ? callsOf(line) : /^\w+$/.test(line) ? [line] : []))

/** Runs a server as the unit says, in a state directory, with what systemd would give it; `wrap` runs it. */
const serve = Effect.fnUntraced(function* (wrap: ReadonlyArray<string> = []) {
  const etc = yield* Command.directory
  const cwd = yield* Command.directory
  yield* Command.run(["keygen"], { cwd: etc })
  yield* Command.run(["keygen", "--server", "-o", "server.key"], { cwd: etc })
  const input = readFileSync(join(etc, "server.key"), "utf8")
  const [first = process.execPath, ...rest] = [...wrap, process.execPath, Command.path, ...args]
  const server = yield* Command.start(first, rest, { cwd, env: { ...environment, CHAT_PORT: "0", HOME: "/" }, input })
  yield* server.shows(/serving on 0\.0\.0\.0:\d+/)
  const port = /serving on \S+:(\d+)/.exec(server.stdout())?.[1] ?? ""
  const said = yield* Command.run(["c", "--nick", "ada", "--port", port], { cwd: etc, input: "hello\n" })
  expect(said).toEqual({ code: 0, stdout: "-- ada joined\n<ada> hello\n-- ada left\n", stderr: "" })
  return { cwd, etc, server }
})

describe("the unit for systemd", () => {
  it.scopedLive("starts a server with flags that there are, whose key is not in its directory", () =>
    Effect.gen(function* () {
      expect(program).toMatch(/^\/.*\/chat$/)
      const { cwd, etc, server } = yield* serve()
      expect(readdirSync(cwd).toSorted()).toEqual(
        ["chat.db", "chat.db-shm", "chat.db-wal", "chat.db.lock", "chat.sock", "chat.sock.lock"].toSorted()
      )
      for (const name of readdirSync(cwd)) expect(statSync(join(cwd, name)).mode & 0o077).toBe(0)
      // From elsewhere, as README shows it.
      const [socket, db] = [join(cwd, "chat.sock"), join(cwd, "chat.db")]
      expect((yield* Command.run(["admin", "bans", "--socket", socket], { cwd: etc })).stdout).toBe(
        "nobody is banned\n"
      )
      expect((yield* Command.run(["backup", "--db", db, "copy.db"], { cwd: etc })).code).toBe(0)
      server.kill("SIGTERM")
      expect(yield* server.exit).toBe(0)
      // 2 is what no other try changes.
      expect(one("RestartPreventExitStatus")).toBe("2")
      expect((yield* Command.run(["s", "--no-such-flag"], { cwd })).code).toBe(2)
    })
  )

  it.skipIf(!canAnalyze)("is one that systemd takes (needs systemd-analyze)", () =>
    Effect.gen(function* () {
      const cwd = yield* Command.directory
      const file = join(cwd, "chat.service")
      // Where it is installed is not where it is tested.
      writeFileSync(file, unit.replace(program, Command.path))
      expect(analyze("verify", "--man=no", file)).toEqual({ status: 0, said: "" })
      writeFileSync(file, unit.replace("ProtectClock", "ProtectClocks").replace(program, Command.path))
      expect(analyze("verify", "--man=no", file).said).toContain("ProtectClocks")
    }).pipe(Effect.scoped, Effect.runPromise)
  )

  it.skipIf(!canAnalyze)("leaves little open: 1.5 of 10 at most (needs systemd-analyze 250)", () =>
    Effect.gen(function* () {
      const cwd = yield* Command.directory
      const file = join(cwd, "chat.service")
      copyFileSync(join(root, "hosting/chat.service"), file)
      const { said, status } = analyze("security", "--no-pager", "--offline=true", "--threshold=15", file)
      expect(said).toMatch(/Overall exposure level for chat\.service: /)
      expect(status).toBe(0)
      writeFileSync(file, unit.replace(/^SystemCallFilter=.*$/gm, ""))
      expect(analyze("security", "--no-pager", "--offline=true", "--threshold=15", file).status).not.toBe(0)
    }).pipe(Effect.scoped, Effect.runPromise)
  )

  it("lets V8 compile", () => {
    expect(all("MemoryDenyWriteExecute")).toEqual([])
  })

  it.scopedLive.skipIf(!canTrace)("refuses no system call that a server cannot do without (needs strace)", () =>
    Effect.gen(function* () {
      const [allowed = "", denied = ""] = all("SystemCallFilter")
      const refused = new Set(denied.replace(/^~/, "").split(" ").flatMap(callsOf))
      const taken = new Set(callsOf(allowed).filter((call) => !refused.has(call)))
      const others = callsOf("@known").filter((call) => !taken.has(call))
      expect(others).toContain("mount")
      expect(others).toContain("chown")
      expect(others).not.toContain("read")
      // As the filter does: each of them fails, and nothing else. Some are for other machines.
      const calls = others.map((call) => `?${call}`).join(",")
      const strace = ["strace", "-f", "-qq", "-o", "/dev/null", "-e", `inject=${calls}:error=EPERM`]
      const { server } = yield* serve([...strace, "-e", `trace=${calls}`])
      // Strace waits for the server, which is one of its group.
      process.kill(-(server.child.pid ?? 0), "SIGTERM")
      yield* server.exit
      expect(server.stderr()).toMatch(/^(\S+Z a connection has ended .*\n)?$/)
    })
  )
})
