/**
 * What durable texts cost beyond what the database asks for: members say texts to a Room over a LogSql (sealed, in a
 * thread), which tells them to all once they are on disk, against libsql's own synchronous API doing the very commits
 * that came of it, row by row; in turn, in one run.
 *
 *     node scripts/run.mjs bench/durable.ts [SLICES]
 */
import { join } from "node:path"
import * as Arr from "effect/Array"
import * as Console from "effect/Console"
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Base64Url from "../src/domain/Base64Url.js"
import { Entropy } from "../src/domain/Entropy.js"
import * as Fernet from "../src/domain/Fernet.js"
import * as Keys from "../src/domain/Keys.js"
import * as Protocol from "../src/domain/Protocol.js"
import * as Seal from "../src/domain/Seal.js"
import { Signal } from "../src/domain/Signal.js"
import * as Wire from "../src/domain/Wire.js"
import { type Admission, Downlink } from "../src/server/Downlink.js"
import * as Limits from "../src/server/Limits.js"
import * as LogSql from "../src/server/LogSql.js"
import * as Room from "../src/server/Room.js"
import * as SealedLog from "../src/server/SealedLog.js"
import { Store } from "../src/server/Store.js"
import * as BareLibsql from "./utils/BareLibsql.js"
import * as Directory from "./utils/Directory.js"
import { keys, serverKeys, text } from "./utils/Setting.js"
import * as Sink from "./utils/Sink.js"
import { median } from "./utils/Statistics.js"

/** Texts in a batch, each by another member. */
const size = 16
/** Batches that either side does in its turn. */
const turns = 20
/** Slices that are for warming up. */
const warmUp = 10
const [slices = 60] = process.argv.slice(2).map(Number)

const messageKeys = Arr.map(keys, Keys.messageKey)

/** The store of a LogSql that notes what is committed. */
const recorded = (file: string, commits: Array<BareLibsql.Commit>) =>
  Layer.map(LogSql.layerStore({ file }), (context) => {
    const store = Context.get(context, Store)
    return Context.make(Store, {
      ...store,
      commit: (rows, members) =>
        Effect.zipLeft(
          store.commit(rows, members),
          Effect.sync(() => commits.push({ rows, members }))
        )
    })
  })

/** Somebody who says texts, the next when it is told to. */
interface Member {
  readonly link: Downlink
  readonly next: () => Room.Command
}

/** A member of the room who is live, and whose connection takes everything. */
const enter = Effect.fnUntraced(function* (room: Room.Room["Type"], nick: string, onWrite: () => void) {
  const fernet = yield* Fernet.Fernet
  const entropy = yield* Entropy
  const admitted = yield* Deferred.make<Admission>()
  const link = new Downlink(
    Sink.make(onWrite),
    new Wire.Writer(fernet, Keys.fromBytes<"down">(entropy.bytes(Keys.length))),
    ({ admission }) => {
      if (admission !== undefined) Deferred.unsafeDone(admitted, Effect.succeed(admission))
    }
  )
  const ticket = Protocol.Ticket.make(Base64Url.encode(entropy.bytes(16)))
  yield* room.submit([{ _tag: "Nick", link, message: { _tag: "Nick", nick, ticket }, network: link.network }])
  const admission = yield* Deferred.await(admitted)
  link.welcome()
  link.caughtUp()
  yield* room.submit([{ _tag: "Ready", link }])
  yield* room.flush
  const { log, member } = admission.welcome
  let n = 0
  const next = (): Room.Command => {
    n += 1
    const content = { log, member, n: Protocol.TextNumber.make(n), nick, text }
    const sealed = Seal.seal(fernet, messageKeys, content)
    return { _tag: "Say", link, messages: [{ _tag: "Say", n: content.n, sealed }] }
  }
  const entered: Member = { link, next }
  return entered
})

/** The seconds that an effect takes. */
const timed = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.map(Effect.timed(effect), ([duration]) => Duration.toSeconds(duration))

const program = Effect.gen(function* () {
  const directory = yield* Directory.temporary
  const commits: Array<BareLibsql.Commit> = []
  const store = recorded(join(directory, "ours"), commits)
  const log = yield* Layer.build(Layer.provide(SealedLog.layer({ keys: serverKeys }), store))
  const room = yield* Effect.provide(Room.make(Limits.standard), log)

  const written = new Signal()
  const members = yield* Effect.forEach(Arr.range(1, size), (i) => enter(room, `member-${i}`, () => {}))
  // Is told of everything after all others. An idle room commits the first text that comes by itself: this one has it
  // busy while the others begin.
  const last = yield* enter(room, "last", () => written.notify())
  const told = (seq: number) => written.wait(() => last.link.last >= seq)

  /** Says texts, a batch after the other; of each, the seconds from submitting it until all were told. */
  const say = Effect.gen(function* () {
    const [primer, batches] = [last.next(), Arr.makeBy(turns, () => members.map(({ next }) => next()))]
    let head = last.link.last + 1
    yield* room.submit([primer])
    yield* told(head)
    return yield* Effect.forEach(batches, (batch) => {
      head += batch.length
      return timed(Effect.zipRight(room.submit(batch), told(head)))
    })
  }).pipe(Effect.raceFirst(room.join))

  const commit = BareLibsql.open(join(directory, "theirs"))
  const times = { room: Arr.empty<number>(), libsql: Arr.empty<number>() }
  const sizes = new Map<number, number>()
  let upserts = 0
  for (let slice = 0; slice < slices; slice++) {
    commits.length = 0
    const ours = yield* say
    // Without the one that had the room busy.
    const same = commits.slice(1)
    const theirs = yield* Effect.forEach(same, (each) => timed(Effect.sync(() => commit(each))))
    if (slice < warmUp) continue
    times.room.push(...ours)
    times.libsql.push(...theirs)
    for (const { members, rows } of same) {
      const texts = Arr.reduce(rows, 0, (sum, { first, last }) => sum + last - first + 1)
      sizes.set(texts, (sizes.get(texts) ?? 0) + 1)
      upserts += members.length
    }
  }

  const batches = Array.from(sizes, ([texts, times]) => `${times} of ${texts}`).join(", ")
  const [ours, theirs] = [median(times.room), median(times.libsql)]
  const rate = (time: number) => `${Math.round(size / time)} texts a second, ${(time * 1e6).toFixed(0)} µs a batch`
  yield* Console.log(
    `texts of ${text.length} characters, batches: ${batches}, with ${upserts / times.libsql.length} members each; medians`
  )
  yield* Console.log(`libsql, synchronous: ${rate(theirs)}`)
  yield* Console.log(`the Room:            ${rate(ours)}, which is ${((ours - theirs) * 1e6).toFixed(0)} µs more`)
  yield* Console.log(`ratio: ${(theirs / ours).toFixed(2)} (to be at least 0.5)`)
})

await Effect.runPromise(program.pipe(Effect.scoped, Effect.timeout("2 minutes"), Effect.provide(Fernet.layer)))
