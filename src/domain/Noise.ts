/**
 * `Noise_NNpsk0_25519_ChaChaPoly_SHA256` (noiseprotocol.org, revision 34) as a pure state machine: two messages, both
 * sides know the same 32-byte psk, and fresh X25519 keys keep a recording shut if the psk leaks later.
 *
 *     -> psk, e
 *     <- e, ee
 */
import { Buffer } from "node:buffer"
import * as Crypto from "node:crypto"
import * as Either from "effect/Either"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import type * as Keys from "./Keys.js"

/** A message that is not what the other side of this pattern, with this psk and prologue, would have sent. */
export class NoiseError extends Schema.TaggedError<NoiseError>()("NoiseError", {
  reason: Schema.Literal("too-short", "not-authentic", "low-order-point")
}) {
  override get message(): string {
    return `the handshake failed (${this.reason})`
  }
}

/** What both sides must agree on before the first message. */
export interface Setup {
  readonly psk: Keys.AnyKey
  readonly prologue: Uint8Array
}

/** `Split()`: the two keys of a session, and the hash that binds both sides to the same handshake. */
export interface Session {
  /** k1: initiator to responder. */
  readonly up: Uint8Array
  /** k2: responder to initiator. */
  readonly down: Uint8Array
  readonly hash: Uint8Array
}

const keyLength = 32
const tagLength = 16
const empty = new Uint8Array(0)

/** A chaining key, a running hash, and the key (used once each time, so its nonce is always 0) for what comes next. */
interface Symmetric {
  readonly chain: Uint8Array
  readonly hash: Uint8Array
  readonly key: Uint8Array
}

const sha256 = (...parts: ReadonlyArray<Uint8Array>): Uint8Array => {
  const hash = Crypto.createHash("sha256")
  for (const part of parts) hash.update(part)
  return hash.digest()
}

const hmac = (key: Uint8Array, ...parts: ReadonlyArray<Uint8Array>): Uint8Array => {
  const mac = Crypto.createHmac("sha256", key)
  for (const part of parts) mac.update(part)
  return mac.digest()
}

// Section 4.3 of the specification, as it stands there: `hkdfSync` does the same and costs more.
const hkdf = (chain: Uint8Array, material: Uint8Array, outputs: 2 | 3): ReadonlyArray<Uint8Array> => {
  const key = hmac(chain, material)
  const all: Array<Uint8Array> = []
  for (let i = 1; i <= outputs; i++) all.push(hmac(key, all.at(-1) ?? empty, Uint8Array.of(i)))
  return all
}

const mixHash = (state: Symmetric, data: Uint8Array): Symmetric => ({ ...state, hash: sha256(state.hash, data) })

const mixKey = (state: Symmetric, material: Uint8Array): Symmetric => {
  const [chain = empty, key = empty] = hkdf(state.chain, material, 2)
  return { ...state, chain, key }
}

const mixKeyAndHash = (state: Symmetric, material: Uint8Array): Symmetric => {
  const [chain = empty, hash = empty, key = empty] = hkdf(state.chain, material, 3)
  return { ...mixHash(state, hash), chain, key }
}

// Every key encrypts one message only (each is mixed anew before it is used), so the nonce is always 0.
const nonce = new Uint8Array(12)
const aead = "chacha20-poly1305"

const encryptAndHash = (state: Symmetric, plaintext: Uint8Array): readonly [Symmetric, Uint8Array] => {
  const cipher = Crypto.createCipheriv(aead, state.key, nonce, { authTagLength: tagLength })
  cipher.setAAD(state.hash, { plaintextLength: plaintext.length })
  const ciphertext = Buffer.concat([cipher.update(plaintext), cipher.final(), cipher.getAuthTag()])
  return [mixHash(state, ciphertext), ciphertext]
}

const decryptAndHash = (
  state: Symmetric,
  ciphertext: Uint8Array
): Either.Either<readonly [Symmetric, Uint8Array], NoiseError> =>
  Either.try({
    try: () => {
      const body = ciphertext.subarray(0, ciphertext.length - tagLength)
      const decipher = Crypto.createDecipheriv(aead, state.key, nonce, { authTagLength: tagLength })
      decipher.setAAD(state.hash, { plaintextLength: body.length })
      decipher.setAuthTag(ciphertext.subarray(ciphertext.length - tagLength))
      return [mixHash(state, ciphertext), Buffer.concat([decipher.update(body), decipher.final()])]
    },
    catch: () => new NoiseError({ reason: "not-authentic" })
  })

interface Ephemeral {
  readonly secret: Crypto.KeyObject
  readonly point: Uint8Array
}

// Keys go in and out as JSON Web Keys (RFC 8037): as DER, node takes ten times longer to read one.
const curve = { kty: "OKP", crv: "X25519" }
const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString("base64url")

// RFC 8410: what stands before the 32 raw bytes of an X25519 secret in DER.
const secretPrefix = Buffer.from("302e020100300506032b656e04220420", "hex")

const readSecret = (secret: Uint8Array): Crypto.KeyObject => {
  try {
    return Crypto.createPrivateKey({ key: { ...curve, d: text(secret), x: "" }, format: "jwk" })
  } catch {
    // From version 26 on, node wants the point beside the secret, which is what this is to give: DER does without.
    return Crypto.createPrivateKey({ key: Buffer.concat([secretPrefix, secret]), format: "der", type: "pkcs8" })
  }
}

const ephemeralFrom = (bytes: Uint8Array): Ephemeral => {
  const secret = readSecret(bytes)
  const { x = "" } = Crypto.createPublicKey(secret).export({ format: "jwk" })
  return { secret, point: Buffer.from(x, "base64url") }
}

const diffieHellman = (own: Ephemeral, point: Uint8Array): Either.Either<Uint8Array, NoiseError> =>
  Either.try({
    try: () =>
      Crypto.diffieHellman({
        privateKey: own.secret,
        publicKey: Crypto.createPublicKey({ key: { ...curve, x: text(point) }, format: "jwk" })
      }),
    // OpenSSL refuses a point whose shared secret would be all zeros.
    catch: () => new NoiseError({ reason: "low-order-point" })
  })

/** Where every handshake of a setup starts, the same each time: to be kept, and as secret as the psk. */
export interface Start {
  readonly symmetric: Symmetric
}

/** Mixes in all that is known before the first message. */
export const begin = ({ prologue, psk }: Setup): Start => {
  const name = sha256(Buffer.from("Noise_NNpsk0_25519_ChaChaPoly_SHA256"))
  const start = mixHash({ chain: name, hash: name, key: empty }, prologue)
  return { symmetric: mixKeyAndHash(start, Redacted.value(psk)) }
}

// With a psk in the pattern, `e` is mixed into the key as well as into the hash.
const mixEphemeral = (state: Symmetric, point: Uint8Array): Symmetric => mixKey(mixHash(state, point), point)

const split = (state: Symmetric): Session => {
  const [up = empty, down = empty] = hkdf(state.chain, empty, 2)
  return { up, down, hash: state.hash }
}

/** The initiator after its message. */
export interface Initiated {
  readonly message: Uint8Array
  readonly symmetric: Symmetric
  readonly ephemeral: Ephemeral
}

/** Writes the first message. `ephemeral` is 32 fresh random bytes, used for this handshake only. */
export const initiate = (start: Start, ephemeral: Uint8Array, payload: Uint8Array): Initiated => {
  const own = ephemeralFrom(ephemeral)
  const [symmetric, ciphertext] = encryptAndHash(mixEphemeral(start.symmetric, own.point), payload)
  return { message: Buffer.concat([own.point, ciphertext]), symmetric, ephemeral: own }
}

/** The responder after it read the first message, which may be a replay: nothing is proven yet but the psk. */
export interface Accepted {
  readonly payload: Uint8Array
  readonly symmetric: Symmetric
  readonly point: Uint8Array
}

const divide = (message: Uint8Array): Either.Either<readonly [Uint8Array, Uint8Array], NoiseError> =>
  message.length < keyLength + tagLength
    ? Either.left(new NoiseError({ reason: "too-short" }))
    : Either.right([message.subarray(0, keyLength), message.subarray(keyLength)])

/** Reads the first message. It costs hashes and one MAC; no X25519 is spent on somebody without the psk. */
export const accept = (start: Start, message: Uint8Array): Either.Either<Accepted, NoiseError> =>
  Either.gen(function* () {
    const [point, ciphertext] = yield* divide(message)
    const [symmetric, payload] = yield* decryptAndHash(mixEphemeral(start.symmetric, point), ciphertext)
    return { payload, symmetric, point }
  })

/** Writes the second message; the responder's session is complete. */
export const respond = (
  accepted: Accepted,
  ephemeral: Uint8Array,
  payload: Uint8Array
): Either.Either<{ readonly message: Uint8Array; readonly session: Session }, NoiseError> => {
  const own = ephemeralFrom(ephemeral)
  return Either.map(diffieHellman(own, accepted.point), (shared) => {
    const mixed = mixKey(mixEphemeral(accepted.symmetric, own.point), shared)
    const [symmetric, ciphertext] = encryptAndHash(mixed, payload)
    return { message: Buffer.concat([own.point, ciphertext]), session: split(symmetric) }
  })
}

/** Reads the second message; the initiator's session is complete. */
export const complete = (
  initiated: Initiated,
  message: Uint8Array
): Either.Either<{ readonly payload: Uint8Array; readonly session: Session }, NoiseError> =>
  Either.gen(function* () {
    const [point, ciphertext] = yield* divide(message)
    const shared = yield* diffieHellman(initiated.ephemeral, point)
    const mixed = mixKey(mixEphemeral(initiated.symmetric, point), shared)
    const [symmetric, payload] = yield* decryptAndHash(mixed, ciphertext)
    return { payload, session: split(symmetric) }
  })
