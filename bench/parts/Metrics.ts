/**
 * What it costs a server to be observed: metrics that are asked for every second, and a log of JSON. Two servers in turn,
 * the same load on each, and that with new ones again; a figure is the median of the ratios of the rounds, since a round's
 * two are next to each other.
 */
import * as Arr from "effect/Array"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import type { Load } from "../load/Load.js"
import { usualSize } from "../load/Texts.js"
import * as Trial from "../load/Trial.js"
import { median, quantile } from "../utils/Statistics.js"
import * as Table from "../utils/Table.js"
import type { Part } from "./Part.js"

const name = "metrics"

const members = 100

/** Most times what a delivery costs otherwise. */
const limit = 1.05

const loads: ReadonlyArray<Load & { readonly title: string }> = [
  {
    title: "full load, several texts a frame",
    speakers: 4,
    framing: "packed",
    pace: { _tag: "Window", texts: 64 },
    seconds: 0.5,
    size: usualSize
  },
  {
    title: "full load, one text a frame",
    speakers: 64,
    framing: "single",
    pace: { _tag: "Window", texts: 1 },
    seconds: 0.5,
    size: usualSize
  }
]

/** CPU time (µs) of a server a delivery, in one round. */
const cost = (trial: Trial.Trial, load: Load) =>
  Effect.map(trial.run(load), ({ deliveries, serverCpu }) => serverCpu / deliveries)

/** A load on both, round after round; who is first changes. The first round is for warming up. */
const compare = Effect.fnUntraced(function* (plain: Trial.Trial, observed: Trial.Trial, load: Load, rounds: number) {
  const costs: Array<{ readonly plain: number; readonly observed: number }> = []
  for (let round = 0; round <= rounds; round++) {
    const [first, second] = round % 2 === 0 ? [plain, observed] : [observed, plain]
    const one = yield* cost(first, load)
    const other = yield* cost(second, load)
    if (round > 0) costs.push(first === plain ? { plain: one, observed: other } : { plain: other, observed: one })
  }
  return costs
})

/** The costs of the rounds of two servers, by load. */
const pair = (rounds: number) =>
  Effect.gen(function* () {
    const speakers = Math.max(...loads.map((load) => load.speakers))
    const join = (peer: "memory" | "observed") =>
      Effect.flatMap(Trial.start(peer, members, speakers), (started) => started.join)
    const plain = yield* join("memory")
    const observed = yield* join("observed")
    return yield* Effect.forEach(loads, (load) => compare(plain, observed, load, rounds))
  }).pipe(Effect.scoped)

/** Of several pairs: how V8 has compiled a process stays with it, and would be taken for what is measured. */
const measure = (pairs: number, rounds: number) =>
  Effect.map(Effect.replicateEffect(pair(rounds), pairs), (all) =>
    loads.map(({ title }, at) => {
      const costs = all.flatMap((each) => each[at] ?? [])
      const ratios = costs.map((each) => each.observed / each.plain)
      return {
        title,
        plain: median(costs.map((each) => each.plain)),
        observed: median(costs.map((each) => each.observed)),
        ratio: median(ratios),
        spread: [quantile(ratios, 0.25), quantile(ratios, 0.75)] as const
      }
    })
  )

export const part: Part = {
  scenarios: [name],
  run: ({ isQuick }) =>
    Effect.gen(function* () {
      const [pairs, rounds] = isQuick ? [1, 5] : [4, 10]
      const measured = yield* Effect.either(measure(pairs, rounds))
      if (Either.isLeft(measured)) return { rows: [], claims: [], failures: [`${name}: ${measured.left.message}`] }
      yield* Console.log(
        Table.render(
          `observed: ${members} members, metrics asked for every second and a log of JSON, beside neither; ${pairs * rounds} rounds`,
          ["", "CPU µs/delivery", "observed", "ratio", "half of the ratios"],
          Arr.map(measured.right, ({ observed, plain, ratio, spread, title }) => [
            title,
            plain.toFixed(3),
            observed.toFixed(3),
            ratio.toFixed(3),
            spread.map((each) => each.toFixed(3)).join(" to ")
          ])
        )
      )
      const claims = measured.right.map(({ ratio, title }) => ({
        isMet: ratio <= limit,
        text: `observed, ${title}: CPU a delivery is ${ratio.toFixed(3)} times what it is otherwise (at most ${limit})`
      }))
      return { rows: [], claims, failures: [] }
    })
}
