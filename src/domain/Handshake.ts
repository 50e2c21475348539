/**
 * The two lines that open a connection: a Noise NNpsk0 handshake with the server key as its psk, whose payloads settle
 * the version. A first line may be a replay, so nothing may follow from it but the answer.
 */
import { Buffer } from "node:buffer"
import * as Arr from "effect/Array"
import * as Either from "effect/Either"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as Base64Url from "./Base64Url.js"
import * as Json from "./Json.js"
import * as Keys from "./Keys.js"
import * as Noise from "./Noise.js"

/** The versions of the protocol spoken here. */
export const versions = [1] as const

/**
 * Why a handshake failed: `line` (not base64url), `noise` (another key, or not this protocol), `payload`, or `version`
 * (the key is right; `offered` tells what the other side speaks).
 */
export class HandshakeError extends Schema.TaggedError<HandshakeError>()("HandshakeError", {
  reason: Schema.Literal("line", "noise", "payload", "version"),
  offered: Schema.Array(Schema.Number)
}) {
  override get message(): string {
    return this.reason === "version"
      ? `no version in common: here ${versions.join(", ")}, there ${this.offered.join(", ") || "none"}`
      : `the handshake failed (${this.reason}): another key, or not this protocol`
  }
}

/** The keys of a session, each for one direction. */
export interface Session {
  readonly up: Keys.Key<"up">
  readonly down: Keys.Key<"down">
}

const Versions = Schema.Array(Schema.NonNegativeInt)
const decodeOffer = Json.open(Schema.Struct({ versions: Versions }))
const decodeAnswer = Json.open(
  Schema.Union(Schema.Struct({ version: Schema.NonNegativeInt }), Schema.Struct({ versions: Versions }))
)

const prologue = Buffer.from("fernet-chat/1")

// A server shakes hands with few keys, many times.
const starts = new WeakMap<Keys.ServerKey, Noise.Start>()
const startOf = (psk: Keys.ServerKey): Noise.Start => {
  const known = starts.get(psk)
  if (known !== undefined) return known
  const start = Noise.begin({ psk, prologue })
  starts.set(psk, start)
  return start
}

const fail = (reason: HandshakeError["reason"], offered: ReadonlyArray<number> = []) =>
  new HandshakeError({ reason, offered })

const decodeLine = (line: string): Either.Either<Uint8Array, HandshakeError> =>
  Either.fromOption(Base64Url.decode(line), () => fail("line"))

// Copied: V8 keeps so small an array in its own heap, where one that comes from node holds memory outside of it as well.
const toSession = (session: Noise.Session): Session => ({
  up: Keys.fromBytes<"up">(new Uint8Array(session.up)),
  down: Keys.fromBytes<"down">(new Uint8Array(session.down))
})

/** The client's side: the line to send, and what to do with the answer. `ephemeral` is 32 fresh random bytes. */
export const initiate = (key: Keys.ServerKey, ephemeral: Uint8Array) => {
  const initiated = Noise.initiate(startOf(key), ephemeral, Json.encode({ versions }))
  return {
    line: Base64Url.encode(initiated.message),
    /** The session, from the line that the server has answered. */
    complete: (answer: string): Either.Either<Session, HandshakeError> =>
      Either.gen(function* () {
        const message = yield* decodeLine(answer)
        const { payload, session } = yield* Either.mapLeft(Noise.complete(initiated, message), () => fail("noise"))
        const chosen = yield* Either.mapLeft(decodeAnswer(payload), () => fail("payload"))
        if ("versions" in chosen) return yield* Either.left(fail("version", chosen.versions))
        if (!versions.some((version) => version === chosen.version)) {
          return yield* Either.left(fail("version", [chosen.version]))
        }
        return toSession(session)
      })
  }
}

/** The server's answer: a line, and a session unless the client speaks no version known here. */
export interface Answer {
  readonly line: string
  readonly session: Option.Option<Session>
}

/** The server's side. Each of `keys` is tried in turn; whoever holds one of them is let in. */
export const respond = (
  keys: Keys.Ring<Keys.ServerKey>,
  line: string,
  ephemeral: Uint8Array
): Either.Either<Answer, HandshakeError> =>
  Either.gen(function* () {
    const message = yield* decodeLine(line)
    const accepted = yield* Either.fromOption(
      Arr.findFirst(keys, (psk) => Either.getRight(Noise.accept(startOf(psk), message))),
      () => fail("noise")
    )
    const offer = yield* Either.mapLeft(decodeOffer(accepted.payload), () => fail("payload"))
    const version = versions.find((candidate) => offer.versions.includes(candidate))
    const payload = Json.encode(version === undefined ? { versions } : { version })
    const answer = yield* Either.mapLeft(Noise.respond(accepted, ephemeral, payload), () => fail("noise"))
    return {
      line: Base64Url.encode(answer.message),
      session: version === undefined ? Option.none() : Option.some(toSession(answer.session))
    }
  })
