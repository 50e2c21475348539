import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs"
import { homedir } from "node:os"
import { dirname, join } from "node:path"
import * as PlatformError from "@effect/platform/Error"
import * as FileSystem from "@effect/platform/FileSystem"
import * as KeyValueStore from "@effect/platform/KeyValueStore"
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import * as NodePath from "@effect/platform-node/NodePath"
import { describe, expect, it } from "@effect/vitest"
import * as Arr from "effect/Array"
import * as ConfigProvider from "effect/ConfigProvider"
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as fc from "effect/FastCheck"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Scope from "effect/Scope"
import * as StateFiles from "../src/client/StateFiles.js"
import * as Command from "./utils/Command.js"
import { keyFilledWith } from "./utils/Vectors.js"

const onWindows = process.platform === "win32"
const platform = Layer.merge(NodeFileSystem.layer, NodePath.layer)

/** The store in a directory, open until the Scope closes. */
const open = (directory: string) =>
  Effect.map(Layer.build(StateFiles.layer(directory)), (context) => Context.get(context, KeyValueStore.KeyValueStore))

/** Opens the store in a directory for one use. */
const use = <A, E>(directory: string, f: (store: KeyValueStore.KeyValueStore) => Effect.Effect<A, E>) =>
  Effect.scoped(Effect.flatMap(open(directory), f))

const modeOf = (path: string) => statSync(path).mode & 0o777

const directory = Effect.map(Command.directory, (made) => join(made, "state", "set"))

/** A step of writing that fails, or that never comes to an end, as of a process that was killed in it. */
type Fault = "fails" | "hangs"

/**
 * The file system with a fault at the step of that number, counted from 0 since `begin`, of all that are done to write.
 * A write does half of its work before.
 */
const faulty = (fault: Fault, at: number, reached: Effect.Effect<unknown>) =>
  Effect.map(FileSystem.FileSystem, (fs) => {
    let count = Number.NEGATIVE_INFINITY
    const begin = () => {
      count = 0
    }
    const broken = Effect.zipRight(
      reached,
      fault === "hangs"
        ? Effect.never
        : Effect.fail(new PlatformError.SystemError({ module: "FileSystem", method: "test", reason: "Unknown" }))
    )
    const step = <A, R>(
      effect: Effect.Effect<A, PlatformError.PlatformError, R>,
      half: Effect.Effect<unknown, PlatformError.PlatformError> = Effect.void
    ) => Effect.suspend(() => (count++ === at ? Effect.zipRight(half, broken) : effect))
    const file = (opened: FileSystem.File): FileSystem.File =>
      // The file itself, its two methods of writing apart.
      Object.create(opened, {
        sync: { get: () => step(opened.sync) },
        writeAll: {
          value: (bytes: Uint8Array) =>
            step(opened.writeAll(bytes), opened.writeAll(bytes.subarray(0, bytes.length / 2)))
        }
      })
    const system: FileSystem.FileSystem = {
      ...fs,
      open: (...args) => Effect.map(step(fs.open(...args)), file),
      rename: (...args) => step(fs.rename(...args))
    }
    return { system, begin }
  })

describe("the files of a client", () => {
  it.scoped("hold over the end of who wrote them", () =>
    Effect.gen(function* () {
      const path = yield* directory
      yield* use(path, (store) => Effect.zipRight(store.set("ticket", "one"), store.set("outbox", "two")))
      yield* use(path, (store) => Effect.zipRight(store.set("ticket", "three"), store.remove("outbox")))
      const all = yield* use(path, (store) => Effect.all([store.get("ticket"), store.get("outbox"), store.size]))
      expect(all).toEqual([Option.some("three"), Option.none(), 1])
    }).pipe(Effect.provide(platform))
  )

  it.scoped.skipIf(onWindows)("are their owner's alone, though the umask forbids nothing", () =>
    Effect.gen(function* () {
      const path = yield* directory
      const before = process.umask(0)
      yield* use(path, (store) => store.set("ticket", "one")).pipe(
        Effect.ensuring(Effect.sync(() => process.umask(before)))
      )
      expect([modeOf(dirname(path)), modeOf(path)]).toEqual([0o700, 0o700])
      expect(readdirSync(path).toSorted()).toEqual(["lock", "value.ticket"])
      for (const name of readdirSync(path)) expect(modeOf(join(path, name))).toBe(0o600)
    }).pipe(Effect.provide(platform))
  )

  const text = fc.oneof(
    fc.constantFrom("", "\ufeffmark", "a\0b", "\r\n"),
    fc.fullUnicodeString({ maxLength: 20 }),
    fc.base64String({ maxLength: 3000 })
  )
  const key = fc.oneof(
    fc.constantFrom("a", "A", "ä", "a\u0308", "", ".", "..", "../x", "a/b", "a\\b", "%61", "con", "lock", "new", "a.b"),
    fc.fullUnicodeString({ maxLength: 8 })
  )
  const operation = fc.oneof(
    fc.record({ _tag: fc.constant("set" as const), key, value: text }),
    fc.record({ _tag: fc.constant("remove" as const), key }),
    fc.record({ _tag: fc.constant("modify" as const), key }),
    fc.record({ _tag: fc.constantFrom("clear" as const, "reopen" as const) })
  )
  it.effect.prop(
    "are a map of any text by any text",
    [fc.array(operation, { maxLength: 15 })],
    ([operations]) =>
      Effect.gen(function* () {
        const path = yield* directory
        const map = new Map<string, string>()
        const scope = yield* Effect.scope
        let inner = yield* Scope.fork(scope, { _tag: "Sequential" })
        let store = yield* Scope.extend(open(path), inner)
        for (const operation of operations) {
          switch (operation._tag) {
            case "set":
              yield* store.set(operation.key, operation.value)
              map.set(operation.key, operation.value)
              break
            case "remove":
              yield* store.remove(operation.key)
              map.delete(operation.key)
              break
            case "modify": {
              const before = map.get(operation.key)
              const after = yield* store.modify(operation.key, (value) => `${value}!`)
              if (before !== undefined) map.set(operation.key, `${before}!`)
              expect(after).toEqual(Option.fromNullable(map.get(operation.key)))
              break
            }
            case "clear":
              yield* store.clear
              map.clear()
              break
            case "reopen":
              yield* Scope.close(inner, Exit.void)
              inner = yield* Scope.fork(scope, { _tag: "Sequential" })
              store = yield* Scope.extend(open(path), inner)
          }
          expect(yield* store.size).toBe(map.size)
          for (const operation of operations) {
            if (!("key" in operation)) continue
            expect(yield* store.get(operation.key)).toEqual(Option.fromNullable(map.get(operation.key)))
            expect(yield* store.has(operation.key)).toBe(map.has(operation.key))
          }
        }
      }).pipe(Effect.scoped, Effect.provide(platform)),
    { fastCheck: { numRuns: 40 } }
  )

  it.scoped("refuse a key or value that files cannot hold, and keep what they have", () =>
    Effect.gen(function* () {
      const store = yield* open(yield* directory)
      yield* store.set("a".repeat(249), "fits")
      yield* store.set("A".repeat(83), "fits")
      yield* store.set("key", "old")
      for (const key of ["a".repeat(250), "A".repeat(84), "\ud800"]) {
        expect((yield* Effect.flip(store.set(key, "x")))._tag).toBe("BadArgument")
        expect((yield* Effect.flip(store.get(key)))._tag).toBe("BadArgument")
      }
      expect((yield* Effect.flip(store.set("key", "\udc00")))._tag).toBe("BadArgument")
      expect(yield* store.get("key")).toEqual(Option.some("old"))
      expect(yield* store.size).toBe(3)
    }).pipe(Effect.provide(platform))
  )

  it.scoped("take bytes too", () =>
    Effect.gen(function* () {
      const store = yield* open(yield* directory)
      yield* store.set("key", Uint8Array.of(0, 255, 128))
      expect(yield* store.getUint8Array("key")).toEqual(Option.some(Uint8Array.of(0, 255, 128)))
    }).pipe(Effect.provide(platform))
  )

  it.scoped("are written in the order of the calls, and modified one after the other", () =>
    Effect.gen(function* () {
      const store = yield* open(yield* directory)
      // The first ones take longer.
      const values = Arr.range(1, 20).map((i) => `${i} ${"x".repeat(400_000 / i)}`)
      yield* Effect.forEach(values, (value) => store.set("key", value), { concurrency: "unbounded" })
      expect(yield* store.get("key")).toEqual(Option.some(values.at(-1)))
      yield* store.set("count", "0")
      const add = store.modify("count", (count) => String(Number(count) + 1))
      yield* Effect.all(Arr.replicate(add, 20), { concurrency: "unbounded" })
      expect(yield* store.get("count")).toEqual(Option.some("20"))
    }).pipe(Effect.provide(platform))
  )

  it.scopedLive("are let be written by who is interrupted, since the file system is not", () =>
    Effect.gen(function* () {
      const fs = yield* FileSystem.FileSystem
      const [reached, gate] = yield* Effect.all([Deferred.make<void>(), Deferred.make<void>()])
      const slow: FileSystem.FileSystem = {
        ...fs,
        rename: (...args) =>
          Deferred.succeed(reached, undefined).pipe(
            Effect.zipRight(Deferred.await(gate)),
            Effect.zipRight(fs.rename(...args))
          )
      }
      const store = yield* Effect.provideService(open(yield* directory), FileSystem.FileSystem, slow)
      const first = yield* Effect.fork(store.set("key", "first"))
      yield* Deferred.await(reached)
      const interrupting = yield* Effect.fork(Fiber.interrupt(first))
      const second = yield* Effect.fork(store.set("key", "second"))
      for (let turns = 0; turns < 100; turns++) yield* Effect.promise(() => new Promise(setImmediate))
      expect([yield* Fiber.poll(interrupting), yield* Fiber.poll(second)]).toEqual([Option.none(), Option.none()])
      // Who waits for its turn has begun nothing, and is let go.
      yield* Fiber.interrupt(second)
      yield* Deferred.succeed(gate, undefined)
      yield* Fiber.join(interrupting)
      expect(yield* store.get("key")).toEqual(Option.some("first"))
    }).pipe(Effect.provide(platform))
  )
})

describe("a crash or a failure while a value is written", () => {
  const old = "old".repeat(1000)
  const young = "new".repeat(1000)

  /** Replaces old by new with a fault at a step: how that ended, if it did, and what was there then. */
  const replaceWith = (path: string, fault: Fault, at: number) =>
    Effect.gen(function* () {
      const reached = yield* Deferred.make<void>()
      const { begin, system } = yield* faulty(fault, at, Deferred.succeed(reached, undefined))
      return yield* Effect.scoped(
        Effect.gen(function* () {
          const store = yield* Effect.provideService(open(path), FileSystem.FileSystem, system)
          begin()
          // What hangs cannot be interrupted, as it should be: it is left.
          const fiber = yield* Effect.forkDaemon(Effect.exit(store.set("key", young)))
          const ended = yield* Effect.raceFirst(
            Effect.asSome(Fiber.join(fiber)),
            fault === "hangs" ? Effect.as(Deferred.await(reached), Option.none()) : Effect.never
          )
          return { ended, after: yield* Effect.orDie(store.get("key")) }
        })
      )
    })

  it.scopedLive("leaves the old one or the new one whole, at every step of it, and nothing else", () =>
    Effect.gen(function* () {
      const path = yield* directory
      const seen = new Set<string>()
      for (let at = 0; ; at++) {
        yield* use(path, (store) => store.set("key", old))
        const { ended } = yield* replaceWith(path, "hangs", at)
        const value = yield* use(path, (store) => store.get("key"))
        expect([Option.some(old), Option.some(young)]).toContainEqual(value)
        seen.add(value.pipe(Option.getOrElse(() => "")))
        expect(readdirSync(path).toSorted()).toEqual(["lock", "value.key"])
        if (Option.isSome(ended)) {
          expect([ended.value, value]).toEqual([Exit.void, Option.some(young)])
          // Open, write, sync, rename, and the directory's open and sync.
          expect(at).toBe(onWindows ? 5 : 6)
          break
        }
      }
      expect(seen).toEqual(new Set([old, young]))
    }).pipe(Effect.provide(platform))
  )

  it.scopedLive("is told by the one that failed, and the next one works", () =>
    Effect.gen(function* () {
      const path = yield* directory
      for (const at of [0, 1, 2, 3]) {
        yield* use(path, (store) => store.set("key", old))
        const { after, ended } = yield* replaceWith(path, "fails", at)
        expect(Option.map(ended, Exit.isFailure)).toEqual(Option.some(true))
        expect(after).toEqual(Option.some(old))
        expect(readdirSync(path).toSorted()).toEqual(["lock", "value.key"])
      }
    }).pipe(Effect.provide(platform))
  )

  it.scoped("that left a part of it behind is cleaned up at the next start", () =>
    Effect.gen(function* () {
      const path = yield* directory
      mkdirSync(path, { recursive: true })
      writeFileSync(join(path, "new"), "hal")
      const store = yield* open(path)
      expect(readdirSync(path)).toEqual(["lock"])
      yield* store.set("key", "value")
      expect(readFileSync(join(path, "value.key"), "utf8")).toBe("value")
    }).pipe(Effect.provide(platform))
  )

  /** Writes 1, 2, 3 … as long values, and says each once it is written, from what is there on. */
  const writesForever = `
    import * as KeyValueStore from "@effect/platform/KeyValueStore"
    import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
    import * as NodePath from "@effect/platform-node/NodePath"
    import * as Effect from "effect/Effect"
    import * as Layer from "effect/Layer"
    import * as StateFiles from "./src/client/StateFiles.js"

    Effect.gen(function* () {
      const store = yield* KeyValueStore.KeyValueStore
      for (let i = Number(process.argv[3]); ; i++) {
        yield* store.set("key", (i + " ").repeat(50_000))
        process.stdout.write(i + "\\n")
      }
    }).pipe(
      Effect.provide(StateFiles.layer(process.argv[2])),
      Effect.provide([NodeFileSystem.layer, NodePath.layer]),
      Effect.runPromise
    )
  `

  it.scopedLive("of a process that is killed time and again, loses nothing that was written", () =>
    Effect.gen(function* () {
      const cwd = yield* Command.directory
      const path = join(cwd, "state")
      const program = yield* Command.program(writesForever)
      let next = 1
      for (const round of Arr.range(1, 8)) {
        const writer = yield* Command.start(process.execPath, [program, path, String(next)], { cwd })
        yield* writer.shows(`\n${next + round}\n`)
        if (round === 1) {
          const error = yield* Effect.flip(use(path, (store) => store.size))
          expect([error._tag, "reason" in error && error.reason]).toEqual(["StateError", "held"])
          expect(error.message).toContain("--profile")
        }
        // At another moment of a write each time.
        yield* Effect.sleep(`${(round * 7) % 10} millis`)
        writer.kill("SIGKILL")
        yield* writer.exit
        const told = Number(writer.stdout().trim().split("\n").at(-1))
        const value = Option.getOrThrow(yield* use(path, (store) => store.get("key")))
        const kept = Number(value.slice(0, value.indexOf(" ")))
        expect(value === `${kept} `.repeat(50_000), "it is whole").toBe(true)
        expect([told, told + 1]).toContain(kept)
        next = kept + 1
      }
    }).pipe(Effect.provide(platform))
  )
})

describe("the directory of a set", () => {
  const [old, young] = [keyFilledWith<"room">(1), keyFilledWith<"room">(2)]
  const base = { address: "chat.example:55555", keys: [old], profile: "ada" } as const

  it.scoped("is another for each room, server and profile, and shows none of them", () =>
    Effect.gen(function* () {
      const stateHome = yield* Command.directory
      const others = [
        {},
        { keys: [young] as const },
        { address: "chat.example:55556" },
        { profile: "bob" },
        { address: "chat.example:5555", profile: "5ada" },
        { address: "a", profile: 'b","c' },
        { address: 'a","b', profile: "c" }
      ]
      const all = yield* Effect.forEach(others, (other) => StateFiles.directoryOf({ ...base, stateHome, ...other }))
      expect(new Set(all).size).toBe(others.length)
      for (const path of all) {
        expect(dirname(path)).toBe(join(stateHome, "fernet-chat"))
        expect(path.slice(dirname(path).length + 1)).toMatch(/^[0-9a-f]{64}$/)
      }
      expect(yield* StateFiles.directoryOf({ ...base, stateHome })).toBe(all[0])
      // Nothing is made by asking.
      expect(readdirSync(stateHome)).toEqual([])
    }).pipe(Effect.provide(platform))
  )

  it.scoped("is still there after a rotation, and once the old key is gone", () =>
    Effect.gen(function* () {
      const stateHome = yield* Command.directory
      const before = yield* StateFiles.directoryOf({ ...base, stateHome })
      yield* use(before, (store) => store.set("ticket", "one"))
      const rotated = yield* StateFiles.directoryOf({ ...base, stateHome, keys: [young, old] })
      expect(yield* use(rotated, (store) => store.get("ticket"))).toEqual(Option.some("one"))
      const later = yield* StateFiles.directoryOf({ ...base, stateHome, keys: [young] })
      if (onWindows) return
      expect([rotated, existsSync(before)]).toEqual([later, false])
      expect(yield* StateFiles.directoryOf({ ...base, stateHome, keys: [young, old] })).toBe(later)
      // And after going back, with the new one below.
      expect(yield* StateFiles.directoryOf({ ...base, stateHome, keys: [old, young] })).toBe(before)
      expect(yield* use(before, (store) => store.get("ticket"))).toEqual(Option.some("one"))
    }).pipe(Effect.provide(platform))
  )

  it.scoped("is the first key's where both have one", () =>
    Effect.gen(function* () {
      const stateHome = yield* Command.directory
      const ofOld = yield* StateFiles.directoryOf({ ...base, stateHome })
      const ofYoung = yield* StateFiles.directoryOf({ ...base, stateHome, keys: [young] })
      for (const path of [ofOld, ofYoung]) yield* use(path, (store) => store.set("key", path))
      expect(yield* StateFiles.directoryOf({ ...base, stateHome, keys: [young, old] })).toBe(ofYoung)
      expect(yield* StateFiles.directoryOf({ ...base, stateHome, keys: [old, young] })).toBe(ofOld)
      expect(yield* use(ofOld, (store) => store.get("key"))).toEqual(Option.some(ofOld))
    }).pipe(Effect.provide(platform))
  )

  it.scoped("is the old key's member's, where who tried the new key was never let in", () =>
    Effect.gen(function* () {
      const stateHome = yield* Command.directory
      const ofOld = yield* StateFiles.directoryOf({ ...base, stateHome })
      const ofYoung = yield* StateFiles.directoryOf({ ...base, stateHome, keys: [young] })
      yield* use(ofOld, (store) => Effect.zipRight(store.set("ticket", "one"), store.set("outbox", "owed")))
      yield* use(ofYoung, (store) => store.set("ticket", "nobody's"))
      const both = { ...base, stateHome, keys: [young, old] } as const
      // Somebody is just trying it: nothing is taken from under it, nor from the member.
      const trying = yield* Effect.scoped(Effect.zipRight(open(ofYoung), StateFiles.directoryOf(both)))
      expect(trying).toBe(ofOld)
      const rotated = yield* StateFiles.directoryOf(both)
      expect(yield* use(rotated, (store) => store.get("ticket"))).toEqual(Option.some("one"))
      expect(yield* use(rotated, (store) => store.get("outbox"))).toEqual(Option.some("owed"))
      if (onWindows) return
      expect([rotated, existsSync(ofOld)]).toEqual([ofYoung, false])
    }).pipe(Effect.provide(platform))
  )

  it.scoped("is not taken away from a chat that runs, but found to be its", () =>
    Effect.gen(function* () {
      const stateHome = yield* Command.directory
      const before = yield* StateFiles.directoryOf({ ...base, stateHome })
      const store = yield* open(before)
      const rotated = yield* StateFiles.directoryOf({ ...base, stateHome, keys: [young, old] })
      expect(rotated).toBe(before)
      expect((yield* Effect.flip(Effect.scoped(open(rotated)))).reason).toBe("held")
      yield* store.set("key", "value")
      expect(readdirSync(join(stateHome, "fernet-chat"))).toHaveLength(1)
    }).pipe(Effect.provide(platform))
  )

  it.scoped("is told when it cannot be had", () =>
    Effect.gen(function* () {
      const cwd = yield* Command.directory
      writeFileSync(join(cwd, "file"), "")
      const error = yield* Effect.flip(Effect.scoped(open(join(cwd, "file", "set"))))
      expect([error.reason, error.message]).toEqual(["unavailable", expect.stringContaining(join(cwd, "file", "set"))])
      mkdirSync(join(cwd, "set"))
      writeFileSync(join(cwd, "set", "lock"), "not a lock")
      expect((yield* Effect.flip(Effect.scoped(open(join(cwd, "set"))))).reason).toBe("unavailable")
    }).pipe(Effect.provide(platform))
  )

  it.scoped.skipIf(onWindows || process.getuid?.() === 0)("is told when it may not be written (skipped for root)", () =>
    Effect.gen(function* () {
      const cwd = yield* Command.directory
      chmodSync(cwd, 0o500)
      const error = yield* Effect.flip(Effect.scoped(open(join(cwd, "set"))))
      chmodSync(cwd, 0o700)
      expect(error.reason).toBe("unavailable")
    }).pipe(Effect.provide(platform))
  )
})

describe("the home of all states", () => {
  const withEnv = (env: Record<string, string>) =>
    Effect.withConfigProvider(
      StateFiles.stateHome,
      ConfigProvider.fromMap(new Map(Object.entries(env)), { pathDelim: "_", seqDelim: "," })
    )

  it.effect.skipIf(onWindows)("is XDG_STATE_HOME where that is absolute, else ~/.local/state", () =>
    Effect.gen(function* () {
      const usual = join(homedir(), ".local", "state")
      expect(yield* withEnv({ XDG_STATE_HOME: "/var/state" })).toBe("/var/state")
      expect(yield* withEnv({})).toBe(usual)
      expect(yield* withEnv({ XDG_STATE_HOME: "" })).toBe(usual)
      expect(yield* withEnv({ XDG_STATE_HOME: "state" })).toBe(usual)
      expect(yield* withEnv({ LOCALAPPDATA: "/elsewhere" })).toBe(usual)
    }).pipe(Effect.provide(platform))
  )

  it.effect.skipIf(!onWindows)("is LOCALAPPDATA on Windows, unless XDG_STATE_HOME is there", () =>
    Effect.gen(function* () {
      expect(yield* withEnv({ LOCALAPPDATA: "C:\\local" })).toBe("C:\\local")
      expect(yield* withEnv({ LOCALAPPDATA: "C:\\local", XDG_STATE_HOME: "C:\\state" })).toBe("C:\\state")
      expect(yield* withEnv({})).toBe(join(homedir(), ".local", "state"))
    }).pipe(Effect.provide(platform))
  )
})
