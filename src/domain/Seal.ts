/**
 * Texts between members. A seal binds a text to its log, author, number and nick, so that the server can neither read
 * it, replay it, nor put it in another's mouth unnoticed.
 */
import * as Either from "effect/Either"
import * as Schema from "effect/Schema"
import type * as Fernet from "./Fernet.js"
import * as Json from "./Json.js"
import type * as Keys from "./Keys.js"
import * as Protocol from "./Protocol.js"
import * as Shortcut from "./Shortcut.js"

/** Most code points of a text. */
export const maxText = 4_000

const codePoints = (text: string): number => {
  let count = 0
  for (const _ of text) count += 1
  return count
}

/** A text that may be said: 1 to 4,000 code points of well-formed Unicode; newlines and tabs included. */
export const Text = Json.WellFormed.pipe(
  // A code point is one or two units, so most texts need no counting.
  Schema.filter(
    (text) => text !== "" && text.length <= 2 * maxText && (text.length <= maxText || codePoints(text) <= maxText),
    {
      message: () => `a text has 1 to ${maxText} characters`
    }
  ),
  Schema.brand("fernet-chat/Text")
)
export type Text = typeof Text.Type

/** Whether something is a text that can be said. */
export const isText = Schema.is(Text)

/** What is sealed. `me` marks an action ("/me waves"). */
export const Sealed = Schema.Struct({
  log: Protocol.LogId,
  member: Protocol.MemberId,
  n: Protocol.TextNumber,
  nick: Json.WellFormed,
  text: Text,
  me: Schema.optionalWith(Schema.Boolean, { exact: true })
})
export type Sealed = typeof Sealed.Type

const decode = Json.open(Sealed, Shortcut.isSealed)

/** Seals under the first key of the ring. */
export const seal = (fernet: Fernet.Shape, keys: Keys.Ring<Keys.MessageKey>, content: Sealed): Protocol.Sealed =>
  // Within the bounds by construction: 4,000 code points are at most 24,000 bytes of JSON, 32,500 characters sealed.
  Protocol.Sealed.make(fernet.encrypt(keys, Json.encode(content)))

/**
 * Why a text cannot be shown as its author's: `key` (opens under none), `content` (not a text within its bounds),
 * `mismatch` (sealed for another place: a replay, or another's mouth).
 */
export type Broken = "key" | "content" | "mismatch"

/** Opens the seal of `chat` with any key of the ring and checks that it was made for this place in this log. */
export const open = (
  fernet: Fernet.Shape,
  keys: Keys.Ring<Keys.MessageKey>,
  log: Protocol.LogId,
  chat: Protocol.Chat
): Either.Either<Sealed, Broken> => {
  const plaintext = fernet.decrypt(keys, chat.sealed)
  if (Either.isLeft(plaintext)) return Either.left("key")
  const opened = decode(plaintext.right)
  if (Either.isLeft(opened)) return Either.left("content")
  const content = opened.right
  const fits =
    content.log === log && content.member === chat.member && content.n === chat.n && content.nick === chat.nick
  return fits ? Either.right(content) : Either.left("mismatch")
}
