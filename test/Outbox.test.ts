import { describe, expect, it } from "@effect/vitest"
import * as Chunk from "effect/Chunk"
import * as FastCheck from "effect/FastCheck"
import * as Outbox from "../src/client/Outbox.js"
import * as Seal from "../src/domain/Seal.js"

const text = (content: string) => Seal.Text.make(content)

const steps = FastCheck.oneof(
  { weight: 3, arbitrary: FastCheck.record({ _tag: FastCheck.constant("add" as const), me: FastCheck.boolean() }) },
  FastCheck.record({ _tag: FastCheck.constant("take" as const), most: FastCheck.integer({ min: 1, max: 5 }) }),
  // How much of what was sent and not yet seen in the log is in it now.
  FastCheck.record({
    _tag: FastCheck.constant("settle" as const),
    share: FastCheck.double({ min: 0, max: 1, noNaN: true })
  })
)

describe("Outbox", () => {
  it.prop(
    "numbers follow without a gap, each text is sent once and in order, and kept until it is in the log",
    { acked: FastCheck.nat(1_000), steps: FastCheck.array(steps, { maxLength: 60 }) },
    ({ acked, steps }) => {
      const said: Array<Outbox.Item> = []
      const taken: Array<Outbox.Item> = []
      let settled = 0
      let outbox = Outbox.make(acked)
      for (const step of steps) {
        switch (step._tag) {
          case "add": {
            const content = text(`text ${said.length}`)
            const [next, item] = Outbox.add(outbox, content, step.me)
            expect(item).toEqual({ n: acked + said.length + 1, text: content, me: step.me })
            said.push(item)
            outbox = next
            break
          }
          case "take": {
            const [next, items] = Outbox.take(outbox, step.most)
            expect(items.length).toBe(Math.min(step.most, said.length - taken.length))
            taken.push(...items)
            outbox = next
            break
          }
          case "settle": {
            settled += Math.floor((taken.length - settled) * step.share)
            outbox = Outbox.settle(outbox, acked + settled)
            break
          }
        }
        expect(taken).toEqual(said.slice(0, taken.length))
        expect(Chunk.toReadonlyArray(outbox.items)).toEqual(said.slice(settled))
      }
    }
  )

  it("a member that comes back goes on after what is in the log", () => {
    const [, item] = Outbox.add(Outbox.make(41), text("hello"), false)
    expect(item.n).toBe(42)
  })

  it("what was in the log before settles nothing", () => {
    const [outbox] = Outbox.add(Outbox.make(5), text("hello"), false)
    expect(Chunk.size(Outbox.settle(outbox, 5).items)).toBe(1)
    expect(Chunk.size(Outbox.settle(outbox, 6).items)).toBe(0)
  })

  it("an empty outbox has nothing to send", () => {
    const [outbox, items] = Outbox.take(Outbox.make(0), 64)
    expect(items).toEqual([])
    expect(Outbox.take(Outbox.add(outbox, text("hello"), true)[0], 64)[1].map(({ text }) => text)).toEqual(["hello"])
  })

  it("what the log holds already is not sent, and what is said next comes after it", () => {
    let outbox = Outbox.make(0)
    for (const content of ["one", "two", "three"]) outbox = Outbox.add(outbox, text(content), false)[0]
    const [rest, items] = Outbox.take(Outbox.settle(outbox, 2), 64)
    expect(items.map(({ n }) => n)).toEqual([3])
    expect(Outbox.take(rest, 64)[1]).toEqual([])
    expect(Outbox.add(Outbox.settle(Outbox.make(0), 7), text("next"), false)[1].n).toBe(8)
  })
})
