import { describe, expect, it } from "@effect/vitest"
import * as Arr from "effect/Array"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as TestClock from "effect/TestClock"
import * as RawClient from "./utils/RawClient.js"
import * as Room from "./utils/Room.js"

const { pass } = Room

describe("a new group key", () => {
  it.scoped("comes to all who are live after its time, and what is said goes on in order", () =>
    Effect.gen(function* () {
      const ada = yield* Room.join("ada")
      const eve = yield* RawClient.joined("eve")
      const said = yield* Effect.fork(Room.entries(ada, 3, Room.said))
      const hearing = yield* Effect.fork(RawClient.until(eve, "Rekey"))
      yield* ada.say("one")
      yield* pass(59)
      yield* ada.say("two")
      yield* pass(2)
      yield* ada.say("three")
      const heard = yield* Fiber.join(hearing)
      const rekeys = heard.filter((message) => message._tag === "Rekey")
      expect(rekeys).toMatchObject([{ epoch: 2 }])
      expect(heard.filter(({ _tag }) => _tag === "Chat").length).toBe(2)
      expect((yield* RawClient.until(eve, "Chat")).length).toBe(1)
      expect(yield* Fiber.join(said)).toEqual(["ada: one", "ada: two", "ada: three"])
    }).pipe(Room.within({ limits: { epoch: "1 minute" } }))
  )

  it.scoped("is handed out in slices, and nobody misses or doubles what is said meanwhile", () =>
    Effect.gen(function* () {
      const clients = yield* Effect.forEach(Arr.range(1, 40), (i) => Room.join(`m${i}`))
      const [talker] = clients
      const texts = Arr.range(1, 20)
      const heard = yield* Effect.forEach(clients, (client) =>
        Effect.fork(Room.entries(client, texts.length, Room.said))
      )
      yield* Effect.forEach(
        texts,
        (i) =>
          Effect.gen(function* () {
            const saying = yield* Effect.fork(talker?.say(`${i}`) ?? Effect.void)
            if (i % 5 === 0) yield* TestClock.adjust(1_000)
            yield* Fiber.join(saying)
          }),
        { discard: true }
      )
      const all = yield* Effect.forEach(heard, Fiber.join)
      const expected = texts.map((i) => `m1: ${i}`)
      for (const each of all) expect(each).toEqual(expected)
    }).pipe(Room.within({ limits: { epoch: "1 second" } }))
  )
})
