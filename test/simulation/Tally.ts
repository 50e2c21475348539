/** What runs came to, in numbers: plain data, which threads can pass to one another. */
import type { Violation } from "./Checker.js"
import type { Result } from "./Run.js"

/** A run that shows something to be broken. */
export interface Failure {
  readonly seed: number
  readonly hash: string
  readonly violations: ReadonlyArray<Violation>
}

export interface Tally {
  readonly runs: number
  /** Calls of `say`, each of which is followed to its end. */
  readonly texts: number
  readonly acknowledged: number
  /** Events in the logs. */
  readonly events: number
  /** How often an event was shown to a client. */
  readonly shown: number
  /** How often a client was started and let in. */
  readonly lives: number
  /** How often older events were fetched. */
  readonly pieces: number
  readonly faults: ReadonlyMap<string, number>
  readonly failures: ReadonlyArray<Failure>
}

export const none: Tally = {
  runs: 0,
  texts: 0,
  acknowledged: 0,
  events: 0,
  shown: 0,
  lives: 0,
  pieces: 0,
  faults: new Map(),
  failures: []
}

export const of = ({ faults, hash, history, seed, violations }: Result): Tally => ({
  runs: 1,
  texts: history.sayings.length,
  acknowledged: history.sayings.filter(({ outcome }) => outcome._tag === "Acknowledged").length,
  events: history.logs.reduce((sum, { events }) => sum + events.length, 0),
  shown: history.lives.reduce((sum, { shown }) => sum + shown.length, 0),
  lives: history.lives.length,
  pieces: history.pieces.length,
  faults,
  failures: violations.length === 0 ? [] : [{ seed, hash, violations }]
})

export const add = (a: Tally, b: Tally): Tally => {
  const faults = new Map(a.faults)
  for (const [name, count] of b.faults) faults.set(name, (faults.get(name) ?? 0) + count)
  return {
    runs: a.runs + b.runs,
    texts: a.texts + b.texts,
    acknowledged: a.acknowledged + b.acknowledged,
    events: a.events + b.events,
    shown: a.shown + b.shown,
    lives: a.lives + b.lives,
    pieces: a.pieces + b.pieces,
    faults,
    failures: [...a.failures, ...b.failures]
  }
}

/** Most violations of a run that are told. */
const most = 20

/** Its failures, and how to see them again. */
export const report = ({ failures }: Tally): ReadonlyArray<string> =>
  failures.flatMap(({ hash, seed, violations }) => [
    `seed ${seed} (${hash}) shows ${violations.length} violations:`,
    ...violations.slice(0, most).map(({ detail, rule }) => `  ${rule}: ${detail}`),
    `replay it: npm run simulate -- --seed ${seed}`
  ])

export const summary = ({
  acknowledged,
  events,
  faults,
  lives,
  pieces,
  runs,
  shown,
  texts
}: Tally): ReadonlyArray<string> => [
  `${runs} runs, ${Array.from(faults.values()).reduce((a, b) => a + b, 0)} faults injected, ${texts} texts checked`,
  `(${acknowledged} acknowledged, ${events} events logged, ${shown} shown to clients started ${lives} times, ${pieces} pieces of history)`,
  ...Array.from(faults)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, count]) => `  ${count} ${name}`)
]
