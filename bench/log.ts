/**
 * What a durable commit costs beyond what the database asks for: batches of 16 texts through LogSql (sealed, in a
 * thread), against libsql's own synchronous API writing the very same rows in as many transactions, in turn, in one run.
 *
 *     node scripts/run.mjs bench/log.ts [AUTHORS] [COMMITS]
 */
import { join } from "node:path"
import * as Arr from "effect/Array"
import * as Console from "effect/Console"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as Base64Url from "../src/domain/Base64Url.js"
import { Entropy } from "../src/domain/Entropy.js"
import * as Fernet from "../src/domain/Fernet.js"
import * as Keys from "../src/domain/Keys.js"
import * as Protocol from "../src/domain/Protocol.js"
import { Log } from "../src/server/Log.js"
import * as LogSql from "../src/server/LogSql.js"
import * as Membership from "../src/server/Membership.js"
import * as SealedLog from "../src/server/SealedLog.js"
import { Store } from "../src/server/Store.js"
import * as BareLibsql from "./utils/BareLibsql.js"
import * as Directory from "./utils/Directory.js"
import { median } from "./utils/Statistics.js"

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

/** The rows that the log makes of the batches, one list for each commit. */
const captureRows = Effect.fnUntraced(function* (all: ReadonlyArray<Batch>) {
  const commits: Array<BareLibsql.Commit> = []
  const store = Store.of({
    id: Protocol.LogId.make(Base64Url.encode(new Uint8Array(16))),
    bounds: Effect.succeed(Option.none()),
    members: Effect.succeed([]),
    commit: (rows, members) => Effect.sync(() => void commits.push({ rows, members })),
    reseal: () => Effect.void,
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

const program = Effect.gen(function* () {
  const directory = yield* Directory.temporary
  const all = yield* makeBatches
  const commits = yield* captureRows(all)
  const bytes = all.reduce((sum, { events }) => sum + JSON.stringify(events).length, 0) / (batches * size)

  const log = Context.get(yield* Layer.build(LogSql.layer({ file: join(directory, "ours"), keys })), Log)
  const ours = (from: number, to: number) =>
    timed(Effect.forEach(all.slice(from, to), ({ events, members }) => log.append(events, members), { discard: true }))

  const commit = BareLibsql.open(join(directory, "theirs"))
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
