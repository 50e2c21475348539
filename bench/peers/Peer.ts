/**
 * A chat server that is measured: how it is started, and how members speak to it. One interface for ours and for those
 * it is measured beside, so that all do the same work under the same load.
 */
import type { Socket } from "node:net"
import type * as Effect from "effect/Effect"
import type * as Option from "effect/Option"
import type * as Scope from "effect/Scope"

/** A process that serves on loopback. */
export interface Server {
  readonly pid: number
  readonly port: number
}

/** Whether a frame, where the protocol has such, holds several texts or one. */
export type Framing = "packed" | "single"

/** A member of the one room (or channel, or subject) there is. The first members are those who speak. */
export interface Member {
  /** What it hears comes here, and nothing else from the time it has joined. Paused, with no listener for data. */
  readonly hears: Socket
  /** The bytes that have come there and were not read in joining. */
  readonly rest: Uint8Array
  /** What it says goes here: the same socket, unless the protocol wants one for each. */
  readonly speaks: Socket
  /** Bytes that say `texts`, in that order: in as few frames, if there are such, as hold them, or in one each. */
  readonly say: (texts: ReadonlyArray<string>, framing: Framing) => Uint8Array
  /** Does beforehand what can be done for texts that it will say next, in that order, where that is much. */
  readonly prepare?: (texts: ReadonlyArray<string>) => void
}

/**
 * Called for each text that is heard: whose it is (a member's index), and where it ends, in bytes of all that the listener
 * was given so far. Texts that come in one frame end with it.
 */
export type Heard = (speaker: number, end: number) => void

export interface Dialect {
  /** Whether a member hears what it says itself. */
  readonly echoes: boolean
  /** Joins as member number `index` of `members`, for the life of the Scope; done when everything said from then on is heard. */
  readonly join: (port: number, index: number) => Effect.Effect<Member, unknown, Scope.Scope>
  /** Members that may join at a time, where that is not as many as elsewhere. */
  readonly joining?: number
  /** Understands what members hear, bytes in whatever pieces. It is given what all of them, but for speakers that are not `echoes`, hear alike. */
  readonly listen: (members: ReadonlyArray<Member>, heard: Heard) => (bytes: Uint8Array) => void
}

export interface Peer {
  readonly name: string
  /** The version that is installed here, or none. */
  readonly version: Effect.Effect<Option.Option<string>>
  /** What to install where it is missing. */
  readonly install: string
  /** Starts it on a free port of loopback, with room for so many members, for the life of the Scope; done when it listens. */
  readonly start: (members: number) => Effect.Effect<Server, never, Scope.Scope>
  /** Has it let go of its garbage, where that can be asked for. */
  readonly collect?: (server: Server) => Effect.Effect<void>
  readonly dialect: Dialect
}
