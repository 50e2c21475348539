import { describe, expect, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as LogLevel from "effect/LogLevel"
import type * as Metric from "effect/Metric"
import * as Option from "effect/Option"
import * as Ref from "effect/Ref"
import * as Scope from "effect/Scope"
import * as TestClock from "effect/TestClock"
import * as Protocol from "../src/domain/Protocol.js"
import * as Log from "../src/server/Log.js"
import * as Metrics from "../src/server/Metrics.js"
import * as Server from "../src/server/Server.js"
import * as RawClient from "./utils/RawClient.js"
import * as Room from "./utils/Room.js"

const count = (counter: Metric.Metric.Counter<number>) => counter.unsafeValue([]).count
const level = (gauge: Metric.Metric.Gauge<number>) => gauge.unsafeValue([]).value

/** The gauges that go up and down with connections and members. */
const gauges = () => ({
  members: level(Metrics.members),
  halfOpen: level(Metrics.halfOpen),
  identified: level(Metrics.identified),
  live: level(Metrics.live),
  taking: level(Metrics.taking)
})

/** Waits until the gauges are so. */
const areSoon = (expected: Partial<ReturnType<typeof gauges>>) =>
  Room.eventually(Effect.sync(gauges), (seen) => JSON.stringify({ ...seen, ...expected }) === JSON.stringify(seen))

/** How often each outcome, and each reason of refusal, was counted while an Effect ran. */
const counted = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.gen(function* () {
    const look = () => ({
      ended: Object.entries(Metrics.ended).map(([outcome, counter]) => [outcome, count(counter)] as const),
      refused: Object.entries(Metrics.refusals).map(([refusal, counter]) => [refusal, count(counter)] as const)
    })
    const before = look()
    yield* effect
    const after = look()
    const difference = (kind: "ended" | "refused") =>
      Object.fromEntries(
        after[kind]
          .map(([name, value], i) => [name, value - (before[kind][i]?.[1] ?? 0)] as const)
          .filter(([, by]) => by > 0)
      )
    return { ended: difference("ended"), refused: difference("refused") }
  })

describe("what is said", () => {
  it.scoped("is counted once, delivered to all who are live, and its commits are timed", () =>
    Effect.gen(function* () {
      const ada = yield* Room.join("ada")
      yield* Room.join("bob")
      yield* areSoon({ live: 2 })
      const look = () => ({
        texts: count(Metrics.texts),
        deliveries: count(Metrics.deliveries),
        batches: Metrics.batch.unsafeValue([]),
        commits: Metrics.commit.unsafeValue([])
      })
      const before = look()
      for (const text of ["one", "two", "three"]) yield* ada.say(text)
      const after = look()
      expect(after.texts - before.texts).toBe(3)
      expect(after.deliveries - before.deliveries).toBe(6)
      expect(after.batches.count - before.batches.count).toBe(3)
      expect(after.batches.sum - before.batches.sum).toBe(3)
      expect(after.commits.count - before.commits.count).toBe(3)
    }).pipe(Room.within())
  )

  it.scoped("waits for who does not read, as bytes that are looked at once a second", () =>
    Effect.gen(function* () {
      const ada = yield* Room.join("ada")
      yield* RawClient.joined("eve")
      for (let i = 0; i < 10; i++) yield* ada.say("x".repeat(1_000))
      expect(level(Metrics.unsent)).toBe(0)
      yield* TestClock.adjust("1 second")
      yield* Room.settle
      expect(level(Metrics.unsent)).toBeGreaterThan(10_000)
    }).pipe(Room.within(), Effect.ensuring(Effect.sync(() => expect(level(Metrics.unsent)).toBe(0))))
  )
})

describe("gauges", () => {
  it.scoped("go up with those who come, and down with those who go", () =>
    Effect.gen(function* () {
      expect(gauges()).toEqual({ members: 0, halfOpen: 0, identified: 0, live: 0, taking: 1 })
      yield* Effect.scoped(
        Effect.gen(function* () {
          yield* Room.join("ada")
          yield* Room.join("bob")
          yield* RawClient.connect
          yield* areSoon({ members: 2, halfOpen: 1, identified: 2, live: 2, taking: 1 })
        })
      )
      yield* areSoon({ members: 0, halfOpen: 0, identified: 0, live: 0, taking: 1 })
    }).pipe(Room.within(), Effect.ensuring(Effect.sync(() => expect(level(Metrics.taking)).toBe(0))))
  )

  it.scoped("are of all servers of the process together, and what one adds goes with it", () =>
    Effect.gen(function* () {
      const [one, other] = [yield* Scope.make(), yield* Scope.make()]
      const first = yield* Layer.buildWithScope(Layer.fresh(Room.layer()), one)
      const second = yield* Layer.buildWithScope(Layer.fresh(Room.layer()), other)
      yield* Effect.provide(Room.join("ada"), first)
      yield* Effect.provide(Effect.all([Room.join("ada"), Room.join("bob")]), second)
      yield* areSoon({ members: 3, identified: 3, live: 3, taking: 2 })
      yield* Scope.close(one, Exit.void)
      expect(gauges()).toMatchObject({ members: 2, identified: 2, live: 2, taking: 1 })
      yield* Scope.close(other, Exit.void)
      expect(gauges()).toEqual({ members: 0, halfOpen: 0, identified: 0, live: 0, taking: 0 })
    })
  )
})

/** What the server logs while an Effect runs, at whatever level. */
const logged = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.gen(function* () {
    const lines: Array<Record<string, unknown>> = []
    const logger = Logger.make<unknown, void>(({ annotations, logLevel, message }) => {
      lines.push({ level: logLevel._tag, message: String(message), ...Object.fromEntries(annotations) })
    })
    yield* effect.pipe(Effect.provide(Logger.add(logger)), Logger.withMinimumLogLevel(LogLevel.All))
    return lines
  })

interface Ending {
  readonly how: string
  /** Ends connections of members, who have come one after the other. */
  readonly act: Effect.Effect<unknown, unknown, Room.Services | Scope.Scope>
  readonly limits?: Partial<Omit<Server.Options, "keys">>
  readonly ended: Record<string, number>
  readonly refused: Record<string, number>
  /** What the lines say of how, and of whom. */
  readonly told: ReadonlyArray<Record<string, unknown>>
}

const endings: ReadonlyArray<Ending> = [
  {
    how: "by leaving",
    act: Effect.scoped(Room.join("ada")),
    ended: { quit: 1 },
    refused: {},
    told: [{ level: "Info", outcome: "quit", member: 1, nick: "ada" }]
  },
  {
    how: "without a word",
    act: Effect.scoped(RawClient.joined("ada")),
    ended: { lost: 1 },
    refused: {},
    told: [{ level: "Info", outcome: "lost", member: 1, nick: "ada" }]
  },
  {
    how: "under another nick",
    act: Effect.scoped(Effect.flatMap(Room.join("ada"), (ada) => ada.rename("eva"))),
    ended: { quit: 1 },
    refused: {},
    told: [{ level: "Info", outcome: "quit", member: 1, nick: "eva" }]
  },
  {
    how: "by a fault",
    act: Effect.scoped(
      Effect.gen(function* () {
        const raw = yield* RawClient.joined("ada")
        raw.send({ _tag: "Shout" })
        yield* RawClient.untilEnd(raw)
      })
    ),
    ended: { protocol: 1 },
    refused: { "broke a rule": 1 },
    told: [{ level: "Info", outcome: "protocol", member: 1, nick: "ada", detail: expect.stringContaining("(shape)") }]
  },
  {
    how: "by another connection of the same member",
    act: Effect.scoped(
      Effect.gen(function* () {
        const first = yield* RawClient.joined("ada")
        const second = yield* RawClient.joined("ada")
        yield* RawClient.untilEnd(first)
        second.send({ _tag: "Leave" })
        yield* RawClient.untilEnd(second)
      })
    ),
    ended: { "taken-over": 1, quit: 1 },
    refused: {},
    told: [
      { level: "Info", outcome: "quit", member: 1, nick: "ada" },
      { level: "Info", outcome: "taken-over", member: 1, nick: "ada" }
    ]
  },
  {
    how: "by silence",
    limits: { pingAfter: "1 second", silentAfter: "3 seconds" },
    act: Effect.scoped(
      Effect.gen(function* () {
        const raw = yield* RawClient.joined("ada")
        yield* Effect.repeat(Effect.zipRight(TestClock.adjust("1 second"), Room.settle), { times: 4 })
        yield* RawClient.untilEnd(raw)
      })
    ),
    ended: { silent: 1 },
    refused: {},
    told: [{ level: "Info", outcome: "silent", member: 1, nick: "ada", seconds: 5 }]
  },
  {
    how: "where there is no place",
    limits: { connections: 1 },
    act: Effect.scoped(
      Effect.gen(function* () {
        yield* Room.join("ada")
        yield* Effect.flip(Effect.scoped(RawClient.joined("bob")))
      })
    ),
    ended: { full: 1, quit: 1 },
    refused: { full: 1 },
    told: [
      { level: "Debug", outcome: "full" },
      { level: "Info", outcome: "quit", member: 1, nick: "ada" }
    ]
  },
  {
    how: "by the operator's kick",
    act: Effect.scoped(
      Effect.gen(function* () {
        const raw = yield* RawClient.joined("ada")
        yield* Effect.flatMap(Server.Server, ({ kick }) => kick("ada"))
        yield* RawClient.untilEnd(raw)
      })
    ),
    ended: { kicked: 1 },
    refused: {},
    told: [{ level: "Info", outcome: "kicked", member: 1, nick: "ada" }]
  },
  {
    how: "by the operator's ban, before and after it came again,",
    act: Effect.gen(function* () {
      yield* Effect.scoped(
        Effect.gen(function* () {
          const raw = yield* RawClient.joined("ada")
          yield* Effect.flatMap(Server.Server, ({ ban }) => ban("ada"))
          yield* RawClient.untilEnd(raw)
        })
      )
      yield* Room.connections(0)
      yield* Effect.flip(Effect.scoped(RawClient.joined("ada")))
    }),
    ended: { banned: 2 },
    refused: { banned: 1 },
    told: [
      { level: "Info", outcome: "banned", member: 1, nick: "ada" },
      { level: "Debug", outcome: "banned" }
    ]
  },
  {
    how: "as a stranger",
    act: Effect.scoped(
      Effect.gen(function* () {
        const stranger = yield* RawClient.connect
        stranger.write("hello?\n")
        yield* Effect.flatMap(stranger.line, (line) => (Option.isNone(line) ? Effect.void : Effect.dieMessage("heard")))
      })
    ),
    ended: { stranger: 1 },
    refused: { "wrong key, or not a chat client": 1 },
    told: []
  },
  {
    how: "as a stranger who says nothing",
    act: Effect.scoped(Effect.zipRight(RawClient.connect, areSoon({ halfOpen: 1 }))),
    ended: { stranger: 1 },
    refused: {},
    told: []
  }
]

describe("a connection that ends", () => {
  for (const { act, ended, how, limits, refused, told } of endings) {
    it.scoped(`${how} is counted, and is one line where it was in the room`, () =>
      Effect.gen(function* () {
        const found = yield* Deferred.make<unknown>()
        const lines = yield* logged(
          counted(Effect.zipRight(act, Room.connections(0)).pipe(Room.within({ limits: limits ?? {} }))).pipe(
            Effect.flatMap((seen) => Deferred.succeed(found, seen))
          )
        )
        expect(yield* Deferred.await(found)).toEqual({ ended, refused })
        const ends = lines
          .filter(({ message }) => message === "a connection has ended")
          .toSorted((a, b) => (String(a.outcome) < String(b.outcome) ? -1 : 1))
        expect(ends).toEqual(
          told.map((line) => ({
            message: "a connection has ended",
            from: "memory",
            bytes_in: expect.any(Number),
            bytes_out: expect.any(Number),
            seconds: expect.any(Number),
            ...line
          }))
        )
        for (const { bytes_in, bytes_out } of ends)
          expect([Number(bytes_in) > 50, Number(bytes_out) > 50]).toEqual([true, true])
        // A stranger has no line of its own.
        const rest = lines.filter((line) => !ends.includes(line))
        if (told.length === 0) for (const { message } of rest) expect(message).toMatch(/^refused: /)
      })
    )
  }

  it.scoped("because the server does is counted as that", () =>
    Effect.gen(function* () {
      const found = yield* counted(
        Effect.gen(function* () {
          const scope = yield* Scope.make()
          const server = yield* Layer.buildWithScope(Room.layer(), scope)
          const raw = yield* Effect.provide(RawClient.joined("ada"), server)
          const closing = yield* Effect.fork(Scope.close(scope, Exit.void))
          yield* RawClient.untilEnd(raw)
          raw.transport.stopReading()
          yield* Effect.zipRight(raw.transport.end, closing.await)
        })
      )
      expect(found).toEqual({ ended: { shutdown: 1 }, refused: {} })
    })
  )
})

/** A log that refuses everything while `isFull`. */
const filling = (isFull: Ref.Ref<boolean>) =>
  Layer.effect(
    Log.Log,
    Effect.map(Log.Log, (log) => ({
      ...log,
      append: (events: Parameters<typeof log.append>[0], members: Parameters<typeof log.append>[1]) =>
        Effect.flatMap(Ref.get(isFull), (full) =>
          full ? new Log.LogError({ reason: "full", message: "the disk is full" }) : log.append(events, members)
        )
    }))
  ).pipe(Layer.provide(Log.layerMemory()))

it.scoped("a server is ready while its log takes what is said, and until it stops", () =>
  Effect.gen(function* () {
    const isFull = yield* Ref.make(false)
    const scope = yield* Scope.make()
    const services = yield* Layer.buildWithScope(Room.layer({ log: filling(isFull) }), scope)
    const { readiness } = yield* Effect.provide(Server.Server, services)
    expect(yield* readiness).toBe("ready")
    const failures = count(Metrics.commitFailures)
    const ada = yield* Effect.provide(Room.join("ada"), services)
    yield* Ref.set(isFull, true)
    const saying = yield* Effect.fork(ada.say("hello"))
    yield* Room.eventually(readiness, (word) => word === "log")
    yield* areSoon({ taking: 0 })
    expect(count(Metrics.commitFailures) - failures).toBe(1)
    yield* Ref.set(isFull, false)
    yield* Room.settle
    yield* TestClock.adjust("1 second")
    yield* saying.await
    expect(yield* readiness).toBe("ready")
    yield* areSoon({ taking: 1 })
    yield* Scope.close(scope, Exit.void)
    expect(yield* readiness).toBe("stopping")
  })
)

it("every Bye there is has an outcome of its name", () => {
  expect(Object.keys(Metrics.ended)).toEqual([...Protocol.ByeReason.literals, "lost", "died", "stranger"])
})
