/**
 * Nicks: what a member is called. Only the server judges one; a client checks no more than that it fits the first line.
 */
import { Buffer } from "node:buffer"
import type * as Brand from "effect/Brand"
import * as Either from "effect/Either"

/** A nick as the server admits it: NFKC, 1 to 32 code points of letters, marks, decimal digits, `-`, `_`, `.`. */
export type Nickname = string & Brand.Brand<"fernet-chat/Nickname">

/** Bytes of UTF-8 that a client sends at most, as JSON writes them: more would not fit the first line. */
export const maxBytes = 128

const allowed = /^[\p{L}\p{M}\p{Nd}._-]{1,32}$/u
// Letters and marks that show as nothing: a nick with one would look like another.
const invisible = /\p{Default_Ignorable_Code_Point}/u

/** Whether a client may send `nick` at all. */
export const fits = (nick: string): boolean =>
  nick.isWellFormed() && Buffer.byteLength(JSON.stringify(nick)) - 2 <= maxBytes

/**
 * Most UTF-16 units of what NFKC may make a nick: each of its 32 code points can come as four (Unicode, UAX #15), of two
 * units at most. To normalize more is to work for who is rude: marks out of order take a time that grows as their square.
 */
const longest = 32 * 4 * 2

/** A nick whatever its case, the same everywhere. Which nicks are taken for one another only the server judges. */
export const fold = (nick: string): string => (nick.length > longest ? nick : nick.normalize("NFKC")).toLowerCase()

/** Whether `text` is a nick as it stands. */
export const is = (text: string): text is Nickname =>
  allowed.test(text) && !invisible.test(text) && text.normalize("NFKC") === text

/** Judges what somebody asks to be called, as {@link parse} does: a nick, or what is wrong with it. */
export type Judge<Asked = string> = (asked: Asked) => Either.Either<Nickname, string>

/** The nick that `text` asks for, or what is wrong with it, in words for the one who chose it. */
export const parse = (text: string): Either.Either<Nickname, string> => {
  const nick = text.length > longest ? "" : text.normalize("NFKC")
  return is(nick)
    ? Either.right(nick)
    : Either.left("a nick is 1 to 32 letters, digits, '-', '_' or '.', without spaces")
}
