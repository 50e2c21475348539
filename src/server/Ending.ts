/**
 * How a connection has ended: counted for all of them, and told for each that was in the room in a line of its own. Strangers
 * have no lines, or they would fill the log: see Refusals.
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import type { Fault } from "../domain/Fault.js"
import type { HandshakeError } from "../domain/Handshake.js"
import type { Transport, TransportError } from "../domain/Transport.js"
import type { Downlink } from "./Downlink.js"
import * as Instrument from "./Instrument.js"
import * as Metrics from "./Metrics.js"
import { Room } from "./Room.js"

/** How the fiber of a session has ended. */
export type End = Exit.Exit<void, HandshakeError | Fault | TransportError>

const failureOf = (end: End) => (Exit.isFailure(end) ? Cause.failureOption(end.cause) : Option.none())

const outcomeOf = (link: Downlink | undefined, end: End): Metrics.Outcome => {
  if (Exit.isFailure(end) && Cause.isDie(end.cause) && link?.outcome === undefined) return "died"
  if (link === undefined) return "stranger"
  return link.outcome ?? (link.hasFailed ? "died" : "lost")
}

/**
 * Counts a connection that has ended after `milliseconds`, and tells of it: where from, how, whose it was, how many bytes
 * came and went, and how long it was open. Who had a key and was not let in is told at level debug only.
 */
export const record = Effect.fnUntraced(function* (
  transport: Transport,
  link: Downlink | undefined,
  end: End,
  milliseconds: number
) {
  const outcome = outcomeOf(link, end)
  Instrument.update(Metrics.ended[outcome], 1)
  if (link === undefined) return
  const { member } = link
  const nick = member === undefined ? Option.none() : (yield* Room).nick(member)
  const { received, written } = transport.traffic
  const failure = failureOf(end)
  yield* (member === undefined ? Effect.logDebug : Effect.logInfo)("a connection has ended").pipe(
    Effect.annotateLogs({
      outcome,
      ...(member !== undefined && { member }),
      ...(Option.isSome(nick) && { nick: nick.value }),
      bytes_in: received,
      bytes_out: written,
      seconds: Math.max(milliseconds, 0) / 1_000,
      ...(Option.isSome(failure) && { detail: failure.value.message })
    })
  )
})

/** Ends a session by an error of this program, or of its log, and tells the operator why: a message, or a cause as well. */
export const die = (link: Downlink, ...why: ReadonlyArray<unknown>): Effect.Effect<void> =>
  Effect.zipRight(
    Effect.logError(...why),
    Effect.sync(() => link.fail())
  )
