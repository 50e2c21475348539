/**
 * What it costs a server that somebody comes: the CPU time of a handshake and of a whole join, beside a bare Node server
 * that takes a connection, a line and its end; and how long those who talk wait while many come at once.
 */
import * as Arr from "effect/Array"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Fernet from "../../src/domain/Fernet.js"
import * as FernetChat from "../peers/FernetChat.js"
import type { Peer, Server } from "../peers/Peer.js"
import * as Child from "../utils/Child.js"
import type * as Newcomers from "../utils/Newcomers.js"
import * as NodeServer from "../utils/NodeServer.js"
import * as Process from "../utils/Process.js"
import { median, quantile } from "../utils/Statistics.js"
import * as Table from "../utils/Table.js"
import type * as Talking from "../utils/Talking.js"
import type { Claim, Part } from "./Part.js"

const program = new URL("main.js", import.meta.url).href

const newcomers = Child.startOn<Newcomers.Request, Newcomers.Report>(Process.loadCore, program, "newcomers")
const talking = Child.startOn<Talking.Request, Talking.Report>(Process.loadCore, program, "talking")

/** Connections of one kind in a round, at most so many at a time. */
const visits = 500
const atOnce = 8
const costRounds = 5

/** How long (ms) a server may take to let go of connections that are closed. */
const settling = 300

/** CPU time (µs) that `server` had for each of many visits. */
const cost = Effect.fnUntraced(function* (
  load: Child.Child<Newcomers.Request, Newcomers.Report>,
  { pid, port }: Server,
  visit: Newcomers.Visit
) {
  const before = Process.cpu(pid)
  yield* load.send({ _tag: "Series", port, visit, visits, atOnce })
  yield* load.report
  yield* Effect.sleep(settling)
  return (Process.cpu(pid) - before) / visits
})

/** Most CPU time (µs) of a handshake. */
const handshakeLimit = 500

/** The cost of a handshake and of a join, each round all of them in turn. */
const costs = Effect.gen(function* () {
  const load = yield* newcomers
  const bare = yield* NodeServer.start(["bench/utils/echo.mjs"], (line) => line)
  const ours = yield* FernetChat.inMemory.start(atOnce)
  const rows = [
    { name: "bare Node: a line and its answer", server: bare, visit: "line", used: Arr.empty<number>() },
    { name: "a handshake", server: ours, visit: "handshake", used: Arr.empty<number>() },
    { name: "a whole join: Nick, live, Leave", server: ours, visit: "join", used: Arr.empty<number>() }
  ] as const
  // The first round is for warming up.
  for (let round = 0; round <= costRounds; round++) {
    for (const { server, used, visit } of rows) {
      const each = yield* cost(load, server, visit)
      if (round > 0) used.push(each)
    }
  }
  const least = median(rows[0].used)
  yield* Console.log(
    Table.render(
      `CPU time of the server (µs) for each connection, from accept to close; ${costRounds} rounds of ${visits}, ${atOnce} at a time`,
      ["", "median", "least", "most", "times bare Node"],
      rows.map(({ name, used }) => [
        name,
        median(used).toFixed(0),
        Math.min(...used).toFixed(0),
        Math.max(...used).toFixed(0),
        (median(used) / least).toFixed(2)
      ])
    )
  )
  const handshake = median(rows[1].used)
  const text =
    `handshake: it takes ${handshake.toFixed(0)} µs of the server's CPU, ${(handshake / least).toFixed(2)} times ` +
    `a line and its answer on bare Node (at most ${handshakeLimit} µs)`
  return [{ isMet: handshake <= handshakeLimit, text }]
})

/** Those who talk, and the texts they say in a second, all together. */
const talkers = 50
const rate = 50
/** Those who come all at once. */
const crowd = 500
const crowdRounds = 3
/** How long (ms) nobody comes. */
const quiet = 3000
/** How long (ms) it may take until all has been told that is to be told of those who have left. */
const calming = 1000

/** Latencies of texts while nobody comes, and from when a crowd begins to come until the last of it is live. */
const meet = Effect.fnUntraced(function* (peer: Peer) {
  const [load, talk] = [yield* newcomers, yield* talking]
  const { pid, port } = yield* peer.start(talkers + crowd)
  yield* talk.send({ _tag: "Begin", port, members: talkers, rate })
  yield* talk.report
  const tell = Effect.zipRight(talk.send({ _tag: "Tell" }), talk.report)

  const round = Effect.gen(function* () {
    yield* Effect.sleep(calming)
    yield* tell
    yield* Effect.sleep(quiet)
    const without = yield* tell
    const before = { cpu: Process.cpu(pid), at: performance.now() }
    yield* load.send({ _tag: "Crowd", port, size: crowd })
    yield* load.report
    const seconds = (performance.now() - before.at) / 1000
    const cpu = (Process.cpu(pid) - before.cpu) / crowd
    const during = yield* tell
    yield* load.report
    return { without, during, seconds, cpu }
  })
  // The first round is for warming up.
  yield* round
  return yield* Effect.replicateEffect(round, crowdRounds)
})

/** How many times the p99 of those who talk may be what it is when nobody comes. */
const crowdLimit = 3

/** How long those who talk wait while many come at once. */
const crowds = Effect.gen(function* () {
  const rows: Array<ReadonlyArray<string>> = []
  const claims: Array<Claim> = []
  for (const peer of [FernetChat.inMemory, FernetChat.durable]) {
    const rounds = yield* Effect.scoped(meet(peer))
    const without = rounds.flatMap((round) => round.without)
    const during = rounds.flatMap((round) => round.during)
    const ratio = quantile(during, 0.99) / quantile(without, 0.99)
    claims.push({
      isMet: ratio < crowdLimit,
      text: `crowd: while ${crowd} come at once, the p99 of who talks to ${peer.name} is ${ratio.toFixed(2)} times what it is else (below ${crowdLimit})`
    })
    const show = (latencies: ReadonlyArray<number>) =>
      [median(latencies), quantile(latencies, 0.99)].map((value) => value.toFixed(1))
    rows.push([
      peer.name,
      ...show(without),
      ...show(during),
      ratio.toFixed(2),
      `${without.length}, ${during.length}`,
      median(rounds.map(({ seconds }) => seconds)).toFixed(1),
      median(rounds.map(({ cpu }) => cpu)).toFixed(0)
    ])
  }
  yield* Console.log(
    Table.render(
      `${talkers} members say ${rate} texts a second, all together, and ${crowd} come at once: ${crowdRounds} rounds.\n` +
        "Latency (ms) from saying a text until its author is told that it is in the log; the ratio of p99 is to be below 3",
      ["", "quiet p50", "p99", "crowd p50", "p99", "ratio", "texts", "all live (s)", "CPU of each (µs)"],
      rows
    )
  )
  return claims
})

export const part: Part = {
  scenarios: ["handshake", "crowd"],
  run: ({ wants }) =>
    Effect.gen(function* () {
      const claims = [...(wants("handshake") ? yield* costs : []), ...(wants("crowd") ? yield* crowds : [])]
      return { rows: [], claims, failures: [] }
    }).pipe(Effect.scoped, Effect.provide(Fernet.layer))
}
