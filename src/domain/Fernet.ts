/**
 * Fernet (github.com/fernet/spec) as a service: AES-128-CBC and HMAC-SHA256 around bytes, with the semantics of
 * Python's `MultiFernet` for key rings.
 *
 * `layer` runs on node:crypto. `layerPure` runs on the npm package `fernet`, which is pure JavaScript and some fifty
 * times slower: a second opinion, and a way to where node:crypto is not.
 */
import { Buffer } from "node:buffer"
import * as Crypto from "node:crypto"
import type * as Brand from "effect/Brand"
import type * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import * as Base64Url from "./Base64Url.js"
import { Entropy } from "./Entropy.js"
import * as FernetNode from "./FernetNode.js"
import type * as Keys from "./Keys.js"

/** A Fernet token: padded, canonical base64url of version, time, IV, ciphertext and MAC. */
export type Token = string & Brand.Brand<"fernet-chat/Token">

/** Why a token was not opened. `mac` also means: none of the keys. */
export class FernetError extends Schema.TaggedError<FernetError>()("FernetError", {
  reason: Schema.Literal("malformed", "mac", "padding", "expired", "clock-skew")
}) {
  override get message(): string {
    return `the token was not opened (${this.reason})`
  }
}

/** Makes tokens and opens them. */
export interface Shape {
  /**
   * Encrypts and signs `plaintext` under the first key of the ring. A token shows when it was made: it is dated by the
   * Clock in whole seconds, or, `undated`, with 0.
   */
  readonly encrypt: (keys: Keys.Ring, plaintext: Uint8Array, options?: { readonly undated: boolean }) => Token
  /**
   * Opens a token with the first key of the ring that fits. With a `ttl`, a token older than it, or dated more than
   * 60 s in the future, is refused; without one, time is not looked at.
   */
  readonly decrypt: (
    keys: Keys.Ring,
    token: string,
    options?: { readonly ttl: Duration.DurationInput }
  ) => Either.Either<Uint8Array, FernetError>
}

/** Synchronous on purpose: the server encrypts and writes in one step, so that frames leave in the order they count. */
export class Fernet extends Context.Tag("fernet-chat/Fernet")<Fernet, Shape>() {}

/** What an implementation makes of a key; the token's format and every check are common to all. */
export interface Cipher {
  /** HMAC-SHA256. What it returns holds until the next call. */
  readonly mac: (signed: Uint8Array) => Uint8Array
  /** AES-128-CBC with PKCS #7 padding: the IV, and the ciphertext after it. */
  readonly encipher: (iv: Uint8Array, plaintext: Uint8Array) => Uint8Array
  /** AES-128-CBC of an IV and the whole blocks that follow it; the padding is left on. */
  readonly decipher: (ivAndCiphertext: Uint8Array) => Uint8Array
}

const version = 0x80
const ivAt = 9
const ciphertextAt = 25
const block = 16
const macLength = 32
const maxClockSkew = 60

const fail = (reason: FernetError["reason"]) => Either.left(new FernetError({ reason }))

const unpad = (padded: Uint8Array): Either.Either<Uint8Array, FernetError> => {
  const count = padded[padded.length - 1] ?? 0
  if (count === 0 || count > block || count > padded.length) return fail("padding")
  for (let i = padded.length - count; i < padded.length; i++) if (padded[i] !== count) return fail("padding")
  return Either.right(padded.subarray(0, padded.length - count))
}

/** Room for any token of the wire, used again for the next: nothing in it outlives a call. Larger ones get their own. */
const room = Buffer.alloc(64 * 1024)

const roomFor = (size: number): Buffer => (size > room.length ? Buffer.alloc(size) : room)

const make = (cipherOf: (key: Uint8Array) => Cipher, clock: Clock.Clock, entropy: Entropy["Type"]): Shape => {
  const ciphers = new WeakMap<Keys.AnyKey, Cipher>()
  const cipher = (key: Keys.AnyKey): Cipher => {
    const known = ciphers.get(key)
    if (known !== undefined) return known
    const made = cipherOf(Redacted.value(key))
    ciphers.set(key, made)
    return made
  }
  const seconds = () => Math.floor(clock.unsafeCurrentTimeMillis() / 1000)
  return {
    encrypt: ([first], plaintext, options) => {
      const sealing = cipher(first)
      const ivAndCiphertext = sealing.encipher(entropy.bytes(block), plaintext)
      const time = options?.undated === true ? 0 : seconds()
      const signedLength = ivAt + ivAndCiphertext.length
      const token = roomFor(signedLength + macLength).subarray(0, signedLength + macLength)
      token[0] = version
      token.writeUInt32BE(Math.floor(time / 2 ** 32), 1)
      token.writeUInt32BE(time % 2 ** 32, 5)
      token.set(ivAndCiphertext, ivAt)
      token.set(sealing.mac(token.subarray(0, signedLength)), signedLength)
      // The one cast that makes a Token: this function is where they come from.
      return Base64Url.encode(token) as Token
    },
    decrypt: (keys, token, options) => {
      const bytes = roomFor((token.length / 4) * 3)
      const signedLength = Base64Url.write(token, bytes) - macLength
      const size = signedLength - ciphertextAt
      if (size < block || size % block !== 0 || bytes[0] !== version) return fail("malformed")
      const signed = bytes.subarray(0, signedLength)
      const mac = bytes.subarray(signedLength, signedLength + macLength)
      const key = keys.find((candidate) => Crypto.timingSafeEqual(cipher(candidate).mac(signed), mac))
      if (key === undefined) return fail("mac")
      if (options !== undefined) {
        const time = bytes.readBigUInt64BE(1)
        const now = BigInt(seconds())
        if (time + BigInt(Math.floor(Duration.toSeconds(options.ttl))) < now) return fail("expired")
        if (time > now + BigInt(maxClockSkew)) return fail("clock-skew")
      }
      return unpad(cipher(key).decipher(bytes.subarray(ivAt, signedLength)))
    }
  }
}

/** A Fernet layer over ciphers made by `cipherOf`, taking time from the Clock and IVs from {@link Entropy}. */
export const layerCipher = (cipherOf: (key: Uint8Array) => Cipher): Layer.Layer<Fernet> =>
  Layer.effect(
    Fernet,
    Effect.gen(function* () {
      return make(cipherOf, yield* Effect.clock, yield* Entropy)
    })
  )

/** Fernet on node:crypto: 5 to 10 µs for a token of 170 bytes, under a key in frequent use. */
export const layer: Layer.Layer<Fernet> = layerCipher(FernetNode.cipher)

/** Fernet on the npm package `fernet`: pure JavaScript, 260 to 305 µs for the same token. Loaded when first built. */
export const layerPure: Layer.Layer<Fernet> = Layer.unwrapEffect(
  Effect.map(
    Effect.promise(() => import("./FernetPure.js")),
    ({ cipher }) => layerCipher(cipher)
  )
)
