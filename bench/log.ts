/**
 * What a durable commit costs beyond what the database asks for: batches of 16 texts through LogSql (sealed, in a
 * thread), against libsql's own synchronous API writing the very same rows in as many transactions, in turn, in one run.
 *
 *     node scripts/run.mjs bench/log.ts [AUTHORS] [COMMITS]
 */
import { mkdtempSync, rmSync } from "node:fs"
import { join } from "node:path"
import * as Arr from "effect/Array"
import * as Console from "effect/Console"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import Database from "libsql"
import * as Base64Url from "../src/domain/Base64Url.js"
import { Entropy } from "../src/domain/Entropy.js"
import * as Fernet from "../src/domain/Fernet.js"
import * as Keys from "../src/domain/Keys.js"
import * as Protocol from "../src/domain/Protocol.js"
import { Log } from "../src/server/Log.js"
import * as LogSql from "../src/server/LogSql.js"
import * as Membership from "../src/server/Membership.js"
import * as SealedLog from "../src/server/SealedLog.js"
import { type MemberRow, type Row, Store } from "../src/server/Store.js"

const [authors = 1, batches = 1500] = process.argv.slice(2).map(Number)
const size = 16
const turn = 10
const warmUp = 300
const keys: Keys.Ring<Keys.ServerKey> = [Keys.fromBytes<"server">(new Uint8Array(Keys.length).fill(1))]

interface Batch {
  readonly events: Arr.NonEmptyReadonlyArray<Protocol.Event>
  readonly members: ReadonlyArray<Membership.Membership>
}

/** Texts as members send them: about 670 bytes each as JSON. */
const makeBatches = Effect.gen(function* () {
  const entropy = yield* Entropy
  const membership = Schema.decodeSync(Membership.Membership)
  const tickets = Arr.makeBy(authors, () => Membership.hash(Protocol.Ticket.make(Base64Url.encode(entropy.bytes(16)))))
  return Arr.makeBy(batches, (batch): Batch => {
    const events = Arr.makeBy(size, (index): Protocol.Chat => {
      const author = index % authors
      return {
        _tag: "Chat",
        seq: Protocol.Seq.make(batch * size + index + 1),
        at: 1_700_000_000_000 + batch,
        member: Protocol.MemberId.make(author + 1),
        nick: `member-${author + 1}`,
        n: Protocol.TextNumber.make(batch + 1),
        sealed: Protocol.Sealed.make(Base64Url.encode(entropy.bytes(411)))
      }
    })
    const members = tickets
      .slice(0, size)
      .map((ticket, author) =>
        membership({ ticket, member: author + 1, nick: `member-${author + 1}`, acked: batch + 1, here: true })
      )
    return { events, members }
  })
})

interface Commit {
  readonly rows: ReadonlyArray<Row>
  readonly members: ReadonlyArray<MemberRow>
}

/** The rows that the log makes of the batches, one list for each commit. */
const captureRows = Effect.fnUntraced(function* (all: ReadonlyArray<Batch>) {
  const commits: Array<Commit> = []
  const store = Store.of({
    id: Protocol.LogId.make(Base64Url.encode(new Uint8Array(16))),
    bounds: Effect.succeed(Option.none()),
    members: Effect.succeed([]),
    commit: (rows, members) => Effect.sync(() => void commits.push({ rows, members })),
    rows: () => Effect.succeed([]),
    drop: () => Effect.void
  })
  yield* Effect.gen(function* () {
    const log = yield* Log
    for (const { events, members } of all) yield* log.append(events, members)
  }).pipe(Effect.provide(SealedLog.layer({ keys })), Effect.provideService(Store, store))
  return commits
})

/** Seconds that an effect takes. */
const timed = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.map(Effect.timed(effect), ([duration]) => Duration.toSeconds(duration))

const median = (values: ReadonlyArray<number>): number =>
  values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN

/** A function that commits rows through libsql's own API. */
const open = (file: string) => {
  const database = new Database(file)
  database.exec("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL")
  database.exec("CREATE TABLE batches (first INTEGER PRIMARY KEY, last INTEGER NOT NULL, token TEXT NOT NULL)")
  database.exec("CREATE TABLE members (ticket TEXT PRIMARY KEY, token TEXT NOT NULL) WITHOUT ROWID")
  const insert = database.prepare("INSERT INTO batches (first, last, token) VALUES (?, ?, ?)")
  const upsert = database.prepare(
    "INSERT INTO members (ticket, token) VALUES (?, ?) ON CONFLICT (ticket) DO UPDATE SET token = excluded.token"
  )
  const transaction = database.transaction(({ members, rows }: Commit) => {
    for (const { first, last, token } of rows) insert.run(first, last, token)
    for (const { ticket, token } of members) upsert.run(ticket, token)
  })
  return (commit: Commit) => void transaction.immediate(commit)
}

const program = Effect.gen(function* () {
  const directory = yield* Effect.acquireRelease(
    // Beside the sources: a temporary directory may be in memory, where nothing is ever synced.
    Effect.sync(() => mkdtempSync("dist/bench-")),
    (made) => Effect.sync(() => rmSync(made, { recursive: true }))
  )
  const all = yield* makeBatches
  const commits = yield* captureRows(all)
  const bytes = all.reduce((sum, { events }) => sum + JSON.stringify(events).length, 0) / (batches * size)

  const log = Context.get(yield* Layer.build(LogSql.layer({ file: join(directory, "ours"), keys })), Log)
  const ours = (from: number, to: number) =>
    timed(Effect.forEach(all.slice(from, to), ({ events, members }) => log.append(events, members), { discard: true }))

  const commit = open(join(directory, "theirs"))
  const theirs = (from: number, to: number) => timed(Effect.sync(() => commits.slice(from, to).forEach(commit)))

  const times = { ours: Arr.empty<number>(), theirs: Arr.empty<number>() }
  // By turns, a few commits each, so that whatever else the machine does falls on both. The first are for warming up.
  for (let from = 0; from < batches; from += turn) {
    const one = yield* theirs(from, from + turn)
    const other = yield* ours(from, from + turn)
    if (from >= warmUp) {
      times.theirs.push(one / turn)
      times.ours.push(other / turn)
    }
  }
  const [sealed, libsql] = [median(times.ours), median(times.theirs)]
  const rate = (seconds: number) =>
    `${Math.round(size / seconds)} events a second, ${(seconds * 1e6).toFixed(0)} µs a commit`
  yield* Console.log(
    `commits of ${size} texts (${Math.round(bytes)} bytes of JSON each) by ${Math.min(authors, size)} authors, ` +
      `medians of ${times.ours.length} turns of ${turn} commits`
  )
  yield* Console.log(`libsql, synchronous: ${rate(libsql)}`)
  yield* Console.log(`LogSql:              ${rate(sealed)}`)
  yield* Console.log(`ratio: ${(libsql / sealed).toFixed(2)}`)
})

await Effect.runPromise(program.pipe(Effect.scoped, Effect.provide(Fernet.layer)))
