/** Who is in the room: a pure fold over events. Server and client keep it with this same code. */
import * as HashMap from "effect/HashMap"
import type * as Protocol from "./Protocol.js"

/** The members who are here, by id. */
export type Roster = HashMap.HashMap<Protocol.MemberId, Protocol.Member>

export const empty: Roster = HashMap.empty()

/** The roster that a list of members makes. */
export const add = (roster: Roster, members: Iterable<Protocol.Member>): Roster => {
  let next = roster
  for (const member of members) next = HashMap.set(next, member.member, member)
  return next
}

/** The roster after `event`. */
export const apply = (roster: Roster, event: Protocol.Event): Roster => {
  switch (event._tag) {
    case "Joined":
    case "Renamed":
      return HashMap.set(roster, event.member, { member: event.member, nick: event.nick })
    case "Left":
      return HashMap.remove(roster, event.member)
    case "Chat":
    case "Notice":
      return roster
  }
}

/** The members in the order of their ids, which is the order they first came in. */
export const members = (roster: Roster): ReadonlyArray<Protocol.Member> =>
  HashMap.toValues(roster).sort((a, b) => a.member - b.member)
