/** What is promised of the figures, each as a ratio of two that were measured beside each other in this run. */
import type { Claim, Row } from "./parts/Part.js"
import * as Rounds from "./parts/Rounds.js"

type Figure = "cpu" | "p99"

/** That a figure of ours is at most `limit` times the same figure of another. */
interface Ratio {
  readonly scenario: string
  readonly members: number
  readonly figure: Figure
  readonly ours?: Rounds.Contender
  readonly theirs: Rounds.Contender
  readonly limit: number
}

const ratios: ReadonlyArray<Ratio> = [
  { scenario: "fanout", members: 1000, figure: "cpu", theirs: Rounds.bareAlike, limit: 1.5 },
  ...[Rounds.redis, Rounds.nats, Rounds.ngIrcd, Rounds.inspIrcd].map(
    (theirs): Ratio => ({ scenario: "fanout", members: 1000, figure: "cpu", theirs, limit: 1 })
  ),
  { scenario: "fanout", members: 100, figure: "cpu", theirs: Rounds.redis, limit: 1 },
  { scenario: "single", members: 100, figure: "cpu", theirs: Rounds.ngIrcd, limit: 1 },
  ...[100, 1000].map(
    (members): Ratio => ({
      scenario: "fanout",
      members,
      figure: "cpu",
      ours: Rounds.oursDurable,
      theirs: Rounds.ours,
      limit: 1.5
    })
  ),
  { scenario: "fanout", members: 10, figure: "cpu", theirs: Rounds.original, limit: 1 / 3 },
  ...[100, 1000].flatMap((members) =>
    [Rounds.bareAlike, Rounds.bare].flatMap(
      (theirs): ReadonlyArray<Ratio> => [
        { scenario: "rate", members, figure: "cpu", theirs, limit: 1.25 },
        { scenario: "rate", members, figure: "p99", theirs, limit: 1.5 }
      ]
    )
  )
]

/** Most memory (KiB) for a member that is idle. */
const idleLimit = 24
const idle = [1000, 10_000]

/** Where the CPU time of a delivery must not rise from each to the next. */
const growth = [
  ["fanout", 100],
  ["fanout", 1000],
  ["growth", 5000]
] as const

const names: Record<Figure, string> = { cpu: "CPU a delivery", p99: "p99" }

/** What is promised of servers, where there are figures of it. */
export const judge = (rows: ReadonlyArray<Row>): ReadonlyArray<Claim> => {
  const find = (scenario: string, members: number, { server }: Rounds.Contender) =>
    rows.find((row) => row.scenario === scenario && row.members === members && row.server === server)

  const compared = ratios.flatMap(({ figure, limit, members, ours: who = Rounds.ours, scenario, theirs }) => {
    const [ours, other] = [find(scenario, members, who), find(scenario, members, theirs)]
    if (ours === undefined || other === undefined) return []
    const [a, b] = [ours[figure], other[figure]]
    const text =
      `${scenario}, ${members} members: ${names[figure]} of ${who.server} is ${(a / b).toFixed(2)} times that of ` +
      `${theirs.server} (${Rounds.number(a)} to ${Rounds.number(b)}; at most ${limit.toFixed(2)})`
    return [{ isMet: a / b <= limit, text }]
  })

  const costs = growth.flatMap(([scenario, members]) => find(scenario, members, Rounds.ours)?.cpu ?? [])
  const grown =
    costs.length < growth.length
      ? []
      : [
          {
            isMet: costs.every((cost, i) => i === 0 || cost <= (costs[i - 1] ?? 0)),
            text:
              `growth: CPU a delivery does not rise with ${growth.map(([, members]) => members).join(", ")} members ` +
              `(${costs.map(Rounds.number).join(", ")})`
          }
        ]

  const small = idle.flatMap((members) => {
    const memory = find("idle", members, Rounds.ours)?.memory
    if (memory === undefined) return []
    const size = `${memory.toFixed(1)} KiB a connection (at most ${idleLimit})`
    return [{ isMet: memory <= idleLimit, text: `idle, ${members} members: ${size}` }]
  })
  return [...compared, ...grown, ...small]
}
