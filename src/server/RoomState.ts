/**
 * What a room decides, as a pure function: a command meets the state, and out come events for the log, replies for when
 * they are in it, and the next state. `L` stands for a session; nothing here writes to one.
 */
import * as Either from "effect/Either"
import * as HashMap from "effect/HashMap"
import * as Option from "effect/Option"
import * as Nickname from "../domain/Nickname.js"
import * as Protocol from "../domain/Protocol.js"
import * as Roster from "../domain/Roster.js"

/** What a session asks of the room. */
export type Command<L> =
  | { readonly _tag: "Nick"; readonly link: L; readonly message: Protocol.Nick }
  | { readonly _tag: "Say"; readonly link: L; readonly message: Protocol.Say }
  | { readonly _tag: "Leave"; readonly link: L }
  /** It has read the log as far as it goes, and asks to be live. */
  | { readonly _tag: "Ready"; readonly link: L }
  /** It has ended. Every session says so once, as its last command. */
  | { readonly _tag: "Lost"; readonly link: L }

/** Where a session asks to go on, if it has been here. */
export type Resume = Option.Option<{ readonly log: Protocol.LogId; readonly after: Protocol.Position }>

/** What a session is answered, once the events decided with it are in the log. */
export type Reply<L> =
  | { readonly _tag: "Admitted"; readonly link: L; readonly resume: Resume }
  | { readonly _tag: "Rejected"; readonly link: L; readonly reason: Protocol.RejectedReason; readonly detail: string }
  | { readonly _tag: "Live"; readonly link: L }
  | { readonly _tag: "Bye"; readonly link: L; readonly reason: Protocol.ByeReason }

/** A session's place in the room. */
export interface Seat {
  readonly member: Protocol.MemberId
  readonly nick: Nickname.Nickname
  /** The highest number among the texts of this member that the log holds. */
  readonly acked: number
}

export interface State<L> {
  readonly head: Protocol.Position
  readonly roster: Roster.Roster
  /** Who has a nick of this skeleton. */
  readonly names: HashMap.HashMap<string, Protocol.MemberId>
  /** The seat a session has taken; none once it has left or broken a rule, until it is lost. */
  readonly seats: HashMap.HashMap<L, Option.Option<Seat>>
}

export interface Decision<L> {
  readonly state: State<L>
  readonly events: ReadonlyArray<Protocol.Event>
  readonly replies: ReadonlyArray<Reply<L>>
}

/** A room with nobody in it, whose log stands at `head`. */
export const make = <L>(head: Protocol.Position): State<L> => ({
  head,
  roster: Roster.empty,
  names: HashMap.empty(),
  seats: HashMap.empty()
})

/** The seat of `link`, while it has one. */
export const seatOf = <L>(state: State<L>, link: L): Option.Option<Seat> =>
  Option.flatten(HashMap.get(state.seats, link))

const decided = <L>(
  state: State<L>,
  events: ReadonlyArray<Protocol.Event>,
  replies: ReadonlyArray<Reply<L>>
): Decision<L> => ({ state, events, replies })

/** Who looks like what, after `event`. */
const applyNames = (names: State<never>["names"], event: Protocol.Event): State<never>["names"] => {
  const freed = event._tag === "Renamed" ? event.was : event._tag === "Left" ? event.nick : undefined
  const taken = event._tag === "Renamed" || event._tag === "Joined" ? event : undefined
  let next = names
  if (freed !== undefined) for (const skeleton of Nickname.skeletons(freed)) next = HashMap.remove(next, skeleton)
  if (taken !== undefined) {
    for (const skeleton of Nickname.skeletons(taken.nick)) next = HashMap.set(next, skeleton, taken.member)
  }
  return next
}

/** The state with `event` in the log. */
const record = <L>(state: State<L>, event: Protocol.Event): State<L> => ({
  ...state,
  head: event.seq,
  roster: Roster.apply(state.roster, event),
  names: applyNames(state.names, event)
})

const sit = <L>(state: State<L>, link: L, seat: Seat): State<L> => ({
  ...state,
  seats: HashMap.set(state.seats, link, Option.some(seat))
})

/** Ends a membership: its Left is logged, then the session is told why. */
const depart = <L>(
  state: State<L>,
  link: L,
  reason: Protocol.LeftReason,
  at: number,
  replies: ReadonlyArray<Reply<L>>
): Decision<L> => {
  const seat = seatOf(state, link)
  const seats = HashMap.set(state.seats, link, Option.none<Seat>())
  if (Option.isNone(seat)) return decided({ ...state, seats }, [], replies)
  const { member, nick } = seat.value
  const left: Protocol.Left = { _tag: "Left", seq: Protocol.next(state.head), at, member, nick, reason }
  return decided(record({ ...state, seats }, left), [left], replies)
}

const fault = <L>(state: State<L>, link: L, at: number): Decision<L> =>
  depart(state, link, "timeout", at, [{ _tag: "Bye", link, reason: "protocol" }])

const nick = <L>(state: State<L>, link: L, message: Protocol.Nick, at: number): Decision<L> => {
  const seat = seatOf(state, link)
  // A ticket introduces a member: it belongs to the Nicks until Welcome, and to them only.
  if (Option.isSome(seat) === (message.ticket !== undefined)) return fault(state, link, at)
  const reject = (reason: Protocol.RejectedReason, detail: string) =>
    decided(state, [], [{ _tag: "Rejected", link, reason, detail }])
  const parsed = Nickname.parse(message.nick)
  if (Either.isLeft(parsed)) return reject("nick-invalid", parsed.left)
  const wanted = parsed.right
  const seq = Protocol.next(state.head)
  const member = Option.match(seat, { onNone: () => Protocol.MemberId.make(seq), onSome: (taken) => taken.member })
  const isTaken = Nickname.skeletons(wanted).some((skeleton) =>
    Option.exists(HashMap.get(state.names, skeleton), (holder) => holder !== member)
  )
  if (isTaken) return reject("nick-taken", `"${wanted}" is taken, or looks like a nick that is: choose another`)
  if (Option.isSome(seat)) {
    const was = seat.value.nick
    const renamed: Protocol.Renamed = { _tag: "Renamed", seq, at, member, nick: wanted, was }
    const next = sit(state, link, { ...seat.value, nick: wanted })
    return decided(record(next, renamed), [renamed], [])
  }
  const joined: Protocol.Joined = { _tag: "Joined", seq, at, member, nick: wanted }
  const next = sit(state, link, { member, nick: wanted, acked: 0 })
  const resume: Resume =
    message.log !== undefined && message.after !== undefined
      ? Option.some({ log: message.log, after: message.after })
      : Option.none()
  return decided(record(next, joined), [joined], [{ _tag: "Admitted", link, resume }])
}

const say = <L>(state: State<L>, link: L, message: Protocol.Say, at: number): Decision<L> => {
  const seat = seatOf(state, link)
  if (Option.isNone(seat)) return fault(state, link, at)
  const { acked, member, nick } = seat.value
  // What is in the log already has come, or will.
  if (message.n <= acked) return decided(state, [], [])
  if (message.n !== acked + 1) return fault(state, link, at)
  const { n, sealed } = message
  const chat: Protocol.Chat = { _tag: "Chat", seq: Protocol.next(state.head), at, member, nick, n, sealed }
  return decided(record(sit(state, link, { ...seat.value, acked: n }), chat), [chat], [])
}

/** Decides one command at time `at` (ms). */
export const decide = <L>(state: State<L>, command: Command<L>, at: number): Decision<L> => {
  const { link } = command
  if (command._tag === "Lost") {
    const { events, state: next } = depart(state, link, "timeout", at, [])
    return decided({ ...next, seats: HashMap.remove(next.seats, link) }, events, [])
  }
  // It has been told Bye, and what it had queued is dropped.
  if (Option.exists(HashMap.get(state.seats, link), Option.isNone)) return decided(state, [], [])
  switch (command._tag) {
    case "Nick":
      return nick(state, link, command.message, at)
    case "Say":
      return say(state, link, command.message, at)
    case "Leave":
      return depart(state, link, "quit", at, [{ _tag: "Bye", link, reason: "quit" }])
    case "Ready":
      return decided(state, [], Option.isSome(seatOf(state, link)) ? [{ _tag: "Live", link }] : [])
  }
}
