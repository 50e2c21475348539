/**
 * Fernet (github.com/fernet/spec) as a service: AES-128-CBC and HMAC-SHA256 around bytes, with the semantics of
 * Python's `MultiFernet` for key rings.
 *
 * `layer` runs on node:crypto. `layerPure` runs on the npm package `fernet`, which is pure JavaScript and some fifteen
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
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import * as Base64Url from "./Base64Url.js"
import { Entropy } from "./Entropy.js"
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

/** What an implementation brings; the token's format and every check are common to all. */
export interface Primitives {
  /** AES-128-CBC with PKCS #7 padding, then HMAC-SHA256: a token's text. */
  readonly seal: (key: Uint8Array, seconds: number, iv: Uint8Array, plaintext: Uint8Array) => string
  /** HMAC-SHA256 over everything before the MAC. */
  readonly mac: (key: Uint8Array, signed: Uint8Array) => Uint8Array
  /** AES-128-CBC; the padding is left on. */
  readonly decipher: (key: Uint8Array, iv: Uint8Array, ciphertext: Uint8Array) => Uint8Array
}

const version = 0x80
const ivAt = 9
const ciphertextAt = 25
const block = 16
const macLength = 32
const maxClockSkew = 60

/** Bytes of a token before and after its ciphertext. */
const overhead = ciphertextAt + macLength

const fail = (reason: FernetError["reason"]) => Either.left(new FernetError({ reason }))

const sameBytes = (a: Uint8Array, b: Uint8Array): boolean => {
  // Every byte is looked at, whatever the first ones say: the time taken tells nothing about where they differ.
  let difference = a.length ^ b.length
  for (let i = 0; i < b.length; i++) difference |= (a[i] ?? 0) ^ (b[i] ?? 0)
  return difference === 0
}

const unpad = (padded: Uint8Array): Either.Either<Uint8Array, FernetError> => {
  const count = padded[padded.length - 1] ?? 0
  if (count === 0 || count > block || count > padded.length) return fail("padding")
  for (let i = padded.length - count; i < padded.length; i++) if (padded[i] !== count) return fail("padding")
  return Either.right(padded.subarray(0, padded.length - count))
}

const make = (primitives: Primitives, clock: Clock.Clock, entropy: Entropy["Type"]): Shape => {
  const seconds = () => Math.floor(clock.unsafeCurrentTimeMillis() / 1000)
  return {
    // The one cast that makes a Token: this function is where they come from.
    encrypt: (keys, plaintext, options) =>
      primitives.seal(
        Redacted.value(keys[0]),
        options?.undated === true ? 0 : seconds(),
        entropy.bytes(block),
        plaintext
      ) as Token,
    decrypt: (keys, token, options) => {
      const decoded = Base64Url.decode(token)
      if (Option.isNone(decoded)) return fail("malformed")
      const bytes = decoded.value
      const size = bytes.length - overhead
      if (size < block || size % block !== 0 || bytes[0] !== version) return fail("malformed")
      const signed = bytes.subarray(0, bytes.length - macLength)
      const mac = bytes.subarray(bytes.length - macLength)
      const key = keys.find((candidate) => sameBytes(primitives.mac(Redacted.value(candidate), signed), mac))
      if (key === undefined) return fail("mac")
      if (options !== undefined) {
        const time = Buffer.from(bytes.buffer, bytes.byteOffset + 1, 8).readBigUInt64BE()
        const now = BigInt(seconds())
        if (time + BigInt(Math.floor(Duration.toSeconds(options.ttl))) < now) return fail("expired")
        if (time > now + BigInt(maxClockSkew)) return fail("clock-skew")
      }
      const iv = bytes.subarray(ivAt, ciphertextAt)
      return unpad(primitives.decipher(Redacted.value(key), iv, signed.subarray(ciphertextAt)))
    }
  }
}

/** A Fernet layer over `primitives`, taking time from the Clock and IVs from {@link Entropy}. */
export const layerPrimitives = (primitives: Primitives): Layer.Layer<Fernet> =>
  Layer.effect(
    Fernet,
    Effect.gen(function* () {
      return make(primitives, yield* Effect.clock, yield* Entropy)
    })
  )

const node: Primitives = {
  seal: (key, seconds, iv, plaintext) => {
    const cipher = Crypto.createCipheriv("aes-128-cbc", key.subarray(16), iv)
    const body = cipher.update(plaintext)
    const last = cipher.final()
    const token = Buffer.allocUnsafe(overhead + body.length + last.length)
    token[0] = version
    token.writeBigUInt64BE(BigInt(seconds), 1)
    token.set(iv, ivAt)
    token.set(body, ciphertextAt)
    token.set(last, ciphertextAt + body.length)
    token.set(node.mac(key, token.subarray(0, token.length - macLength)), token.length - macLength)
    return Base64Url.encode(token)
  },
  mac: (key, signed) => Crypto.createHmac("sha256", key.subarray(0, 16)).update(signed).digest(),
  decipher: (key, iv, ciphertext) => {
    const decipher = Crypto.createDecipheriv("aes-128-cbc", key.subarray(16), iv).setAutoPadding(false)
    return Buffer.concat([decipher.update(ciphertext), decipher.final()])
  }
}

/** Fernet on node:crypto: 13 to 25 µs for a token of 170 bytes. */
export const layer: Layer.Layer<Fernet> = layerPrimitives(node)

/** Fernet on the npm package `fernet`: pure JavaScript, 260 to 305 µs for the same token. Loaded when first built. */
export const layerPure: Layer.Layer<Fernet> = Layer.unwrapEffect(
  Effect.map(
    Effect.promise(() => import("./FernetPure.js")),
    ({ primitives }) => layerPrimitives(primitives)
  )
)
