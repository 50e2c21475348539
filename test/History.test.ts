import { describe, expect, it } from "@effect/vitest"
import * as Arr from "effect/Array"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import { EventLoop } from "../src/domain/EventLoop.js"
import * as Protocol from "../src/domain/Protocol.js"
import { Downlink } from "../src/server/Downlink.js"
import * as History from "../src/server/History.js"
import * as Log from "../src/server/Log.js"
import * as CountedLog from "./utils/CountedLog.js"
import * as RawClient from "./utils/RawClient.js"
import * as Room from "./utils/Room.js"

type Raw = Effect.Effect.Success<typeof RawClient.open>

const fetch = (before: number, limit: number) => ({ _tag: "Fetch", before, limit })

/** The parts of the next answer, up to the one that makes it whole. */
const answer = (raw: Raw, before: number) =>
  Effect.gen(function* () {
    const parts: Array<Protocol.History> = []
    for (;;) {
      const [history] = (yield* RawClient.until(raw, "History")).filter((message) => message._tag === "History")
      if (history === undefined) return expect.unreachable("it has come")
      parts.push(history)
      if (history.events.length === 0 || history.events.at(-1)?.seq === before - 1) return parts
    }
  })

const seqs = (parts: ReadonlyArray<Protocol.History>) => parts.flatMap(({ events }) => events.map(({ seq }) => seq))

/** A session beside a member who has said so many texts: events 1 and `texts + 2` are its and eve's Joined. */
const beside = (texts: number, length = 1) =>
  Effect.gen(function* () {
    const ada = yield* Room.join("ada")
    const text = "x".repeat(length)
    yield* Effect.forEach(Arr.range(1, texts), () => ada.say(text), { concurrency: "unbounded" })
    return { ada, eve: yield* RawClient.joined("eve") }
  })

/** A log that, once it `isBroken`, cannot be read. */
const breakable = (disk: { isBroken: boolean }) =>
  Layer.effect(
    Log.Log,
    Effect.map(Log.Log, (log) => ({
      ...log,
      read: (after: Protocol.Position, limit: number) =>
        disk.isBroken ? Effect.fail(new Log.LogError({ reason: "damaged", message: "gone" })) : log.read(after, limit)
    }))
  ).pipe(Layer.provide(Log.layerMemory()))

describe("a Fetch", () => {
  it.scoped("is answered with the newest events before the one it names, oldest first, and moves nobody", () =>
    Effect.gen(function* () {
      const { ada, eve } = yield* beside(150)
      eve.send(fetch(101, 30))
      const [part, ...more] = yield* answer(eve, 101)
      expect(more).toEqual([])
      expect(part?.events.map(({ seq }) => seq)).toEqual(Arr.range(71, 100))
      expect(part?.events.every(({ _tag }) => _tag === "Chat")).toBe(true)
      expect(part?.oldest).toBe(1)
      eve.send({ _tag: "Ping", at: 1 })
      expect((yield* RawClient.until(eve, "Pong")).at(-1)).toEqual({ _tag: "Pong", at: 1, last: 152 })
      yield* ada.say("next")
      expect((yield* RawClient.until(eve, "Chat")).at(-1)).toMatchObject({ seq: 153 })
    }).pipe(Room.within())
  )

  it.scoped("for more than there is comes from the oldest on, and for nothing is answered with nothing", () =>
    Effect.gen(function* () {
      const { eve } = yield* beside(20)
      eve.send(fetch(5, 500), fetch(1, 500))
      expect(seqs(yield* answer(eve, 5))).toEqual([1, 2, 3, 4])
      expect(yield* answer(eve, 1)).toEqual([{ _tag: "History", events: [], oldest: 1 }])
    }).pipe(Room.within())
  )

  it.scoped("from beyond the head is one from the head, and ends with nothing", () =>
    Effect.gen(function* () {
      const { eve } = yield* beside(20)
      eve.send(fetch(1000, 2))
      const parts = yield* answer(eve, 1000)
      expect(seqs(parts)).toEqual([21, 22])
      expect(parts.at(-1)?.events).toEqual([])
    }).pipe(Room.within())
  )

  it.scoped("is told how far the log goes back, where it asks for what was dropped", () =>
    Effect.gen(function* () {
      const { ada, eve } = yield* beside(1)
      // One at a time, so that the log drops what is too old for it.
      for (const i of Arr.range(1, 50)) yield* ada.say(`${i}`)
      const { oldest } = yield* Log.Log
      const first = yield* oldest
      expect(first).toBeGreaterThan(10)
      eve.send(fetch(5, 10), fetch(first + 2, 10))
      expect(yield* answer(eve, 5)).toEqual([{ _tag: "History", events: [], oldest: first }])
      expect(seqs(yield* answer(eve, first + 2))).toEqual([first, first + 1])
    }).pipe(Room.within({ log: Log.layerMemory({ capacity: 10 }) }))
  )

  it.scoped("that one frame cannot answer is answered in several, each of which follows on the last", () =>
    Effect.gen(function* () {
      const { eve } = yield* beside(100, 4000)
      eve.send(fetch(102, 500))
      const parts = yield* answer(eve, 102)
      expect(parts.length).toBeGreaterThan(10)
      expect(seqs(parts)).toEqual(Arr.range(1, 101))
    }).pipe(Room.within({ limits: { history: 1 } }))
  )

  it.scoped("between other messages of a frame changes nothing about them", () =>
    Effect.gen(function* () {
      const { ada, eve } = yield* beside(3)
      const say = (n: number) => ({ _tag: "Say", n, sealed: "AAAA" })
      eve.send(say(1), fetch(3, 1), { _tag: "Nick", nick: "eva" }, say(2), fetch(2, 1))
      expect(seqs(yield* answer(eve, 3))).toEqual([2])
      expect(seqs(yield* answer(eve, 2))).toEqual([1])
      expect((yield* Room.entries(ada, 8, Room.short)).slice(4)).toEqual([
        "eve Joined",
        "eve Unreadable",
        "eve is eva",
        "eva Unreadable"
      ])
    }).pipe(Room.within())
  )

  it.scoped("before Welcome breaks the protocol", () =>
    Effect.gen(function* () {
      const raw = yield* RawClient.open
      raw.send({ _tag: "Nick", nick: "eve", ticket: RawClient.ticket })
      raw.send(fetch(1, 1))
      expect((yield* RawClient.untilEnd(raw)).at(-1)).toEqual({ _tag: "Bye", reason: "protocol" })
    }).pipe(Room.within())
  )

  it.scoped("of a log that cannot be read ends the session, and no other", () => {
    const disk = { isBroken: false }
    return Effect.gen(function* () {
      const { ada, eve } = yield* beside(20)
      disk.isBroken = true
      eve.send(fetch(22, 20))
      expect(yield* RawClient.untilEnd(eve)).toEqual([])
      yield* ada.say("still here")
    }).pipe(Room.within({ log: breakable(disk) }))
  })

  it.scoped("of who does not read the answer is answered no further, and one that is taken over is let go", () =>
    Effect.gen(function* () {
      const { eve } = yield* beside(100, 4000)
      let unsent = 0
      for (let i = 0; i < 50; i++) {
        unsent = eve.send(...Arr.replicate(fetch(102, 500), 10))
        yield* Effect.yieldNow()
      }
      yield* Room.settle
      // The server waits, with all but the first of them unread or unanswered.
      expect(unsent).toBeGreaterThan(0)
      yield* RawClient.joined("eve")
      const rest = yield* RawClient.untilEnd(eve)
      expect(rest.at(-1)).toEqual({ _tag: "Bye", reason: "taken-over" })
      expect(rest.length).toBeLessThan(30)
    }).pipe(Room.within({ limits: { history: 1 } }))
  )
})

describe("an answer", () => {
  const event = (seq: number): Protocol.Event => ({
    _tag: "Notice",
    seq: Protocol.Seq.make(seq),
    at: 0,
    text: "x".repeat(100)
  })

  /** A link of a session that is in the room, which notes what is written to it. */
  const written = (drained: Effect.Effect<void> = Effect.void) => {
    const told: Array<Protocol.ServerMessage> = []
    const transport = { address: "sink", isGone: false, write: () => 0, stopReading: () => {}, drained }
    const writer = {
      lines: (messages: ReadonlyArray<Protocol.ServerMessage>) => {
        told.push(...messages)
        return new Uint8Array()
      }
    }
    // Only what a Downlink uses of them.
    const link = new Downlink(transport as never, writer as never, () => {})
    const place = { log: Protocol.LogId.make("QEFCQ0RFRkdISUpLTE1OTw=="), after: Protocol.start, acked: 0, count: 1 }
    const member = Protocol.MemberId.make(1)
    link.admit(
      { welcome: { _tag: "Welcome", ...place, head: Protocol.Seq.make(1), member, nick: "ada" }, roster: [] },
      0
    )
    link.welcome()
    told.length = 0
    return { link, told, transport }
  }
  const filled = (count: number) =>
    Effect.tap(Log.Log, (log) => {
      const events = Arr.makeBy(count, (i) => event(i + 1))
      return log.append(events, [])
    })
  const ask = { _tag: "Fetch", before: Protocol.Seq.make(1001), limit: 500 } as const

  it.effect("takes turns: others come to theirs in between, and nothing is written to who has ended", () =>
    Effect.gen(function* () {
      yield* filled(1000)
      const { link, told } = written()
      const turns: Array<Deferred.Deferred<void>> = []
      const aside = Effect.suspend(() => {
        const turn = Deferred.unsafeMake<void>(Effect.runSync(Effect.fiberId))
        turns.push(turn)
        return Deferred.await(turn)
      })
      const answering = yield* Effect.fork(
        Effect.provideService(History.answer(link, ask), EventLoop, { turn: Effect.void, aside })
      )
      yield* Room.settle
      expect([turns.length, told.length]).toEqual([1, 0])
      yield* Deferred.succeed(turns[0] ?? expect.unreachable(), undefined)
      yield* Room.settle
      expect([turns.length, told.length]).toEqual([2, 1])
      link.bye("shutdown")
      yield* Deferred.succeed(turns[1] ?? expect.unreachable(), undefined)
      yield* Fiber.join(answering)
      expect(told.map(({ _tag }) => _tag)).toEqual(["History", "Bye"])
    }).pipe(Effect.provide(Log.layerMemory()))
  )

  it.effect("is written no further to who has gone, which nothing else tells", () =>
    Effect.gen(function* () {
      yield* filled(1000)
      const { link, told, transport } = written()
      let turns = 0
      const aside = Effect.sync(() => {
        turns += 1
        if (turns === 3) transport.isGone = true
      })
      yield* Effect.provideService(History.answer(link, ask), EventLoop, { turn: Effect.void, aside })
      expect([turns, told.length]).toEqual([3, 2])
    }).pipe(Effect.provide(Log.layerMemory()))
  )

  it.effect("has no more read for it than is written, roughly, however long the texts are", () =>
    Effect.gen(function* () {
      const log = yield* Log.Log
      const text = "x".repeat(30_000)
      const long = Arr.makeBy(
        500,
        (i): Protocol.Event => ({ _tag: "Notice", seq: Protocol.Seq.make(i + 1), at: 0, text })
      )
      yield* log.append(long, [])
      const { link, told } = written()
      const counted = CountedLog.make(log)
      yield* Effect.provideService(
        History.answer(link, { ...ask, before: Protocol.Seq.make(501) }),
        Log.Log,
        counted.log
      )
      expect(told.flatMap((message) => (message._tag === "History" ? message.events : [])).length).toBe(500)
      expect(counted.read()).toBeLessThan(1000)
    }).pipe(Effect.provide(Log.layerMemory()))
  )

  it.effect("of who is slower than the log forgets ends with a word on it", () =>
    Effect.gen(function* () {
      const log = yield* filled(1000)
      const { link, told } = written()
      let turns = 0
      const aside = Effect.suspend(() => {
        turns += 1
        return turns === 3
          ? log.append(
              Arr.makeBy(3000, (i) => event(i + 1001)),
              []
            )
          : Effect.void
      }).pipe(Effect.orDie)
      yield* Effect.provideService(History.answer(link, ask), EventLoop, { turn: Effect.void, aside })
      expect(told.at(-1)).toEqual({ _tag: "Bye", reason: "slow" })
    }).pipe(Effect.provide(Log.layerMemory({ capacity: 1000 })))
  )

  it.effect("waits for a client that does not read, until it is sent away", () =>
    Effect.gen(function* () {
      yield* filled(1000)
      const { link, told } = written(Effect.never)
      const answering = yield* Effect.fork(History.answer(link, ask))
      yield* Room.settle
      expect(told).toEqual([])
      link.bye("taken-over")
      yield* Fiber.join(answering)
      expect(Option.fromNullable(told.at(-1))).toEqual(Option.some({ _tag: "Bye", reason: "taken-over" }))
    }).pipe(Effect.provide(Log.layerMemory()))
  )
})
