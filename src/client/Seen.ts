/** How far a client has come in a log: what it goes on from after a lost connection, or when it is started again. */
import * as HashMap from "effect/HashMap"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as Protocol from "../domain/Protocol.js"
import type { Entry } from "./Entry.js"

export const Seen = Schema.Struct({
  log: Protocol.LogId,
  /** Who this client is in that log. */
  member: Protocol.MemberId,
  /** The newest event it has seen. */
  last: Protocol.Position,
  /** The highest number seen among the texts of each member. */
  said: Schema.HashMap({ key: Protocol.MemberId, value: Protocol.TextNumber })
})
export type Seen = typeof Seen.Type

/** Text `n` of `member`, whose place is at `last`, is seen as well. */
export const text = (said: Seen["said"], member: Protocol.MemberId, n: Protocol.TextNumber): Seen["said"] =>
  HashMap.modifyAt(said, member, (highest) => (highest._tag === "Some" && highest.value > n ? highest : Option.some(n)))

/** What a client begins with, whose first event is the one after `last`. */
export const from = (log: Protocol.LogId, member: Protocol.MemberId, last: Protocol.Position): Seen => ({
  log,
  member,
  last,
  said: HashMap.empty()
})

/** What has been seen when `entries` have, too. */
export const advance = (seen: Seen, entries: ReadonlyArray<Entry>): Seen => {
  let { last, log, member, said } = seen
  for (const entry of entries) {
    switch (entry._tag) {
      case "Said":
      case "Unreadable":
        last = entry.seq
        said = text(said, entry.member, entry.n)
        break
      case "Missing":
        last = entry.to
        said = HashMap.empty()
        break
      case "Back":
        break
      case "NewLog":
        last = entry.after
        log = entry.log
        member = entry.member
        said = HashMap.empty()
        break
      default:
        last = entry.seq
    }
  }
  return { log, member, last, said }
}
