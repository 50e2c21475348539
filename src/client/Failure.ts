/** Why a client could not do what was asked: errors as data, and what they tell the user to do. */
import type { PlatformError } from "@effect/platform/Error"
import * as Schema from "effect/Schema"
import type { Fault } from "../domain/Fault.js"
import type { HandshakeError } from "../domain/Handshake.js"
import * as Nickname from "../domain/Nickname.js"
import * as Protocol from "../domain/Protocol.js"
import * as Seal from "../domain/Seal.js"
import type { TransportError } from "../domain/Transport.js"

/**
 * Why joining failed: `unreachable` (nobody answers there), `lost` (the connection broke), `wrong-key` (or not this chat),
 * `version`, `nick-taken`, `nick-invalid`, `fault` (the server broke a rule), `silent` (no answer in 10 s), `state` (what
 * this client keeps cannot be read or written), or the reason of the server's Bye.
 */
export class JoinError extends Schema.TaggedError<JoinError>()("JoinError", {
  reason: Schema.Literal(
    "unreachable",
    "lost",
    "wrong-key",
    "version",
    "nick-taken",
    "nick-invalid",
    "fault",
    "state",
    ...Protocol.ByeReason.literals
  ),
  message: Schema.String
}) {}

/**
 * Why a client has ended for good: the reason of the server's Bye, `lost` (it left while it had no connection), `fault`
 * (the server broke a rule), `version`, `nick-taken` (while it was away), `nick-invalid`, `state` (what it has to keep
 * cannot be written).
 */
export class Disconnected extends Schema.TaggedError<Disconnected>()("Disconnected", {
  reason: Schema.Literal(
    "lost",
    "fault",
    "version",
    "nick-taken",
    "nick-invalid",
    "state",
    ...Protocol.ByeReason.literals
  ),
  message: Schema.String
}) {}

/**
 * Why a text was not said: `text` (it cannot be: see the message), `full` (10,000 texts wait already), `closed` (the
 * client ended first; a text that it keeps is sent when it is started again), `altered` (the log holds something else in
 * its place).
 */
export class SayError extends Schema.TaggedError<SayError>()("SayError", {
  reason: Schema.Literal("text", "full", "closed", "altered"),
  message: Schema.String
}) {}

/** Why a nick was not changed. */
export class RenameError extends Schema.TaggedError<RenameError>()("RenameError", {
  reason: Schema.Literal("nick-taken", "nick-invalid", "closed"),
  message: Schema.String
}) {}

/**
 * Why older events did not come: `closed` (the client has ended), `new-log` (the server has begun another log meanwhile,
 * which does not hold them).
 */
export class HistoryError extends Schema.TaggedError<HistoryError>()("HistoryError", {
  reason: Schema.Literal("closed", "new-log"),
  message: Schema.String
}) {}

const byeMessages: Record<Protocol.ByeReason, string> = {
  quit: "you have left",
  "taken-over": "you have joined from elsewhere, and this connection was closed",
  kicked: "the operator has put you out of the room: you may join again",
  banned: "the operator has barred you, or all from your address: only the operator can let you in again",
  full: "the server is full: try again later",
  slow: "this connection was too slow for what was said",
  silent: "nothing was heard from this connection for too long",
  protocol: "the server closed the connection because this client broke the protocol",
  shutdown: "the server was shut down"
}

/** The end of a session by the server's Bye. */
export const bye = (reason: Protocol.ByeReason) => new Disconnected({ reason, message: byeMessages[reason] })

/**
 * The end of a session without a Bye: the stream of lines ended, broke, or broke a rule. A server that is killed may have
 * written a part of a line; that is a loss as any other.
 */
export const broken = (error?: TransportError | Fault) =>
  error?._tag === "Fault" && error.rule !== "truncated"
    ? new Disconnected({ reason: "fault", message: error.message })
    : new Disconnected({ reason: "lost", message: error?.message ?? "the connection to the server was lost" })

/** The end of a session whose server has not been heard for too long: its connection is taken to be dead. */
export const unheard = () =>
  new Disconnected({ reason: "lost", message: "nothing was heard from the server for too long" })

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

/**
 * A connection that ended before its first Welcome. An end without a word says: wrong key, but not to who was let in there
 * before.
 */
export const notWelcome = (address: string, error: JoinError | Disconnected, wasIn: boolean): JoinError => {
  const { message, reason } = error
  if (reason !== "lost" && reason !== "wrong-key") return new JoinError({ reason, message })
  if (!wasIn) return wrongKey(address)
  return new JoinError({
    reason: "lost",
    message: `${address} closed the connection before it let you in: try again; if it goes on, compare your key file with the server's, for the key may have been changed`
  })
}

/** Why a client that was in the room has no connection: the key that is wrong now was right before. */
export const withoutWelcome = (address: string, error: JoinError | Disconnected): JoinError | Disconnected =>
  error.reason !== "wrong-key"
    ? error
    : new JoinError({
        reason: "wrong-key",
        message: `${address} closes the connection before it lets you in: if it goes on, compare your key file with the server's, for the key may have been changed`
      })

const returning: ReadonlySet<(JoinError | Disconnected)["reason"]> = new Set([
  "unreachable",
  "lost",
  // What a server closes without a word, it may have closed for another reason where the key was right before.
  "wrong-key",
  "silent",
  "full",
  "slow",
  "shutdown"
])

/** Whether a client that was in the room comes back by itself after `error`. */
export const comesBack = ({ reason }: JoinError | Disconnected): boolean => returning.has(reason)

/** What a client owes the log: `count` texts, which are kept or not. */
const unsent = (count: number, areKept: boolean): string =>
  `${count === 1 ? "1 text was" : `${count} texts were`} not sent${
    areKept ? ": what is left is sent when you join again" : ""
  }`

/** The end for good that `error` is to a client that was in the room; it owes the log `count` texts, kept or not. */
export const disconnected = (error: JoinError | Disconnected, count: number, areKept: boolean): Disconnected =>
  error._tag === "Disconnected"
    ? count > 0 && (error.reason === "kicked" || error.reason === "banned")
      ? new Disconnected({ reason: error.reason, message: `${error.message}; ${unsent(count, areKept)}` })
      : error
    : new Disconnected({
        reason: error.reason === "unreachable" || error.reason === "wrong-key" ? "lost" : error.reason,
        message:
          error.reason === "nick-taken"
            ? `while you were away your nick was given to another: join again with a new one (${error.message})`
            : error.message
      })

/** The end of a client that leaves while it has no connection, owing the log `count` texts, which are kept or not. */
export const owing = (count: number, areKept: boolean) =>
  new Disconnected({
    reason: "lost",
    message: `without a connection, ${unsent(count, areKept)}`
  })

/** What a client keeps cannot be read or written at the start. */
export const unreadable = ({ message }: PlatformError) =>
  new JoinError({ reason: "state", message: `cannot use what this client keeps between runs: ${message}` })

/** What was kept is not what was written. */
export const damaged = (name: string) =>
  new JoinError({
    reason: "state",
    message: `what this client keeps between runs (${name}) is damaged: join with another --profile, or remove it`
  })

/** What a client has to keep cannot be written. */
export const unkept = ({ message }: PlatformError) =>
  new Disconnected({ reason: "state", message: `cannot keep what is said: ${message}` })

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

/** A text too many. */
export const full = () =>
  new SayError({ reason: "full", message: "too many texts wait to be sent already: say it again later" })

/** A text that was not said when the session ended. */
export const unsaid = ({ message }: Disconnected) => new SayError({ reason: "closed", message })

/** Older events that had not come when the session ended. */
export const unfetched = ({ message }: Disconnected) => new HistoryError({ reason: "closed", message })

/** Older events of a log that is no more. */
export const otherLog = () =>
  new HistoryError({
    reason: "new-log",
    message: "the server has begun a new log meanwhile: what was asked for is not in it"
  })

/** A text of ours that is not what the log holds in its place. */
export const altered = () =>
  new SayError({ reason: "altered", message: "the log holds something else in place of this text" })
