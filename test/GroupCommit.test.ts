/** Group commit: while one batch is made durable the next one gathers, so that a slow disk makes batches larger. */
import { Buffer } from "node:buffer"
import { describe, expect, it } from "@effect/vitest"
import * as Arr from "effect/Array"
import * as Chunk from "effect/Chunk"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import * as Base64Url from "../src/domain/Base64Url.js"
import * as Fernet from "../src/domain/Fernet.js"
import * as Keys from "../src/domain/Keys.js"
import * as Protocol from "../src/domain/Protocol.js"
import { Signal } from "../src/domain/Signal.js"
import * as Transport from "../src/domain/Transport.js"
import * as TransportMemory from "../src/domain/TransportMemory.js"
import * as Wire from "../src/domain/Wire.js"
import { type Admission, Downlink } from "../src/server/Downlink.js"
import * as Limits from "../src/server/Limits.js"
import * as Log from "../src/server/Log.js"
import * as ServerRoom from "../src/server/Room.js"

type Commit = ReadonlyArray<Protocol.Event>

/** A log in memory whose commits wait for `until`, and are noted. */
const noted = (commits: Array<Commit>, until: Effect.Effect<void> = Effect.void) =>
  Layer.effect(
    Log.Log,
    Effect.map(Log.Log, (log) => ({
      ...log,
      append: (events, members) =>
        until.pipe(
          Effect.zipRight(log.append(events, members)),
          Effect.tap(() => Effect.sync(() => commits.push(events)))
        )
    }))
  ).pipe(Layer.provide(Log.layerMemory()))

const sealed = Protocol.Sealed.make(Base64Url.encode(Buffer.from("opaque to the server")))

/** A member who is live: what it says, and what it is told, read off the wire. */
const enter = Effect.fnUntraced(function* (room: ServerRoom.Room["Type"], nick: string) {
  const fernet = yield* Fernet.Fernet
  const far = yield* Effect.flatMap(Transport.Dialer, ({ dial }) => dial)
  const near = yield* Effect.flatMap(Transport.Listener, ({ accept }) => accept)
  const down = Keys.fromBytes<"down">(new Uint8Array(Keys.length))
  const admitted = yield* Deferred.make<Admission>()
  const link = new Downlink(near, new Wire.Writer(fernet, down), ({ admission }) => {
    if (admission !== undefined) Deferred.unsafeDone(admitted, Effect.succeed(admission))
  })
  const ticket = Protocol.Ticket.make(Base64Url.encode(Buffer.alloc(16, nick)))
  yield* room.submit([{ _tag: "Nick", link, message: { _tag: "Nick", nick, ticket }, network: link.network }])
  const admission = yield* Deferred.await(admitted)
  link.welcome()
  link.caughtUp()
  yield* room.submit([{ _tag: "Ready", link }])
  yield* room.flush

  const { member } = admission.welcome
  far.trust()
  const pull = yield* Stream.toPull(far.lines)
  const reader = new Wire.DownReader(fernet, down)
  let group: Keys.Key<"group"> | undefined
  const told: Array<Protocol.Event> = []
  const take = Effect.gen(function* () {
    for (const line of Chunk.toReadonlyArray(yield* pull)) {
      const received = yield* reader.read(line, group)
      if (received._tag === "Group") told.push(...received.frame.events)
      else {
        for (const message of received.messages) {
          if (message._tag === "Events") told.push(...message.events)
          if (message._tag === "Rekey") group = Option.getOrUndefined(Keys.fromBase64Url<"group">(message.key))
        }
      }
    }
  })
  /** Reads on until it was told of such an event. */
  const until = Effect.fnUntraced(function* (test: (event: Protocol.Event) => boolean) {
    while (!told.some(test)) yield* take
  })
  return {
    member,
    told,
    until,
    say: (n: number): ServerRoom.Command => ({
      _tag: "Say",
      link,
      messages: [{ _tag: "Say", n: Protocol.TextNumber.make(n), sealed }]
    }),
    /** Waits until it is told of its own text `n`. */
    untilSaid: (n: number) => until((event) => event._tag === "Chat" && event.member === member && event.n === n)
  }
})

type Member = Effect.Effect.Success<ReturnType<typeof enter>>

const services = (log: Layer.Layer<Log.Log>) => Layer.mergeAll(TransportMemory.layer, Fernet.layer, log)

/** Expects that all were told what the log holds: `each` texts of each of them, in their order. */
const expectAll = Effect.fnUntraced(function* (members: ReadonlyArray<Member>, each: number) {
  const log = yield* Log.Log
  const events = yield* log.read(Protocol.start, Number.MAX_SAFE_INTEGER)
  expect(events.map(({ seq }) => seq)).toEqual(Arr.range(1, members.length * (each + 1)))
  for (const { member, told, until } of members) {
    const own = events.flatMap((event) => (event._tag === "Chat" && event.member === member ? [event.n] : []))
    expect(own).toEqual(Arr.range(1, each))
    yield* until(({ seq }) => seq === events.length)
    expect(told).toEqual(events.slice(-told.length))
    expect(told.length).toBeGreaterThanOrEqual(members.length * each)
  }
})

const texts = (commits: ReadonlyArray<Commit>) =>
  commits.flatMap((events) => events.filter((event): event is Protocol.Chat => event._tag === "Chat"))

describe("while the log is busy", () => {
  /**
   * Members who each say so many texts, the next one once they are told of the one before, over a log so slow that a
   * commit takes until every other member has said what it can say meanwhile. The commits that this takes.
   */
  const converse = (count: number, each: number) => {
    const commits: Array<Commit> = []
    const changed = new Signal()
    let talking = 0
    let submitted = 0
    const everybodyWaits = changed.wait(() => {
      const committed = texts(commits)
      const finished = committed.filter(({ n }) => n === each)
      return submitted - committed.length === talking - finished.length
    })
    return Effect.gen(function* () {
      const room = yield* ServerRoom.make(Limits.standard)
      const members = yield* Effect.forEach(Arr.range(1, count), (i) => enter(room, `m${i}`))
      commits.length = 0
      talking = count
      const talk = Effect.fnUntraced(function* ({ say, untilSaid }: Member) {
        for (let n = 1; n <= each; n++) {
          yield* room.submit([say(n)])
          submitted += 1
          changed.notify()
          yield* untilSaid(n)
        }
      })
      yield* Effect.forEach(members, talk, { concurrency: "unbounded" })
      yield* expectAll(members, each)
      return commits.length
    }).pipe(Effect.scoped, Effect.provide(services(noted(commits, everybodyWaits))))
  }

  it.effect("twice as many members say twice as much, in no more commits", () =>
    Effect.gen(function* () {
      const each = 10
      for (const members of [1, 2, 4, 8, 16, 32]) {
        const commits = yield* converse(members, each)
        // A text that just misses a commit is in the one after.
        expect(commits).toBeGreaterThanOrEqual(each)
        expect(commits).toBeLessThanOrEqual(2 * each)
      }
    })
  )

  for (const count of [100, 200, 400, 800]) {
    it.scoped(`${count} texts wait for one commit`, () => {
      const commits: Array<Commit> = []
      const gate = Effect.unsafeMakeLatch(true)
      return Effect.gen(function* () {
        const room = yield* ServerRoom.make(Limits.standard)
        const members = yield* Effect.forEach(Arr.range(1, 4), (i) => enter(room, `m${i}`))
        commits.length = 0
        yield* gate.close
        const each = count / members.length
        for (let n = 1; n <= each; n++) yield* room.submit(members.map(({ say }) => say(n)))
        yield* gate.open
        yield* room.flush
        yield* expectAll(members, each)
        // The first that came found the log idle.
        expect(commits.length).toBeLessThanOrEqual(2)
      }).pipe(Effect.provide(services(noted(commits, gate.await))))
    })
  }
})

describe("while the log is idle", () => {
  // The clock of this test stands still: whoever waited for more to come would wait for ever.
  it.scoped("a text is committed by itself and at once", () => {
    const commits: Array<Commit> = []
    return Effect.gen(function* () {
      const room = yield* ServerRoom.make(Limits.standard)
      const ada = yield* enter(room, "ada")
      const bob = yield* enter(room, "bob")
      commits.length = 0
      for (let n = 1; n <= 5; n++) {
        for (const { say, untilSaid } of [ada, bob]) {
          yield* room.submit([say(n)])
          yield* untilSaid(n)
        }
      }
      yield* expectAll([ada, bob], 5)
      expect(commits.map(({ length }) => length)).toEqual(Arr.replicate(1, 10))
    }).pipe(Effect.provide(services(noted(commits))))
  })
})
