/**
 * Keys and what is derived from them. A room key is 32 random bytes in padded base64url, exactly what
 * `Fernet.generate_key()` makes in Python. Every derived key has one use (HKDF-SHA256, RFC 5869, empty salt).
 * Keys are `Redacted`: no log line, error or crash report shows one.
 */
import * as Crypto from "node:crypto"
import * as Arr from "effect/Array"
import type * as Brand from "effect/Brand"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import * as Base64Url from "./Base64Url.js"
import { Entropy } from "./Entropy.js"

/** 32 bytes: the first 16 sign (HMAC-SHA256), the last 16 encrypt (AES-128-CBC) when used as a Fernet key. */
export type AnyKey = Redacted.Redacted<Uint8Array>

/** A key with its one use in its type. */
export type Key<Use extends string> = AnyKey & Brand.Brand<`fernet-chat/Key/${Use}`>

/** What the members of a room share. */
export type RoomKey = Key<"room">
/** Proves membership to the server (the psk of the handshake); opens no text. */
export type ServerKey = Key<"server">
/** Seals texts between members; the server need not have it. */
export type MessageKey = Key<"message">
/** Seals the files a client keeps. */
export type StateKey = Key<"state">
/** Seals the stored log. */
export type LogKey = Key<"log">

/** The keys that may open something; the first one is used to make new things. */
export type Ring<K extends AnyKey = AnyKey> = Arr.NonEmptyReadonlyArray<K>

/** Length of every key in bytes. */
export const length = 32

/** What a key file holds: room keys, or the server keys derived from them, never both. */
export type KeySet =
  | { readonly _tag: "RoomKeys"; readonly keys: Ring<RoomKey> }
  | { readonly _tag: "ServerKeys"; readonly keys: Ring<ServerKey> }

/** Why a key could not be had; `message` says what to do about it, and never shows a key. */
export class KeyError extends Schema.TaggedError<KeyError>()("KeyError", {
  reason: Schema.Literal(
    "missing",
    "unreadable",
    "readable-by-others",
    "empty",
    "malformed",
    "mixed",
    "kind",
    "exists"
  ),
  message: Schema.String
}) {}

// The one cast that makes a Key: the brand is a type only, and every caller below has checked or made 32 bytes.
const use = <Use extends string>(bytes: Uint8Array): Key<Use> => Redacted.make(bytes) as Key<Use>

/** A new room key. */
export const generate: Effect.Effect<RoomKey> = Effect.map(Entropy, (entropy) => use<"room">(entropy.bytes(length)))

/** The text form of a key. Whoever calls this shows a secret, and should mean to. */
export const toBase64Url = (key: AnyKey): string => Base64Url.encode(Redacted.value(key))

/** A key from its text form: 44 characters of padded, canonical base64url. */
export const fromBase64Url = <Use extends string>(text: string): Option.Option<Key<Use>> =>
  Base64Url.decode(text).pipe(
    Option.filter((bytes) => bytes.length === length),
    Option.map((bytes) => use<Use>(bytes))
  )

/** Makes a key of exactly 32 bytes; anything else is a defect of the caller. */
export const fromBytes = <Use extends string>(bytes: Uint8Array): Key<Use> => {
  if (bytes.length !== length) throw new RangeError(`a key has ${length} bytes, not ${bytes.length}`)
  return use<Use>(bytes)
}

const derive = <Use extends string>(key: AnyKey, info: Use): Key<Use> =>
  use<Use>(
    new Uint8Array(Crypto.hkdfSync("sha256", Redacted.value(key), new Uint8Array(0), `fernet-chat/1 ${info}`, length))
  )

/** The key of a room that proves membership to its server. */
export const serverKey = (room: RoomKey): ServerKey => derive(room, "server")

/** The key of a room that seals its texts. */
export const messageKey = (room: RoomKey): MessageKey => derive(room, "message")

/** The key of a room that seals the files of a client in it. */
export const stateKey = (room: RoomKey): StateKey => derive(room, "state")

/** The key that seals the log of a server. */
export const logKey = (server: ServerKey): LogKey => derive(server, "log")

/** The server keys of either kind of key file: those of a room key file are derived, and nothing else is kept. */
export const serverKeys = (set: KeySet): Ring<ServerKey> =>
  set._tag === "ServerKeys" ? set.keys : Arr.map(set.keys, serverKey)

/** The room keys of a key file; a server key file has none. */
export const roomKeys = (set: KeySet): Either.Either<Ring<RoomKey>, KeyError> =>
  set._tag === "RoomKeys"
    ? Either.right(set.keys)
    : Either.left(
        new KeyError({
          reason: "kind",
          message: "this is a server key, which opens no message: joining needs the room key (secret.key)"
        })
      )

const serverPrefix = "server:"

/**
 * Reads the text of a key file: one key a line, blank lines and `#` comments ignored, the first key used and further
 * ones still opened. Lines of a server key file start with `server:`.
 */
export const parse = (text: string): Either.Either<KeySet, KeyError> => {
  const fail = (reason: KeyError["reason"], message: string) => Either.left(new KeyError({ reason, message }))
  const rooms: Array<RoomKey> = []
  const servers: Array<ServerKey> = []
  for (const [index, raw] of text.split(/\r?\n/).entries()) {
    const line = raw.trim()
    if (line === "" || line.startsWith("#")) continue
    const server = line.startsWith(serverPrefix)
    const key = Base64Url.decode(server ? line.slice(serverPrefix.length) : line)
    if (Option.isNone(key) || key.value.length !== length) {
      return fail(
        "malformed",
        `line ${index + 1} is not a key: a key is 44 characters of base64url, as chat keygen makes`
      )
    }
    if (server) servers.push(use<"server">(key.value))
    else rooms.push(use<"room">(key.value))
  }
  if (Arr.isNonEmptyReadonlyArray(rooms) && Arr.isNonEmptyReadonlyArray(servers)) {
    return fail("mixed", "room keys and server keys are mixed: keep them in two files")
  }
  if (Arr.isNonEmptyReadonlyArray(rooms)) return Either.right({ _tag: "RoomKeys", keys: rooms })
  if (Arr.isNonEmptyReadonlyArray(servers)) return Either.right({ _tag: "ServerKeys", keys: servers })
  return fail("empty", "it holds no key: make one with chat keygen")
}

/** The text of a key file that holds `set`, read back by {@link parse}. It shows secrets: for files only. */
export const format = (set: KeySet): string =>
  set.keys.map((key) => `${set._tag === "ServerKeys" ? serverPrefix : ""}${toBase64Url(key)}\n`).join("")
