import { describe, expect, it } from "@effect/vitest"
import * as FastCheck from "effect/FastCheck"
import * as Outbox from "../src/client/Outbox.js"
import * as Protocol from "../src/domain/Protocol.js"
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

const log = Protocol.LogId.make("QEFCQ0RFRkdISUpLTE1OTw==")
const other = Protocol.LogId.make("AEFCQ0RFRkdISUpLTE1OTw==")

/** The outbox of a member, on a connection, whose texts up to `acked` are in the log. */
const at = (acked: number) => Outbox.welcome(Outbox.empty, log, acked)
const add = (outbox: Outbox.Outbox, ...texts: ReadonlyArray<string>) =>
  texts.reduce((next, content) => Outbox.add(next, text(content), false)[0], outbox)
/** The same, and kept. */
const addKept = (outbox: Outbox.Outbox, ...texts: ReadonlyArray<string>) => {
  const added = add(outbox, ...texts)
  return Outbox.keep(added, added)
}
const taken = (outbox: Outbox.Outbox, most = 64, before?: number) =>
  Outbox.take(outbox, most, before)[1].map(({ n, text }) => `${n} ${text}`)
const texts = (items: Iterable<Outbox.Item>) => Array.from(items, ({ text }) => text)

describe("Outbox", () => {
  it.prop(
    "numbers follow without a gap, each text is sent once and in order, and kept until it is in the log",
    { acked: FastCheck.nat(1_000), steps: FastCheck.array(steps, { maxLength: 60 }) },
    ({ acked, steps }) => {
      const said: Array<string> = []
      const sent: Array<Outbox.Numbered> = []
      let settled = 0
      let outbox = at(acked)
      for (const step of steps) {
        switch (step._tag) {
          case "add": {
            const content = `text ${said.length}`
            const [next, item] = Outbox.add(outbox, text(content), step.me)
            expect(item).toEqual({ id: said.length, text: content, me: step.me })
            said.push(content)
            outbox = Outbox.keep(next, next)
            break
          }
          case "take": {
            const [next, items] = Outbox.take(outbox, step.most)
            expect(items.length).toBe(Math.min(step.most, said.length - sent.length))
            sent.push(...items)
            outbox = next
            break
          }
          case "settle": {
            const before = settled
            settled += Math.floor((sent.length - settled) * step.share)
            const [next, dropped] = Outbox.settle(outbox, acked + settled)
            expect(texts(dropped)).toEqual(said.slice(before, settled))
            outbox = next
            break
          }
        }
        expect(sent.map(({ n, text }) => [n, text])).toEqual(
          said.slice(0, sent.length).map((content, index) => [acked + 1 + index, content])
        )
        expect(texts(outbox.items)).toEqual(said.slice(settled))
        expect(Outbox.isUnsent(outbox)).toBe(sent.length < said.length)
      }
    }
  )

  it("nothing is sent before it is kept", () => {
    const one = addKept(at(0), "one")
    const two = add(one, "two")
    expect(taken(two)).toEqual(["1 one"])
    expect(Outbox.isUnsent(Outbox.take(two, 64)[0])).toBe(true)
    expect(taken(Outbox.keep(two, two))).toEqual(["1 one", "2 two"])
  })

  it("what was in the log before settles nothing", () => {
    const outbox = add(at(5), "hello")
    expect(texts(Outbox.settle(outbox, 5)[0].items)).toEqual(["hello"])
    expect(texts(Outbox.settle(outbox, 6)[0].items)).toEqual([])
  })

  it("in the same log what it holds already is not sent again, and the rest is", () => {
    const sent = Outbox.take(addKept(at(3), "four", "five", "six"), 64)[0]
    const back = Outbox.welcome(sent, log, 5)
    expect(taken(back)).toEqual(["6 six"])
    expect(texts(Outbox.settle(back, back.logged)[1])).toEqual(["four", "five"])
  })

  it("in a new log all that waits is numbered afresh, and sent once that is kept", () => {
    const sent = Outbox.take(addKept(at(3), "four", "five"), 64)[0]
    const back = Outbox.welcome(Outbox.settle(sent, 4)[0], other, 0)
    expect(taken(back)).toEqual([])
    expect(taken(Outbox.keep(back, sent))).toEqual([])
    expect(taken(Outbox.keep(back, back))).toEqual(["1 five"])
  })

  it("texts behind a mark wait for it to go", () => {
    const [one, { id }] = Outbox.add(at(0), text("one"), false)
    const both = addKept(one, "two")
    expect(taken(both, 64, id + 1)).toEqual(["1 one"])
    const sent = Outbox.take(both, 64, id + 1)[0]
    expect(Outbox.isUnsent(sent, id + 1)).toBe(false)
    expect(Outbox.isUnsent(sent)).toBe(true)
    expect(taken(sent)).toEqual(["2 two"])
  })

  it("is the same outbox again when it was stored, and has sent nothing", () => {
    const outbox = Outbox.settle(Outbox.take(addKept(at(0), "one", "two"), 64)[0], 1)[0]
    const again = Outbox.welcome(Outbox.restore(Outbox.store(outbox)), log, 1)
    expect(taken(again)).toEqual(["2 two"])
    expect(Outbox.last(again)).toBe(2)
  })
})
