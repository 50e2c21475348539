/**
 * What a room decides, as a pure function: a command meets the state, and out come events for the log, replies for when
 * they are in it, and the next state. `L` stands for a session; nothing here writes to one.
 */
import * as Either from "effect/Either"
import * as HashMap from "effect/HashMap"
import * as HashSet from "effect/HashSet"
import * as Option from "effect/Option"
import * as Nickname from "../domain/Nickname.js"
import * as Protocol from "../domain/Protocol.js"
import * as Roster from "../domain/Roster.js"
import * as Skeleton from "../domain/Skeleton.js"
import * as Membership from "./Membership.js"

/** What a session asks of the room. */
export type Command<L> =
  /** `network` is where it comes from, as Transport has it. */
  | { readonly _tag: "Nick"; readonly link: L; readonly message: Protocol.Nick; readonly network: string | undefined }
  /** What it has said in a row. */
  | { readonly _tag: "Say"; readonly link: L; readonly messages: ReadonlyArray<Protocol.Say> }
  | { readonly _tag: "Leave"; readonly link: L }
  /** It has read the log as far as it goes, and asks to be live. */
  | { readonly _tag: "Ready"; readonly link: L }
  /** It has ended. Every session says so once, as its last command. */
  | { readonly _tag: "Lost"; readonly link: L }
  /** The grace of a member who was lost at `since` is over. */
  | { readonly _tag: "Overdue"; readonly member: Protocol.MemberId; readonly since: number }

/** Where a session asks to go on, if it has been here. */
export type Resume = Option.Option<{ readonly log: Protocol.LogId; readonly after: Protocol.Position }>

/** What follows from a command, once the events decided with it are in the log. */
export type Reply<L> =
  | { readonly _tag: "Admitted"; readonly link: L; readonly resume: Resume }
  | { readonly _tag: "Rejected"; readonly link: L; readonly reason: Protocol.RejectedReason; readonly detail: string }
  | { readonly _tag: "Live"; readonly link: L }
  | { readonly _tag: "Bye"; readonly link: L; readonly reason: Protocol.ByeReason }
  /** A member has lost its connection: unless it comes back it is Overdue after the grace time. */
  | { readonly _tag: "Away"; readonly member: Protocol.MemberId; readonly since: number }

export interface State<L> {
  readonly head: Protocol.Position
  /** Everybody who ever was a member. */
  readonly members: HashMap.HashMap<Protocol.MemberId, Membership.Membership>
  readonly tickets: HashMap.HashMap<Membership.TicketHash, Protocol.MemberId>
  /** The members who are here, connected or away for a moment. */
  readonly roster: Roster.Roster
  /** Who of them has a nick of this skeleton. */
  readonly names: HashMap.HashMap<string, Protocol.MemberId>
  /** The member that a session speaks for; none once it has left, broken a rule or been taken over, until it is lost. */
  readonly seats: HashMap.HashMap<L, Option.Option<Protocol.MemberId>>
  /** The session of each member who is connected. */
  readonly links: HashMap.HashMap<Protocol.MemberId, L>
  /** When (ms) the members who are here without a session lost theirs. */
  readonly away: HashMap.HashMap<Protocol.MemberId, number>
  /** The network that each member came from last, since the start of the server: in memory only, for who is banned later. */
  readonly networks: HashMap.HashMap<Protocol.MemberId, string>
  /** Who is banned: the few for whom nobody need look through all who ever were here. */
  readonly banned: HashSet.HashSet<Protocol.MemberId>
  /** The networks that bans bar. */
  readonly barred: HashSet.HashSet<string>
  /** Which nicks may be had. */
  readonly judge: Nickname.Judge
}

export interface Decision<L> {
  readonly state: State<L>
  readonly events: ReadonlyArray<Protocol.Event>
  readonly replies: ReadonlyArray<Reply<L>>
  /** Members that have changed, beside those of the events. */
  readonly members: ReadonlyArray<Protocol.MemberId>
}

/** A room as the log left it, at time `at` (ms): whoever was here has been away since. */
export const make = <L>(
  head: Protocol.Position,
  memberships: ReadonlyArray<Membership.Membership>,
  at: number,
  judge: Nickname.Judge = Nickname.parse
): State<L> => {
  const here = memberships.filter((membership) => membership.here)
  return {
    head,
    members: HashMap.fromIterable(memberships.map((membership) => [membership.member, membership])),
    tickets: HashMap.fromIterable(memberships.map(({ member, ticket }) => [ticket, member])),
    roster: Roster.add(
      Roster.empty,
      here.map(({ member, nick }) => ({ member, nick }))
    ),
    names: HashMap.fromIterable(
      here.flatMap(({ member, nick }) => Skeleton.skeletons(nick).map((skeleton) => [skeleton, member] as const))
    ),
    seats: HashMap.empty(),
    links: HashMap.empty(),
    away: HashMap.fromIterable(here.map(({ member }) => [member, at])),
    networks: HashMap.empty(),
    banned: HashSet.fromIterable(memberships.flatMap(({ banned, member }) => (banned === undefined ? [] : [member]))),
    barred: Membership.barredNetworks(memberships),
    judge
  }
}

/** The member that `link` speaks for, while it does. */
export const memberOf = <L>(state: State<L>, link: L): Option.Option<Membership.Membership> =>
  Option.flatMap(Option.flatten(HashMap.get(state.seats, link)), (member) => HashMap.get(state.members, member))

/** The members that `events` have changed, and `members`, as `state` has them. */
export const changed = <L>(
  state: State<L>,
  events: ReadonlyArray<Protocol.Event>,
  members: ReadonlyArray<Protocol.MemberId>
): ReadonlyArray<Membership.Membership> => {
  const ids = new Set(events.flatMap((event) => (event._tag === "Notice" ? [] : [event.member])))
  for (const member of members) ids.add(member)
  return Array.from(ids).flatMap((id) => Option.toArray(HashMap.get(state.members, id)))
}

const nobody: ReadonlyArray<Protocol.MemberId> = []

export const decided = <L>(
  state: State<L>,
  events: ReadonlyArray<Protocol.Event>,
  replies: ReadonlyArray<Reply<L>>,
  members = nobody
): Decision<L> => ({ state, events, replies, members })

/** Who looks like what, after `event`. */
const applyNames = (names: State<never>["names"], event: Protocol.Event): State<never>["names"] => {
  const freed = event._tag === "Renamed" ? event.was : event._tag === "Left" ? event.nick : undefined
  const taken = event._tag === "Renamed" || event._tag === "Joined" ? event : undefined
  let next = names
  if (freed !== undefined) for (const skeleton of Skeleton.skeletons(freed)) next = HashMap.remove(next, skeleton)
  if (taken !== undefined) {
    for (const skeleton of Skeleton.skeletons(taken.nick)) next = HashMap.set(next, skeleton, taken.member)
  }
  return next
}

/** The state with `event` in the log, and its member as it is after it. */
const record = <L>(state: State<L>, event: Protocol.Event, membership: Membership.Membership): State<L> => {
  const members = HashMap.set(state.members, membership.member, membership)
  const roster = Roster.apply(state.roster, event)
  return { ...state, head: event.seq, members, roster, names: applyNames(state.names, event) }
}

/** The state in which `link`, until it is lost, speaks for nobody: what it still says is dropped. */
const unseat = <L>(state: State<L>, link: L): State<L> => ({
  ...state,
  seats: HashMap.set(state.seats, link, Option.none())
})

/** The state in which `member` is here without a session. */
const lose = <L>(state: State<L>, member: Protocol.MemberId, since: number): Decision<L> =>
  decided(
    { ...state, links: HashMap.remove(state.links, member), away: HashMap.set(state.away, member, since) },
    [],
    [{ _tag: "Away", member, since }]
  )

/** Ends a membership, for now; `membership` is also what else is to be kept of it. */
const depart = <L>(state: State<L>, membership: Membership.Membership, reason: Protocol.LeftReason, at: number) => {
  const { member, nick } = membership
  const left: Protocol.Left = { _tag: "Left", seq: Protocol.next(state.head), at, member, nick, reason }
  const without = {
    ...state,
    links: HashMap.remove(state.links, member),
    away: HashMap.remove(state.away, member)
  }
  return decided<L>(record(without, left, { ...membership, here: false }), [left], [])
}

/** Ends the membership of somebody who is here, connected or not, by the operator's will; it hears `bye`. */
export const putOut = <L>(
  state: State<L>,
  membership: Membership.Membership,
  bye: "kicked" | "banned",
  at: number
): Decision<L> => {
  const link = HashMap.get(state.links, membership.member)
  const free = Option.match(link, { onNone: () => state, onSome: (session) => unseat(state, session) })
  const replies = Option.toArray(link).map((session): Reply<L> => ({ _tag: "Bye", link: session, reason: bye }))
  return { ...depart(free, membership, "kicked", at), replies }
}

/** Sends a session away that was not let in. */
const turnAway = <L>(state: State<L>, link: L, reason: "kicked" | "banned"): Decision<L> =>
  decided(unseat(state, link), [], [{ _tag: "Bye", link, reason }])

/** Ends a session that has broken a rule; its member has lost a connection, no more. */
const fault = <L>(state: State<L>, link: L, at: number): Decision<L> => {
  const bye: Reply<L> = { _tag: "Bye", link, reason: "protocol" }
  const next = unseat(state, link)
  return Option.match(memberOf(state, link), {
    onNone: () => decided(next, [], [bye]),
    onSome: ({ member }) => {
      const lost = lose(next, member, at)
      return decided(lost.state, [], [...lost.replies, bye])
    }
  })
}

/** The member with this ticket. */
const knownBy = <L>(state: State<L>, ticket: Protocol.Ticket): Option.Option<Membership.Membership> =>
  Option.flatMap(HashMap.get(state.tickets, Membership.hash(ticket)), (member) => HashMap.get(state.members, member))

/** Whoever shows a new ticket is a new member, whose id is the `seq` of the Joined to come. */
const newcomer = <L>(state: State<L>, ticket: Protocol.Ticket, nick: Nickname.Nickname): Membership.Membership => {
  const member = Protocol.MemberId.make(Protocol.next(state.head))
  return { member, ticket: Membership.hash(ticket), nick, acked: 0, here: false }
}

type Asking<L> = Extract<Command<L>, { readonly _tag: "Nick" }>

/** What becomes of a session that asks to be let in, if it must not be. */
const refused = <L>(
  state: State<L>,
  { link, message, network }: Asking<L>,
  known: Option.Option<Membership.Membership>
): Option.Option<Decision<L>> => {
  const isBanned = Option.exists(known, ({ banned }) => banned !== undefined)
  const isBarred = network !== undefined && HashSet.has(state.barred, network)
  if (isBanned || isBarred) return Option.some(turnAway(state, link, "banned"))
  // A client that has not seen that it was kicked would be back at once: it is told, this once.
  const unseen = Option.filter(known, ({ kicked = 0 }) => message.after !== undefined && message.after < kicked)
  return Option.map(unseen, ({ kicked: _, ...told }) => {
    const members = HashMap.set(state.members, told.member, told)
    return { ...turnAway({ ...state, members }, link, "kicked"), members: [told.member] }
  })
}

/** Asks for a nick, as the member that the session speaks for, or as the one whose ticket it shows. */
const nick = <L>(state: State<L>, asking: Asking<L>, at: number): Decision<L> => {
  const { link, message, network } = asking
  const seated = memberOf(state, link)
  // A ticket introduces a member: it belongs to the Nicks until Welcome, and to them only.
  const ticket = Option.fromNullable(message.ticket)
  if (Option.isSome(seated) === Option.isSome(ticket)) return fault(state, link, at)
  const known = Option.orElse(seated, () => Option.flatMap(ticket, (shown) => knownBy(state, shown)))
  const refusal = Option.isSome(seated) ? Option.none() : refused(state, asking, known)
  if (Option.isSome(refusal)) return refusal.value
  const reject = (reason: Protocol.RejectedReason, detail: string) =>
    decided(state, [], [{ _tag: "Rejected", link, reason, detail }])
  const parsed = state.judge(message.nick)
  if (Either.isLeft(parsed)) return reject("nick-invalid", parsed.left)
  const wanted = parsed.right
  const seq = Protocol.next(state.head)
  const membership = known.pipe(
    Option.orElse(() => Option.map(ticket, (shown) => newcomer(state, shown, wanted))),
    Option.getOrThrow
  )
  const { acked, member } = membership
  const isTaken = Skeleton.skeletons(wanted).some((skeleton) =>
    Option.exists(HashMap.get(state.names, skeleton), (holder) => holder !== member)
  )
  if (isTaken) return reject("nick-taken", `"${wanted}" is taken, or looks like a nick that is: choose another`)
  const next: Membership.Membership = { member, ticket: membership.ticket, nick: wanted, acked, here: true }
  const joined: Protocol.Joined = { _tag: "Joined", seq, at, member, nick: wanted }
  const renamed: Protocol.Renamed = { _tag: "Renamed", seq, at, member, nick: wanted, was: membership.nick }
  if (Option.isSome(seated)) return decided(record(state, renamed, next), [renamed], [])

  const before = Option.filter(HashMap.get(state.links, member), (older) => older !== link)
  const free = Option.match(before, { onNone: () => state, onSome: (older) => unseat(state, older) })
  const here: State<L> = {
    ...free,
    tickets: HashMap.set(free.tickets, membership.ticket, member),
    seats: HashMap.set(free.seats, link, Option.some(member)),
    links: HashMap.set(free.links, member, link),
    away: HashMap.remove(free.away, member),
    networks:
      network === undefined ? HashMap.remove(free.networks, member) : HashMap.set(free.networks, member, network)
  }
  const resume: Resume =
    message.log !== undefined && message.after !== undefined
      ? Option.some({ log: message.log, after: message.after })
      : Option.none()
  const replies: ReadonlyArray<Reply<L>> = [
    ...Option.toArray(before).map((older): Reply<L> => ({ _tag: "Bye", link: older, reason: "taken-over" })),
    { _tag: "Admitted", link, resume }
  ]
  if (!membership.here) return decided(record(here, joined, next), [joined], replies)
  return wanted === membership.nick
    ? decided(here, [], replies)
    : decided(record(here, renamed, next), [renamed], replies)
}

const say = <L>(state: State<L>, link: L, messages: ReadonlyArray<Protocol.Say>, at: number): Decision<L> => {
  const seated = memberOf(state, link)
  if (Option.isNone(seated)) return fault(state, link, at)
  const { acked: before, member, nick } = seated.value
  const events: Array<Protocol.Event> = []
  let { head } = state
  let acked = before
  let isFault = false
  for (const { n, sealed } of messages) {
    // What is in the log already has come, or will.
    if (n <= acked) continue
    isFault = n !== acked + 1
    if (isFault) break
    acked = n
    const seq = Protocol.next(head)
    head = seq
    events.push({ _tag: "Chat", seq, at, member, nick, n, sealed })
  }
  // Texts change nobody's place or nick: one step for all of them.
  const members = acked === before ? state.members : HashMap.set(state.members, member, { ...seated.value, acked })
  const next = { ...state, head, members }
  return isFault ? { ...fault(next, link, at), events } : decided(next, events, [])
}

const leave = <L>(state: State<L>, link: L, at: number): Decision<L> => {
  const bye: Reply<L> = { _tag: "Bye", link, reason: "quit" }
  const next = unseat(state, link)
  return Option.match(memberOf(state, link), {
    onNone: () => decided(next, [], [bye]),
    onSome: (membership) => ({ ...depart(next, membership, "quit", at), replies: [bye] })
  })
}

const lost = <L>(state: State<L>, link: L, at: number): Decision<L> => {
  const without = { ...state, seats: HashMap.remove(state.seats, link) }
  return Option.match(memberOf(state, link), {
    onNone: () => decided(without, [], []),
    onSome: ({ member }) => lose(without, member, at)
  })
}

/** Decides one command at time `at` (ms). */
export const decide = <L>(state: State<L>, command: Command<L>, at: number): Decision<L> => {
  if (command._tag === "Overdue") {
    const late = HashMap.get(state.away, command.member).pipe(
      Option.filter((since) => since === command.since),
      Option.flatMap(() => HashMap.get(state.members, command.member))
    )
    return Option.match(late, {
      onNone: () => decided(state, [], []),
      onSome: (membership) => depart(state, membership, "timeout", at)
    })
  }
  const { link } = command
  if (command._tag === "Lost") return lost(state, link, at)
  // It has been told Bye, and what it had queued is dropped.
  if (Option.exists(HashMap.get(state.seats, link), Option.isNone)) return decided(state, [], [])
  switch (command._tag) {
    case "Nick":
      return nick(state, command, at)
    case "Say":
      return say(state, link, command.messages, at)
    case "Leave":
      return leave(state, link, at)
    case "Ready":
      return decided(state, [], Option.isSome(memberOf(state, link)) ? [{ _tag: "Live", link }] : [])
  }
}
