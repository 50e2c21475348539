/**
 * Servers measured beside each other: all are started and all members join; then each is put under the load in its turn,
 * and that again and again, so that whatever else the machine does comes to all of them. Figures are medians.
 */
import * as Console from "effect/Console"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import type { Load, Measured } from "../load/Load.js"
import { usualSize } from "../load/Texts.js"
import * as Trial from "../load/Trial.js"
import type { Name } from "../peers/Peers.js"
import { median } from "../utils/Statistics.js"
import * as Table from "../utils/Table.js"
import type { Found, Row } from "./Part.js"

/** A server with texts of 100 bytes, or of as many bytes as ours takes on the wire for one of those. */
export interface Contender {
  readonly server: string
  readonly peer: Name
  readonly texts: "usual" | "ours"
  /** Most members it is measured with: beyond, it takes long and tells nothing more. */
  readonly most?: number
}

export const ours: Contender = { server: "fernet-chat", peer: "memory", texts: "usual" }
export const oursDurable: Contender = { server: "fernet-chat, durable", peer: "durable", texts: "usual" }
export const bare: Contender = { server: "bare Node, 100 B", peer: "bare", texts: "usual" }
export const bareAlike: Contender = { server: "bare Node, our bytes", peer: "bare", texts: "ours" }
export const bareTls: Contender = { server: "bare Node, TLS 1.3, 100 B", peer: "tls", texts: "usual" }
export const redis: Contender = { server: "Redis", peer: "redis", texts: "usual" }
export const nats: Contender = { server: "NATS", peer: "nats", texts: "usual" }
export const ngIrcd: Contender = { server: "ngIRCd", peer: "ngircd", texts: "usual" }
export const inspIrcd: Contender = { server: "InspIRCd", peer: "inspircd", texts: "usual" }
export const original: Contender = { server: "the original, in Python", peer: "original", texts: "usual", most: 100 }

export interface Scenario {
  readonly name: string
  readonly title: string
  readonly load: Omit<Load, "size">
  readonly rounds: number
  /** Whether the memory of a member is measured, before anybody talks. */
  readonly isIdle?: boolean
  readonly members: ReadonlyArray<number>
  /** Ours comes first: the others need to know its bytes. */
  readonly contenders: ReadonlyArray<Contender>
}

/** Servers that are joined at a time: some wait, and some are busy. */
const joinAtATime = 3

/** How long (s) a load is on before it is measured. */
const warmUp = 0.3

/** Who has been at it for so long (s), warming up included, is measured no further: what is in flight takes it long. */
const patience = 6

/** The generator is the bottleneck when it has no more CPU time than this share of the time, and the server has. */
const full = 0.9

const toRow = (
  { name }: Scenario,
  { server }: Contender,
  members: number,
  memory: number | undefined,
  all: ReadonlyArray<Measured>
): Row => {
  const of = (figure: (measured: Measured) => number) => median(all.map(figure))
  const busy = of(({ loadCpu, seconds }) => loadCpu / seconds / 1e6)
  return {
    scenario: name,
    server,
    members,
    rate: of(({ deliveries, seconds }) => deliveries / seconds),
    cpu: of(({ deliveries, serverCpu }) => serverCpu / deliveries),
    p50: of(({ p50 }) => p50),
    p99: of(({ p99 }) => p99),
    memory,
    isLoadBound: busy >= full && of(({ seconds, serverCpu }) => serverCpu / seconds / 1e6) < busy
  }
}

/** Puts all contenders that have joined under the load of one scenario. */
const compare = Effect.fnUntraced(function* (
  scenario: Scenario,
  members: number,
  trials: ReadonlyMap<Name, Trial.Trial>,
  memory: ReadonlyMap<Name, number>
) {
  const measured = new Map<Contender, Array<Measured>>()
  const failed = new Set<Contender>()
  const spent = new Map<Contender, number>()
  const failures: Array<string> = []
  let bytes = usualSize
  for (let round = 0; round <= scenario.rounds; round++) {
    for (const contender of scenario.contenders) {
      const trial = trials.get(contender.peer)
      if (trial === undefined || failed.has(contender)) continue
      if (measured.has(contender) && (spent.get(contender) ?? 0) > patience) continue
      // Its line ends with a byte that is no text.
      const size = contender.texts === "ours" ? Math.round(bytes) - 1 : usualSize
      // The first round is for warming up.
      const seconds = round === 0 ? Math.min(warmUp, scenario.load.seconds) : scenario.load.seconds
      const [time, result] = yield* Effect.timed(Effect.either(trial.run({ ...scenario.load, seconds, size })))
      spent.set(contender, (spent.get(contender) ?? 0) + Duration.toSeconds(time))
      if (Either.isLeft(result)) {
        failed.add(contender)
        failures.push(`${scenario.name}: ${result.left.message}`)
        continue
      }
      if (contender === ours) bytes = result.right.bytes
      if (round > 0) measured.set(contender, [...(measured.get(contender) ?? []), result.right])
    }
  }
  const rows = scenario.contenders.flatMap((contender) => {
    const all = measured.get(contender)
    if (all === undefined || failed.has(contender)) return []
    return [toRow(scenario, contender, members, scenario.isIdle === true ? memory.get(contender.peer) : undefined, all)]
  })
  return { rows, failures }
})

/** Starts whom the scenarios need, joins so many members each, and measures. */
const withMembers = Effect.fnUntraced(function* (scenarios: ReadonlyArray<Scenario>, members: number) {
  const due = scenarios
    .filter((scenario) => scenario.members.includes(members))
    .map((scenario) => ({
      ...scenario,
      contenders: scenario.contenders.filter(({ most = members }) => members <= most)
    }))
  const isIdle = due.some((scenario) => scenario.isIdle === true)
  // Only as many as ever talk: who may talk and does not hear itself costs the generator more.
  const speakers = Math.max(...due.map(({ load }) => load.speakers))
  // The last first: those of ours take longest to join, and others only wait.
  const names = Array.from(new Set(due.flatMap(({ contenders }) => contenders.map(({ peer }) => peer)))).reverse()
  const started = yield* Effect.forEach(names, (name) =>
    Effect.map(Trial.start(name, members, speakers), (server) => ({ name, ...server }))
  )

  /** The memory (KiB) of each server, when all have been left alone. */
  const memories = Effect.gen(function* () {
    if (!isIdle) return new Map<Name, number>()
    yield* Effect.sleep(Trial.restTime)
    const all = yield* Effect.forEach(
      started,
      ({ memory, name }) => Effect.map(memory, (size) => [name, size] as const),
      { concurrency: "unbounded" }
    )
    return new Map(all)
  })

  const failures: Array<string> = []
  const before = yield* memories
  const trials = new Map<Name, Trial.Trial>()
  yield* Effect.forEach(
    started,
    ({ join, name }) =>
      Effect.matchEffect(join, {
        onFailure: ({ message }) => Effect.sync(() => void failures.push(message)),
        onSuccess: (trial) => {
          trials.set(name, trial)
          // How far it is, for who waits.
          return Console.error(`${members} members have joined ${name} (${trial.joinSeconds.toFixed(1)} s)`)
        }
      }),
    { concurrency: joinAtATime, discard: true }
  )
  const after = yield* memories
  const memory = new Map(Array.from(after, ([name, size]) => [name, (size - (before.get(name) ?? 0)) / members]))
  const compared = yield* Effect.forEach(due, (scenario) => compare(scenario, members, trials, memory))
  return {
    rows: compared.flatMap(({ rows }) => rows),
    failures: [...failures, ...compared.flatMap((each) => each.failures)]
  }
}, Effect.scoped)

/** Three figures of it, or more where they are whole. */
export const number = (value: number): string =>
  Number.isInteger(value) || value >= 100 ? Math.round(value).toLocaleString("en") : value.toPrecision(3)

const headings = ["", "members", "deliveries/s", "CPU µs/delivery", "p50 ms", "p99 ms", "KiB/connection", ""]

const render = (title: string, rows: ReadonlyArray<Row>): string =>
  Table.render(
    title,
    headings,
    rows.map(({ cpu, isLoadBound, members, memory, p50, p99, rate, server }) => [
      server,
      number(members),
      number(rate),
      number(cpu),
      number(p50),
      number(p99),
      memory === undefined ? "-" : number(memory),
      isLoadBound ? "generator was the bottleneck" : ""
    ])
  )

/** Measures scenarios, those with as many members together; prints a table of each. */
export const run = Effect.fnUntraced(function* (
  scenarios: ReadonlyArray<Scenario>,
  look: Effect.Effect<ReadonlySet<Name>>
) {
  const installed = yield* look
  const wanted = scenarios.map((scenario) => ({
    ...scenario,
    contenders: scenario.contenders.filter(({ peer }) => installed.has(peer))
  }))
  const sizes = new Set(wanted.flatMap(({ members }) => members).toSorted((a, b) => a - b))
  const measured = yield* Effect.forEach(sizes, (members) => withMembers(wanted, members))
  const rows = measured.flatMap((each) => each.rows)
  const failures = measured.flatMap((each) => each.failures)
  for (const { name, title } of wanted) {
    yield* Console.log(
      render(
        title,
        rows.filter(({ scenario }) => scenario === name)
      )
    )
  }
  for (const failure of failures) yield* Console.log(`nothing measured: ${failure}`)
  const found: Found = { rows, claims: [], failures }
  return found
})
