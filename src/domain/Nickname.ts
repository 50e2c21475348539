/**
 * Nicks: what a member is called. Only the server judges one; a client checks no more than that it fits the first line.
 */
import { Buffer } from "node:buffer"
import type * as Brand from "effect/Brand"
import * as Either from "effect/Either"
import unhomoglyph from "unhomoglyph"

/** A nick as the server admits it: NFKC, 1 to 32 code points of letters, marks, decimal digits, `-`, `_`, `.`. */
export type Nickname = string & Brand.Brand<"fernet-chat/Nickname">

/** Bytes of UTF-8 that a client sends at most: more would not fit the first line. */
export const maxBytes = 128

const allowed = /^[\p{L}\p{M}\p{Nd}._-]{1,32}$/u

/** Whether a client may send `nick` at all. */
export const fits = (nick: string): boolean => nick.isWellFormed() && Buffer.byteLength(nick) <= maxBytes

/** The nick that `text` asks for, or what is wrong with it, in words for the one who chose it. */
export const parse = (text: string): Either.Either<Nickname, string> => {
  const nick = text.normalize("NFKC")
  return allowed.test(nick)
    ? Either.right(nick as Nickname) // the one place that makes a Nickname
    : Either.left("a nick is 1 to 32 letters, digits, '-', '_' or '.', without spaces")
}

const fold = (text: string): string => text.toUpperCase().toLowerCase()

/**
 * What two nicks have in common when a reader could take one for the other: the confusable skeleton of Unicode TR39
 * (its table as of Unicode 13, from `unhomoglyph` 1.0.6), case folded before and after. A nick is free when no member
 * has its skeleton.
 */
export const skeleton = (nick: string): string => fold(unhomoglyph(fold(nick).normalize("NFD")).normalize("NFD"))
