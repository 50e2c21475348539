/** The published vectors, and those of this protocol, read as what they are. */
import { Buffer } from "node:buffer"
import * as Fs from "node:fs"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as Keys from "../../src/domain/Keys.js"

const read = <A, I>(name: string, schema: Schema.Schema<A, I>): A =>
  Schema.decodeSync(Schema.parseJson(schema))(
    Fs.readFileSync(new URL(`../vectors/${name}.json`, import.meta.url), "utf8")
  )

const FernetCase = Schema.Struct({ token: Schema.String, now: Schema.Date, secret: Schema.String })
const Timed = { ...FernetCase.fields, ttl_sec: Schema.Number }

/** github.com/fernet/spec. */
export const fernet = read(
  "fernet",
  Schema.Struct({
    generate: Schema.NonEmptyArray(
      Schema.Struct({ ...FernetCase.fields, src: Schema.String, iv: Schema.Array(Schema.Number) })
    ),
    verify: Schema.NonEmptyArray(Schema.Struct({ ...Timed, src: Schema.String })),
    invalid: Schema.NonEmptyArray(Schema.Struct({ ...Timed, desc: Schema.String }))
  })
)

/** Noise_NNpsk0_25519_ChaChaPoly_SHA256, as cacophony published it. */
export const noise = read(
  "noise-nnpsk0",
  Schema.Struct({
    vectors: Schema.NonEmptyArray(
      Schema.Struct({
        init_prologue: Schema.Uint8ArrayFromHex,
        init_psks: Schema.Tuple(Schema.Uint8ArrayFromHex),
        init_ephemeral: Schema.Uint8ArrayFromHex,
        resp_prologue: Schema.Uint8ArrayFromHex,
        resp_psks: Schema.Tuple(Schema.Uint8ArrayFromHex),
        resp_ephemeral: Schema.Uint8ArrayFromHex,
        handshake_hash: Schema.Uint8ArrayFromHex,
        messages: Schema.Array(
          Schema.Struct({ payload: Schema.Uint8ArrayFromHex, ciphertext: Schema.Uint8ArrayFromHex })
        )
      })
    )
  })
).vectors[0]

const Token = Schema.Struct({
  key: Schema.String,
  ivHex: Schema.Uint8ArrayFromHex,
  time: Schema.Number,
  plaintext: Schema.String,
  token: Schema.String
})

/** fernet-chat/1, from an independent implementation. */
export const session = read(
  "session",
  Schema.Struct({
    roomKeyHex: Schema.Uint8ArrayFromHex,
    serverKey: Schema.String,
    messageKey: Schema.String,
    initiatorEphemeralHex: Schema.Uint8ArrayFromHex,
    responderEphemeralHex: Schema.Uint8ArrayFromHex,
    prologue: Schema.String,
    payload1: Schema.String,
    payload2: Schema.String,
    line1: Schema.String,
    line2: Schema.String,
    handshakeHashHex: Schema.Uint8ArrayFromHex,
    up: Schema.String,
    down: Schema.String,
    upFrame: Token,
    sealed: Token,
    groupFrame: Token
  })
)

/** A key from its text form, which a vector holds. */
export const keyOf = <Use extends string>(text: string): Keys.Key<Use> =>
  Option.getOrThrow(Keys.fromBase64Url<Use>(text))

/** A key with every byte the same: told apart at a glance, and never the key of a vector. */
export const keyFilledWith = <Use extends string>(byte: number): Keys.Key<Use> =>
  Keys.fromBytes<Use>(new Uint8Array(Keys.length).fill(byte))

/** UTF-8 of `text`, to compare and to encrypt. */
export const utf8 = (text: string): Uint8Array => new Uint8Array(Buffer.from(text))

/** Plain bytes: two byte arrays are the same to a matcher only when they are of one class. */
export const plain = (bytes: Uint8Array): Uint8Array => new Uint8Array(bytes)
