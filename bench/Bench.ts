/** Runs the parts one after the other, and says at the end what has come of what is promised. */
import * as Console from "effect/Console"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { judge } from "./Claims.js"
import * as Client from "./parts/Client.js"
import * as FanOut from "./parts/FanOut.js"
import * as Growth from "./parts/Growth.js"
import * as Idle from "./parts/Idle.js"
import * as Joins from "./parts/Joins.js"
import * as Metrics from "./parts/Metrics.js"
import type { Claim, Part, Row } from "./parts/Part.js"
import * as Start from "./parts/Start.js"
import * as Strangers from "./parts/Strangers.js"
import type { Peer } from "./peers/Peer.js"
import { type Name, peers } from "./peers/Peers.js"
import * as Process from "./utils/Process.js"

const parts: ReadonlyArray<Part> = [
  FanOut.part,
  Growth.part,
  Idle.part,
  Joins.part,
  Strangers.part,
  Metrics.part,
  Client.part,
  Start.part
]

/** What a quick run measures. */
const quick: ReadonlyArray<string> = ["fanout", "single", "rate", "client"]

/** Says which servers there are; gives those. */
const look = Effect.gen(function* () {
  if (!Process.canPin) yield* Console.log("servers and load share all cores here: there is no taskset")
  const installed = new Set<Name>()
  for (const [name, { install, name: called, version }] of Object.entries(peers) as ReadonlyArray<[Name, Peer]>) {
    const found = yield* version
    if (Option.isSome(found)) installed.add(name)
    yield* Console.log(Option.isSome(found) ? `${called} ${found.value}` : `${called} is missing: ${install}`)
  }
  yield* Console.log("")
  return installed
})

export const run = (args: ReadonlyArray<string>) =>
  Effect.gen(function* () {
    const isQuick = args.includes("--quick")
    const only = args.includes("--only") ? args[args.indexOf("--only") + 1] : undefined
    const known = parts.flatMap(({ scenarios }) => scenarios)
    if (args.includes("--only") && !known.some((name) => name === only)) {
      return yield* Effect.dieMessage(`--only takes one of ${known.join(", ")}`)
    }
    const wants = (scenario: string) => (only === undefined ? !isQuick || quick.includes(scenario) : scenario === only)
    const installed = yield* Effect.cached(look)
    const rows: Array<Row> = []
    const claims: Array<Claim> = []
    const failures: Array<string> = []
    const times: Array<string> = []
    const begin = performance.now()
    for (const part of parts) {
      if (!part.scenarios.some(wants)) continue
      const [time, found] = yield* Effect.timed(part.run({ isQuick, wants, installed }))
      times.push(`${part.scenarios.filter(wants).join(" and ")} ${Duration.toSeconds(time).toFixed(0)}`)
      rows.push(...found.rows)
      claims.push(...found.claims)
      failures.push(...found.failures)
    }
    for (const { isMet, text } of [...judge(rows), ...claims]) {
      yield* Console.log(`${isMet ? "met    " : "not met"}  ${text}`)
    }
    const seconds = (performance.now() - begin) / 1000
    yield* Console.log(`\nit took ${seconds.toFixed(0)} s: ${times.join(", ")}`)
    // A promise that is not met is a result like any other; what could not be measured is none.
    if (failures.length > 0) process.exitCode = 1
  })
