/** What the operator says to all, as a decision on the state of the room: it counts once the log has it. */
import * as Either from "effect/Either"
import { OperatorError } from "../domain/Admin.js"
import * as Protocol from "../domain/Protocol.js"
import * as Seal from "../domain/Seal.js"
import type * as Moderation from "./Moderation.js"
import * as RoomState from "./RoomState.js"

/** A text as members may say one: why it is none, else that it is. */
export const check = (text: string): Either.Either<Seal.Text, OperatorError> =>
  Seal.isText(text)
    ? Either.right(text)
    : Either.left(
        new OperatorError({
          reason: "text",
          message: `a text has 1 to ${Seal.maxText} characters, none of them half of one: nothing was said`
        })
      )

/** Says a text. It changes nobody. */
export const say =
  (text: Seal.Text): Moderation.Act<Protocol.Notice> =>
  (state, at) => {
    const notice: Protocol.Notice = { _tag: "Notice", seq: Protocol.next(state.head), at, text }
    return { ...RoomState.decided({ ...state, head: notice.seq }, [notice], []), outcome: Either.right(notice) }
  }
