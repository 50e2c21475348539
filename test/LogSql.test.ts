import { Buffer } from "node:buffer"
import * as Fs from "node:fs"
import { join } from "node:path"
import * as NodeContext from "@effect/platform-node/NodeContext"
import { describe, expect, it } from "@effect/vitest"
import * as Arr from "effect/Array"
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import type * as Scope from "effect/Scope"
import Libsql from "libsql"
import * as Fernet from "../src/domain/Fernet.js"
import type * as Keys from "../src/domain/Keys.js"
import * as Protocol from "../src/domain/Protocol.js"
import { Log } from "../src/server/Log.js"
import * as LogSql from "../src/server/LogSql.js"
import * as SealedLog from "../src/server/SealedLog.js"
import * as SqlStore from "../src/server/SqlStore.js"
import { Store } from "../src/server/Store.js"
import { directory } from "./utils/Command.js"
import { chat, chats, membership, notices, position, readAll, seqs, storeWorker } from "./utils/LogSuite.js"
import { serverKeys } from "./utils/Room.js"
import { keyFilledWith } from "./utils/Vectors.js"

/** A file name in an empty directory. */
const fileIn = (name = "log") => Effect.map(directory, (made) => join(made, name))

interface Options {
  readonly keys?: Keys.Ring<Keys.ServerKey>
  readonly maxBytes?: number
}

/** The log in `file`, on this thread, for the life of the Scope. */
const open = (file: string, { keys = serverKeys, ...rest }: Options = {}) =>
  Layer.build(
    SealedLog.layer({ keys, name: file }).pipe(
      Layer.provide(SqlStore.layer({ file, ...rest })),
      Layer.provide(Layer.merge(Fernet.layer, NodeContext.layer))
    )
  ).pipe(Effect.map((context) => Context.get(context, Log)))

/** The same as a server has it: behind a thread. */
const openThread = (file: string, { keys = serverKeys, ...rest }: Options = {}) =>
  Layer.build(Layer.provide(LogSql.layer({ file, keys, worker: storeWorker, ...rest }), Fernet.layer)).pipe(
    Effect.map((context) => Context.get(context, Log))
  )

/** Opens, uses and closes the log in `file`. */
const using = <A, E>(file: string, use: (log: Log["Type"]) => Effect.Effect<A, E, Scope.Scope>, options?: Options) =>
  Effect.scoped(Effect.flatMap(open(file, options), use))

/** A closed log of 200 events in rows of 10, and three members. */
const written = Effect.gen(function* () {
  const file = yield* fileIn()
  yield* using(file, (log) =>
    Effect.forEach(Arr.range(0, 19), (i) => log.append(chats(i * 10 + 1, i * 10 + 10), [membership((i % 3) + 1, i)]))
  )
  return file
})

/** Has another program at a closed database. */
const tamper = (file: string, ...statements: ReadonlyArray<string>) =>
  Effect.sync(() => {
    const database = new Libsql(file)
    for (const statement of statements) database.exec(statement)
    database.exec("PRAGMA wal_checkpoint(TRUNCATE)")
    database.close()
  })

/** The whole directory of `file`, by name; what SQLite keeps in shared memory apart. */
const contents = (file: string) =>
  Effect.sync(() => {
    const made = join(file, "..")
    const names = Fs.readdirSync(made).filter((name) => !name.endsWith("-shm"))
    return names.flatMap((name) => {
      const bytes = Fs.readFileSync(join(made, name))
      return bytes.length > 0 || name === "log" ? [[name, bytes.toString("base64")]] : []
    })
  })

const damage = (file: string, change: (bytes: Buffer) => Uint8Array) =>
  Effect.sync(() => Fs.writeFileSync(file, change(Fs.readFileSync(file))))

/** A log that was written before anybody could be banned: its id, its one row of two notices, and its members. */
const old = {
  id: "oTyn31pjp5pj-BMS0Pc_PQ==",
  row: "gAAAAAAAAAAApRX_KOdvi2y4FF5cvGNajfbewZ51le1HTz0agqX4qtsbo6i6E76aNJQzRKmAfIaHhkJiWX-PrrlGpzENXTx9CizC4Bi775wkgRDqIHSjQAyAusB4Cw6GIqBqpIUjiv5cW55dRSJu5z5cLUe2LEPQdTHIF1DOvChfh_3mfR3NBh1Uy5Iy1TNMxB-J1UGcOS6bL99NibgaMGY35Sj1DopzcJ-uGAM0m_fkvaS_msjOAktPJl7HUZGdTp4JQ8k2_QgJbBMVmG4fbnFig3c3xLhJzw==",
  members: [
    [
      "KSr947ZOZjbWjxEg2SQvH4Xjjve_MG5EB8IwPrY3ke8=",
      "gAAAAAAAAAAAdidCnEpis9qjXBWMoJOd1FucuIYPhPn80RI7-ULrjZ65klYbtwvfDJ_9lAfkqCEs6MADH6C_2iKny4HaXb-24k0celIixq2kbCeY0WqvaG1tbhGVzirLECU61C7zY-JHInpGuXyFJWBlCkBxK6_tRCDd0Jnc4cKLlPp08zFs7gWIyhQlHnNqLPTjsKIHzDVY4JJ8dkEc7NbekVVYeoNLffhKOc9hX6kxU2B_ucOT3VONwWFTsriK_Brn4-heDOPDvx4uW-5bgH3bYOBSRZXpYw=="
    ],
    [
      "zIzUHO-QfE0hYGkSLEuJk2IRNh-QUKcXoeN60YYulS8=",
      "gAAAAAAAAAAAtKCF4K9pLeLX3fyI80zrr-1Mrrxs9YpWUC2Mi11iQl7qRqhg4hp4L3HstRoG6uhzWHMaA2kuxUkzuZ7cjFKT_qReSwQhpV0Yv0mjhNA-qi2JDQnwYp2hlD0iXMu-tpgZvpPIy-sbAz9ezm5F7185mPp-Vrzu_qGZTTypB-x02a4nyDdxUNGM166B_PvPdVAa1ji_ywsIjWx1805jxa5u-Z2nMpSStK8ZQkd44FTN-iUaiM-O0dRqqytuFsxpIvfoYEEWpAKGbESPhF5rTL7Hqw=="
    ]
  ]
} as const

describe("a log in a database", () => {
  it.scoped("of an older version is read, and its members can be banned", () =>
    Effect.gen(function* () {
      const file = yield* fileIn()
      yield* using(file, () => Effect.void)
      yield* tamper(
        file,
        `UPDATE log SET id = '${old.id}'`,
        `INSERT INTO batches VALUES (1, 2, '${old.row}')`,
        ...old.members.map(([ticket, token]) => `INSERT INTO members VALUES ('${ticket}', '${token}')`)
      )
      const [one, two] = [membership(1, 7), membership(2, 3, false)]
      const sorted = (log: Log["Type"]) =>
        Effect.map(log.members, (members) => Array.from(members).sort((a, b) => a.member - b.member))
      yield* using(file, (log) =>
        Effect.gen(function* () {
          expect(yield* readAll(log)).toEqual(notices(1, 2))
          expect(yield* sorted(log)).toEqual([one, two])
          yield* log.append([], [{ ...two, banned: { at: 5, network: "192.0.2.7" } }])
        })
      )
      yield* using(file, (log) =>
        Effect.gen(function* () {
          expect(yield* sorted(log)).toEqual([one, { ...two, banned: { at: 5, network: "192.0.2.7" } }])
          yield* log.append([], [two])
          expect(yield* sorted(log)).toEqual([one, two])
        })
      )
    })
  )

  it.scoped("says when it is full, keeps nothing of what it refused, and goes on after a trim", () =>
    Effect.gen(function* () {
      const file = yield* fileIn()
      const log = yield* openThread(file, { maxBytes: 400 * 1024 })
      const fill: Effect.Effect<number> = Effect.gen(function* () {
        const head = yield* log.head
        const outcome = yield* Effect.either(log.append(chats(head + 1, head + 20, 4000), [membership(1, head + 20)]))
        if (outcome._tag === "Right") return yield* fill
        expect(outcome.left).toMatchObject({ _tag: "LogError", reason: "full" })
        expect(outcome.left.message).toContain(file)
        return head
      })
      const head = yield* fill
      expect(head).toBeGreaterThan(0)
      expect(yield* log.head).toBe(head)
      expect(yield* readAll(log)).toEqual(chats(1, head, 4000))
      expect(yield* log.members).toEqual([membership(1, head)])
      yield* log.trim(head / 2)
      yield* log.append(chats(head + 1, head + 20, 4000), [membership(1, head + 20)])
      expect(seqs(yield* log.read(position(head - 1), 100))).toEqual(Arr.range(head, head + 20))
    })
  )

  it.scoped("has what it acknowledged after a crash", () =>
    Effect.gen(function* () {
      const file = yield* fileIn()
      const log = yield* openThread(file)
      yield* log.append(chats(1, 100), [membership(1, 100)])
      const copy = yield* fileIn()
      // What a crash leaves: the files as they are, nothing closed.
      for (const part of ["", "-wal"]) Fs.copyFileSync(file + part, copy + part)
      yield* using(copy, (after) =>
        Effect.gen(function* () {
          expect(after.id).toBe(log.id)
          expect(yield* readAll(after)).toEqual(chats(1, 100))
          expect(yield* after.members).toEqual([membership(1, 100)])
        })
      )
    })
  )

  it.scoped("is one whole file when it is closed", () =>
    Effect.gen(function* () {
      const file = yield* written
      const copy = yield* fileIn()
      Fs.copyFileSync(file, copy)
      expect(yield* using(copy, (log) => readAll(log))).toEqual(chats(1, 200))
    })
  )

  it.scoped("shows nobody but its owner anything", () =>
    Effect.gen(function* () {
      const file = yield* fileIn()
      const log = yield* openThread(file)
      yield* log.append([chat(1)], [membership(1)])
      for (const part of ["", "-wal", "-shm"]) expect(Fs.statSync(file + part).mode & 0o777).toBe(0o600)
    })
  )

  it.scoped("shows no name, text or time", () =>
    Effect.gen(function* () {
      const file = yield* fileIn()
      const log = yield* open(file)
      const at = Date.UTC(2031, 4, 5, 6, 7, 8)
      const event = { seq: Protocol.Seq.make(1), at, member: Protocol.MemberId.make(1), nick: "zuleika-the-first" }
      yield* log.append(
        [
          { _tag: "Joined", ...event },
          { _tag: "Notice", seq: Protocol.Seq.make(2), at, text: "the quick brown fox" }
        ],
        [membership(7)]
      )
      const bytes = Buffer.concat(["", "-wal"].map((part) => Fs.readFileSync(file + part)))
      expect(bytes.includes(log.id)).toBe(true)
      // As it is, and what of its base64 does not depend on its neighbours, wherever it begins.
      const forms = (secret: string) => [
        secret,
        ...[0, 1, 2].map((shift) =>
          Buffer.from(" ".repeat(shift) + secret)
            .toString("base64url")
            .slice(shift === 0 ? 0 : 4, -4)
        )
      ]
      const today = new Date().toISOString().slice(0, 10)
      for (const secret of ["zuleika-the-first", "the quick brown fox", "member-7", String(at), today, '"Joined"']) {
        for (const form of forms(secret)) {
          expect(form.length).toBeGreaterThanOrEqual(4)
          expect(bytes.includes(form), `${secret} as ${form}`).toBe(false)
        }
      }
      // A Fernet token says when it was made: these say 1970, whose base64url is gAAAAAAAAAAA.
      expect(bytes.toString("latin1").match(/gAAAAA[\w-]{6}/g)).toSatisfy(
        (tokens: ReadonlyArray<string>) =>
          tokens.length >= 2 && tokens.every((token) => token.startsWith("gAAAAAAAAAAA"))
      )
    })
  )

  it.scoped("takes any name of a file", () =>
    Effect.gen(function* () {
      const made = yield* directory
      for (const name of ["a b", "100%25", "what?mode=ro", "#1", "file:x", ":memory:", "ü'\"&"]) {
        const file = join(made, name)
        yield* using(file, (log) => log.append(notices(1, 1), []))
        expect(Fs.statSync(file).size).toBeGreaterThan(0)
        expect(yield* using(file, (log) => log.head)).toBe(1)
      }
    })
  )

  it.scoped("asks its store for one read at a time: what is said waits for no more than that", () =>
    Effect.gen(function* () {
      const file = yield* written
      let now = 0
      let most = 0
      const store = Effect.map(Store, (store) => ({
        ...store,
        rows: (after: Protocol.Position, limit: number) =>
          Effect.acquireUseRelease(
            Effect.sync(() => {
              now += 1
              most = Math.max(most, now)
            }),
            () => Effect.zipRight(Effect.yieldNow(), store.rows(after, limit)),
            () =>
              Effect.sync(() => {
                now -= 1
              })
          )
      }))
      const log = yield* Layer.build(
        SealedLog.layer({ keys: serverKeys, recent: { events: 10, bytes: 1_000_000 } }).pipe(
          Layer.provide(Layer.effect(Store, store)),
          Layer.provide(SqlStore.layer({ file })),
          Layer.provide(Layer.merge(Fernet.layer, NodeContext.layer))
        )
      ).pipe(Effect.map((context) => Context.get(context, Log)))
      const read = yield* Effect.forEach(Arr.range(1, 20), (from) => log.read(position(from), 100), {
        concurrency: "unbounded"
      })
      expect(read.map(seqs)).toEqual(Arr.range(1, 20).map((from) => Arr.range(from + 1, from + 100)))
      expect(most).toBe(1)
    })
  )

  it.scoped("takes an empty file", () =>
    Effect.gen(function* () {
      const file = yield* fileIn()
      Fs.writeFileSync(file, "")
      expect(yield* using(file, (log) => log.head)).toBe(0)
    })
  )

  it.scoped("is written by one server: what another has written meanwhile is not replaced", () =>
    Effect.gen(function* () {
      const file = yield* fileIn()
      const one = yield* open(file)
      const other = yield* open(file)
      yield* one.append(notices(1, 3), [])
      const error = yield* Effect.flip(other.append(chats(1, 5), [membership(1)]))
      expect(error.reason).toBe("locked")
      expect(error.message).toContain(file)
      yield* one.append(notices(4, 4), [])
      expect(yield* using(file, (log) => readAll(log))).toEqual(notices(1, 4))
    })
  )
})

describe("a log that cannot be opened", () => {
  /** Opening fails so, says which file, and changes nothing. */
  const refuses = (file: string, reason: string, words: RegExp, options?: Options) =>
    Effect.gen(function* () {
      const before = yield* contents(file)
      const error = yield* Effect.flip(Effect.scoped(open(file, options)))
      expect(error).toMatchObject({ _tag: "LogError", reason })
      expect(error.message).toContain(file)
      expect(error.message).toMatch(words)
      expect(yield* contents(file)).toEqual(before)
    })

  it.scoped("is damaged where pages of it are", () =>
    Effect.gen(function* () {
      const file = yield* written
      yield* damage(file, (bytes) => bytes.fill(0xff, 4096 * 3, 4096 * 3 + 64))
      yield* refuses(file, "damaged", /--new-log/)
    })
  )

  it.scoped("is damaged where it is cut off", () =>
    Effect.gen(function* () {
      const file = yield* written
      yield* damage(file, (bytes) => bytes.subarray(0, bytes.length / 2))
      yield* refuses(file, "damaged", /--new-log/)
    })
  )

  it.scoped("is damaged where its newest part is all there is", () =>
    Effect.gen(function* () {
      const file = yield* fileIn()
      Fs.writeFileSync(`${file}-wal`, "something")
      const error = yield* Effect.flip(Effect.scoped(open(file)))
      expect(error.reason).toBe("damaged")
      expect(Fs.readFileSync(`${file}-wal`, "utf8")).toBe("something")
      expect(Fs.existsSync(file)).toBe(false)
    })
  )

  it.scoped("is none where its beginning is garbage", () =>
    Effect.gen(function* () {
      const file = yield* written
      yield* damage(file, (bytes) => bytes.fill(0x55, 0, 100))
      yield* refuses(file, "foreign", /not a log.*damaged.*--db/)
    })
  )

  for (const [name, bytes] of [
    ["a text", "dear diary"],
    ["noise", "\x00\xff".repeat(5000)]
  ] as const) {
    it.scoped(`is none where it is ${name}`, () =>
      Effect.gen(function* () {
        const file = yield* fileIn()
        Fs.writeFileSync(file, bytes)
        yield* refuses(file, "foreign", /not a log/)
      })
    )
  }

  for (const mode of ["DELETE", "WAL"]) {
    it.scoped(`is none where it is another program's database (${mode})`, () =>
      Effect.gen(function* () {
        const file = yield* fileIn()
        yield* tamper(file, `PRAGMA journal_mode = ${mode}`, "CREATE TABLE batches (first INTEGER PRIMARY KEY)")
        yield* refuses(file, "foreign", /another program/)
      })
    )
  }

  it.scoped("is none where a newer version has written it", () =>
    Effect.gen(function* () {
      const file = yield* written
      yield* tamper(file, "INSERT INTO migrations (migration_id, name) VALUES (99, 'later')")
      yield* refuses(file, "foreign", /newer version/)
    })
  )

  it.scoped("is unavailable where no file can be", () =>
    Effect.gen(function* () {
      const made = yield* directory
      const missing = join(made, "missing", "log")
      for (const file of [made, missing, "/proc/log"]) {
        const error = yield* Effect.flip(Effect.scoped(open(file)))
        expect(error.reason).toBe("unavailable")
        expect(error.message).toContain(file)
      }
      expect(Fs.existsSync(join(made, "missing"))).toBe(false)
    })
  )

  it.scoped("is foreign under another key", () =>
    Effect.gen(function* () {
      const file = yield* written
      yield* refuses(file, "foreign", /another key.*--db/, { keys: [keyFilledWith<"server">(9)] })
    })
  )

  const swap = (table: string, column: string, a: string | number, b: string | number) => {
    const token = (key: string | number) => `(SELECT token FROM ${table} WHERE ${column} = ${key})`
    return `CREATE TEMP TABLE was AS SELECT ${token(a)} AS a, ${token(b)} AS b;
      UPDATE ${table} SET token = (SELECT b FROM was) WHERE ${column} = ${a};
      UPDATE ${table} SET token = (SELECT a FROM was) WHERE ${column} = ${b}`
  }

  it.scoped("is found to have its members swapped", () =>
    Effect.gen(function* () {
      const file = yield* written
      yield* tamper(file, swap("members", "ticket", `'${membership(1).ticket}'`, `'${membership(2).ticket}'`))
      yield* refuses(file, "damaged", /member/)
    })
  )

  it.scoped("is found to have a row taken from its middle", () =>
    Effect.gen(function* () {
      const file = yield* written
      yield* tamper(file, "DELETE FROM batches WHERE first = 101")
      yield* refuses(file, "damaged", /events before 111 are missing/)
    })
  )

  it.scoped("is found to hold another log's row", () =>
    Effect.gen(function* () {
      const [file, other] = [yield* written, yield* written]
      yield* tamper(
        file,
        `ATTACH '${other}' AS other`,
        "UPDATE batches SET token = (SELECT token FROM other.batches AS b WHERE b.first = batches.first) WHERE first = 191"
      )
      yield* refuses(file, "damaged", /events 191 to 200/)
    })
  )

  it.scoped("is found to have rows changed, when they are read", () =>
    Effect.gen(function* () {
      for (const [change, first] of [
        [swap("batches", "first", 51, 81), 51],
        ["UPDATE batches SET token = substr(token, 1, 200) || 'AAAA' || substr(token, 205) WHERE first = 51", 51],
        ["UPDATE batches SET token = 'nonsense' WHERE first = 51", 51]
      ] as const) {
        const file = yield* fileIn()
        yield* using(file, (log) =>
          // More than memory holds when it is opened.
          Effect.forEach(Arr.range(0, 159), (i) => log.append(notices(i * 10 + 1, i * 10 + 10), []))
        )
        yield* tamper(file, change)
        yield* using(file, (log) =>
          Effect.gen(function* () {
            expect(yield* log.read(position(0), first - 1)).toEqual(notices(1, first - 1))
            const error = yield* Effect.flip(log.read(position(first - 1), 10))
            expect(error).toMatchObject({ reason: "damaged" })
            expect(error.message).toContain(`events ${first} to ${first + 9}`)
            expect(yield* log.read(position(first + 109), 10)).toEqual(notices(first + 110, first + 119))
          })
        )
      }
    })
  )
})

describe("the thread of a log", () => {
  const store = (file: string, worker: URL) =>
    Effect.map(Layer.build(LogSql.layerStore({ file, worker })), (context) => Context.get(context, Store))

  it.scoped("leaves the event loop alone while it commits", () =>
    Effect.gen(function* () {
      const { commit } = yield* store(yield* fileIn(), storeWorker)
      const token = "A".repeat(64 * 1024)
      const rows = Arr.map(Arr.range(1, 400), (seq) => {
        const first = Protocol.Seq.make(seq)
        return { first, last: first, token }
      })
      const committing = yield* Effect.fork(commit(rows, []))
      // It is asked before the first of these.
      yield* Effect.yieldNow()
      let turns = 0
      while (Option.isNone(yield* Fiber.poll(committing))) {
        yield* Effect.async<void>((resume) => void setTimeout(() => resume(Effect.void), 1))
        turns += 1
      }
      yield* Fiber.join(committing)
      expect(turns).toBeGreaterThan(5)
    })
  )

  it.scoped("tells what it cannot open as the database does", () =>
    Effect.gen(function* () {
      const made = yield* directory
      const error = yield* Effect.flip(Effect.scoped(openThread(made)))
      expect(error).toMatchObject({ _tag: "LogError", reason: "unavailable" })
      expect(error.message).toContain(made)
    })
  )

  for (const [what, script] of [
    ["missing", new URL("./no-such-script.js", storeWorker)],
    ["broken", new URL("data:text/javascript,throw new Error('broken')")]
  ] as const) {
    it.scoped(`is unavailable where its script is ${what}`, () =>
      Effect.gen(function* () {
        const file = yield* fileIn()
        const error = yield* Effect.flip(store(file, script))
        expect(error).toMatchObject({ _tag: "LogError", reason: "unavailable" })
        expect(error.message).toContain(file)
      })
    )
  }

  it.scoped("takes whoever waits for it with it when it dies, and whoever comes later", () =>
    Effect.gen(function* () {
      const file = yield* fileIn()
      const script = `import { parentPort } from "node:worker_threads"
        parentPort.postMessage({ _tag: "Success", value: "${"A".repeat(22)}==" })
        parentPort.on("message", () => process.exit(3))`
      const { bounds, members } = yield* store(file, new URL(`data:text/javascript,${encodeURIComponent(script)}`))
      const waiting = yield* Effect.all([Effect.exit(bounds), Effect.exit(members)], { concurrency: 2 })
      const exits: ReadonlyArray<Exit.Exit<unknown, unknown>> = [...waiting, yield* Effect.exit(bounds)]
      for (const exit of exits) {
        const defect = Exit.isFailure(exit) ? Cause.dieOption(exit.cause) : Option.none()
        expect(Option.getOrThrow(defect)).toMatchObject({ _tag: "LogError", reason: "unavailable" })
        expect(String(Option.getOrThrow(defect))).toContain("exit code 3")
      }
    })
  )

  it.live("ends soon after it is no longer used", () =>
    Effect.gen(function* () {
      const file = yield* fileIn()
      let closing = 0
      yield* Effect.scoped(
        Effect.gen(function* () {
          yield* Effect.addFinalizer(() =>
            Effect.sync(() => {
              closing = performance.now() - closing
            })
          )
          const log = yield* openThread(file)
          yield* log.append(chats(1, 500), [membership(1)])
          yield* Effect.addFinalizer(() =>
            Effect.sync(() => {
              closing = performance.now()
            })
          )
        })
      )
      // A tenth of that on a machine that has nothing else to do.
      expect(closing).toBeLessThan(1000)
      expect(Fs.existsSync(`${file}-wal`)).toBe(false)
    }).pipe(Effect.scoped)
  )
})
