/**
 * What the operator of a server and the server say to each other over a local socket: a request is a line of JSON, and
 * so is its answer. It is apart from what members speak, and in plain text: whoever can open the socket is the operator.
 */
import { Buffer } from "node:buffer"
import * as Either from "effect/Either"
import * as Schema from "effect/Schema"
import * as Json from "./Json.js"
import * as Protocol from "./Protocol.js"

/** The version of what is said here. A server answers one of another version with {@link Failed}. */
const version = 1

/**
 * Why an operator's command was not carried out: `unknown` (nobody is called that), `absent` (its member is not here any
 * more), `ambiguous` (it may be one or another), `not-banned`, `log` (the log takes nothing at the moment), `closed` (the
 * server is ending), `request` (the server does not know such a request). The message tells the operator what to do.
 */
export class OperatorError extends Schema.TaggedError<OperatorError>()("OperatorError", {
  reason: Schema.Literal("unknown", "absent", "ambiguous", "not-banned", "log", "closed", "request"),
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

/** What an operator asks for. */
export const Request = Schema.Union(Kick, Ban, Unban, ListBans)
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

/** The request was not carried out. `reason` is that of an {@link OperatorError}, or one that came later. */
export const Failed = Schema.TaggedStruct("Failed", { reason: Schema.String, message: Schema.String })
export type Failed = typeof Failed.Type

/** What a server answers its operator. */
export const Answer = Schema.Union(Kicked, Banned, Unbanned, BanList, Failed)
export type Answer = typeof Answer.Type

/** How many bans are one answer: with the longest nicks they still fit a line. */
const bansAtOnce = 100

/** The page of `bans`, which are in order, that a request asks for. */
export const page = (bans: ReadonlyArray<BanEntry>, after: Protocol.Position): BanList => {
  const rest = bans.filter(({ member }) => member > after)
  return { _tag: "BanList", bans: rest.slice(0, bansAtOnce), more: rest.length > bansAtOnce }
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
