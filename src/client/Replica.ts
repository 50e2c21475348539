/**
 * A client's picture of the room, as a pure fold over what the server says. Whatever the server may not say now, or not
 * in this order, is a {@link Fault}.
 */
import * as Either from "effect/Either"
import * as HashMap from "effect/HashMap"
import * as Option from "effect/Option"
import { Fault } from "../domain/Fault.js"
import * as Keys from "../domain/Keys.js"
import * as Nickname from "../domain/Nickname.js"
import * as Protocol from "../domain/Protocol.js"
import * as Roster from "../domain/Roster.js"
import * as Seen from "./Seen.js"

/** The key of the frames for all, and its number. */
export interface Group {
  readonly epoch: number
  readonly key: Keys.Key<"group">
}

/** A Fetch that waits for its answer, or for the rest of it. */
export interface Asked {
  readonly before: Protocol.Seq
  readonly limit: number
  /** The event that is due next; before the first, any that was asked for. */
  readonly due?: Protocol.Seq
}

/** Before Welcome. */
export interface Joining {
  readonly _tag: "Joining"
  /** Whether a Nick of ours waits for its answer: Welcome and the roster, Renamed, or Rejected. */
  readonly asking: boolean
  /** Whether Bye has come. */
  readonly ended: boolean
  /** Where it asks to go on. */
  readonly seen: Option.Option<Seen.Seen>
}

/** From Welcome on. It stands where its {@link Seen.Seen} says. */
export interface Present extends Seen.Seen {
  readonly _tag: "Present"
  readonly asking: boolean
  readonly ended: boolean
  readonly nick: string
  /** Where the roster that came with Welcome stands; events up to here do not change it. */
  readonly head: Protocol.Seq
  /** How many members the pages that are to come hold; events and group keys follow the last of them. */
  readonly missing: number
  readonly roster: Roster.Roster
  readonly group: Option.Option<Group>
  /** The Fetch of ours that has yet to be answered. */
  readonly fetch: Asked | undefined
}

export type State = Joining | Present

/** A client that has sent its first Nick, and asks to go on where it has `seen` the log before. */
export const joining = (seen: Option.Option<Seen.Seen>): Joining => ({
  _tag: "Joining",
  asking: true,
  ended: false,
  seen
})

/** The state after sending another Nick. */
export const ask = <S extends State>(state: S): S => ({ ...state, asking: true })

/** The state after sending a Fetch. One at a time. */
export const fetch = (state: Present, { before, limit }: Protocol.Fetch): Present => ({
  ...state,
  fetch: { before, limit }
})

type Result = Either.Either<State, Fault>

const fault = (rule: Fault["rule"], detail: string): Either.Either<never, Fault> =>
  Either.left(new Fault({ rule, detail }))

const hasRoster = (state: Present): boolean => state.missing === 0

const lastOf = (state: State): Protocol.Position => (state._tag === "Present" ? state.last : Protocol.start)

/** The state with the next event of the log applied. Events come by group frame, or in Events while catching up. */
export const event = (state: State, event: Protocol.Event): Result => {
  if (state._tag === "Joining" || state.ended) return fault("order", "an event came out of turn")
  if (event.seq !== state.last + 1) return fault("sequence", `event ${event.seq} came after ${state.last}`)
  const roster = event.seq > state.head ? Roster.apply(state.roster, event) : state.roster
  if (event._tag === "Chat") {
    const { asking, ended, fetch, group, head, log, member, missing, nick, said } = state
    const next = Seen.text(said, event.member, event.n)
    // Every text passes here: written out, for a spread costs more than the rest.
    return Either.right<Present>({
      _tag: "Present",
      asking,
      ended,
      nick,
      head,
      missing,
      roster,
      group,
      fetch,
      log,
      member,
      last: event.seq,
      said: next
    })
  }
  const next = { ...state, last: event.seq, roster }
  if (event._tag === "Renamed" && event.member === state.member && event.seq > state.head) {
    return Nickname.fits(event.nick)
      ? Either.right({ ...next, nick: event.nick, asking: false })
      : fault("shape", "the server gave a nick that is too long")
  }
  return Either.right(next)
}

const welcome = (state: State, message: Protocol.Welcome): Result => {
  if (state._tag === "Present" || !state.asking) return fault("order", "a Welcome came out of turn")
  const { after, count, head, log, member, nick } = message
  const seen = Option.filter(state.seen, (known) => known.log === log)
  if (after > head || member > head || Option.exists(seen, ({ last }) => last > head)) {
    return fault(
      "log",
      "its log went back; if it was restored from a backup, the server has to be started with --new-log"
    )
  }
  if (Option.exists(seen, (known) => known.last > after || known.member !== member)) {
    return fault("log", "it does not go on where this client was")
  }
  if (!Nickname.fits(nick)) return fault("shape", "the server gave a nick that is too long")
  // Across a hole nobody's numbers go on.
  const goesOn = Option.filter(seen, ({ last }) => last === after)
  return Either.right({
    _tag: "Present",
    asking: true,
    ended: false,
    nick,
    head,
    missing: count,
    roster: Roster.empty,
    group: Option.none(),
    fetch: undefined,
    ...Option.getOrElse(goesOn, () => Seen.from(log, member, after))
  })
}

const rekey = (state: Present, { epoch, key }: Protocol.Rekey): Result => {
  // The schema has seen to it that the key is one.
  const told = Option.map(Keys.fromBase64Url<"group">(key), (key): Group => ({ epoch, key }))
  const known = state.group
  if (Option.isSome(known) && Option.isSome(told)) {
    if (epoch < known.value.epoch) return fault("epoch", "the group key went back")
    if (epoch === known.value.epoch && Keys.toBase64Url(known.value.key) !== key) {
      return fault("epoch", "the group key changed within its epoch")
    }
  }
  return Either.right({ ...state, group: told })
}

const history = (state: State, { events, oldest }: Protocol.History): Result => {
  if (state._tag === "Joining" || state.fetch === undefined) return fault("order", "History came unasked")
  const { before, due: first, limit } = state.fetch
  if (events.length === 0 && (first !== undefined || oldest < before)) {
    return fault("sequence", `nothing came where event ${first ?? oldest} was asked for`)
  }
  let due = first
  for (const { seq } of events) {
    if (seq >= before || (due === undefined ? seq < before - limit : seq !== due)) {
      return fault("sequence", `event ${seq} came in an answer about ${limit} events before ${before}`)
    }
    due = Protocol.next(seq)
  }
  return Either.right({ ...state, fetch: due === undefined || due === before ? undefined : { before, limit, due } })
}

/** The state after a message to this client. Its events are applied one by one with {@link event}. */
export const message = (state: State, message: Protocol.ServerMessage): Result => {
  if (state.ended) return fault("order", "something came after Bye")
  switch (message._tag) {
    case "Welcome":
      return welcome(state, message)
    case "Rejected":
      return state.asking && (state._tag === "Joining" || hasRoster(state))
        ? Either.right({ ...state, asking: false })
        : fault("order", "nothing was there to reject")
    case "Ping":
    case "Pong":
      return message.last === lastOf(state)
        ? Either.right(state)
        : fault("robbed", `the server has written up to ${message.last}, here is ${lastOf(state)}`)
    case "Bye":
      return Either.right({ ...state, ended: true })
    case "Members": {
      if (state._tag === "Joining" || hasRoster(state)) return fault("order", "Members came out of turn")
      const roster = Roster.add(state.roster, message.members)
      const missing = state.missing - message.members.length
      const distinct = HashMap.size(roster) === HashMap.size(state.roster) + message.members.length
      if (missing < 0 || !distinct || (missing === 0 && !HashMap.has(roster, state.member))) {
        return fault("shape", "the list of members contradicts itself")
      }
      return Either.right({ ...state, roster, missing, asking: missing > 0 })
    }
    case "Events":
    case "Rekey":
      if (state._tag === "Joining" || !hasRoster(state)) return fault("order", `${message._tag} came out of turn`)
      return message._tag === "Rekey" ? rekey(state, message) : Either.right(state)
    case "History":
      return history(state, message)
  }
}

/** The state after a frame for all, whose events are applied one by one with {@link event}. */
export const group = (state: State, frame: Protocol.GroupFrame): Result =>
  state._tag === "Present" && Option.exists(state.group, ({ epoch }) => epoch === frame.epoch)
    ? Either.right(state)
    : fault("epoch", `a frame of epoch ${frame.epoch} came out of turn`)
