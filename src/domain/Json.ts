/**
 * JSON on the wire: bytes that must be UTF-8, must be JSON, and must be of the shape asked for. `JSON.stringify` writes
 * what the design asks of a writer, so only well-formedness of strings is left to the schemas.
 */
import { Buffer, isAscii } from "node:buffer"
import * as Either from "effect/Either"
import * as Schema from "effect/Schema"

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true })

/** Why bytes were not read: not UTF-8 or not JSON (`json`), or JSON of another shape (`shape`). */
export type Reason = "json" | "shape"

/** A string without lone surrogates: what UTF-8 can carry. */
export const WellFormed = Schema.String.pipe(
  Schema.filter((text) => text.isWellFormed() || "must be well-formed Unicode", { identifier: "WellFormed" })
)

/** The text of UTF-8 bytes; throws where they are none. Most are ASCII, which needs no decoding. */
const textOf = (bytes: Uint8Array): string =>
  isAscii(bytes) ? Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("latin1") : utf8.decode(bytes)

/** How deep tags stand at most: a frame's messages, a message's events. */
const deepestTag = 4

/**
 * Whether all tags are strings. A union asks each for its text, and JSON holds what has none, and throws
 * (`{"toString":1}`), or whose text takes long to find (lists in lists without end).
 */
const hasTextTags = (value: unknown, depth = 0): boolean => {
  if (typeof value !== "object" || value === null || depth > deepestTag) return true
  if ("_tag" in value && typeof value._tag !== "string") return false
  return Object.values(value).every((inner) => hasTextTags(inner, depth + 1))
}

const decoder = <A, I>(
  schema: Schema.Schema<A, I>,
  onExcessProperty: "error" | "ignore",
  isKnown: ((value: unknown) => value is A) | undefined
) => {
  const decode = Schema.decodeUnknownEither(schema, { onExcessProperty })
  return (bytes: Uint8Array): Either.Either<A, Reason> => {
    let value: unknown
    try {
      value = JSON.parse(textOf(bytes))
    } catch {
      // Both throw for one reason only: the bytes are not UTF-8, or the text is not JSON.
      return Either.left("json")
    }
    if (isKnown?.(value) === true) return Either.right(value)
    if (onExcessProperty === "error" && !hasTextTags(value)) return Either.left("shape")
    return Either.mapLeft(decode(value), () => "shape" as const)
  }
}

/**
 * Reads `schema` and nothing beside it: an excess key is of another shape. What `isKnown` knows is taken as it is, at
 * once: see Shortcut.
 */
export const strict = <A, I>(schema: Schema.Schema<A, I>, isKnown?: (value: unknown) => value is A) =>
  decoder(schema, "error", isKnown)

/** Reads `schema` and ignores keys it does not know, so that the format can grow. `isKnown` as in {@link strict}. */
export const open = <A, I>(schema: Schema.Schema<A, I>, isKnown?: (value: unknown) => value is A) =>
  decoder(schema, "ignore", isKnown)

/** UTF-8 bytes of `value` as JSON. */
export const encode = (value: unknown): Uint8Array => Buffer.from(JSON.stringify(value))
