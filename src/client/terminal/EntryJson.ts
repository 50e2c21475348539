/**
 * Entries as JSON, one object a line: what `chat c --json` prints, and what it takes. The shape is the same both ways, so
 * that one chat can be piped into another.
 */
import * as Either from "effect/Either"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { WellFormed } from "../../domain/Json.js"
import * as Protocol from "../../domain/Protocol.js"
import * as Seal from "../../domain/Seal.js"
import type * as Entry from "../Entry.js"

/** Where and when it is in the log: see {@link Entry.Said}. */
const text = { seq: Protocol.Seq, at: Protocol.Joined.fields.at, member: Protocol.MemberId, n: Protocol.TextNumber }

/** A text; see {@link Entry.Said}. */
export const Said = Schema.TaggedStruct("Said", {
  ...text,
  nick: WellFormed,
  text: Seal.Text,
  me: Schema.Boolean,
  own: Schema.Boolean,
  past: Schema.Boolean
})

/** A text that does not open; see {@link Entry.Unreadable}. */
export const Unreadable = Schema.TaggedStruct("Unreadable", {
  ...text,
  nick: WellFormed,
  reason: Schema.Literal("key", "content", "mismatch", "number")
})

/** Events that the server no longer has: those after `after` up to `to`. */
export const Missing = Schema.TaggedStruct("Missing", { after: Protocol.Position, to: Protocol.Position })

/** `seq` counts in another log from here on. */
export const NewLog = Schema.TaggedStruct("NewLog", {
  log: Protocol.LogId,
  member: Protocol.MemberId,
  after: Protocol.Position
})

/** One line of `chat c --json`. No part of it transforms: a decoded value is written as it is. */
export const EntryJson = Schema.Union(
  Said,
  Unreadable,
  Protocol.Joined,
  Protocol.Left,
  Protocol.Renamed,
  Protocol.Notice,
  Missing,
  NewLog
)
export type EntryJson = typeof EntryJson.Type

/** An entry on one line, without a newline. */
export const format = (entry: EntryJson): string => JSON.stringify(entry)

/** What is to be said. It is checked when it is said. */
export interface Saying {
  readonly text: string
  readonly me: boolean
}

const Event = Schema.Struct({ _tag: Schema.String })
const Saying = Schema.Struct({ text: Schema.String, me: Schema.optionalWith(Schema.Boolean, { default: () => false }) })

const decodeEvent = Schema.decodeUnknownOption(Event)
const decodeSaying = Schema.decodeUnknownOption(Saying)

/**
 * What a line asks to be said: the `text` of an object with `_tag` Said, and nothing for any other event, known here or
 * not. Other keys are ignored. On the left why it is neither.
 */
export const read = (line: string): Either.Either<Option.Option<Saying>, string> => {
  let value: unknown
  try {
    value = JSON.parse(line)
  } catch {
    return Either.left("it is not JSON")
  }
  const event = decodeEvent(value)
  if (Option.isNone(event)) return Either.left('it is not an object with "_tag"')
  if (event.value._tag !== "Said") return Either.right(Option.none())
  const saying = decodeSaying(value)
  return Option.isSome(saying)
    ? Either.right(saying)
    : Either.left('what is said has a "text", and "me" is true or false')
}
