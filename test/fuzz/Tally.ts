/** What came of the inputs of a target. */
import { performance } from "node:perf_hooks"
import { Dice } from "../simulation/Dice.js"
import { accepted, type Target } from "./Target.js"

/** An input may take so long, in milliseconds: what is read here may be no longer than 64 KiB. */
export const bound = 1_000

export interface Found {
  readonly target: string
  /** The seed of the input, which makes it again. */
  readonly seed: number
  readonly what: string
}

/** The command that tries an input again. */
export const replay = ({ seed, target }: Pick<Found, "seed" | "target">): string =>
  `npm run fuzz -- --target ${JSON.stringify(target)} --seed ${seed} --inputs 1`

export interface Tally {
  readonly target: string
  tried: number
  accepted: number
  readonly refused: Map<string, number>
  /** Milliseconds in all. */
  time: number
  /** In milliseconds, and by which input. */
  slowest: number
  slowestSeed: number
  readonly found: Array<Found>
}

export const of = (target: Target): Tally => ({
  target: target.name,
  tried: 0,
  accepted: 0,
  refused: new Map(),
  time: 0,
  slowest: 0,
  slowestSeed: 0,
  found: []
})

const timed = (target: Target, seed: number) => {
  const began = performance.now()
  const verdict = target.once(new Dice(seed))
  return { verdict, time: performance.now() - began }
}

/** Tries the input of `seed` and counts what comes of it. */
export const add = (tally: Tally, target: Target, seed: number): void => {
  tally.tried += 1
  try {
    const { time, verdict } = timed(target, seed)
    if (verdict === accepted) tally.accepted += 1
    else tally.refused.set(verdict, (tally.refused.get(verdict) ?? 0) + 1)
    tally.time += time
    if (time > tally.slowest) {
      tally.slowest = time
      tally.slowestSeed = seed
    }
    // Another program may have had the processor the first time.
    if (time > bound && timed(target, seed).time > bound) {
      tally.found.push({ target: target.name, seed, what: `it takes more than ${bound} ms` })
    }
  } catch (error) {
    // Whatever is thrown: a reader that throws is what is looked for.
    const what = error instanceof Error ? (error.stack ?? error.message) : String(error)
    tally.found.push({ target: target.name, seed, what })
  }
}

/** In one line. */
export const line = ({ accepted, refused, slowest, slowestSeed, target, time, tried }: Tally): string => {
  const reasons = [...refused].sort((a, b) => b[1] - a[1]).map(([reason, count]) => `${reason} ${count}`)
  return (
    `${target}: ${tried} tried, ${accepted} accepted, refused: ${reasons.join(", ") || "none"}; ` +
    `${((1_000 * time) / Math.max(1, tried)).toFixed(0)} µs each, slowest ${slowest.toFixed(1)} ms (seed ${slowestSeed})`
  )
}
