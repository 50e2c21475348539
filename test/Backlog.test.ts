import { inspect } from "node:util"
import { describe, expect, it } from "@effect/vitest"
import * as Arr from "effect/Array"
import * as Chunk from "effect/Chunk"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import { Backlog } from "../src/client/Backlog.js"

const make = (capacity: number) => new Backlog<number, string>(capacity)

const pushAll = (backlog: Backlog<number, string>, from: number, to: number) => {
  for (const item of Arr.range(from, to)) backlog.push(item)
}

/** Takes what there is, at the test's own pace. */
const subscribe = (backlog: Backlog<number, string>) =>
  Effect.map(Stream.toPull(backlog.stream), (pull) => Effect.map(pull, Chunk.toReadonlyArray))

/** Lets other fibers go on until `done`; the test's own timeout bounds it. */
const until = (done: () => boolean) => Effect.repeat(Effect.yieldNow(), { until: done })

describe("Backlog", () => {
  it.scoped("each subscriber gets every item in order, at its own pace", () =>
    Effect.gen(function* () {
      const backlog = make(100)
      const swift = yield* subscribe(backlog)
      const slow = yield* subscribe(backlog)
      pushAll(backlog, 1, 2)
      expect(yield* swift).toEqual([1, 2])
      pushAll(backlog, 3, 4)
      expect(yield* swift).toEqual([3, 4])
      backlog.push(5)
      expect(yield* slow).toEqual([1, 2, 3, 4, 5])
      expect(yield* swift).toEqual([5])
    })
  )

  it.effect("subscribers that wait are woken by each item", () =>
    Effect.gen(function* () {
      const backlog = make(100)
      const seen: Array<number> = []
      const watch = Effect.fork(Stream.runForEach(backlog.stream, (item) => Effect.sync(() => seen.push(item))))
      const fibers = yield* Effect.all([watch, watch])
      for (const item of [1, 2, 3]) {
        backlog.push(item)
        yield* until(() => seen.length === 2 * item)
      }
      expect(seen).toEqual([1, 1, 2, 2, 3, 3])
      yield* Fiber.interruptAll(fibers)
    })
  )

  it.scoped("one that falls behind fails with how much it missed, and the others lose nothing", () =>
    Effect.gen(function* () {
      const backlog = make(3)
      const swift = yield* subscribe(backlog)
      const slow = yield* subscribe(backlog)
      backlog.push(1)
      expect(yield* slow).toEqual([1])
      const seen: Array<number> = []
      for (const item of Arr.range(2, 20)) {
        backlog.push(item)
        seen.push(...(yield* swift))
      }
      expect(seen).toEqual(Arr.range(1, 20))
      const lagged = yield* Effect.flip(slow)
      const missed = Option.match(lagged, {
        onNone: () => expect.unreachable("it fails"),
        onSome: (error) => (typeof error === "string" ? expect.unreachable(error) : error.missed)
      })
      // What it missed and what is still kept is all that came after the one it took.
      const kept = yield* Effect.flatten(subscribe(backlog))
      expect(kept).toEqual(Arr.range(2 + missed, 20))
      expect(missed).toBeGreaterThanOrEqual(19 - 2 * 3)
    })
  )

  it.scoped("the newest items are kept for whoever is slow: as many as promised", () =>
    Effect.gen(function* () {
      const backlog = make(3)
      for (const count of Arr.range(1, 50)) {
        backlog.push(count)
        const kept = yield* Effect.flatten(subscribe(backlog))
        expect(kept.at(-1)).toBe(count)
        expect(kept.length).toBeGreaterThanOrEqual(Math.min(count, 3))
        expect(kept.length).toBeLessThanOrEqual(2 * 3)
      }
    })
  )

  it.effect("subscribers end once they have read what there is", () =>
    Effect.gen(function* () {
      const backlog = make(10)
      const waiting = yield* Effect.fork(Stream.runCollect(backlog.stream))
      pushAll(backlog, 1, 2)
      backlog.end(Option.none())
      expect(Chunk.toReadonlyArray(yield* Fiber.join(waiting))).toEqual([1, 2])
      expect(Chunk.toReadonlyArray(yield* Stream.runCollect(backlog.stream))).toEqual([1, 2])
    })
  )

  it.effect("subscribers fail once they have read what there is, and with the first reason given", () =>
    Effect.gen(function* () {
      const backlog = make(10)
      const seen: Array<number> = []
      const watch = Effect.either(Stream.runForEach(backlog.stream, (item) => Effect.sync(() => seen.push(item))))
      const waiting = yield* Effect.fork(watch)
      pushAll(backlog, 1, 2)
      backlog.end(Option.some("gone"))
      backlog.end(Option.none())
      expect(yield* Fiber.join(waiting)).toEqual(Either.left("gone"))
      expect(yield* watch).toEqual(Either.left("gone"))
      expect(seen).toEqual([1, 2, 1, 2])
    })
  )

  it.effect("a subscriber that waits for more is told of the end", () =>
    Effect.gen(function* () {
      const backlog = make(10)
      const idle = inspect(backlog)
      const waiting = yield* Effect.fork(Stream.runCollect(backlog.stream))
      yield* until(() => inspect(backlog) !== idle)
      backlog.end(Option.none())
      expect(Chunk.size(yield* Fiber.join(waiting))).toBe(0)
    })
  )

  it.scoped("a late subscriber starts at the oldest item kept", () =>
    Effect.gen(function* () {
      const backlog = make(3)
      pushAll(backlog, 1, 7)
      const late = yield* subscribe(backlog)
      expect(yield* late).toEqual([5, 6, 7])
      backlog.push(8)
      expect(yield* late).toEqual([8])
    })
  )

  it.effect("a subscriber that is interrupted leaves nothing behind", () =>
    Effect.gen(function* () {
      const backlog = make(10)
      backlog.push(1)
      yield* Stream.runDrain(Stream.take(backlog.stream, 1))
      const idle = inspect(backlog)
      const waiting = yield* Effect.fork(Stream.runDrain(backlog.stream))
      yield* until(() => inspect(backlog) !== idle)
      yield* Fiber.interrupt(waiting)
      // But for the item it has dealt with.
      expect(inspect(backlog).replace("done: 1", "done: 0")).toBe(idle)
    })
  )

  // A fiber gives way after 2,048 steps: the numbers around it let it do so between looking and beginning to wait.
  it.effect("no item is overlooked, wherever the subscriber gives way to others", () =>
    Effect.gen(function* () {
      for (const count of Arr.range(1990, 2050)) {
        const backlog = make(10_000)
        let seen = 0
        const watching = yield* Effect.fork(Stream.runForEach(backlog.stream, () => Effect.sync(() => (seen += 1))))
        pushAll(backlog, 1, count)
        yield* until(() => seen === count)
        backlog.push(0)
        yield* until(() => seen === count + 1)
        yield* Fiber.interrupt(watching)
      }
    })
  )
})
