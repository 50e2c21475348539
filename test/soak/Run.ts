/** A run: a round to warm up, and a longer one; after each all are gone, and stock is taken. */
import { join } from "node:path"
import * as Arr from "effect/Array"
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import * as Child from "../../bench/utils/Child.js"
import { host, keys } from "../../bench/utils/Setting.js"
import { Fernet } from "../../src/domain/Fernet.js"
import * as TransportTcp from "../../src/domain/TransportTcp.js"
import * as Disk from "../kill/Disk.js"
import * as Checker from "../simulation/Checker.js"
import { Dice } from "../simulation/Dice.js"
import * as History from "../simulation/History.js"
import * as Command from "../utils/Command.js"
import * as Proxy from "../utils/Proxy.js"
import * as Caller from "./Caller.js"
import { Crowd } from "./Crowd.js"
import * as Honest from "./Honest.js"
import type * as Host from "./Host.js"
import type * as Leak from "./Leak.js"
import * as Limits from "./Limits.js"
import { Member } from "./Member.js"
import * as Stranger from "./Stranger.js"
import * as Verdict from "./Verdict.js"

export interface Options {
  readonly seed: number
  /** How long both rounds take together, in seconds. */
  readonly seconds: number
  readonly members: number
  readonly leaks: ReadonlyArray<Leak.Leak>
  /** Hears how far it has come. */
  readonly tell: (line: string) => Effect.Effect<void>
}

export interface Result {
  readonly rows: ReadonlyArray<Verdict.Row>
  readonly acts: ReadonlyMap<string, number>
  readonly outcomes: ReadonlyMap<string, number>
  readonly findings: Verdict.Findings
}

/** The share of the warm-up. */
const warmUp = 1 / 3

/** This program as it was built: it is started again as the server. */
const program = new URL("main.js", import.meta.url).href
const worker = new URL("StoreWorker.js", import.meta.url)

/** Loses connections of honest clients, until the round is over. */
const cut = Effect.fnUntraced(function* (proxy: Proxy.Proxy, dice: Dice, crowd: Crowd) {
  while (!crowd.isOver) {
    yield* crowd.rest(dice.scale(500, 10_000))
    // Who is let in for the first time has nothing to come back to until it has said something after its Nick.
    const open = proxy.connections.filter(({ isOver, sent }) => !isOver && sent.up.length > 2)
    if (open.length === 0) continue
    crowd.did("an honest client loses its connection")
    dice.pick(open).cut()
  }
})

/** Everybody who is there, and goes home. */
const everybody = Effect.fnUntraced(function* (options: Options, dice: Dice, crowd: Crowd, port: number) {
  const fernet = yield* Fernet
  const members = Arr.makeBy(options.members, (i) => {
    const member = new Member(i + 1, options.members, dice.fork(), crowd, fernet)
    return Effect.provide(member.live, Caller.layerDialer(port, 1, 1 + Math.floor(i / Limits.membersAtAddress)))
  })
  const strangers = Arr.makeBy(Limits.strangers, () =>
    Effect.provide(Stranger.live(dice.fork(), crowd), Caller.layerDialer(port, 2, 1))
  )
  const round = Effect.fnUntraced(function* (number: number, seconds: number) {
    const proxy = yield* Proxy.make(port)
    const honest = Arr.makeBy(Limits.honest, (i) =>
      Effect.provide(
        Honest.live(`honest-${number}-${i + 1}`, dice.fork(), crowd),
        TransportTcp.layerDialer({ host, port: i % 2 === 0 ? port : proxy.port })
      )
    )
    crowd.begin()
    const timer = Effect.andThen(Effect.sleep(seconds * 1_000), () => crowd.end())
    yield* Effect.all([timer, cut(proxy, dice.fork(), crowd), ...honest, ...members, ...strangers], {
      concurrency: "unbounded",
      discard: true
    })
  }, Effect.scoped)
  return round
})

/** The server as a child. */
const start = Effect.fnUntraced(function* (file: string, leaks: ReadonlyArray<Leak.Leak>) {
  const child = yield* Child.start<Host.Request, Host.Report>(program, "server", file, ...leaks)
  const expect = <Tag extends Host.Report["_tag"]>(tag: Tag) =>
    Effect.flatMap(child.report, (report) =>
      is(report, tag) ? Effect.succeed(report) : Effect.dieMessage(`it reports ${report._tag}, not ${tag}`)
    )
  const ask = <Tag extends Host.Report["_tag"]>(_tag: Host.Request["_tag"], answer: Tag) =>
    Effect.zipRight(child.send({ _tag }), expect(answer))
  const { port } = yield* expect("Listening")
  return {
    port,
    /** Never ends but by the end of the server, while nothing is asked of it. */
    crash: Effect.zipRight(child.report, Effect.dieMessage("it reports what nobody has asked for")),
    look: ask("Look", "Seen"),
    measure: Effect.map(ask("Measure", "Measured"), ({ inventory }) => inventory),
    end: Effect.map(ask("End", "Ended"), ({ complaints }) => complaints)
  }
})

/** Looks until it is as it should be, or for so long (ms). */
const until = Effect.fnUntraced(function* <A, E, R>(
  look: Effect.Effect<A, E, R>,
  time: number,
  isRight: (seen: A) => boolean
) {
  const begin = yield* Clock.currentTimeMillis
  for (;;) {
    const seen = yield* look
    if (isRight(seen) || (yield* Clock.currentTimeMillis) - begin > time) return seen
    yield* Effect.sleep("100 millis")
  }
})

const is = <Tag extends Host.Report["_tag"]>(
  report: Host.Report,
  tag: Tag
): report is Extract<Host.Report, { readonly _tag: Tag }> => report._tag === tag

/** What happens, from the first connection to the end of the server. */
const play = Effect.fnUntraced(function* (options: Options, crowd: Crowd, file: string) {
  const { seconds, tell } = options
  const server = yield* start(file, options.leaks)
  const round = yield* everybody(options, new Dice(options.seed), crowd, server.port)
  const run = (number: number, seconds: number) => Effect.raceFirst(round(number, seconds), server.crash)

  const empty = until(server.look, Limits.parting, ({ connections, members }) => connections + members === 0)

  yield* run(1, seconds * warmUp)
  yield* empty
  const before = yield* server.measure
  yield* tell("warmed up")

  yield* run(2, seconds * (1 - warmUp))
  yield* empty
  const after = yield* until(server.measure, Limits.moment, (now) => Verdict.isBack(before, now))
  return { before, after, complaints: yield* server.end }
}, Effect.scoped)

/** Plays and judges. */
export const run = Effect.fn("Run.run")(function* (options: Options) {
  const crowd = new Crowd()
  const { history } = crowd
  const directory = yield* Command.directory
  const file = join(directory, "chat.db")
  const played = yield* Effect.exit(play(options, crowd, file))
  if (Exit.isFailure(played)) {
    if (Cause.isInterruptedOnly(played.cause)) return yield* Effect.failCause(played.cause)
    crowd.problem(Cause.pretty(played.cause))
  }
  const log = yield* Effect.catchAll(Disk.readLog({ file, key: keys[0], worker }), ({ message }) => {
    crowd.problem(`the log cannot be read: ${message}`)
    return Effect.succeed<Disk.OpenedLog>({ id: "", entries: [] })
  })
  history.logs.push({ id: log.id, events: log.entries.map(History.event), oldest: 1 })
  const stock = Option.getOrUndefined(Exit.getOrElse(Exit.map(played, Option.some), Option.none))
  const findings: Verdict.Findings = {
    violations: Checker.check(history),
    acknowledged: history.sayings.filter(({ outcome }) => outcome._tag === "Acknowledged").length,
    complaints: stock?.complaints ?? [],
    crashes: Exit.isFailure(played) ? 1 : 0
  }
  const result: Result = { rows: Verdict.rows(stock, findings), acts: crowd.acts, outcomes: crowd.outcomes, findings }
  return result
}, Effect.scoped)
