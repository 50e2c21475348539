/** What a user is told of the connection: few words, however often it is tried again. */
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import type * as Failure from "../Failure.js"
import type * as Presence from "../Presence.js"

/** What a user is to be told of the connection of a client that was online. */
export type Trouble =
  /** It was lost; further tries that fail are no further loss. */
  | { readonly _tag: "Lost" }
  /** The server is there and does not let it in: told once, until it is online again. */
  | { readonly _tag: "TurnedAway"; readonly message: string }

/** What somebody has to see to, before the client is let in again. */
const turnedAway: ReadonlySet<string> = new Set<Failure.JoinError["reason"]>(["wrong-key", "silent", "full"])

interface Troubles {
  readonly isLost: boolean
  /** Why the last try was turned away, and whether that has been told. */
  readonly reason: string | undefined
  readonly isTold: boolean
}

const untroubled: Troubles = { isLost: false, reason: undefined, isTold: false }

const trouble = (
  before: Troubles | undefined,
  status: Presence.Status
): readonly [Troubles | undefined, Option.Option<Trouble>] => {
  if (status._tag === "Online") return [untroubled, Option.none()]
  if (before === undefined || status._tag !== "Reconnecting") return [before, Option.none()]
  const { message, reason } = status
  const next = { ...before, isLost: true, reason: turnedAway.has(reason) ? reason : undefined }
  if (!before.isLost) return [next, Option.some({ _tag: "Lost" })]
  // Not the first time: a server that ends at that moment looks the same.
  const isTold = !before.isTold && next.reason !== undefined && next.reason === before.reason
  return isTold ? [{ ...next, isTold }, Option.some({ _tag: "TurnedAway", message })] : [next, Option.none()]
}

/** What a user is to be told of the connection, each as it happens. */
export const of = ({ status }: Pick<Presence.Presence, "status">): Stream.Stream<Trouble> =>
  status.changes.pipe(
    Stream.mapAccum<Troubles | undefined, Presence.Status, Option.Option<Trouble>>(undefined, trouble),
    Stream.filterMap((found) => found)
  )
