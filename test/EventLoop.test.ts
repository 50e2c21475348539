import { describe, expect, it } from "@effect/vitest"
import * as Arr from "effect/Array"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import { EventLoop } from "../src/domain/EventLoop.js"

/** The turns of the event loop until all of `effects` are done: in which of them each was. */
const turnsOf = (effects: ReadonlyArray<Effect.Effect<void>>) =>
  Effect.gen(function* () {
    let turn = 0
    const done: Array<number> = []
    const next = () => {
      turn += 1
      if (done.length < effects.length) setImmediate(next)
    }
    setImmediate(next)
    yield* Effect.forEach(effects, (effect) => Effect.tap(effect, () => Effect.sync(() => done.push(turn))), {
      concurrency: "unbounded",
      discard: true
    })
    return done
  })

describe("the event loop", () => {
  it.live("gives the next turn to all who wait for it", () =>
    Effect.gen(function* () {
      const { turn } = yield* EventLoop
      expect(new Set(yield* turnsOf(Arr.replicate(turn, 10))).size).toBe(1)
    })
  )

  it.live("lets in those who step aside one a turn, in their order", () =>
    Effect.gen(function* () {
      const { aside } = yield* EventLoop
      const order: Array<number> = []
      const turns = yield* turnsOf(Arr.makeBy(10, (i) => Effect.map(aside, () => void order.push(i))))
      expect(order).toEqual(Arr.range(0, 9))
      expect(new Set(turns).size).toBe(10)
    })
  )

  it.live("does so too when some of them have gone", () =>
    Effect.gen(function* () {
      const { aside } = yield* EventLoop
      for (let i = 0; i < 5; i++) {
        const gone = yield* Effect.fork(aside)
        yield* Effect.yieldNow()
        yield* Fiber.interrupt(gone)
      }
      expect(new Set(yield* turnsOf(Arr.replicate(aside, 10))).size).toBe(10)
    })
  )
})
