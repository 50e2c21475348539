import { chmodSync, existsSync, mkdirSync, readdirSync, statSync, writeFileSync } from "node:fs"
import { join, relative } from "node:path"
import { describe, expect, it } from "@effect/vitest"
import * as Arr from "effect/Array"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Scope from "effect/Scope"
import * as FileLock from "../src/domain/FileLock.js"
import * as Command from "./utils/Command.js"

const onWindows = process.platform === "win32"
const isRoot = process.getuid?.() === 0

/** Locks every path that comes as a line, at the time before it, to the millisecond; says "won" or why not, and keeps what it has until it dies. */
const locksLines = `
  import { createInterface } from "node:readline"
  import * as Effect from "effect/Effect"
  import * as Scope from "effect/Scope"
  import * as FileLock from "./src/domain/FileLock.js"

  const scope = Effect.runSync(Scope.make())
  for await (const line of createInterface({ input: process.stdin })) {
    const [, time, path] = /^(\\d+) (.*)$/.exec(line)
    while (Date.now() < Number(time)) {}
    const lock = Scope.extend(FileLock.acquire(path), scope)
    console.log(await Effect.runPromise(Effect.match(lock, { onSuccess: () => "won", onFailure: (e) => e.reason })))
  }
`

/** Locks the path of its argument twice, and comes to its end. */
const locksAndEnds = `
  import * as Effect from "effect/Effect"
  import * as Scope from "effect/Scope"
  import * as FileLock from "./src/domain/FileLock.js"

  const lock = () => Effect.runSync(Scope.make()).pipe((scope) => Scope.extend(FileLock.acquire(process.argv[2]), scope))
  await Effect.runPromise(lock())
  for (let i = 0; i < 5; i++) {
    await new Promise((resolve) => setTimeout(resolve, 5))
    gc()
  }
  console.log(await Effect.runPromise(Effect.match(lock(), { onSuccess: () => "won", onFailure: (e) => e.reason })))
`

/** Tries the lock for a moment. */
const attempt = (path: string) =>
  Effect.scoped(Effect.match(FileLock.acquire(path), { onSuccess: () => "won", onFailure: (error) => error.reason }))

describe("a file lock", () => {
  it.scopedLive("is one process's, and another's at once when that one is killed", () =>
    Effect.gen(function* () {
      const cwd = yield* Command.directory
      const path = join(cwd, "lock")
      const program = yield* Command.program(locksLines)
      for (const signal of ["SIGKILL", "SIGTERM", "SIGKILL"] as const) {
        const holder = yield* Command.start(process.execPath, [program], { cwd })
        holder.write(`0 ${path}\n`)
        yield* holder.shows("won")
        const error = yield* Effect.flip(Effect.scoped(FileLock.acquire(path)))
        expect(error.reason).toBe("held")
        expect(error.message).toContain(path)
        holder.kill(signal)
        yield* holder.exit
        expect(yield* attempt(path)).toBe("won")
      }
    })
  )

  it.scopedLive("is had by exactly one of many who ask at the same time", () =>
    Effect.gen(function* () {
      const cwd = yield* Command.directory
      const program = yield* Command.program(locksLines)
      const racers = yield* Effect.forEach(Arr.range(1, 5), () => Command.start(process.execPath, [program], { cwd }))
      const answers = () => racers.map((racer) => racer.stdout().split("\n").slice(0, -1))
      for (const round of Arr.range(1, 40)) {
        const start = Date.now() + 10
        for (const racer of racers) racer.write(`${start} ${join(cwd, `lock ${round}`)}\n`)
        yield* Effect.forEach(racers, (racer) => racer.shows(new RegExp(`(?:\\w+\\n){${round}}`)), { discard: true })
        const results = answers().map((lines) => lines[round - 1])
        expect(results.toSorted(), `round ${round}`).toEqual(["held", "held", "held", "held", "won"])
      }
    })
  )

  it.scoped("is one Scope's within a process, and free when that closes", () =>
    Effect.gen(function* () {
      const path = join(yield* Command.directory, "lock")
      const scope = yield* Scope.make()
      yield* Scope.extend(FileLock.acquire(path), scope)
      expect(yield* attempt(path)).toBe("held")
      // A failed attempt takes nothing away from who has it.
      expect(yield* attempt(path)).toBe("held")
      yield* Scope.close(scope, Exit.void)
      expect(yield* attempt(path)).toBe("won")
      expect(yield* attempt(path)).toBe("won")
    })
  )

  it.scopedLive("is kept by the one of two fibers that got it, also against another process", () =>
    Effect.gen(function* () {
      const cwd = yield* Command.directory
      const other = yield* Command.start(process.execPath, [yield* Command.program(locksLines)], { cwd })
      const paths = Arr.range(1, 20).map((i) => join(cwd, `lock ${i}`))
      for (const path of paths) {
        const both = Arr.replicate(Effect.either(FileLock.acquire(path)), 2)
        const results = yield* Effect.all(both, { concurrency: "unbounded" })
        expect(results.map(({ _tag }) => _tag).toSorted()).toEqual(["Left", "Right"])
        other.write(`0 ${path}\n`)
      }
      yield* other.shows(new RegExp(`(?:\\w+\n){${paths.length}}`))
      expect(other.stdout()).toBe("held\n".repeat(paths.length))
    })
  )

  it.scopedLive("neither keeps a process from ending, nor is lost to the garbage collector", () =>
    Effect.gen(function* () {
      const cwd = yield* Command.directory
      const program = yield* Command.program(locksAndEnds)
      const running = yield* Command.start(process.execPath, ["--expose-gc", program, join(cwd, "lock")], { cwd })
      expect([yield* running.exit, running.stdout(), running.stderr()]).toEqual([0, "held\n", ""])
    })
  )

  it.scoped("leaves one empty file, which only its owner may open", () =>
    Effect.gen(function* () {
      const cwd = yield* Command.directory
      const path = join(cwd, "lock")
      const before = process.umask(0)
      yield* Effect.ensuring(
        FileLock.acquire(path),
        Effect.sync(() => process.umask(before))
      )
      expect(readdirSync(cwd)).toEqual(["lock"])
      expect(statSync(path).size).toBe(0)
      if (!onWindows) expect(statSync(path).mode & 0o777).toBe(0o600)
    })
  )

  it.scoped("takes a path for a path, whatever is in it", () =>
    Effect.gen(function* () {
      const cwd = yield* Command.directory
      const special = onWindows ? [] : ["what?mode=memory", ":memory:", "file:x", "a\\b", "line\nline"]
      const names = ["a b", "100%", "%2e%2e", "x#y", "it's", "schlüssel 🔑", ...special]
      for (const name of names) {
        yield* FileLock.acquire(join(cwd, name))
        expect(yield* attempt(join(cwd, name)), name).toBe("held")
        // A relative one is the same.
        expect(yield* attempt(relative(process.cwd(), join(cwd, name))), name).toBe("held")
      }
      expect(readdirSync(cwd).toSorted()).toEqual(names.toSorted())
    })
  )

  it.scoped("is unavailable where there is something else, which it leaves as it is", () =>
    Effect.gen(function* () {
      const cwd = yield* Command.directory
      const path = join(cwd, "lock")
      for (const content of ["hi", "x".repeat(5000), "SQLite format 3\0 and no more".padEnd(4096)]) {
        writeFileSync(path, content)
        const error = yield* Effect.flip(FileLock.acquire(path))
        expect([error.reason, error.message]).toEqual(["unavailable", expect.stringContaining(path)])
        expect(error.message).toContain("is not a lock file")
        expect(statSync(path).size).toBe(content.length)
      }
      mkdirSync(join(cwd, "directory"))
      expect((yield* Effect.flip(FileLock.acquire(join(cwd, "directory")))).reason).toBe("unavailable")
    })
  )

  it.scoped("is unavailable where no file can be", () =>
    Effect.gen(function* () {
      const cwd = yield* Command.directory
      writeFileSync(join(cwd, "file"), "")
      for (const path of [join(cwd, "none", "lock"), join(cwd, "file", "lock"), join(cwd, "nul\0")]) {
        const error = yield* Effect.flip(FileLock.acquire(path))
        expect([error.reason, error.message]).toEqual(["unavailable", expect.stringMatching(/^cannot lock /)])
        expect(existsSync(path)).toBe(false)
      }
    })
  )

  it.scoped.skipIf(onWindows || isRoot)("is unavailable where one may not write (skipped for root)", () =>
    Effect.gen(function* () {
      const cwd = yield* Command.directory
      const path = join(cwd, "lock")
      writeFileSync(path, "", { mode: 0o400 })
      expect((yield* Effect.flip(FileLock.acquire(path))).reason).toBe("unavailable")
      chmodSync(cwd, 0o500)
      const error = yield* Effect.flip(FileLock.acquire(join(cwd, "other")))
      chmodSync(cwd, 0o700)
      expect([error.reason, error.message]).toEqual(["unavailable", expect.stringContaining("EACCES")])
    })
  )
})
