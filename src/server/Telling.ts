/** What a room tells its sessions of what it has decided: who is let in, what has come meanwhile, and how it ends. */
import * as Arr from "effect/Array"
import type * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as HashMap from "effect/HashMap"
import * as Option from "effect/Option"
import * as Protocol from "../domain/Protocol.js"
import * as Roster from "../domain/Roster.js"
import * as Wire from "../domain/Wire.js"
import type { Downlink } from "./Downlink.js"
import type { Hub } from "./Hub.js"
import type { Limits } from "./Limits.js"
import type { Log } from "./Log.js"
import * as RoomState from "./RoomState.js"

/** What of the room it takes to tell. */
export interface Teller {
  readonly log: Log["Type"]
  readonly hub: Hub
  readonly limits: Limits
  readonly clock: Clock.Clock
  /** As it is when it is told of. */
  readonly state: () => RoomState.State<Downlink>
  /** Departs those of `away` who have not come back within the grace time. */
  readonly expire: (away: Iterable<readonly [Protocol.MemberId, number]>) => Effect.Effect<unknown>
}

/** The ends of a membership, which are told before Bye. */
const endings: ReadonlySet<Protocol.ByeReason> = new Set(["quit", "kicked", "banned"])

/** Tells what has become of commands whose events, if any, are in the log. */
export const make = ({ clock, expire, hub, limits, log, state }: Teller) => {
  /** Where a session starts: where it asks to go on in this log, else a little history; never before what there is. */
  const startOf = (resume: RoomState.Resume, oldest: Protocol.Seq) => {
    const { head } = state()
    const known = Option.filter(resume, ({ log: id }) => id === log.id)
    const wanted = Option.match(known, {
      onNone: () => head - limits.history,
      onSome: ({ after }) => Math.min(after, head)
    })
    return Protocol.Position.make(Math.max(wanted, oldest - 1))
  }

  /**
   * Writes to a session what the log holds beyond where it stands; true when it then stands at the head, for in the
   * Room's turn nothing is added meanwhile. Who is far behind, or does not take it, has to read the log by itself.
   */
  const bringUp = (link: Downlink): boolean => {
    if (!link.isWelcomed) return true
    const rest = log.recent(link.last)
    if (Option.isNone(rest)) return false
    if (!Arr.isNonEmptyReadonlyArray(rest.value)) return true
    return Wire.pages(rest.value).every((events) => link.events(events) <= limits.maxUnsent)
  }

  /** The roster as it was last told, in pages: those who come together are told the same. */
  let told: { readonly roster: Roster.Roster; readonly pages: ReadonlyArray<Protocol.Members> } | undefined
  const rosterPages = () => {
    const { roster } = state()
    if (told?.roster === roster) return told.pages
    const members = Roster.members(roster)
    // Whoever is told is here as well, so the roster is never empty.
    const lists = Arr.isNonEmptyReadonlyArray(members) ? Wire.pages(members) : []
    const pages = lists.map((page): Protocol.Members => ({ _tag: "Members", members: page }))
    told = { roster, pages }
    return pages
  }

  const act = Effect.fnUntraced(function* (reply: RoomState.Reply<Downlink>) {
    switch (reply._tag) {
      case "Admitted": {
        const { link, resume } = reply
        const seated = RoomState.memberOf(state(), link)
        // Left again within the same batch, or taken over: its Bye follows.
        if (Option.isNone(seated)) return
        const { acked, member, nick } = seated.value
        const head = Protocol.Seq.make(state().head)
        const after = startOf(resume, yield* log.oldest)
        const count = HashMap.size(state().roster)
        const welcome: Protocol.Welcome = { _tag: "Welcome", log: log.id, head, after, member, nick, acked, count }
        return link.admit({ welcome, roster: rosterPages() }, clock.unsafeCurrentTimeMillis())
      }
      case "Rejected":
        return void reply.link.send({ _tag: "Rejected", reason: reply.reason, detail: reply.detail })
      case "Live":
        // Lost again within the same batch: it must not stay in the Hub.
        if (Option.isNone(RoomState.memberOf(state(), reply.link))) return
        return bringUp(reply.link) ? hub.add(reply.link) : reply.link.catchUp()
      case "Bye":
        hub.remove(reply.link)
        // Who leaves has a right to see its last texts in the log, also when it was not live yet; who is put out need not.
        if (endings.has(reply.reason) && !bringUp(reply.link) && reply.reason === "quit") {
          return reply.link.byeAtHead(reply.reason)
        }
        return reply.link.bye(reply.reason)
      case "Away":
        return yield* expire([[reply.member, reply.since]])
    }
  })

  return (replies: ReadonlyArray<RoomState.Reply<Downlink>>) => Effect.forEach(replies, act, { discard: true })
}
