/** What the generator is asked to do, and what it tells of it. */
import type { Framing } from "../peers/Peer.js"
import type { Name } from "../peers/Peers.js"

/** Who talks, and how fast. */
export interface Load {
  /** The first so many members talk. */
  readonly speakers: number
  /** Bytes of a text. */
  readonly size: number
  readonly framing: Framing
  readonly pace: /** Each has at most so many texts that not all members have heard, and says more as soon as it may. */
    | { readonly _tag: "Window"; readonly texts: number }
    /** So many texts a second, by turns. */
    | { readonly _tag: "Rate"; readonly texts: number }
  /** How long texts are said; all of them are waited for. */
  readonly seconds: number
  /** Whether each latency is told, so that those of several runs can be put together: where there are few. */
  readonly isTold?: boolean
}

export interface Measured {
  readonly texts: number
  /** Texts that came to a member; every one that was due did. */
  readonly deliveries: number
  /** Until the last delivery. */
  readonly seconds: number
  /** CPU time (µs) that the server has had in that time. */
  readonly serverCpu: number
  /** The same of the generator. */
  readonly loadCpu: number
  /** Bytes that a member was sent for a text. */
  readonly bytes: number
  /** From the write of a text until a member had it whole (ms). */
  readonly p50: number
  readonly p99: number
  /** All of them, where that was asked for. */
  readonly latencies: ReadonlyArray<number>
}

/** Whom to join. */
export interface Target {
  readonly peer: Name
  readonly pid: number
  readonly port: number
  readonly members: number
  /** At most so many of the members will ever talk. */
  readonly speakers: number
  /** At most so many of them come at a time, where the server would send more away. */
  readonly joining?: number
}

export type Request = { readonly _tag: "Join"; readonly target: Target } | { readonly _tag: "Run"; readonly load: Load }

export type Report =
  | { readonly _tag: "Joined"; readonly seconds: number }
  | { readonly _tag: "Measured"; readonly measured: Measured }
  /** What was delivered is not what was said, or it did not come: there is nothing to measure. */
  | { readonly _tag: "Failed"; readonly reason: string }
