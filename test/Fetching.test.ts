import { describe, expect, it } from "@effect/vitest"
import * as Arr from "effect/Array"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as FastCheck from "effect/FastCheck"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as TestClock from "effect/TestClock"
import * as Failure from "../src/client/Failure.js"
import * as Fetching from "../src/client/Fetching.js"
import * as Fernet from "../src/domain/Fernet.js"
import * as Keys from "../src/domain/Keys.js"
import * as Protocol from "../src/domain/Protocol.js"
import * as Seal from "../src/domain/Seal.js"
import * as TransportMemory from "../src/domain/TransportMemory.js"
import * as Messages from "./utils/Messages.js"
import * as RawServer from "./utils/RawServer.js"
import * as Room from "./utils/Room.js"

const log = Protocol.LogId.make(Messages.base64Url(16))
const otherLog = Protocol.LogId.make(Messages.base64Url(16, 9))
const seq = (at: number) => Protocol.Seq.make(at)
const notice = (at: number): Protocol.Event => ({ _tag: "Notice", seq: seq(at), at: 0, text: "x" })
const closed = new Failure.Disconnected({ reason: "shutdown", message: "over" })

/** What a request has come to: the `seq`s found, the reason of its failure, or nothing yet. */
const outcome = ({ done }: Fetching.Request) =>
  Option.match(Effect.runSync(Deferred.poll(done)), {
    onNone: () => undefined,
    onSome: (exit) =>
      Either.match(Effect.runSync(Effect.either(exit)), {
        onLeft: ({ reason }) => reason,
        onRight: ({ events }) => events.map((event) => event.seq)
      })
  })

/** Answers a Fetch from the events `oldest` to 1,000, in pages. */
const serve = (fetching: Fetching.Fetching, { before, limit }: Protocol.Fetch, oldest = 1, page = 100) => {
  const events = Arr.range(Math.max(before - limit, oldest), before - 1)
    .filter((at) => at >= oldest && at < before)
    .map(notice)
  const pages = events.length === 0 ? [[]] : Arr.chunksOf(events, page)
  for (const [index, events] of pages.entries()) {
    fetching.receive({ _tag: "History", events, oldest: seq(oldest) }, index === pages.length - 1)
  }
}

/** Serves all that is asked for, from the oldest event there is on. */
const serveAll = (fetching: Fetching.Fetching, oldest?: number, page?: number) => {
  const limits: Array<number> = []
  for (let fetch = fetching.next(); fetch !== undefined; fetch = fetching.next()) {
    limits.push(fetch.limit)
    serve(fetching, fetch, oldest, page)
  }
  return limits
}

describe("Fetching", () => {
  const positive = FastCheck.integer({ min: 1, max: 1000 })
  it.prop(
    "finds just what is asked for, in steps that one Fetch may take, whatever the pages",
    [positive, FastCheck.integer({ min: 1, max: 2500 }), positive, positive],
    ([before, limit, oldest, page]) => {
      const fetching = new Fetching.Fetching()
      const request = fetching.ask(log, seq(before), limit)
      expect(serveAll(fetching, oldest, page).every((asked) => asked >= 1 && asked <= Fetching.step)).toBe(true)
      const first = Math.max(before - limit, oldest)
      expect(outcome(request)).toEqual(first < before ? Arr.range(first, before - 1) : [])
    }
  )

  it("takes any number for a limit, and all there is for an infinite one", () => {
    for (const [limit, count] of [
      [0, 1],
      [-5, 1],
      [Number.NaN, 1],
      [1.9, 1],
      [Number.POSITIVE_INFINITY, 999]
    ] as const) {
      const fetching = new Fetching.Fetching()
      const request = fetching.ask(log, seq(1000), limit)
      serveAll(fetching)
      expect(outcome(request)).toHaveLength(count)
    }
  })

  it("has one Fetch on the wire, and a short request behind a long one need not wait for all of it", () => {
    const fetching = new Fetching.Fetching()
    const long = fetching.ask(log, seq(1000), 999)
    const short = fetching.ask(log, seq(10), 2)
    const first = fetching.next() ?? expect.unreachable()
    expect(first).toEqual({ _tag: "Fetch", before: 1000, limit: 500 })
    expect(fetching.next()).toBeUndefined()
    serve(fetching, first)
    const second = fetching.next() ?? expect.unreachable()
    expect(second).toEqual({ _tag: "Fetch", before: 10, limit: 2 })
    serve(fetching, second)
    expect([outcome(long), outcome(short)]).toEqual([undefined, [8, 9]])
    serveAll(fetching)
    expect(outcome(long)).toEqual(Arr.range(1, 999))
  })

  it("asks again for what a lost connection has left open, and keeps what had come whole", () => {
    const fetching = new Fetching.Fetching()
    const request = fetching.ask(log, seq(1000), 700)
    serve(fetching, fetching.next() ?? expect.unreachable())
    const cut = fetching.next() ?? expect.unreachable()
    fetching.receive({ _tag: "History", events: [notice(300), notice(301)], oldest: seq(1) }, false)
    fetching.lose()
    fetching.welcome(log)
    expect(fetching.next()).toEqual(cut)
    serve(fetching, cut)
    expect(outcome(request)).toEqual(Arr.range(300, 999))
  })

  it("lets the answer to what was given up pass, and then goes on with the next", () => {
    const fetching = new Fetching.Fetching()
    const first = fetching.ask(log, seq(10), 5)
    const asked = fetching.next() ?? expect.unreachable()
    fetching.giveUp(first)
    const second = fetching.ask(log, seq(20), 5)
    expect(fetching.next()).toBeUndefined()
    serve(fetching, asked)
    serveAll(fetching)
    expect([outcome(first), outcome(second)]).toEqual([undefined, Arr.range(15, 19)])
  })

  it("fails in another log, and when all is over, also what is asked for after that", () => {
    const fetching = new Fetching.Fetching()
    const old = fetching.ask(log, seq(10), 5)
    fetching.next()
    fetching.lose()
    const fresh = fetching.ask(otherLog, seq(3), 5)
    fetching.welcome(otherLog)
    expect([outcome(old), outcome(fresh)]).toEqual(["new-log", undefined])
    fetching.end(closed)
    expect([outcome(fresh), outcome(fetching.ask(otherLog, seq(3), 5))]).toEqual(["closed", "closed"])
    expect(fetching.next()).toBeUndefined()
  })
})

/** A client whose log has 1,000 events, in the hands of a test's server. */
const pair = Effect.gen(function* () {
  const joining = yield* Effect.fork(Room.join("ada"))
  const server = yield* RawServer.accept
  yield* server.next
  server.send(...welcome())
  const client = yield* Fiber.join(joining)
  yield* RawServer.goodbye(server)
  return { server, client }
})
const welcome = (id: string = RawServer.log) => [
  { _tag: "Welcome", log: id, head: 1000, after: 1000, member: 1, nick: "ada", acked: 0, count: 1 },
  { _tag: "Members", members: [{ member: 1, nick: "ada" }] }
]
const provided = <A, E>(effect: Effect.Effect<A, E, Effect.Effect.Context<typeof pair>>) =>
  effect.pipe(Effect.scoped, Effect.provide(Layer.merge(TransportMemory.layer, Fernet.layer)))

const history = (oldest: number, ...events: ReadonlyArray<unknown>) => ({ _tag: "History", events, oldest })
const joined = (at: number) => ({ _tag: "Joined", seq: at, at: 0, member: at, nick: `m${at}` })
const ask = { before: seq(1001), limit: 2 }

describe("client.history", () => {
  const text = (at: number, n: number, words: string, member = 5) =>
    Effect.map(Fernet.Fernet, (fernet) => {
      const place = { log: RawServer.log, member, n, nick: "bob", text: words } as Seal.Sealed // numbers of a test
      const sealed = Seal.seal(fernet, [Keys.messageKey(Room.roomKeys[0])], place)
      return { _tag: "Chat", seq: at, at: 0, member, nick: "bob", n, sealed }
    })

  it.effect("opens texts, and finds out what is left out or repeated among them", () =>
    provided(
      Effect.gen(function* () {
        const { client, server } = yield* pair
        const looking = yield* Effect.fork(client.history({ before: seq(500), limit: 5 }))
        expect(yield* server.next).toEqual(Option.some([{ _tag: "Fetch", before: 500, limit: 5 }]))
        const seventh = yield* text(495, 7, "seven")
        server.send(history(3, seventh, yield* text(496, 8, "eight")))
        const repeated = { ...seventh, seq: 498 }
        server.send(history(3, yield* text(497, 1, "mine", 1), repeated, yield* text(499, 9, "nine")))
        const { events, oldest } = yield* Fiber.join(looking)
        expect(oldest).toBe(3)
        expect(events.map((entry) => (entry._tag === "Said" ? entry.text : "reason" in entry && entry.reason))).toEqual(
          ["seven", "eight", "mine", "number", "nine"]
        )
        expect(events).toMatchObject([{ own: false, past: false }, {}, { own: true }, {}, {}])
      })
    )
  )

  it.effect("asks for nothing that this client has yet to be told", () =>
    provided(
      Effect.gen(function* () {
        const { client, server } = yield* pair
        yield* Effect.fork(client.history({ before: seq(5000), limit: 10_000 }))
        expect(yield* server.next).toEqual(Option.some([{ _tag: "Fetch", before: 1001, limit: 500 }]))
      })
    )
  )

  it.effect("is asked for again on the next connection to the same log", () =>
    provided(
      Effect.gen(function* () {
        const { client, server } = yield* pair
        const looking = yield* Effect.fork(client.history(ask))
        const asked = yield* server.next
        server.send(history(1, joined(999)))
        yield* Room.settle
        const accepting = yield* Effect.fork(RawServer.accept)
        yield* Effect.fork(server.transport.end)
        yield* TestClock.adjust("1 second")
        const next = yield* Fiber.join(accepting)
        yield* RawServer.goodbye(next)
        yield* next.next
        next.send(...welcome())
        expect(yield* next.next).toEqual(asked)
        next.send(history(1, joined(999), joined(1000)))
        expect((yield* Fiber.join(looking)).events.map(({ seq }) => seq)).toEqual([999, 1000])
      })
    )
  )

  it.effect("fails with a word on it when the next connection finds another log, and when the client has ended", () =>
    provided(
      Effect.gen(function* () {
        const { client, server } = yield* pair
        const looking = yield* Effect.fork(Effect.flip(client.history(ask)))
        yield* server.next
        const accepting = yield* Effect.fork(RawServer.accept)
        yield* Effect.fork(server.transport.end)
        yield* TestClock.adjust("1 second")
        const next = yield* Fiber.join(accepting)
        yield* next.next
        next.send(...welcome(otherLog))
        expect(yield* Fiber.join(looking)).toMatchObject({ _tag: "HistoryError", reason: "new-log" })
        const again = yield* Effect.fork(Effect.flip(client.history(ask)))
        yield* next.next
        next.send({ _tag: "Bye", reason: "kicked" })
        yield* Effect.fork(next.transport.end)
        expect(yield* Fiber.join(again)).toMatchObject({
          reason: "closed",
          message: expect.stringContaining("put you")
        })
        expect((yield* Effect.flip(client.history(ask))).reason).toBe("closed")
      })
    )
  )

  it.effect("that is interrupted leaves the way free once its answer has come", () =>
    provided(
      Effect.gen(function* () {
        const { client, server } = yield* pair
        const first = yield* Effect.fork(client.history(ask))
        yield* server.next
        yield* Fiber.interrupt(first)
        const second = yield* Effect.fork(client.history({ before: seq(2), limit: 1 }))
        server.send(history(1, joined(999), joined(1000)))
        expect(yield* server.next).toEqual(Option.some([{ _tag: "Fetch", before: 2, limit: 1 }]))
        server.send(history(1, joined(1)))
        expect((yield* Fiber.join(second)).events).toEqual([joined(1)])
      })
    )
  )
})
