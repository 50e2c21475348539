/**
 * Base64url as RFC 4648 section 5 defines it, padded and canonical: the one form the protocol, key files and Fernet
 * tokens accept. Node's decoder ignores what it does not know, so the text is checked before it is decoded.
 */
import { Buffer } from "node:buffer"
import * as Option from "effect/Option"

const padding = ["", "==", "="] as const

// Four characters a group; in a padded group the last character's unused bits must be zero.
const canonical = /^[\w-]*(?:[AQgw]==|[AEIMQUYcgkosw048]=)?$/

/** Whether `text` is padded, canonical base64url. The empty text is (it stands for no bytes). */
export const isCanonical = (text: string): boolean => text.length % 4 === 0 && canonical.test(text)

/** Padded base64url of `bytes`. */
export const encode = (bytes: Uint8Array): string =>
  Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("base64url") + padding[bytes.length % 3]

/** The bytes that `text` stands for, or none when it is not padded and canonical. */
export const decode = (text: string): Option.Option<Uint8Array> =>
  isCanonical(text) ? Option.some(Buffer.from(text, "base64url")) : Option.none()
