/**
 * Whether anybody waits for somebody who comes back: members talk over TCP at a steady rate, while again and again one
 * that was away for 10,000 events catches up. Server, talkers and the one that comes back are three processes; the
 * latency of a text is from saying it until the server has told its author that it is in the log, on disk.
 *
 *     node scripts/run.mjs bench/catchup.ts [TEXTS_A_ROW] [ROUNDS]
 *
 * What was missed is in rows of 16 texts, as a busy room leaves them; a quiet one leaves rows of 1.
 */
import { join } from "node:path"
import * as Arr from "effect/Array"
import * as Clock from "effect/Clock"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as FiberSet from "effect/FiberSet"
import * as Schedule from "effect/Schedule"
import type * as Scope from "effect/Scope"
import * as Base64Url from "../src/domain/Base64Url.js"
import { Entropy } from "../src/domain/Entropy.js"
import * as Fernet from "../src/domain/Fernet.js"
import * as Protocol from "../src/domain/Protocol.js"
import * as TransportTcp from "../src/domain/TransportTcp.js"
import * as Child from "./utils/Child.js"
import * as Directory from "./utils/Directory.js"
import * as Past from "./utils/Past.js"
import * as Returning from "./utils/Returning.js"
import * as Serving from "./utils/Serving.js"
import { host, keys, text } from "./utils/Setting.js"
import { median, quantile } from "./utils/Statistics.js"
import * as Talker from "./utils/Talker.js"

/** Events that are missed each time. */
const missed = 10_000
/** Members who talk, and the texts they say in a second, all together. */
const talkers = 50
const rate = 50
/** How long (ms) each half of a round takes at least. */
const half = 2000

/** A text that was said: when (ms), and how long (ms) it took until its author was told that it is in the log. */
interface Sample {
  readonly at: number
  readonly latency: number
  readonly seq: Protocol.Seq
}

const now = Effect.map(Clock.currentTimeNanos, (nanos) => Number(nanos) / 1e6)

/** Joins those who talk, from then on; what becomes of their texts is in `samples`. */
const talk = Effect.gen(function* () {
  const samples: Array<Sample> = []
  const heard = new Talker.Heard()
  const members = yield* Effect.forEach(Arr.range(1, talkers), (i) => Talker.join(`talker-${i}`, heard))
  const working = yield* FiberSet.make<void, unknown>()
  for (const { join } of members) yield* FiberSet.run(working, join)
  let turn = 0
  const say = Effect.gen(function* () {
    const member = yield* Effect.fromNullable(members[turn++ % members.length])
    const at = yield* now
    const seq = yield* member.say
    samples.push({ at, latency: (yield* now) - at, seq })
  })
  // At a steady rate, whether or not those before are acknowledged.
  const saying = yield* FiberSet.run(working, say).pipe(Effect.repeat(Schedule.fixed(1000 / rate)), Effect.forkScoped)
  const stop = Effect.gen(function* () {
    yield* Fiber.interrupt(saying)
    yield* Effect.sleep("1 second")
    if (samples.length < turn) return yield* Effect.dieMessage(`${turn - samples.length} texts were not acknowledged`)
  })
  return { samples, stop, failed: FiberSet.join(working) }
})

/** A time (ms) in which texts were said under the same conditions. */
type Window = readonly [from: number, to: number]

const measure = Effect.gen(function* () {
  const [batch = 16, rounds = 5] = process.argv.slice(2).map(Number)
  const file = join(yield* Directory.temporary, "log")
  const returning = yield* Child.start<Returning.Request, Returning.Report>(import.meta.url, "return")
  const ticket = Protocol.Ticket.make(Base64Url.encode((yield* Entropy).bytes(16)))
  const away = { nick: Returning.nick, ticket }
  const past = yield* Past.write({ file, keys, away, authors: talkers, texts: missed, text, batch })
  const server = yield* Child.start<never, Serving.Listening>(import.meta.url, "serve", file)
  const { port } = yield* server.report
  const { failed, samples, stop } = yield* Effect.provide(talk, TransportTcp.layerDialer({ host, port }))

  const windows = { without: Arr.empty<Window>(), with: Arr.empty<Window>() }
  const returns: Array<{ readonly events: number; readonly time: number }> = []

  const alone = Effect.gen(function* () {
    const from = yield* now
    yield* Effect.sleep(half)
    windows.without.push([from, yield* now])
  })

  /** Has it come back once; the time (ms) that it takes. */
  const together = Effect.gen(function* () {
    const head = samples.at(-1)?.seq ?? past.head
    const from = yield* now
    yield* returning.send({ port, ticket, log: past.log, after: Protocol.Position.make(head - missed) })
    const back = yield* returning.report
    const to = yield* now
    const left = yield* returning.report
    if (back._tag !== "Back" || left._tag !== "Left") return yield* Effect.dieMessage("it did not come back")
    const { events } = left
    if (events < missed) return yield* Effect.dieMessage(`it was told of ${events} events only`)
    windows.with.push([from, to])
    returns.push({ events, time: back.time })
    return to - from
  })

  const round = Effect.gen(function* () {
    yield* alone
    let time = 0
    while (time < half) time += yield* together
  })

  yield* Effect.gen(function* () {
    yield* round
    // That one was for warming up.
    for (const list of [windows.without, windows.with, returns]) list.length = 0
    for (let i = 0; i < rounds; i++) yield* round
    yield* stop
  }).pipe(Effect.raceFirst(failed))

  const latencies = (list: ReadonlyArray<Window>) =>
    samples.filter(({ at }) => list.some(([from, to]) => from <= at && at < to)).map(({ latency }) => latency)
  const show = (values: ReadonlyArray<number>) =>
    `median ${median(values).toFixed(2)} ms, nine of ten within ${quantile(values, 0.9).toFixed(2)} ms ` +
    `(${values.length} texts)`
  const [without, during] = [latencies(windows.without), latencies(windows.with)]
  const events = returns.map((each) => each.events)
  const times = returns.map((each) => each.time)
  yield* Console.log(
    [
      `${talkers} members say ${rate} texts a second, all together, ${text.length} characters each`,
      `with nobody else:           ${show(without)}`,
      `while one catches up:       ${show(during)}`,
      `ratio of medians: ${(median(during) / median(without)).toFixed(2)} (to be at most 1.5)`,
      `caught up ${returns.length} times, from rows of ${batch}: ${Math.min(...events)} to ${Math.max(...events)} events, ` +
        `each told once and in order, in ${median(times).toFixed(0)} ms (median)`
    ].join("\n")
  )
})

const run = <A, E>(program: Effect.Effect<A, E, Scope.Scope | Fernet.Fernet>) =>
  Effect.runPromise(program.pipe(Effect.scoped, Effect.timeout("2 minutes"), Effect.provide(Fernet.layer)))

const [, , role, file = ""] = process.argv
if (role === "serve") await run(Serving.run(file))
else if (role === "return") await run(Returning.run)
else await run(measure)
