import { Buffer } from "node:buffer"
import { describe, expect, it } from "@effect/vitest"
import * as Arr from "effect/Array"
import * as Effect from "effect/Effect"
import * as FastCheck from "effect/FastCheck"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import * as TestClock from "effect/TestClock"
import * as Base64Url from "../src/domain/Base64Url.js"
import * as Protocol from "../src/domain/Protocol.js"
import { Rates } from "../src/server/Rates.js"
import * as RawClient from "./utils/RawClient.js"
import * as Room from "./utils/Room.js"

const ada = Protocol.MemberId.make(1)
const eve = Protocol.MemberId.make(2)

describe("who asks", () => {
  it("as much as the burst in a row is not held up; one more is, for as long as it takes at the rate", () => {
    const rates = new Rates({ burst: 100, rate: 20 })
    for (let i = 0; i < 100; i++) expect(rates.charge(ada, 1, 0)).toBe(0)
    expect(rates.charge(ada, 1, 0)).toBe(50)
    expect(rates.charge(ada, 1, 50)).toBe(50)
    expect(rates.charge(ada, 1, 150)).toBe(0)
  })

  it("is not held up by others", () => {
    const rates = new Rates({ burst: 1, rate: 1 })
    expect(rates.charge(ada, 10, 0)).toBe(9_000)
    expect(rates.charge(eve, 1, 0)).toBe(0)
  })

  it("is not held up for longer because the clock was set back, nor forgotten while it is ahead", () => {
    const rates = new Rates({ burst: 2, rate: 1 })
    rates.charge(ada, 2, 3_600_000)
    expect(rates.charge(ada, 1, 0)).toBe(1_000)
    rates.sweep(0)
    expect(rates.charge(ada, 1, 0)).toBe(1_000)
    rates.sweep(10_000)
    expect(rates.charge(ada, 2, 0)).toBe(0)
  })

  it("has no limit where the rate is unlimited", () => {
    const rates = new Rates({ burst: 1, rate: Number.POSITIVE_INFINITY })
    for (let i = 0; i < 1_000; i++) expect(rates.charge(ada, 64, 0)).toBe(0)
  })

  it("and waits as told never gets more than burst and rate allow, nor less", () => {
    const asked = FastCheck.array(FastCheck.tuple(FastCheck.nat(64), FastCheck.nat(2_000)), { maxLength: 60 })
    FastCheck.assert(
      FastCheck.property(
        FastCheck.integer({ min: 1, max: 200 }),
        FastCheck.integer({ min: 1, max: 100 }),
        asked,
        (burst, rate, all) => {
          const rates = new Rates({ burst, rate })
          let now = 0
          let before = 0
          let wait = 0
          for (const [count, idle] of all) {
            // What came before this frame is within what may have come by now.
            expect(before).toBeLessThanOrEqual(burst + (rate * now) / 1_000 + 1e-6)
            before += count
            wait = rates.charge(ada, count, now)
            if (wait > 0) expect(before).toBeGreaterThan(burst)
            now += wait + idle
            rates.sweep(now)
          }
        }
      )
    )
  })
})

/** Another ticket for each name. */
const ticketOf = (name: string) => Base64Url.encode(Buffer.from(name.padEnd(16, "-")))

describe("a member that says more than it may", () => {
  /** How many of `count` texts said at once are in the log so many seconds later, one after the other. */
  const heardAfter = (count: number, seconds: ReadonlyArray<number>) =>
    Effect.gen(function* () {
      const bob = yield* Room.join("bob")
      const ada = yield* Room.join("ada")
      const hearing = yield* Effect.forkScoped(Room.entries(bob, count, Room.said))
      yield* Room.settle
      yield* Effect.forkScoped(
        Effect.forEach(Arr.range(1, count), (i) => ada.say(`${i}`), { concurrency: "unbounded" })
      )
      yield* Room.settle
      const heard: Array<number> = []
      for (const time of seconds) {
        yield* TestClock.adjust(time * 1_000)
        yield* Room.settle
        heard.push(count - (yield* ada.pending).length)
      }
      return { heard, texts: Fiber.join(hearing) }
    })

  it.scoped("is read later: burst at once, then at the rate; nothing is lost and nobody is sent away", () =>
    Effect.gen(function* () {
      const { heard, texts } = yield* heardAfter(200, [0, 1, 1, 3])
      // A frame is taken whole: at most 63 more than the limit says.
      for (const [i, limit] of [100, 120, 140, 200].entries()) {
        expect(heard[i]).toBeGreaterThanOrEqual(limit)
        expect(heard[i]).toBeLessThanOrEqual(Math.min(limit + 63, 200))
      }
      expect(yield* texts).toEqual(Arr.range(1, 200).map((i) => `ada: ${i}`))
    }).pipe(Room.within({ limits: { burst: 100, rate: 20 } }))
  )

  it.scoped("has as much in a row as it may say without a wait", () =>
    Effect.gen(function* () {
      expect((yield* heardAfter(100, [0])).heard).toEqual([100])
    }).pipe(Room.within({ limits: { burst: 100, rate: 20 } }))
  )

  it.scoped("is held up on its next connection as well", () =>
    Effect.gen(function* () {
      const sealed = "gAAAAAAAAAAAAA=="
      const says = (first: number, count: number) =>
        Arr.range(first, first + count - 1).map((n) => ({ _tag: "Say", n, sealed }))
      const first = yield* RawClient.joined("eve")
      first.send(...says(1, 64))
      yield* RawClient.until(first, "Chat")
      const second = yield* RawClient.joined("eve")
      second.send(...says(65, 1))
      yield* Room.settle
      const next = yield* Effect.fork(RawClient.until(second, "Pong"))
      second.send({ _tag: "Ping", at: 1 })
      yield* Room.settle
      expect(Option.isNone(yield* Fiber.poll(next))).toBe(true)
      yield* TestClock.adjust(60_000)
      yield* Fiber.join(next)
    }).pipe(Room.within({ limits: { burst: 10, rate: 1 } }))
  )

  it.scoped.each([
    [8_192, 100],
    [8_196, 50],
    [Protocol.maxSealed, 25]
  ] as const)("pays for what is sealed by its size: of %i characters there are %i in a row", ([length, count]) =>
    Effect.gen(function* () {
      const raw = yield* RawClient.joined("eve")
      const sealed = "A".repeat(length)
      for (let n = 1; n <= count; n++) raw.send({ _tag: "Say", n, sealed })
      raw.send({ _tag: "Ping", at: 1 })
      yield* RawClient.until(raw, "Pong")
      const next = yield* Effect.fork(RawClient.until(raw, "Pong"))
      raw.send({ _tag: "Ping", at: 2 })
      yield* Room.settle
      expect(Option.isNone(yield* Fiber.poll(next))).toBe(true)
      yield* TestClock.adjust(1_000)
      yield* Fiber.join(next)
    }).pipe(Room.within({ limits: { burst: 100, rate: 1 } }))
  )

  it.scoped("pays for Pings and Pongs as for anything else, and for events it fetches", () =>
    Effect.gen(function* () {
      const floods: Record<string, unknown> = {
        Ping: { _tag: "Ping", at: 1 },
        Pong: { _tag: "Pong", at: 1 },
        Fetch: { _tag: "Fetch", before: 2, limit: 500 }
      }
      for (const [name, message] of Object.entries(floods)) {
        yield* Effect.scoped(
          Effect.gen(function* () {
            const raw = yield* RawClient.open
            raw.send({ _tag: "Nick", nick: name, ticket: ticketOf(name) })
            yield* RawClient.until(raw, "Rekey")
            for (let i = 0; i < 20; i++) raw.send(message)
            const next = yield* Effect.fork(RawClient.until(raw, "Renamed"))
            raw.send({ _tag: "Nick", nick: `${name}2` })
            yield* Room.settle
            expect(Option.isNone(yield* Fiber.poll(next))).toBe(true)
            yield* TestClock.adjust(300_000)
            yield* Room.settle
            yield* Fiber.join(next)
          })
        )
      }
    }).pipe(Room.within({ limits: { burst: 10, rate: 1, silentAfter: "1 hour", slowAfter: "1 hour" } }))
  )
})
