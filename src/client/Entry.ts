/** What a client shows of the log: events whose texts have been opened, or have turned out not to open. */
import * as Either from "effect/Either"
import * as HashMap from "effect/HashMap"
import * as Option from "effect/Option"
import type * as Fernet from "../domain/Fernet.js"
import type * as Keys from "../domain/Keys.js"
import type * as Protocol from "../domain/Protocol.js"
import * as Seal from "../domain/Seal.js"
import type { Seen } from "./Seen.js"

interface Text {
  readonly seq: Protocol.Seq
  /** When the server took it, in ms since 1970 by the server's clock. */
  readonly at: number
  readonly member: Protocol.MemberId
  readonly n: Protocol.TextNumber
}

/** A text, as its author sealed it. */
export interface Said extends Text {
  readonly _tag: "Said"
  /** The author's nick as sealed with the text. */
  readonly nick: string
  readonly text: Seal.Text
  /** An action, as in "/me waves". */
  readonly me: boolean
  /** Said by this member. */
  readonly own: boolean
  /** Said before this member joined: told as history. */
  readonly past: boolean
}

/** A text that is not what its author sealed for this place: see {@link Seal.Broken}; `number`: not the next of its author's. */
export interface Unreadable extends Text {
  readonly _tag: "Unreadable"
  /** Whom the server names as its author. */
  readonly nick: string
  readonly reason: Seal.Broken | "number"
}

/** Events that this client has missed and the server no longer has: those after `after` up to `to`. */
export interface Missing {
  readonly _tag: "Missing"
  readonly after: Protocol.Position
  readonly to: Protocol.Position
}

/** The server has begun another log: `seq` and members' ids count in it from here on, after `after`. */
export interface NewLog {
  readonly _tag: "NewLog"
  readonly log: Protocol.LogId
  readonly member: Protocol.MemberId
  readonly after: Protocol.Position
}

/**
 * This client is back in a log it had seen before: the events after `after` up to `head` have come while it was away, and
 * follow. It has neither `seq` nor `at`.
 */
export interface Back {
  readonly _tag: "Back"
  readonly after: Protocol.Position
  readonly head: Protocol.Seq
}

/** What has a place in the log. */
export type Logged = Said | Unreadable | Protocol.Joined | Protocol.Left | Protocol.Renamed | Protocol.Notice

/** What a subscriber of a client gets: what has a place in the log, and what it has to know beside that. */
export type Entry = Logged | Missing | NewLog | Back

/** What `welcome` tells a client that has seen `seen` before: nothing, when there is nothing it has not seen. */
export const onWelcome = (seen: Option.Option<Seen>, welcome: Protocol.Welcome): ReadonlyArray<Entry> => {
  if (Option.isNone(seen)) return []
  const { after, head, log, member } = welcome
  if (seen.value.log !== log) return [{ _tag: "NewLog", log, member, after }]
  return [
    ...(after > seen.value.last ? [{ _tag: "Missing", after: seen.value.last, to: after } as const] : []),
    ...(head > after ? [{ _tag: "Back", after, head } as const] : [])
  ]
}

/** The entry that `event` makes for a client that has seen the log up to there. */
export const read = (
  fernet: Fernet.Shape,
  keys: Keys.Ring<Keys.MessageKey>,
  seen: Pick<Seen, "log" | "member" | "said">,
  event: Protocol.Event
): Logged => {
  if (event._tag !== "Chat") return event
  const { at, member, n, nick, seq } = event
  // The first text seen of a member is taken as it comes; from there on each is the next, or something was left out.
  const highest = HashMap.get(seen.said, member)
  const isNext = Option.isNone(highest) || n === highest.value + 1
  const opened = isNext ? Seal.open(fernet, keys, seen.log, event) : Either.left("number" as const)
  if (Either.isLeft(opened)) return { _tag: "Unreadable", seq, at, member, n, nick, reason: opened.left }
  const { me = false, nick: author, text } = opened.right
  const own = member === seen.member
  return { _tag: "Said", seq, at, member, n, nick: author, text, me, own, past: seq < seen.member }
}

/** Whether `entry` is a text that somebody else has said since this member joined: what a bot answers. */
export const isHeard = (entry: Entry): entry is Said => entry._tag === "Said" && !entry.own && !entry.past
