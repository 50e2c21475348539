/** The load: a process that joins all members to a server, has some of them talk, and tells what it has measured. */
import * as Cause from "effect/Cause"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Queue from "effect/Queue"
import type { Member } from "../peers/Peer.js"
import * as Peers from "../peers/Peers.js"
import * as Child from "../utils/Child.js"
import * as Process from "../utils/Process.js"
import { quantile } from "../utils/Statistics.js"
import { Crowd } from "./Crowd.js"
import type { Load, Measured, Report, Request, Target } from "./Load.js"

/** Members that join at a time, where nothing else is said. */
const usualJoining = 256
/** All have joined when nothing has come for so long (ms). */
const quiet = 300
/** It is over when nothing that is due has come for so long (ms). */
const patience = 10_000

/** Joining may take so long in all (ms). */
const joinTime = 120_000

/** Joins all, and waits until they have been told of each other. */
const gather = Effect.fnUntraced(function* ({ joining, members, peer, port, speakers }: Target) {
  const { dialect } = Peers.peers[peer]
  let last = performance.now()
  const listen = () => {
    last = performance.now()
  }
  const joined: ReadonlyArray<Member> = yield* Effect.forEach(
    Array.from({ length: members }, (_, i) => i),
    (i) =>
      Effect.tap(dialect.join(port, i), (member) => {
        listen()
        member.hears.on("data", listen).resume()
      }),
    { concurrency: joining ?? dialect.joining ?? usualJoining }
  ).pipe(
    Effect.timeoutFail({
      duration: joinTime,
      onTimeout: () => new Error(`not all members have joined within ${joinTime / 1000} s`)
    })
  )
  while (performance.now() - last < quiet) yield* Effect.sleep(quiet / 10)
  for (const { hears } of joined) hears.off("data", listen)
  return new Crowd(joined, dialect, Math.min(speakers, members))
})

/** What was said did not come to all. */
class Missing extends Data.TaggedError("Missing")<{ readonly message: string }> {}

/** Says texts until `load` says that it is enough, and waits until all have come. */
const talk = (crowd: Crowd, load: Load): Effect.Effect<void, unknown> =>
  Effect.async<void, unknown>((resume) => {
    const { pace, seconds, speakers } = load
    const begin = performance.now()
    const until = begin + seconds * 1000
    let said = 0
    const step = () => {
      const now = performance.now()
      // The first texts are said however short the time is.
      if (now < until || said === 0) {
        if (pace._tag === "Window") {
          for (let speaker = 0; speaker < speakers; speaker++) {
            const free = pace.texts - crowd.inFlightOf(speaker)
            if (free > 0) crowd.say(speaker, free, load)
            said += free
          }
        } else {
          for (; said <= ((now - begin) / 1000) * pace.texts; said++) crowd.say(said % speakers, 1, load)
        }
      } else if (crowd.inFlight === 0) finish(Effect.void)
    }
    const timer = setInterval(() => {
      if (performance.now() - Math.max(crowd.heardAt, begin) > patience) {
        finish(Effect.fail(new Missing({ message: `${crowd.inFlight} texts have not come to all` })))
      } else if (pace._tag === "Rate") step()
    }, 5)
    const finish = (outcome: Effect.Effect<void, unknown>) => {
      clearInterval(timer)
      crowd.onTurn = () => {}
      resume(outcome)
    }
    crowd.onTurn = step
    crowd.onFailure = (error) => finish(Effect.fail(error))
    if (crowd.failure !== undefined) finish(Effect.fail(crowd.failure))
    else step()
  })

/** Puts `load` on the server; so many texts are expected to be said. */
const measure = Effect.fnUntraced(function* (crowd: Crowd, pid: number, load: Load, expected: number) {
  crowd.reset()
  for (let i = 0; i < load.speakers; i++) crowd.prepare(i, Math.ceil(expected / load.speakers), load.size)
  const before = { bytes: crowd.bytes, server: Process.cpu(pid), load: Process.cpu(process.pid), at: performance.now() }
  yield* talk(crowd, load)
  const texts = crowd.delivered
  const measured: Measured = {
    texts,
    deliveries: texts * crowd.audience,
    seconds: (performance.now() - before.at) / 1000,
    serverCpu: Process.cpu(pid) - before.server,
    loadCpu: Process.cpu(process.pid) - before.load,
    bytes: (crowd.bytes - before.bytes) / texts,
    p50: quantile(crowd.latencies, 0.5),
    p99: quantile(crowd.latencies, 0.99),
    latencies: load.isTold === true ? crowd.latencies.slice() : []
  }
  return measured
})

const failed = (cause: Cause.Cause<unknown>): Report => {
  const error = Cause.squash(cause)
  return { _tag: "Failed", reason: error instanceof Error ? error.message : String(error) }
}

/** Does what the parent asks for, for as long as it wants it. */
export const run = () =>
  Effect.gen(function* () {
    const parent = yield* Child.parent<Request, Report>()
    let joined: { readonly crowd: Crowd; readonly target: Target } | undefined
    /** Texts a second, as it was last. */
    let rate = 0
    const answer = (request: Request) =>
      Effect.gen(function* () {
        if (request._tag === "Join") {
          const begin = performance.now()
          joined = { crowd: yield* gather(request.target), target: request.target }
          return { _tag: "Joined", seconds: (performance.now() - begin) / 1000 } satisfies Report
        }
        if (joined === undefined) return yield* Effect.dieMessage("nobody has joined")
        // Twice as many as it may be: who has to do it meanwhile is busy with that.
        const measured = yield* measure(joined.crowd, joined.target.pid, request.load, 2 * rate * request.load.seconds)
        rate = measured.texts / measured.seconds
        return { _tag: "Measured", measured } satisfies Report
      })
    const next = Effect.flatMap(Queue.take(parent.requests), (request) =>
      Effect.flatMap(
        Effect.catchAllCause(answer(request), (cause) => Effect.succeed(failed(cause))),
        parent.report
      )
    )
    yield* Effect.raceFirst(Effect.forever(next), parent.gone)
  })
