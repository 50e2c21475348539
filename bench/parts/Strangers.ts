/**
 * Whether those who talk notice that two thousand strangers connect and misbehave, and whether somebody who holds the
 * key still gets in.
 */
import * as Arr from "effect/Array"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import type * as Holders from "../load/Holders.js"
import * as Siege from "../load/Siege.js"
import * as Strangers from "../load/Strangers.js"
import { median, quantile } from "../utils/Statistics.js"
import * as Table from "../utils/Table.js"
import type { Claim, Part } from "./Part.js"

const usual: Siege.Options = { rounds: 3, seconds: 15 }
const quick: Siege.Options = { rounds: 1, seconds: 6 }

/** Most times its quiet figure that the p99 may be, and how long (ms) a holder of the key may take to get in. */
const p99Limit = 3
const entryLimit = 10_000

/** A round in which there were strangers. */
type Attacked = Siege.Round & { readonly attack: NonNullable<Siege.Round["attack"]> }
const isAttacked = (round: Siege.Round): round is Attacked => round.attack !== undefined

/** How long (ms) each took to get in. */
const entries = (holders: ReadonlyArray<Holders.Report>) =>
  holders.map((each) => (each._tag === "In" ? each.time : Number.POSITIVE_INFINITY))

const total = <A>(all: ReadonlyArray<A>, figure: (each: A) => number) =>
  all.reduce((sum, each) => sum + figure(each), 0)

const opened = ({ tallies }: Strangers.Report) => total(tallies, (tally) => tally.opened)

/** Each kind, in all attacks together. */
const addUp = (reports: ReadonlyArray<Strangers.Report>): ReadonlyArray<Strangers.Tally> =>
  Arr.map(reports[0]?.tallies ?? [], ({ kind }) => {
    const all = reports.flatMap(({ tallies }) => tallies.filter((tally) => tally.kind === kind))
    return {
      kind,
      opened: total(all, (tally) => tally.opened),
      closedByServer: total(all, (tally) => tally.closedByServer),
      closedByThemselves: total(all, (tally) => tally.closedByThemselves),
      neverOpen: total(all, (tally) => tally.neverOpen),
      answered: total(all, (tally) => tally.answered),
      others: total(all, (tally) => tally.others),
      longest: Math.max(...all.map(({ longest }) => longest))
    }
  })

const share = (part: number, whole: number) => `${((100 * part) / whole).toFixed(0)} %`

const talk = (rounds: ReadonlyArray<Siege.Round>, quiet: ReadonlyArray<number>, attacked: ReadonlyArray<number>) => {
  const figures = (times: ReadonlyArray<number>) =>
    [median(times), quantile(times, 0.99), Math.max(...times)].map((time) => time.toFixed(2))
  return Table.render(
    `${Siege.members} members say ${Siege.rate} texts a second, all together, and in every other round ${Siege.strangers} strangers misbehave.\n` +
      "The server has its default limits, but that it asks nobody whether he is there; its log is in memory.\n" +
      "Latency (ms) from the write of a text until a member has it; CPU of the server as a share of a core",
    ["", "p50", "p99", "most", "texts", "CPU"],
    [
      ...rounds.map((round) => [
        isAttacked(round) ? "attacked" : "quiet",
        ...figures(round.measured.latencies),
        String(round.measured.texts),
        share(round.measured.serverCpu, 1e6 * round.measured.seconds)
      ]),
      ["all quiet ones", ...figures(quiet)],
      ["all attacked ones", ...figures(attacked)]
    ]
  )
}

const attacks = (reports: ReadonlyArray<Strangers.Report>, tallies: ReadonlyArray<Strangers.Tally>) => {
  const from = Strangers.hasAddresses
    ? `${reports[0]?.addresses ?? 0} addresses`
    : "one address (there are no others of loopback here)"
  const each = reports.map(
    (report) =>
      `${(opened(report) / report.seconds).toFixed(0)} connects a second, ${report.most} open at once at most, ` +
      `${share(report.cpu, 1e6 * report.seconds)} of a core for it`
  )
  return Table.render(
    `${Siege.strangers} strangers from ${from}, at most ${Siege.connects} connects a second. Each attack as they saw it:\n` +
      each.join("\n"),
    ["", "opened", "closed by server", "by themselves", "never open", "answered", "stayed at most (s)"],
    tallies.map((tally) => [
      tally.kind,
      String(tally.opened),
      String(tally.closedByServer),
      String(tally.closedByThemselves),
      String(tally.neverOpen),
      String(tally.answered),
      (tally.longest / 1000).toFixed(1)
    ])
  )
}

const holders = (before: ReadonlyArray<Holders.Report>, during: ReadonlyArray<Holders.Report>) => {
  const row = (name: string, all: ReadonlyArray<Holders.Report>) => [
    name,
    String(all.length),
    String(total(all, ({ tries }) => tries)),
    median(entries(all)).toFixed(0),
    Math.max(...entries(all)).toFixed(0)
  ]
  return Table.render(
    "holders of the key who came, one after the other: ms from the first dial to Welcome, and starts of their clients",
    ["", "came", "starts", "p50", "worst"],
    [row("before the attacks", before), row("during them", during)]
  )
}

const server = ({ after, before, log, peak, seconds }: Siege.Found) =>
  Table.render(
    [
      `the server; lines that it logged in ${seconds.toFixed(0)} s: ${log.length}; the first, the middle and the last:`,
      ...Arr.dedupe([0, log.length >> 1, log.length - 1]).flatMap((at) => log[at]?.slice(0, 200) ?? [])
    ].join("\n"),
    ["", "before", "peak", "after"],
    [
      ["RSS, MiB", ...[before, peak, after].map(({ rss }) => (rss / 1024).toFixed(0))],
      ["open files", ...[before, peak, after].map(({ files }) => String(files))]
    ]
  )

/** Prints what was found, and says what has come of what is promised. */
const tell = Effect.fnUntraced(function* (found: Siege.Found) {
  const { lost, rounds } = found
  const texts = total(rounds, ({ measured }) => measured.texts)
  const isWhole: Claim = {
    isMet: lost === undefined,
    text: `strangers: ${lost ?? `each of ${texts} texts came to each of ${Siege.members} members once, in one order`}`
  }
  const attacked = rounds.filter(isAttacked)
  const reports = attacked.map(({ attack }) => attack.report)
  // What was lost before there was anything to compare is all that there is to say.
  if (reports.length === 0) return { rows: [], claims: [isWhole], failures: [] }

  const latencies = (of: ReadonlyArray<Siege.Round>) => of.flatMap(({ measured }) => measured.latencies)
  const [quiet, during] = [latencies(rounds.filter((round) => !isAttacked(round))), latencies(attacked)]
  const came = attacked.flatMap(({ attack }) => attack.holders)
  const tallies = addUp(reports)
  yield* Console.log(talk(rounds, quiet, during))
  yield* Console.log(attacks(reports, tallies))
  yield* Console.log(holders(found.holders, came))
  yield* Console.log(server(found))

  const ratio = quantile(during, 0.99) / quantile(quiet, 0.99)
  const worst = Math.max(...entries(came))
  const told = total(tallies, ({ others }) => others)
  const claims: ReadonlyArray<Claim> = [
    {
      isMet: ratio <= p99Limit,
      text: `strangers: while ${Siege.strangers} misbehave, the p99 of who talks is ${ratio.toFixed(2)} times what it is else (at most ${p99Limit})`
    },
    {
      isMet: worst <= entryLimit,
      text: `strangers: meanwhile a holder of the key gets in within ${(worst / 1000).toFixed(2)} s at worst (at most ${entryLimit / 1000})`
    },
    isWhole,
    {
      isMet: told === 0,
      text: `strangers: they were told ${told} lines that are no answer to a handshake (none)`
    }
  ]
  const failures = reports
    .filter((report) => opened(report) < Siege.strangers)
    .map((report) => `strangers: only ${opened(report)} connects of ${Siege.strangers} strangers in an attack`)
  return { rows: [], claims, failures }
})

export const part: Part = {
  scenarios: ["strangers"],
  run: ({ isQuick }) =>
    Siege.run(isQuick ? quick : usual).pipe(
      Effect.flatMap(tell),
      Effect.catchTag("TrialError", ({ message }) =>
        Effect.succeed({ rows: [], claims: [], failures: [`strangers: ${message}`] })
      ),
      Effect.tap(({ failures }) =>
        Effect.forEach(failures, (failure) => Console.log(`nothing measured: ${failure}`), { discard: true })
      )
    )
}
