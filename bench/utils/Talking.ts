/** Members who talk at a steady rate, a process of its own: how long each text takes until its author is told of it. */
import * as Arr from "effect/Array"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as FiberSet from "effect/FiberSet"
import * as Queue from "effect/Queue"
import * as Schedule from "effect/Schedule"
import * as TransportTcp from "../../src/domain/TransportTcp.js"
import * as Child from "./Child.js"
import { host } from "./Setting.js"
import * as Talker from "./Talker.js"

/** Begin joins them, and they talk from then on; each Tell asks for the texts that were said since the last one. */
export type Request =
  | {
      readonly _tag: "Begin"
      readonly port: number
      readonly members: number
      /** Texts a second, all together. */
      readonly rate: number
    }
  | { readonly _tag: "Tell" }

/** For each text, how long (ms) it took until its author was told that it is in the log; all have been told. */
export type Report = ReadonlyArray<number>

const now = Effect.map(Clock.currentTimeNanos, (nanos) => Number(nanos) / 1e6)

/** What has become of the texts of a time. */
interface Window {
  readonly latencies: Array<number>
  /** Texts that nobody has been told of yet. */
  waiting: number
}

/** Talks for as long as the parent wants it. */
export const run = Effect.gen(function* () {
  const parent = yield* Child.parent<Request, Report>()
  const begin = yield* Queue.take(parent.requests)
  if (begin._tag !== "Begin") return yield* Effect.dieMessage("nobody has joined yet")
  const heard = new Talker.Heard()
  const members = yield* Effect.forEach(Arr.range(1, begin.members), (i) => Talker.join(`talker-${i}`, heard)).pipe(
    Effect.provide(TransportTcp.layerDialer({ host, port: begin.port }))
  )
  const working = yield* FiberSet.make<void, unknown>()
  for (const { join } of members) yield* FiberSet.run(working, join)

  let window: Window = { latencies: [], waiting: 0 }
  let turn = 0
  const say = Effect.gen(function* () {
    const member = yield* Effect.fromNullable(members[turn++ % members.length])
    const into = window
    const from = yield* now
    into.waiting += 1
    yield* member.say
    into.waiting -= 1
    into.latencies.push((yield* now) - from)
  })
  // At a steady rate, whether or not those before are acknowledged.
  yield* FiberSet.run(working, say).pipe(Effect.repeat(Schedule.fixed(1000 / begin.rate)), Effect.forkScoped)

  const tell = Effect.gen(function* () {
    const told = window
    window = { latencies: [], waiting: 0 }
    while (told.waiting > 0) yield* Effect.sleep("5 millis")
    yield* parent.report(told.latencies)
  })
  yield* parent.report([])
  const answer = Effect.zipRight(Queue.take(parent.requests), tell)
  yield* Effect.raceAll([Effect.forever(answer), FiberSet.join(working), parent.gone])
})
