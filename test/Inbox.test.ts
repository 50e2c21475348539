import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import * as TestClock from "effect/TestClock"
import { Inbox } from "../src/server/Inbox.js"

const make = (items: number, bytes = Number.POSITIVE_INFINITY) =>
  new Inbox<number>({ items, bytes }, Math.abs, (item) => item < 0)

const isDone = <A, E>(fiber: Fiber.RuntimeFiber<A, E>) => Effect.map(Fiber.poll(fiber), Option.isSome)

/** Lets other fibers do what they can do now. */
const yielded = Effect.repeat(Effect.yieldNow(), { times: 20 })

describe("an inbox", () => {
  it.effect("gives all that is there, in the order it was offered, and then nothing", () =>
    Effect.gen(function* () {
      const inbox = make(10)
      yield* inbox.offer([1, 2])
      yield* inbox.offer([])
      yield* inbox.offer([3])
      yield* inbox.arrival
      expect(inbox.take()).toEqual([1, 2, 3])
      expect(inbox.take()).toEqual([])
      const waiting = yield* Effect.fork(inbox.arrival)
      yield* yielded
      expect(yield* isDone(waiting)).toBe(false)
      yield* inbox.offer([4])
      yield* Fiber.join(waiting)
    })
  )

  it.effect("lets nobody in where it is full, and all who wait when it was emptied", () =>
    Effect.gen(function* () {
      const inbox = make(2)
      yield* inbox.offer([1, 2, 3])
      const offering = yield* Effect.all([Effect.fork(inbox.offer([4, 5])), Effect.fork(inbox.offer([6]))])
      yield* yielded
      expect(yield* Effect.forEach(offering, isDone)).toEqual([false, false])
      expect(inbox.take()).toEqual([1, 2, 3])
      yield* Fiber.join(offering[0])
      // Full again: the second has to wait once more.
      yield* yielded
      expect(yield* isDone(offering[1])).toBe(false)
      expect(inbox.take()).toEqual([4, 5])
      yield* Fiber.join(offering[1])
      expect(inbox.take()).toEqual([6])
    })
  )

  it.effect("is full of bytes as well, and lets in together what is offered together", () =>
    Effect.gen(function* () {
      const inbox = make(10, 7)
      yield* inbox.offer([3, 3])
      yield* inbox.offer([1, 20])
      const offering = yield* Effect.fork(inbox.offer([1]))
      yield* yielded
      expect(yield* isDone(offering)).toBe(false)
      expect(inbox.take()).toEqual([3, 3, 1, 20])
      yield* Fiber.join(offering)
      // What was taken counts no more.
      yield* inbox.offer([5])
      expect(inbox.take()).toEqual([1, 5])
    })
  )

  it.effect("waits for what is urgent, and for the time it is given", () =>
    Effect.gen(function* () {
      const inbox = make(10)
      yield* inbox.offer([1])
      yield* inbox.urgency(0)
      yield* inbox.urgency(-5)
      const timed = yield* Effect.fork(inbox.urgency(100))
      yield* TestClock.adjust("99 millis")
      expect(yield* isDone(timed)).toBe(false)
      yield* TestClock.adjust("1 millis")
      yield* Fiber.join(timed)
      const pressed = yield* Effect.fork(inbox.urgency(100))
      yield* yielded
      yield* inbox.offer([2, -3])
      yield* Fiber.join(pressed)
      yield* inbox.urgency(100)
      expect(inbox.take()).toEqual([1, 2, -3])
      // What was urgent has been taken.
      const calm = yield* Effect.fork(inbox.urgency(100))
      yield* yielded
      expect(yield* isDone(calm)).toBe(false)
      yield* Fiber.interrupt(calm)
    })
  )

  it.effect("that has ended keeps nobody waiting, and takes nothing", () =>
    Effect.gen(function* () {
      const inbox = make(1)
      yield* inbox.offer([1])
      const offering = yield* Effect.fork(inbox.offer([2]))
      yield* yielded
      inbox.end()
      expect(Exit.isSuccess(yield* Fiber.await(offering))).toBe(true)
      yield* inbox.offer([3])
      expect(inbox.take()).toEqual([])
    })
  )
})
