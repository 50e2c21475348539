/**
 * A server with the limits it has by default, whose members talk: in turn left alone, and attacked by two thousand
 * strangers while holders of the key come, one after the other.
 */
import { readFileSync } from "node:fs"
import { join } from "node:path"
import * as Arr from "effect/Array"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as FernetChat from "../peers/FernetChat.js"
import * as Child from "../utils/Child.js"
import * as Directory from "../utils/Directory.js"
import * as Limits from "../utils/Limits.js"
import * as NodeServer from "../utils/NodeServer.js"
import * as Process from "../utils/Process.js"
import type * as Holders from "./Holders.js"
import type { Load, Measured } from "./Load.js"
import type * as Strangers from "./Strangers.js"
import { usualSize } from "./Texts.js"
import * as Trial from "./Trial.js"

/** Those who talk, and the texts they say in a second, all together. */
export const members = 50
export const rate = 20
/** Members who join at a time: from one address a server takes few at a time. */
const joining = 4

export const strangers = 2000
/** Most connects of theirs a second. */
export const connects = 500

/** How long (s) rounds take that are for warming up. */
const warmUp = 5
/** From when one holder of the key has gone until the next comes. */
const pause = "500 millis"
/** How often it is looked what the server holds. */
const lookTime = "250 millis"
/** How long (ms) a server may take, when the strangers are gone, to let go of what it held for them. */
const calming = 15_000
/** How long letting go of garbage takes. */
const collectTime = "1 second"

export interface Round {
  readonly measured: Measured
  /** Those who came, where there were strangers. */
  readonly attack: { readonly report: Strangers.Report; readonly holders: ReadonlyArray<Holders.Report> } | undefined
}

export interface Found {
  /** Quiet ones and attacked ones in turn. */
  readonly rounds: ReadonlyArray<Round>
  /** Why there are no more: what was delivered is not what was said. */
  readonly lost: string | undefined
  /** Those who came before there was any stranger. */
  readonly holders: ReadonlyArray<Holders.Report>
  /** What the server held: at rest, at most, and at rest again when all were gone. */
  readonly before: Process.Footprint
  readonly peak: Process.Footprint
  readonly after: Process.Footprint
  /** What it logged in all, and in how long (s). */
  readonly log: ReadonlyArray<string>
  readonly seconds: number
}

export interface Options {
  /** Rounds of each kind. */
  readonly rounds: number
  /** How long (s) a round takes. */
  readonly seconds: number
}

/** This program as it was built: it is started again in other roles. */
const program = new URL("main.js", import.meta.url).href

const load = (seconds: number): Load => ({
  speakers: members,
  size: usualSize,
  framing: "single",
  pace: { _tag: "Rate", texts: rate },
  seconds,
  isTold: true
})

/** Lays siege. Fails where the members have not joined, or lose something before it is measured. */
export const run = Effect.fnUntraced(function* (options: Options) {
  const begin = performance.now()
  const directory = yield* Directory.temporary
  const errors = join(directory, "errors")
  const server = yield* FernetChat.serve(directory, ["--ephemeral"], Limits.unasked, errors)
  const trial = yield* Trial.join({ peer: "memory", members, speakers: members, joining, ...server })
  const attacking = yield* Child.startOn<Strangers.Request, Strangers.Report>(Process.loadCore, program, "strangers")
  const holding = yield* Child.startOn<Holders.Request, Holders.Report>(Process.loadCore, program, "holders")

  const footprint = Effect.sync(() => Process.footprint(server.pid))
  const rest = NodeServer.collect(server).pipe(Effect.zipRight(Effect.sleep(collectTime)), Effect.zipRight(footprint))

  let came = 0
  /** Has holders of the key come, one after the other, for so long (s): at least one. */
  const come = Effect.fnUntraced(function* (seconds: number) {
    const until = performance.now() + 1000 * seconds
    const holders: Array<Holders.Report> = []
    do {
      came += 1
      yield* holding.send({ port: server.port, nick: `holder-${came}` })
      holders.push(yield* holding.report)
      yield* Effect.sleep(pause)
    } while (performance.now() < until)
    return holders
  })

  const quiet = (seconds: number) =>
    Effect.map(trial.run(load(seconds)), (measured): Round => ({ measured, attack: undefined }))

  /** Done when the server holds no more `files` than before. */
  const attacked = Effect.fnUntraced(function* (seconds: number, files: number) {
    yield* attacking.send({ _tag: "Begin", port: server.port, strangers, rate: connects })
    const [measured, holders] = yield* Effect.all([trial.run(load(seconds)), come(seconds)], { concurrency: 2 })
    yield* attacking.send({ _tag: "End" })
    const report = yield* attacking.report
    const until = performance.now() + calming
    while ((yield* footprint).files > files && performance.now() < until) yield* Effect.sleep(lookTime)
    const round: Round = { measured, attack: { report, holders } }
    return round
  })

  yield* quiet(warmUp)
  const holders = yield* come(warmUp)
  const before = yield* rest
  let peak = before
  const look = Effect.map(footprint, ({ files, rss }) => {
    peak = { files: Math.max(files, peak.files), rss: Math.max(rss, peak.rss) }
  })
  yield* Effect.forkScoped(Effect.forever(Effect.zipRight(look, Effect.sleep(lookTime))))
  yield* attacked(warmUp, before.files)

  const rounds: Array<Round> = []
  const measure = Effect.forEach(
    Arr.range(1, options.rounds),
    () =>
      Effect.gen(function* () {
        rounds.push(yield* quiet(options.seconds))
        rounds.push(yield* attacked(options.seconds, before.files))
      }),
    { discard: true }
  )
  const outcome = yield* Effect.either(measure)
  const found: Found = {
    rounds,
    lost: Either.isLeft(outcome) ? outcome.left.message : undefined,
    holders,
    before,
    peak,
    after: yield* rest,
    log: readFileSync(errors, "utf8").split("\n").slice(0, -1),
    seconds: (performance.now() - begin) / 1000
  }
  return found
}, Effect.scoped)
