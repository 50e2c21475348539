import { join } from "node:path"
import { describe, expect, it } from "@effect/vitest"
import * as Arr from "effect/Array"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as FastCheck from "effect/FastCheck"
import type * as Layer from "effect/Layer"
import * as TestClock from "effect/TestClock"
import Libsql from "libsql"
import { EventLoop } from "../src/domain/EventLoop.js"
import * as Keys from "../src/domain/Keys.js"
import type { Log, LogError } from "../src/server/Log.js"
import type { Row, Store } from "../src/server/Store.js"
import * as Command from "./utils/Command.js"
import { chats, membership, notices, position, readAll } from "./utils/LogSuite.js"
import * as Room from "./utils/Room.js"
import {
  around,
  byMember,
  everything,
  fileIn,
  isDone,
  isFound,
  kinds,
  old,
  open,
  reseal,
  sql,
  stored,
  using,
  withoutResealing,
  young
} from "./utils/StoredLog.js"
import * as StoreMemory from "./utils/StoreMemory.js"
import { keyFilledWith } from "./utils/Vectors.js"

/** Writes 1,600 events under the old key in 161 rows or more, one of them in parts, and 20 members. */
const write = (store: Layer.Layer<Store, LogError>) =>
  using(store, [old], (log) =>
    Effect.gen(function* () {
      yield* log.append(chats(1, 10, 32_000), [membership(1)])
      yield* Effect.forEach(Arr.range(1, 159), (i) =>
        log.append(notices(i * 10 + 1, i * 10 + 10), [membership((i % 20) + 1, i)])
      )
    })
  )

describe("a log under an old key", () => {
  for (const [kind, place] of Object.entries(kinds)) {
    it.scoped(`comes under the new one as it was, and says so (${kind})`, () =>
      Effect.gen(function* () {
        const store = yield* place
        yield* write(store)
        const before = yield* everything(store, [old])
        expect(yield* stored(store)).toMatchObject({ young: 0, all: expect.toSatisfy((all: number) => all > 180) })
        expect(yield* reseal(store, [young, old])).toEqual([
          expect.stringMatching(isFound),
          expect.stringMatching(isDone)
        ])
        const { all, young: under, old: left } = yield* stored(store)
        expect([under, left]).toEqual([all, 0])
        expect(yield* everything(store, [young])).toEqual(before)
        expect(yield* Effect.flip(everything(store, [old]))).toMatchObject({ reason: "foreign" })
        // Nothing is under the old one any more, and that is said at once.
        expect(yield* reseal(store, [young, old])).toEqual([expect.stringMatching(isDone)])
      })
    )
  }

  it.scoped("is opened under all keys, and written under the first", () =>
    Effect.gen(function* () {
      const store = yield* kinds["in a database"]
      yield* write(store)
      yield* withoutResealing(using(store, [young, old], (log) => log.append(chats(1601, 1610), [membership(1, 1601)])))
      expect(yield* stored(store)).toMatchObject({ young: 2 })
      const error = yield* Effect.flip(everything(store, [young]))
      expect(error).toMatchObject({ reason: "damaged", message: expect.stringMatching(/none of the keys.*key file/) })
      const { events } = yield* everything(store, [young, old])
      expect(events.slice(1600)).toEqual(chats(1601, 1610))
    })
  )

  it.scoped("comes under the new one where the server has server keys only", () =>
    Effect.gen(function* () {
      const store = yield* kinds["in a database"]
      const [room, next] = [keyFilledWith<"room">(8), keyFilledWith<"room">(9)]
      const ring = (...keys: Keys.Ring<Keys.RoomKey>) => Keys.serverKeys({ _tag: "RoomKeys", keys })
      /** The keys in a file as `chat keygen --server` makes it. */
      const file = (keys: Keys.Ring<Keys.ServerKey>) =>
        Either.getOrThrow(Either.map(Keys.parse(Keys.format({ _tag: "ServerKeys", keys })), Keys.serverKeys))
      yield* using(store, ring(room), (log) => log.append(chats(1, 100), [membership(1, 100)]))
      yield* reseal(store, file(ring(next, room)))
      const { events, members } = yield* everything(store, file(ring(next)))
      expect([events, members]).toEqual([chats(1, 100), [membership(1, 100)]])
      // From the room keys as from the server keys.
      expect((yield* everything(store, ring(next))).events).toEqual(events)
    })
  )

  it.scoped("is not written to where nothing is to be resealed", () =>
    Effect.gen(function* () {
      const store = yield* kinds["in a database"]
      yield* write(store)
      const before = yield* stored(store)
      const unwritten = around(store, (store) => ({ ...store, reseal: () => Effect.dieMessage("it was written to") }))
      // All is under the first key.
      expect(yield* reseal(unwritten, [old, young])).toEqual([expect.stringMatching(isDone)])
      expect((yield* stored(store)).sealed).toEqual(before.sealed)
      // With one key, it is not even looked through.
      const opened = yield* open(unwritten, [old])
      yield* Room.settle
      yield* opened.log.append(notices(1601, 1601), [])
      expect(yield* stored(store)).toMatchObject({ all: before.all + 1, young: 0 })
      expect(opened.said).toEqual([])
    })
  )

  it.scoped("keeps what is appended and dropped meanwhile", () =>
    Effect.gen(function* () {
      for (const kind of ["in memory", "in a database"] as const) {
        const store = yield* kinds[kind]
        yield* write(store)
        let log: Log["Type"] | undefined
        let batches = 0
        const busy = around(store, (store) => ({
          ...store,
          // Before each batch, and after its rows were read: a member says something, the oldest events go.
          reseal: (rows, members) =>
            Effect.gen(function* () {
              batches += 1
              if (log === undefined) return yield* Effect.dieMessage("no log")
              const next = (yield* log.head) + 1
              yield* log.append(notices(next, next), [membership(1 + (batches % 20), 10_000 + next)])
              yield* log.trim(batches * 30)
              yield* store.reseal(rows, members)
            })
        }))
        yield* Effect.scoped(
          Effect.gen(function* () {
            const opened = yield* open(busy, [young, old])
            log = opened.log
            yield* opened.says(isDone)
            const oldest = yield* opened.log.oldest
            const head = yield* opened.log.head
            expect(batches).toBeGreaterThan(2)
            expect(head).toBe(1600 + batches)
            expect(oldest).toBeGreaterThan(1)
            const members = Array.from(yield* opened.log.members).sort(byMember)
            expect(yield* everything(store, [young])).toEqual({
              id: opened.log.id,
              head,
              oldest,
              events: notices(oldest, head),
              members
            })
            expect(members.filter(({ acked }) => acked > 10_000)).toHaveLength(Math.min(batches, 20))
          })
        )
      }
    })
  )

  it.effect("holds the same afterwards, whatever was written under which key", () => {
    const [a, b, c] = [young, old, keyFilledWith<"server">(3)]
    const step = FastCheck.record({
      keys: FastCheck.shuffledSubarray([a, b, c], { minLength: 3 }),
      appended: FastCheck.array(FastCheck.integer({ min: 1, max: 40 }), { maxLength: 6 }),
      member: FastCheck.integer({ min: 1, max: 4 }),
      trimmed: FastCheck.double({ min: 0, max: 0.5, noNaN: true }),
      /** Turns in which it may be resealed before it is closed. */
      turns: FastCheck.integer({ min: 0, max: 30 })
    })
    return Effect.promise(() =>
      FastCheck.assert(
        FastCheck.asyncProperty(FastCheck.array(step, { minLength: 1, maxLength: 8 }), (steps) =>
          Effect.gen(function* () {
            const { layer: store } = yield* StoreMemory.make
            for (const { appended, keys, member, trimmed, turns } of steps) {
              if (!Arr.isNonEmptyArray(keys)) return
              const { aside } = yield* EventLoop
              yield* using(store, keys, (log) =>
                Effect.gen(function* () {
                  for (const count of appended) {
                    const head = yield* log.head
                    yield* log.append(notices(head + 1, head + count), [membership(member, head)])
                  }
                  yield* log.trim(trimmed * (yield* log.head))
                  yield* Effect.repeatN(aside, turns)
                })
              )
            }
            const before = yield* everything(store, [b, a, c])
            yield* reseal(store, [a, b, c])
            const { all, young } = yield* stored(store)
            expect(young).toBe(all)
            expect(yield* everything(store, [a])).toEqual(before)
          }).pipe(Effect.runPromise)
        ),
        { numRuns: 40 }
      )
    )
  })
})

describe("resealing that is cut off", () => {
  /** Has another program at a closed database. */
  const tamper = (file: string, statement: string) =>
    Effect.sync(() => {
      const database = new Libsql(file)
      database.exec(statement)
      database.close()
    })

  it.scoped("keeps nothing of a transaction that fails, says so once, and goes on by itself", () =>
    Effect.gen(function* () {
      const file = yield* fileIn
      const store = sql(file)
      yield* write(store)
      const before = yield* everything(store, [old])
      // In the middle of some batch.
      yield* tamper(
        file,
        "CREATE TRIGGER fault BEFORE UPDATE ON batches WHEN old.first = 1001 BEGIN SELECT RAISE(ABORT, 'a fault'); END"
      )
      yield* Effect.scoped(
        Effect.gen(function* () {
          let failed: ReadonlyArray<Row> = []
          let failures = 0
          const watched = around(store, (store) => ({
            ...store,
            reseal: (rows, members) =>
              Effect.tapError(store.reseal(rows, members), () =>
                Effect.sync(() => {
                  failed = rows
                  failures += 1
                })
              )
          }))
          const { log, said, says } = yield* open(watched, [young, old])
          yield* says(/^ERROR a part of the log stays under an old key, trying again: /)
          const left = yield* stored(store)
          expect(left.young).toBeGreaterThan(0)
          expect(left.young + left.old).toBe(left.all)
          expect(failed.findIndex(({ first }) => first === 1001)).toBeGreaterThan(0)
          expect(left.firsts(old)).toEqual(expect.arrayContaining(failed.map(({ first }) => first)))
          // What it has to do with others goes on.
          yield* log.append(notices(1601, 1601), [membership(1, 1601)])
          expect(yield* readAll(log)).toEqual([...before.events, ...notices(1601, 1601)])
          const later = Effect.zipRight(Room.settle, TestClock.adjust("1 minute"))
          yield* Effect.repeat(later, { until: () => failures >= 3 })
          yield* tamper(file, "DROP TRIGGER fault")
          yield* Effect.raceFirst(says(isDone), Effect.forever(later))
          expect(said.filter((line) => line.startsWith("ERROR"))).toHaveLength(1)
        })
      )
      const { events } = yield* everything(store, [young])
      expect(events).toEqual([...before.events, ...notices(1601, 1601)])
    })
  )

  it.scopedLive("by a kill leaves a log that opens with both keys, and goes on at the next start", () =>
    Effect.gen(function* () {
      const file = yield* fileIn
      const store = sql(file)
      yield* write(store)
      const before = yield* everything(store, [old])
      const program = yield* Command.program(`
        import * as NodeContext from "@effect/platform-node/NodeContext"
        import { Context, Effect, Layer } from "effect"
        import * as Fernet from "./src/domain/Fernet.js"
        import * as SealedLog from "./src/server/SealedLog.js"
        import * as SqlStore from "./src/server/SqlStore.js"
        import { Store } from "./src/server/Store.js"
        import * as Keys from "./src/domain/Keys.js"
        let left = 2
        const dying = (store: Store["Type"]): Store["Type"] => ({
          ...store,
          reseal: (rows, members) =>
            left-- > 0
              ? store.reseal(rows, members)
              : Effect.sync(() => void process.kill(process.pid, "SIGKILL")).pipe(Effect.zipRight(Effect.never))
        })
        const store = Layer.provide(SqlStore.layer({ file: process.argv[2] ?? "" }), NodeContext.layer).pipe(
          Layer.map((context) => Context.make(Store, dying(Context.get(context, Store))))
        )
        const key = (byte: number) => Keys.fromBytes<"server">(new Uint8Array(Keys.length).fill(byte))
        const keys = [key(2), key(1)] as const
        Effect.runFork(Layer.launch(SealedLog.layer({ keys }).pipe(Layer.provide(store), Layer.provide(Fernet.layer))))
      `)
      const killed = yield* Command.start(process.execPath, [program, file], { cwd: join(file, "..") })
      expect(yield* killed.exit).toBe("SIGKILL")
      const left = yield* stored(store)
      expect(left.young).toBeGreaterThan(0)
      expect(left.old).toBeGreaterThan(0)
      expect(left.young + left.old).toBe(left.all)
      // Who takes the old key away now is told at the start, and loses nothing.
      expect((yield* Effect.flip(everything(store, [young]))).message).toMatch(/another key: give that key/)
      expect(yield* withoutResealing(using(store, [young, old], (log) => log.read(position(1590), 10)))).toEqual(
        before.events.slice(1590)
      )
      yield* reseal(store, [young, old])
      expect(yield* everything(store, [young])).toEqual(before)
    })
  )

  it.scoped("leaves what is damaged as it is, tells of it, and it is found as before", () =>
    Effect.gen(function* () {
      const file = yield* fileIn
      const store = sql(file)
      yield* write(store)
      const token = (first: number) => `(SELECT token FROM batches WHERE first = ${first})`
      yield* tamper(
        file,
        `UPDATE batches SET token = substr(token, 1, 100) || 'AAAA' || substr(token, 105) WHERE first = 51;
         UPDATE batches SET token = 'nonsense' WHERE first = 81;
         UPDATE batches SET token = ${token(101)} WHERE first = 111`
      )
      expect(yield* reseal(store, [young, old])).toEqual([
        expect.stringMatching(isFound),
        expect.stringMatching(/^ERROR the log is damaged: the row of events 51 to 60, and 1 more, cannot be opened/),
        expect.stringMatching(isDone)
      ])
      const { all, old: left, young: under } = yield* stored(store)
      expect([left, under]).toEqual([0, all - 2])
      yield* using(store, [young], (log) =>
        Effect.gen(function* () {
          for (const [first, words] of [
            [51, "none of the keys"],
            [81, "none of the keys"],
            [111, "is not what was written there"]
          ] as const) {
            const error = yield* Effect.flip(log.read(position(first - 1), 10))
            expect(error).toMatchObject({ reason: "damaged" })
            expect(error.message).toContain(`events ${first} to ${first + 9}`)
            expect(error.message).toContain(words)
          }
          expect(yield* log.read(position(120), 10)).toEqual(notices(121, 130))
        })
      )
    })
  )
})
