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

/** A part of the benchmark. */
export interface Part {
  /** The names of what it can measure. */
  readonly scenarios: ReadonlyArray<string>
  /** Measures what is wanted of that, prints a table of each, and gives the rows. */
  readonly run: (options: Options) => Effect.Effect<ReadonlyArray<Row>>
}

export interface Options {
  /** Only to see that all of it works. */
  readonly isQuick: boolean
  /** Whether a scenario is wanted. */
  readonly wants: (scenario: string) => boolean
  readonly installed: ReadonlySet<Name>
}
