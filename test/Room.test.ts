import { Buffer } from "node:buffer"
import { describe, expect, it } from "@effect/vitest"
import * as Arr from "effect/Array"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as TestClock from "effect/TestClock"
import * as Base64Url from "../src/domain/Base64Url.js"
import * as Fernet from "../src/domain/Fernet.js"
import * as Keys from "../src/domain/Keys.js"
import * as Protocol from "../src/domain/Protocol.js"
import * as Transport from "../src/domain/Transport.js"
import * as TransportMemory from "../src/domain/TransportMemory.js"
import * as Wire from "../src/domain/Wire.js"
import { Downlink } from "../src/server/Downlink.js"
import * as Limits from "../src/server/Limits.js"
import * as Log from "../src/server/Log.js"
import * as ServerRoom from "../src/server/Room.js"
import * as RawClient from "./utils/RawClient.js"
import * as Room from "./utils/Room.js"

/** A Fernet that counts what it encrypts, by key. */
const counting = (counts: Map<unknown, number>) =>
  Layer.effect(
    Fernet.Fernet,
    Effect.map(Fernet.Fernet, (fernet) => ({
      ...fernet,
      encrypt: (keys, plaintext) => {
        counts.set(keys[0], (counts.get(keys[0]) ?? 0) + 1)
        return fernet.encrypt(keys, plaintext)
      }
    }))
  ).pipe(Layer.provide(Fernet.layer))

/** A log whose commits wait for `gate`, after failing as often as `failures` says. */
const gated = (gate: Effect.Effect<void>, batches: Array<number>, failures = 0) =>
  Layer.effect(
    Log.Log,
    Effect.map(Log.Log, (log) => {
      let left = failures
      return {
        ...log,
        append: (events, members) =>
          Effect.gen(function* () {
            yield* gate
            if (left-- > 0) return yield* new Log.LogError({ reason: "full", message: "the disk is full" })
            batches.push(events.length)
            yield* log.append(events, members)
          })
      }
    })
  ).pipe(Layer.provide(Log.layerMemory()))

describe("a broadcast", () => {
  for (const members of [2, 20, 80]) {
    it.scoped(`costs one encryption a batch with ${members} members`, () => {
      const counts = new Map<unknown, number>()
      return Effect.gen(function* () {
        const ada = yield* Room.join("ada")
        const others = yield* Effect.forEach(Arr.range(2, members), (i) => Room.join(`m${i}`))
        yield* Effect.forEach(others, (other) => Room.entries(other, 1, Room.short))
        yield* ada.say("everybody is live")
        counts.clear()
        for (const text of ["one", "two", "three"]) yield* ada.say(text)
        yield* Effect.forEach(others, (other) =>
          Room.entries(other, 1, (entry) => (Room.said(entry) === "ada: three" ? true : undefined))
        )
        // Each text is sealed once, sent up once, and broadcast once.
        expect([...counts.values()].sort()).toEqual([3, 3, 3])
      }).pipe(Room.within({ fernet: counting(counts) }))
    })
  }

  it.scoped("of what came while the log was busy is one batch", () => {
    const batches: Array<number> = []
    const gate = Effect.unsafeMakeLatch(true)
    return Effect.gen(function* () {
      const ada = yield* Room.join("ada")
      yield* gate.close
      const saying = yield* Effect.fork(
        Effect.forEach(Arr.range(1, 500), (i) => ada.say(`text ${i}`), { concurrency: "unbounded" })
      )
      yield* Room.settle
      yield* gate.open
      yield* Fiber.join(saying)
      expect(Arr.reduce(batches, 0, (sum, size) => sum + size)).toBe(501)
      expect(batches.length).toBeLessThan(12)
    }).pipe(Room.within({ log: gated(gate.await, batches) }))
  })

  it.scoped("is of some 256 KiB at most, however much waits", () => {
    const batches: Array<number> = []
    const gate = Effect.unsafeMakeLatch(true)
    // Sealed it has 16 KB.
    const text = "漢".repeat(4_000)
    const texts = 12
    return Effect.gen(function* () {
      const clients = yield* Effect.forEach(Arr.range(1, 10), (i) => Room.join(`m${i}`))
      batches.length = 0
      yield* gate.close
      const saying = yield* Effect.fork(
        Effect.forEach(
          clients.flatMap((client) => Arr.replicate(client, texts)),
          (client) => client.say(text),
          { concurrency: "unbounded" }
        )
      )
      yield* Room.settle
      yield* gate.open
      yield* Fiber.join(saying)
      expect(Arr.reduce(batches, 0, (sum, size) => sum + size)).toBe(clients.length * texts)
      // What one has said in one go is let in together.
      expect(Math.max(...batches)).toBeLessThanOrEqual(16 + texts)
    }).pipe(Room.within({ log: gated(gate.await, batches) }))
  })

  it.scoped("waits for the log, and what the log refuses is tried again", () => {
    const gate = Effect.unsafeMakeLatch(true)
    const batches: Array<number> = []
    return Effect.gen(function* () {
      const joining = yield* Effect.fork(Room.join("ada"))
      // It is refused twice, and each time tried again after a second.
      yield* Effect.repeat(Effect.zipRight(Room.settle, TestClock.adjust("1 second")), { times: 2 })
      const ada = yield* Fiber.join(joining)
      yield* gate.close
      const said = yield* Deferred.make<number>()
      yield* Effect.fork(Effect.flatMap(Room.say(ada, "kept first"), ({ n }) => Deferred.succeed(said, n)))
      yield* Room.settle
      expect(yield* Deferred.poll(said)).toEqual(Option.none())
      expect(yield* Room.entries(ada, 1, Room.short)).toEqual(["ada Joined"])
      yield* gate.open
      expect(yield* Deferred.await(said)).toBe(1)
      expect(batches).toEqual([1, 1])
    }).pipe(Room.within({ log: gated(gate.await, batches, 2) }))
  })
})

describe("a session that does not read", () => {
  const text = "x".repeat(3900)
  const limits = { maxUnsent: 64 * 1024 }

  it.scoped("holds up nobody, and when it reads it has missed nothing", () =>
    Effect.gen(function* () {
      const ada = yield* Room.join("ada")
      const slow = yield* RawClient.joined("eve")
      for (let i = 1; i <= 300; i++) yield* ada.say(`${i} ${text}`)
      let last = 2
      while (last < 302) {
        const received = yield* Effect.flatten(slow.next)
        const events =
          received._tag === "Group"
            ? received.frame.events
            : received.messages.flatMap((message) => (message._tag === "Events" ? message.events : []))
        for (const event of events) expect(event.seq).toBe(++last)
      }
      // Back at the head, it is live again.
      yield* RawClient.until(slow, "Rekey")
      yield* ada.say("welcome back")
      yield* RawClient.until(slow, "Chat")
    }).pipe(Room.within({ limits }))
  )

  it.scoped("and leaves is written the rest of the log once, in order, and then its Bye", () =>
    Effect.gen(function* () {
      const ada = yield* Room.join("ada")
      yield* Effect.forEach(Arr.range(1, 90), (i) => ada.say(`${i} ${text}`), { concurrency: "unbounded" })
      const raw = yield* RawClient.open
      raw.send({ _tag: "Nick", nick: "eve", ticket: RawClient.ticket })
      yield* RawClient.until(raw, "Welcome")
      // While a page is on its way.
      yield* Effect.repeat(Effect.yieldNow(), { times: 100 })
      raw.send({ _tag: "Leave" })
      const seen = yield* RawClient.untilEnd(raw)
      expect(seen.at(-1)).toEqual({ _tag: "Bye", reason: "quit" })
      const seqs = seen.flatMap((item) => (item._tag === "Events" ? item.events.map(({ seq }) => seq) : []))
      expect(seqs).toEqual(Arr.range(1, 93))
    }).pipe(Room.within({ limits }))
  )

  it.scoped("until the log no longer holds what comes next for it is told Bye slow", () =>
    Effect.gen(function* () {
      const ada = yield* Room.join("ada")
      const slow = yield* RawClient.joined("eve")
      for (let i = 1; i <= 300; i++) yield* ada.say(`${i} ${text}`)
      expect((yield* RawClient.untilEnd(slow)).at(-1)).toEqual({ _tag: "Bye", reason: "slow" })
    }).pipe(Room.within({ limits, log: Log.layerMemory({ capacity: 50 }) }))
  )
})

describe("the hub", () => {
  it.scoped("keeps nobody who was lost in the moment it would have become live", () => {
    const counts = new Map<unknown, number>()
    return Effect.gen(function* () {
      const fernet = yield* Fernet.Fernet
      const room = yield* ServerRoom.make(Limits.standard)
      const link = Effect.gen(function* () {
        const transport = yield* Effect.flatMap(Transport.Dialer, ({ dial }) => dial)
        const key = Keys.fromBytes<"down">(new Uint8Array(32))
        return new Downlink(transport, new Wire.Writer(fernet, key), (of) => {
          of.welcome()
          of.caughtUp()
        })
      })
      const enter = (of: Downlink, nick: string) =>
        Effect.gen(function* () {
          const ticket = Protocol.Ticket.make(Base64Url.encode(Buffer.alloc(16, nick)))
          yield* room.submit([{ _tag: "Nick", link: of, message: { _tag: "Nick", nick, ticket }, network: of.network }])
          yield* room.flush
        })
      const live = yield* link
      yield* enter(live, "ada")
      yield* room.submit([{ _tag: "Ready", link: live }])
      const lost = yield* link
      yield* enter(lost, "bob")
      // In one batch: it asks to be live, and is gone.
      yield* room.submit([
        { _tag: "Ready", link: lost },
        { _tag: "Lost", link: lost }
      ])
      yield* room.flush
      const before = lost.last
      yield* enter(yield* link, "eve")
      yield* room.flush
      expect(live.last).toBe(3)
      expect(lost.last).toBe(before)
    }).pipe(Effect.scoped, Effect.provide([TransportMemory.layer, Log.layerMemory(), counting(counts)]))
  })
})
