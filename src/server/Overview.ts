/** What a room shows its operator: who is here, and how it is. */
import * as HashMap from "effect/HashMap"
import * as Option from "effect/Option"
import type * as Admin from "../domain/Admin.js"
import type * as Protocol from "../domain/Protocol.js"
import * as Roster from "../domain/Roster.js"
import type { Downlink } from "./Downlink.js"
import type { Hub } from "./Hub.js"
import type { State } from "./RoomState.js"

/** The part of a server's stats that its room knows. */
export type Overview = Pick<Admin.Stats, "members" | "live" | "head" | "oldest" | "taking" | "epoch">

export const of = (state: State<Downlink>, hub: Hub, oldest: Protocol.Seq, taking: boolean): Overview => ({
  members: HashMap.size(state.roster),
  live: hub.size,
  head: state.head,
  oldest,
  taking,
  epoch: hub.epoch
})

/** A session, and which of them are live. */
type Link = Pick<Downlink, "since" | "address">
interface Live<L> {
  readonly has: (link: L) => boolean
}

/** What is known of how a member is connected. */
const connectionOf = <L extends Link>(state: State<L>, member: Protocol.MemberId, hub: Live<L>) =>
  Option.match(HashMap.get(state.links, member), {
    onSome: (link) => ({
      connection: hub.has(link) ? ("live" as const) : ("catching-up" as const),
      since: link.since,
      from: link.address
    }),
    onNone: () => ({
      connection: "away" as const,
      since: Option.getOrElse(HashMap.get(state.away, member), () => 0),
      ...Option.match(HashMap.get(state.networks, member), { onNone: () => ({}), onSome: (from) => ({ from }) })
    })
  })

/** Who is here, by member. */
export const names = <L extends Link>(state: State<L>, hub: Live<L>): ReadonlyArray<Admin.Name> =>
  Roster.members(state.roster).map(({ member, nick }) => ({ member, nick, ...connectionOf(state, member, hub) }))
