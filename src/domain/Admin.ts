/**
 * What the operator of a server and the server say to each other over a local socket: a request is a line of JSON, and
 * so is its answer. It is apart from what members speak, and in plain text: whoever can open the socket is the operator.
 */
import { Buffer } from "node:buffer"
import * as Either from "effect/Either"
import * as Schema from "effect/Schema"
import * as Json from "./Json.js"
import * as Protocol from "./Protocol.js"
import * as Seal from "./Seal.js"

/** The version of what is said here. A server answers one of another version with {@link Failed}. */
const version = 1

/**
 * Why an operator's command was not carried out: `unknown` (nobody is called that), `absent` (its member is not here any
 * more), `ambiguous` (it may be one or another), `not-banned`, `text` (it cannot be said), `log` (the log takes nothing at the
 * moment), `closed` (the server is ending), `request` (the server does not know such a request). The message tells the
 * operator what to do.
 */
export class OperatorError extends Schema.TaggedError<OperatorError>()("OperatorError", {
  reason: Schema.Literal("unknown", "absent", "ambiguous", "not-banned", "text", "log", "closed", "request"),
  message: Schema.String
}) {}

/** Longest text, in characters, that names a member: its nick as people read it, or `@` and its id. */
export const maxWho = 128
const Who = Json.WellFormed.pipe(Schema.minLength(1), Schema.maxLength(maxWho))

/** Puts a member out of the room. It may come back. */
export const Kick = Schema.TaggedStruct("Kick", { who: Who })
/** Bars a member, and the network it comes from unless `ticketOnly`; puts it out if it is here. */
export const Ban = Schema.TaggedStruct("Ban", { who: Who, ticketOnly: Schema.Boolean })
/** Lifts a ban. */
export const Unban = Schema.TaggedStruct("Unban", { who: Who })
/** Asks for the bans of members after `after`. */
export const ListBans = Schema.TaggedStruct("ListBans", { after: Protocol.Position })

/** Asks for the members after `after`. */
export const ListNames = Schema.TaggedStruct("ListNames", { after: Protocol.Position })
/** Says a text to all, in the operator's name. */
export const Say = Schema.TaggedStruct("Say", { text: Seal.Text })
/** Asks how the server is. */
export const AskStats = Schema.TaggedStruct("AskStats", {})
/** Ends the server. */
export const Stop = Schema.TaggedStruct("Stop", {})

/** What an operator asks for. */
export const Request = Schema.Union(Kick, Ban, Unban, ListBans, ListNames, Say, AskStats, Stop)
export type Request = typeof Request.Type

const Network = Schema.optionalWith(Schema.String, { exact: true })
const member = { member: Protocol.MemberId, nick: Schema.String }

/** Members by name, the first {@link mostNamed} of them, and how many more there are. */
const Some = Schema.Struct({ members: Schema.Array(Schema.Struct(member)), more: Schema.NonNegativeInt })
/** Members by name, some of them, and how many more there are. */
export type Some = typeof Some.Type
const mostNamed = 100

/** The first of `members`, and how many more there are. */
export const some = (members: ReadonlyArray<Protocol.Member>): Some => ({
  members: members.slice(0, mostNamed).map(({ member, nick }) => ({ member, nick })),
  more: Math.max(members.length - mostNamed, 0)
})

/** The member that was put out. */
export const Kicked = Schema.TaggedStruct("Kicked", member)
export type Kicked = typeof Kicked.Type

/** `network` is what is barred as well, and `others` are here and come from there; without it, the ticket alone is barred. */
export const Banned = Schema.TaggedStruct("Banned", { ...member, network: Network, others: Some })
export type Banned = typeof Banned.Type

/** `network` was barred as well; it still is by the bans of `others`. */
export const Unbanned = Schema.TaggedStruct("Unbanned", { ...member, network: Network, others: Some })
export type Unbanned = typeof Unbanned.Type

/** A member that is barred since `at` (ms), by the nick it had last, and the network that is barred with it. */
export const BanEntry = Schema.Struct({ ...member, at: Schema.NonNegativeInt, network: Network })
export type BanEntry = typeof BanEntry.Type

/** Bans by member, oldest member first; with `more`, others follow. */
export const BanList = Schema.TaggedStruct("BanList", { bans: Schema.Array(BanEntry), more: Schema.Boolean })
export type BanList = typeof BanList.Type

/**
 * A member who is here: `live`, `catching-up` with the log, or `away`, which is without a connection and still within its
 * grace. `since` (ms) is when it was let in with this connection, or lost its last. `from` is where it comes from: the
 * address of the connection, or the network of the last one where that is known.
 */
export const Name = Schema.Struct({
  ...member,
  connection: Schema.Literal("live", "catching-up", "away"),
  since: Schema.NonNegativeInt,
  from: Schema.optionalWith(Schema.String, { exact: true })
})
export type Name = typeof Name.Type

/** Who is here by member, oldest member first; with `more`, others follow. */
export const NameList = Schema.TaggedStruct("NameList", { names: Schema.Array(Name), more: Schema.Boolean })
export type NameList = typeof NameList.Type

const count = Schema.NonNegativeInt

/** What a server does not know of the process that it runs in: versions, memory and log file, both in bytes. */
export const Process = Schema.Struct({
  version: Schema.String,
  node: Schema.String,
  memory: count,
  /** The file of the log, as an absolute path, with what belongs to it; none where the log is in memory. */
  log: Schema.optionalWith(Schema.Struct({ file: Schema.String, bytes: count }), { exact: true })
})
export type Process = typeof Process.Type

/** How a server is. What it counts is from its start on, and of all servers of its process. */
export const Stats = Schema.TaggedStruct("Stats", {
  /** When it started (ms), and how long ago that is, in seconds. */
  since: count,
  uptime: count,
  /** Members who are here, connected or not. */
  members: count,
  /** Sessions that are told everything at once, those that have yet to catch up, and connections without a key so far. */
  live: count,
  catchingUp: count,
  halfOpen: count,
  /** The newest event, and the oldest that there is. */
  head: Protocol.Position,
  oldest: Protocol.Seq,
  /** Whether the log takes what is said. */
  taking: Schema.Boolean,
  /** The number of the group key. */
  epoch: count,
  texts: count,
  deliveries: count,
  /** Connections that were refused, by why: the reasons are those of the metric `chat_refusals_total`. */
  refusals: Schema.Record({ key: Schema.String, value: count }),
  process: Schema.optionalWith(Process, { exact: true })
})
export type Stats = typeof Stats.Type

/** The server is about to end: it says Bye to all and is gone within 5 seconds. */
export const Stopping = Schema.TaggedStruct("Stopping", {})
export type Stopping = typeof Stopping.Type

/** The request was not carried out. `reason` is that of an {@link OperatorError}, or one that came later. */
export const Failed = Schema.TaggedStruct("Failed", { reason: Schema.String, message: Schema.String })
export type Failed = typeof Failed.Type

/**
 * What a server answers its operator, and what `chat admin --json` prints. What was said is a Notice, as it is in the log.
 */
export const Answer = Schema.Union(
  Kicked,
  Banned,
  Unbanned,
  BanList,
  NameList,
  Protocol.Notice,
  Stats,
  Stopping,
  Failed
)
export type Answer = typeof Answer.Type

/** How many bans or names are one answer: with the longest nicks they still fit a line. */
const atOnce = 100

/** Those of a list in order that are on the page after `after`, and whether there are more. */
const paged = <A extends { readonly member: Protocol.MemberId }>(all: ReadonlyArray<A>, after: Protocol.Position) => {
  const rest = all.filter(({ member }) => member > after)
  return { page: rest.slice(0, atOnce), more: rest.length > atOnce }
}

/** The page of `bans`, which are in order, that a request asks for. */
export const page = (bans: ReadonlyArray<BanEntry>, after: Protocol.Position): BanList => {
  const { more, page } = paged(bans, after)
  return { _tag: "BanList", bans: page, more }
}

/** The same of names. */
export const pageOfNames = (names: ReadonlyArray<Name>, after: Protocol.Position): NameList => {
  const { more, page } = paged(names, after)
  return { _tag: "NameList", names: page, more }
}

// Lines come as Latin-1, a character a byte.
const bytesOf = (line: string) => Buffer.from(line, "latin1")
const decodeVersion = Json.open(Schema.Struct({ version: Schema.Number }))
// What a request says beyond what is known here might narrow it: nothing of it is done.
const decodeRequestLine = Json.strict(Schema.Struct({ version: Schema.Literal(version), request: Request }))
const decodeAnswerLine = Json.open(Schema.Struct({ version: Schema.Literal(version), answer: Answer }))

const lineOf = (value: unknown): Uint8Array => Buffer.from(`${JSON.stringify(value)}\n`)

/** A request as a line, its newline included. */
export const encodeRequest = (request: Request): Uint8Array => lineOf({ version, request })

/** An answer as a line, its newline included. */
export const encodeAnswer = (answer: Answer): Uint8Array => lineOf({ version, answer })

/** The request that a line without its newline holds. */
export const decodeRequest = (line: string): Either.Either<Request, OperatorError> => {
  const bytes = bytesOf(line)
  const spoken = Either.getOrUndefined(decodeVersion(bytes))?.version
  return Either.mapBoth(decodeRequestLine(bytes), {
    onRight: ({ request }) => request,
    onLeft: () =>
      new OperatorError({
        reason: "request",
        message:
          spoken === undefined || spoken === version
            ? "this server does not know such a request: it is of another version than this command"
            : `this server speaks version ${version} with its operator, and this command version ${spoken}`
      })
  })
}

/** The answer that a line without its newline holds. */
export const decodeAnswer = (line: string): Either.Either<Answer, OperatorError> =>
  Either.mapBoth(decodeAnswerLine(bytesOf(line)), {
    onRight: ({ answer }) => answer,
    onLeft: () =>
      new OperatorError({
        reason: "request",
        message: "the answer is none that this command knows: the server is of another version"
      })
  })
