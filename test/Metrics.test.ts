import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import type * as Metric from "effect/Metric"
import * as Option from "effect/Option"
import * as Ref from "effect/Ref"
import * as Scope from "effect/Scope"
import * as TestClock from "effect/TestClock"
import * as Protocol from "../src/domain/Protocol.js"
import * as Log from "../src/server/Log.js"
import * as Metrics from "../src/server/Metrics.js"
import * as RoomMetrics from "../src/server/RoomMetrics.js"
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

it.scoped("the number of the group key is that of the newest, and 0 when its server has ended", () =>
  Effect.gen(function* () {
    const [one, other] = [yield* Scope.make(), yield* Scope.make()]
    yield* Layer.buildWithScope(Layer.fresh(Room.layer({ limits: { epoch: "1 minute" } })), one)
    yield* TestClock.adjust("1 minute")
    yield* Room.eventually(
      Effect.sync(() => level(Metrics.epoch)),
      (number) => number === 2
    )
    yield* Layer.buildWithScope(Layer.fresh(Room.layer()), other)
    expect(level(Metrics.epoch)).toBe(1)
    // It is the other's by now.
    yield* Scope.close(one, Exit.void)
    expect(level(Metrics.epoch)).toBe(1)
    yield* Scope.close(other, Exit.void)
    expect(level(Metrics.epoch)).toBe(0)
  })
)

/** A log as somebody else may write one: a class, with methods and getters. */
class Written {
  constructor(private readonly log: Log.Log["Type"]) {}
  get id() {
    return this.log.id
  }
  get head() {
    return this.log.head
  }
  get oldest() {
    return this.log.oldest
  }
  get members() {
    return this.log.members
  }
  append(...args: Parameters<Log.Log["Type"]["append"]>) {
    return this.log.append(...args)
  }
  read(...args: Parameters<Log.Log["Type"]["read"]>) {
    return this.log.read(...args)
  }
  recent(after: Protocol.Position) {
    return this.log.recent(after)
  }
  trim(before: number) {
    return this.log.trim(before)
  }
}

it.scoped("a log that is an instance of a class is counted as any other, and whole", () =>
  Effect.gen(function* () {
    const before = Metrics.commit.unsafeValue([]).count
    const ada = yield* Room.join("ada")
    yield* ada.say("hello")
    expect(Metrics.commit.unsafeValue([]).count - before).toBe(2)
    const log = RoomMetrics.counted(yield* Log.Log, yield* Effect.clock)
    expect(log.id).toBe((yield* Log.Log).id)
    expect([yield* log.head, yield* log.oldest, (yield* log.members).length]).toEqual([2, 1, 1])
    const all = yield* log.read(Protocol.start, 10)
    expect(all.map(({ _tag }) => _tag)).toEqual(["Joined", "Chat"])
    expect(Option.getOrThrow(log.recent(Protocol.start))).toEqual(all)
    yield* log.trim(Number.POSITIVE_INFINITY)
    expect(yield* log.oldest).toBe(2)
  }).pipe(
    Room.within({
      log: Layer.effect(
        Log.Log,
        Effect.map(Log.Log, (log) => new Written(log))
      ).pipe(Layer.provide(Log.layerMemory()))
    })
  )
)

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
