/** Why a client could not do what was asked: errors as data, and what they tell the user to do. */
import * as Schema from "effect/Schema"
import type { Fault } from "../domain/Fault.js"
import type { HandshakeError } from "../domain/Handshake.js"
import * as Nickname from "../domain/Nickname.js"
import * as Protocol from "../domain/Protocol.js"
import * as Seal from "../domain/Seal.js"
import type { TransportError } from "../domain/Transport.js"

/**
 * Why joining failed: `unreachable` (nobody answers there), `wrong-key` (or not this chat), `version`, `nick-taken`,
 * `nick-invalid`, `fault` (the server broke a rule), `silent` (no answer in 10 s), or the reason of the server's Bye.
 */
export class JoinError extends Schema.TaggedError<JoinError>()("JoinError", {
  reason: Schema.Literal(
    "unreachable",
    "wrong-key",
    "version",
    "nick-taken",
    "nick-invalid",
    "fault",
    ...Protocol.ByeReason.literals
  ),
  message: Schema.String
}) {}

/** Why a session ended: the reason of the server's Bye, `lost` (without one), or `fault` (the server broke a rule). */
export class Disconnected extends Schema.TaggedError<Disconnected>()("Disconnected", {
  reason: Schema.Literal("lost", "fault", ...Protocol.ByeReason.literals),
  message: Schema.String
}) {}

/**
 * Why a text was not said: `text` (it cannot be: see the message), `closed` (the session ended first; whether the text
 * is in the log is not known), `altered` (the log holds something else in its place).
 */
export class SayError extends Schema.TaggedError<SayError>()("SayError", {
  reason: Schema.Literal("text", "closed", "altered"),
  message: Schema.String
}) {}

/** Why a nick was not changed. */
export class RenameError extends Schema.TaggedError<RenameError>()("RenameError", {
  reason: Schema.Literal("nick-taken", "nick-invalid", "closed"),
  message: Schema.String
}) {}

const byeMessages: Record<Protocol.ByeReason, string> = {
  quit: "you have left",
  "taken-over": "you have joined from elsewhere, and this connection was closed",
  kicked: "the operator has put you out of the room",
  banned: "the operator has shut you out of the room",
  full: "the server is full: try again later",
  slow: "this connection was too slow for what was said",
  silent: "nothing was heard from this connection for too long",
  protocol: "the server closed the connection because this client broke the protocol",
  shutdown: "the server was shut down"
}

/** The end of a session by the server's Bye. */
export const bye = (reason: Protocol.ByeReason) => new Disconnected({ reason, message: byeMessages[reason] })

/** The end of a session without a Bye: the stream of lines ended, broke, or broke a rule. */
export const broken = (error?: TransportError | Fault) =>
  error?._tag === "Fault"
    ? new Disconnected({ reason: "fault", message: error.message })
    : new Disconnected({ reason: "lost", message: error?.message ?? "the connection to the server was lost" })

/** The end of a session whose server does not answer a Leave. */
export const unanswered = () => new Disconnected({ reason: "silent", message: "the server does not answer" })

/** No connection came about. */
export const unreachable = (error: TransportError) => new JoinError({ reason: "unreachable", message: error.message })

/** Closing without a word is how a server treats whom it does not know, and what another program makes of our bytes. */
export const wrongKey = (address: string) =>
  new JoinError({
    reason: "wrong-key",
    message: `wrong key, or not this chat: ${address} closed the connection; compare your key file with the server's`
  })

/** The key is right, and the server speaks none of our versions. */
export const otherVersion = (address: string, { message }: HandshakeError) =>
  new JoinError({ reason: "version", message: `${address} speaks another version (${message})` })

/** A connection, and nothing that a chat would say. */
export const silent = (address: string) =>
  new JoinError({ reason: "silent", message: `${address} does not answer as a chat would: are host and port right?` })

/** A session that ended before its Welcome. */
export const notWelcome = (address: string, { message, reason }: Disconnected) =>
  reason === "lost" ? wrongKey(address) : new JoinError({ reason, message })

/** What is wrong with a nick that is not even sent. */
export const longNick = `a nick has at most ${Nickname.maxBytes} bytes`

/** A text that cannot be said. */
export const invalidText = (text: string) =>
  new SayError({
    reason: "text",
    message: text.isWellFormed()
      ? `a text has 1 to ${Seal.maxText} characters, this one ${Array.from(text).length}`
      : "a text is well-formed Unicode, and this one is not"
  })

/** A text that was not said when the session ended. */
export const unsaid = ({ message }: Disconnected) => new SayError({ reason: "closed", message })

/** A text of ours that is not what the log holds in its place. */
export const altered = () =>
  new SayError({ reason: "altered", message: "the log holds something else in place of this text" })
