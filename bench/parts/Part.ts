/** A part of the benchmark: it measures, and says what it has found. */
import type * as Effect from "effect/Effect"
import type { Name } from "../peers/Peers.js"

/** What was measured of one server, with so many members, in one scenario. */
export interface Row {
  readonly scenario: string
  readonly server: string
  readonly members: number
  /** Deliveries a second. */
  readonly rate: number
  /** CPU time (µs) of the server a delivery. */
  readonly cpu: number
  /** Latency (ms). */
  readonly p50: number
  readonly p99: number
  /** Memory (KiB) of the server a member, where that is measured. */
  readonly memory: number | undefined
  /** Whether the generator had no more time, and the server had. */
  readonly isLoadBound: boolean
}

/** Something that is promised, and whether it was found so in this run. */
export interface Claim {
  readonly isMet: boolean
  /** What it is about, with the figures and the limit. */
  readonly text: string
}

export interface Found {
  /** What the claims of several parts together are judged by. */
  readonly rows: ReadonlyArray<Row>
  readonly claims: ReadonlyArray<Claim>
  /** What could not be measured, and why. */
  readonly failures: ReadonlyArray<string>
}

/** A part of the benchmark. */
export interface Part {
  /** The names of what it can measure. */
  readonly scenarios: ReadonlyArray<string>
  /** Measures what is wanted of that, and prints a table of each. */
  readonly run: (options: Options) => Effect.Effect<Found>
}

export interface Options {
  /** Only to see that all of it works. */
  readonly isQuick: boolean
  /** Whether a scenario is wanted. */
  readonly wants: (scenario: string) => boolean
  /** The servers there are here; says which, when it is first asked. */
  readonly installed: Effect.Effect<ReadonlySet<Name>>
}
