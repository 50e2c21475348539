import { describe, expect, it } from "@effect/vitest"
import * as Arr from "effect/Array"
import * as Effect from "effect/Effect"
import type * as Layer from "effect/Layer"
import * as Protocol from "../src/domain/Protocol.js"
import * as Log from "../src/server/Log.js"

const events = (from: number, to: number) =>
  Arr.map(
    Arr.range(from, to),
    (seq): Protocol.Notice => ({ _tag: "Notice", seq: Protocol.Seq.make(seq), at: seq, text: `notice ${seq}` })
  )
const position = (at: number) => Protocol.Position.make(at)
const seqs = (read: ReadonlyArray<Protocol.Event>) => read.map(({ seq }) => seq)

/** What every log keeps; `layer` makes an empty one that holds 100 events and more. */
const suite = (name: string, layer: Layer.Layer<Log.Log>) =>
  describe(name, () => {
    it.effect("starts empty, with an id of its own", () =>
      Effect.gen(function* () {
        const log = yield* Log.Log
        const other = yield* Effect.provide(Log.Log, layer)
        expect(yield* log.head).toBe(0)
        expect(yield* log.oldest).toBe(1)
        expect(yield* log.read(Protocol.start, 10)).toEqual([])
        expect(log.id).not.toBe(other.id)
      }).pipe(Effect.provide(layer))
    )

    it.effect("reads what was appended, from anywhere, a page at a time", () =>
      Effect.gen(function* () {
        const log = yield* Log.Log
        yield* log.append(events(1, 3))
        yield* log.append(events(4, 50))
        expect(yield* log.head).toBe(50)
        expect(yield* log.read(Protocol.start, 50)).toEqual(events(1, 50))
        expect(seqs(yield* log.read(position(2), 3))).toEqual([3, 4, 5])
        expect(seqs(yield* log.read(position(48), 10))).toEqual([49, 50])
        expect(yield* log.read(position(50), 10)).toEqual([])
        expect(yield* log.read(position(60), 10)).toEqual([])
      }).pipe(Effect.provide(layer))
    )
  })

suite("in memory", Log.layerMemory())

it.effect("a log in memory drops its oldest events, and says so", () =>
  Effect.gen(function* () {
    const log = yield* Log.Log
    for (let i = 0; i < 25; i++) yield* log.append(events(i * 10 + 1, i * 10 + 10))
    const oldest = yield* log.oldest
    expect(yield* log.head).toBe(250)
    expect(oldest).toBeGreaterThan(1)
    expect(250 - oldest + 1).toBeGreaterThanOrEqual(100)
    expect(250 - oldest + 1).toBeLessThanOrEqual(200)
    expect(seqs(yield* log.read(Protocol.start, 2))).toEqual([oldest, oldest + 1])
    expect(seqs(yield* log.read(position(248), 10))).toEqual([249, 250])
  }).pipe(Effect.provide(Log.layerMemory({ capacity: 100 })))
)

it.effect("a log in memory holds bytes within bounds, however long its texts", () =>
  Effect.gen(function* () {
    const log = yield* Log.Log
    const sealed = Protocol.Sealed.make("A".repeat(32_768))
    for (let seq = 1; seq <= 200; seq++) {
      const n = Protocol.TextNumber.make(seq)
      const member = Protocol.MemberId.make(1)
      yield* log.append([{ _tag: "Chat", seq: Protocol.Seq.make(seq), at: 0, member, nick: "ada", n, sealed }])
    }
    const oldest = yield* log.oldest
    expect((200 - oldest + 1) * sealed.length).toBeLessThanOrEqual(2 * 1024 * 1024)
    expect(seqs(yield* log.read(position(199), 1))).toEqual([200])
  }).pipe(Effect.provide(Log.layerMemory({ maxBytes: 1024 * 1024 })))
)
