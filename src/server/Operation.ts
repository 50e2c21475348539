/** What an operator asks of the Room, on its way to be decided, and the answer that waits for the log. */
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import type * as Either from "effect/Either"
import { OperatorError } from "../domain/Admin.js"
import type { Downlink } from "./Downlink.js"
import type * as Moderation from "./Moderation.js"
import type * as RoomState from "./RoomState.js"

export interface Operation {
  readonly _tag: "Operation"
  readonly decide: (state: RoomState.State<Downlink>, at: number) => RoomState.Decision<Downlink>
  /** Answers with the outcome of what was decided last. */
  readonly settle: Effect.Effect<void>
  /** Answers that nothing was done, because the log refuses it. */
  readonly refuse: (why: string | undefined) => Effect.Effect<void>
}

/** The room has ended: nothing is decided any more. */
export const closed = new OperatorError({ reason: "closed", message: "nothing was done: the server is ending" })

/** An operation, and its answer, which waits until it is settled or refused. */
export const make = <A>(act: Moderation.Act<A>) =>
  Effect.map(Deferred.make<A, OperatorError>(), (done) => {
    let outcome: Either.Either<A, OperatorError> | undefined
    const operation: Operation = {
      _tag: "Operation",
      decide: (state, at) => {
        const decision = act(state, at)
        outcome = decision.outcome
        return decision
      },
      settle: Effect.suspend(() => Effect.asVoid(Deferred.complete(done, outcome ?? closed))),
      refuse: (why = "it takes nothing at the moment") => {
        const message = `nothing was done, because the log could not keep it: ${why}`
        return Effect.asVoid(Deferred.fail(done, new OperatorError({ reason: "log", message })))
      }
    }
    return { operation, answer: Deferred.await(done) }
  })
