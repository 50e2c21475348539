/**
 * What client and server say to each other, as Schemas: messages, events, and the three shapes of frame they travel in.
 * No schema here transforms: a decoded value is written as it is.
 */
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as Base64Url from "./Base64Url.js"
import { WellFormed } from "./Json.js"

const integer = Schema.NonNegativeInt.pipe(Schema.lessThanOrEqualTo(Number.MAX_SAFE_INTEGER))
const positive = integer.pipe(Schema.greaterThanOrEqualTo(1))

/** Canonical base64url of exactly `bytes` bytes. The message never repeats what was refused: it may be a secret. */
export const base64Url = (bytes: number) =>
  Schema.String.pipe(
    Schema.filter((text) => Option.exists(Base64Url.decode(text), ({ length }) => length === bytes), {
      message: () => `expected canonical base64url of ${bytes} bytes`,
      arbitrary: () => (fc) => fc.uint8Array({ minLength: bytes, maxLength: bytes }).map(Base64Url.encode)
    })
  )

/** A place in the log: the `seq` of an event, or 0, which is before the first. */
export const Position = integer.pipe(Schema.brand("fernet-chat/Position"))
export type Position = typeof Position.Type

/** Before the first event. */
export const start = Position.make(0)

/** An event's place in the log: 1, 2, 3 … without a gap. */
export const Seq = Position.pipe(Schema.greaterThanOrEqualTo(1), Schema.brand("fernet-chat/Seq"))
export type Seq = typeof Seq.Type

/** The place that follows. A position is checked when it comes in; one more than it needs no check. */
export const next = (position: Position): Seq => Seq.make(position + 1, { disableValidation: true })

/** A member's id: the `seq` of its first Joined. */
export const MemberId = Seq.pipe(Schema.brand("fernet-chat/MemberId"))
export type MemberId = typeof MemberId.Type

/** The number of a text among those of its member: 1, 2, 3 … */
export const TextNumber = positive.pipe(Schema.brand("fernet-chat/TextNumber"))
export type TextNumber = typeof TextNumber.Type

/** The random id of a log, 16 bytes. */
export const LogId = base64Url(16).pipe(Schema.brand("fernet-chat/LogId"))
export type LogId = typeof LogId.Type

/** The client's secret that makes it the same member on every connection, 16 bytes. */
export const Ticket = base64Url(16).pipe(Schema.brand("fernet-chat/Ticket"))
export type Ticket = typeof Ticket.Type

/** Longest seal, in characters. */
export const maxSealed = 32_768

/** A text sealed under the message key: a Fernet token, opaque to the server. */
export const Sealed = Schema.String.pipe(
  Schema.filter((text) => text.length > 0 && text.length <= maxSealed && Base64Url.isCanonical(text), {
    message: () => `expected canonical base64url of at most ${maxSealed} characters`,
    arbitrary: () => (fc) => fc.uint8Array({ minLength: 1 }).map(Base64Url.encode)
  }),
  Schema.brand("fernet-chat/Sealed")
)
export type Sealed = typeof Sealed.Type

/** Milliseconds since 1970, by the clock of whoever wrote it. */
const Milliseconds = integer

const event = { seq: Seq, at: Milliseconds, member: MemberId, nick: WellFormed }

/** A member is there: for the first time, when `member` is its own `seq`, or again. */
export const Joined = Schema.TaggedStruct("Joined", event)
export type Joined = typeof Joined.Type

/** Why a member is not there any more: by itself, without a connection for longer than the grace, put out by the operator. */
export const LeftReason = Schema.Literal("quit", "timeout", "kicked")
export type LeftReason = typeof LeftReason.Type

/** A member is not there any more; its nick is free. */
export const Left = Schema.TaggedStruct("Left", { ...event, reason: LeftReason })
export type Left = typeof Left.Type

/** A member has taken another nick; `was` is the one before. */
export const Renamed = Schema.TaggedStruct("Renamed", { ...event, was: WellFormed })
export type Renamed = typeof Renamed.Type

/** A text, the `n`th of its member. */
export const Chat = Schema.TaggedStruct("Chat", { ...event, n: TextNumber, sealed: Sealed })
export type Chat = typeof Chat.Type

/** The operator speaking, readable to the server. */
export const Notice = Schema.TaggedStruct("Notice", { seq: Seq, at: Milliseconds, text: WellFormed })
export type Notice = typeof Notice.Type

/** What the log holds. */
export const Event = Schema.Union(Chat, Joined, Left, Renamed, Notice)
export type Event = typeof Event.Type

const Events_ = Schema.NonEmptyArray(Event)

/** Asks for a nick; the first of a connection also says who asks, and from where it goes on. */
export const Nick = Schema.TaggedStruct("Nick", {
  nick: WellFormed,
  ticket: Schema.optionalWith(Ticket, { exact: true }),
  log: Schema.optionalWith(LogId, { exact: true }),
  after: Schema.optionalWith(Position, { exact: true })
}).pipe(
  Schema.filter(
    (nick) =>
      ((nick.log === undefined) === (nick.after === undefined) &&
        (nick.log === undefined || nick.ticket !== undefined)) ||
      "log and after go together, and with a ticket"
  )
)
export type Nick = typeof Nick.Type

/** Says a text: the next of its member, or one that the server may already have. */
export const Say = Schema.TaggedStruct("Say", { n: TextNumber, sealed: Sealed })
export type Say = typeof Say.Type

/**
 * Asks for the newest `limit` events before `before`. The answer is one History or several, oldest first, whose events
 * follow on each other; it is whole with one that ends at `before - 1`, or that has no events. What is not in the log (it
 * was dropped, or is yet to come, where `before` is beyond the head) is left out: with nothing before `before` the answer
 * is one History without events, and a `before` beyond the head is taken as head + 1 and answered with one at the end.
 */
export const Fetch = Schema.TaggedStruct("Fetch", { before: Seq, limit: positive.pipe(Schema.lessThanOrEqualTo(500)) })
export type Fetch = typeof Fetch.Type

/** Leaves the room; the answer is Bye. */
export const Leave = Schema.TaggedStruct("Leave", {})
export type Leave = typeof Leave.Type

/** Asks the server whether it is there. */
export const ClientPing = Schema.TaggedStruct("Ping", { at: Milliseconds })

/** The answer to a {@link ServerPing}, with its `at`. */
export const ClientPong = Schema.TaggedStruct("Pong", { at: Milliseconds })

/** `last` is the last `seq` written to this connection: a client whose own differs has been robbed of frames. */
export const ServerPing = Schema.TaggedStruct("Ping", { at: Milliseconds, last: Position })

/** The answer to a {@link ClientPing}, with its `at`; `last` as in a {@link ServerPing}. */
export const ServerPong = Schema.TaggedStruct("Pong", { at: Milliseconds, last: Position })

/**
 * Lets a client in: who it is, the newest event of which log (`head`), that events follow from `after + 1` on, the highest
 * `n` of its own that the log has (`acked`), and how many are there.
 */
export const Welcome = Schema.TaggedStruct("Welcome", {
  log: LogId,
  head: Seq,
  after: Position,
  member: MemberId,
  nick: WellFormed,
  acked: integer,
  count: positive
})
export type Welcome = typeof Welcome.Type

/** Somebody who is there. */
export const Member = Schema.Struct({ member: MemberId, nick: WellFormed })
export type Member = typeof Member.Type

/** A page of who is there, after a Welcome and before any event. */
export const Members = Schema.TaggedStruct("Members", { members: Schema.NonEmptyArray(Member) })
export type Members = typeof Members.Type

/** Older events, to a session that catches up; while live they come by group frame. */
export const Events = Schema.TaggedStruct("Events", { events: Events_ })
export type Events = typeof Events.Type

/** A part of the answer to a {@link Fetch}. `oldest` is the oldest event of the log, or the first to come. */
export const History = Schema.TaggedStruct("History", { events: Schema.Array(Event), oldest: Seq })
export type History = typeof History.Type

/** The key of the frames that all live sessions read, 32 bytes, and its number. */
export const Rekey = Schema.TaggedStruct("Rekey", { epoch: integer, key: base64Url(32) })
export type Rekey = typeof Rekey.Type

/** Why a nick is refused. */
export const RejectedReason = Schema.Literal("nick-taken", "nick-invalid")
export type RejectedReason = typeof RejectedReason.Type

/** A nick is refused, and another may be asked for; `detail` is for the user. */
export const Rejected = Schema.TaggedStruct("Rejected", { reason: RejectedReason, detail: WellFormed })
export type Rejected = typeof Rejected.Type

/** Why a connection ends. */
export const ByeReason = Schema.Literal(
  "quit",
  "taken-over",
  "kicked",
  "banned",
  "full",
  "slow",
  "silent",
  "protocol",
  "shutdown"
)
export type ByeReason = typeof ByeReason.Type

/** The last that a server says. */
export const Bye = Schema.TaggedStruct("Bye", { reason: ByeReason })
export type Bye = typeof Bye.Type

/** What a client says. */
export const ClientMessage = Schema.Union(Say, Nick, Fetch, Leave, ClientPing, ClientPong)
export type ClientMessage = typeof ClientMessage.Type

/** What a server says to one session. */
export const ServerMessage = Schema.Union(
  Events,
  Welcome,
  Members,
  History,
  Rekey,
  Rejected,
  Bye,
  ServerPing,
  ServerPong
)
export type ServerMessage = typeof ServerMessage.Type

/** Most messages in one frame from a client. */
export const maxMessages = 64

/** A frame's number in its direction, from 0. */
const FrameNumber = integer

/** Client to server, under `up`. */
export const UpFrame = Schema.Struct({
  frame: FrameNumber,
  messages: Schema.NonEmptyArray(ClientMessage).pipe(Schema.maxItems(maxMessages))
})
export type UpFrame = typeof UpFrame.Type

/** Server to one session, under `down`. */
export const DownFrame = Schema.Struct({ frame: FrameNumber, messages: Schema.NonEmptyArray(ServerMessage) })
export type DownFrame = typeof DownFrame.Type

/** Server to all live sessions, under the group key. */
export const GroupFrame = Schema.Struct({ epoch: integer, events: Events_ })
export type GroupFrame = typeof GroupFrame.Type
