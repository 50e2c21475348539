/** The handshake, both sides: no line but the one the other side made for this very handshake ends in a session. */
import { Buffer } from "node:buffer"
import * as Either from "effect/Either"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import * as Base64Url from "../../src/domain/Base64Url.js"
import * as Handshake from "../../src/domain/Handshake.js"
import * as Json from "../../src/domain/Json.js"
import * as Keys from "../../src/domain/Keys.js"
import * as Noise from "../../src/domain/Noise.js"
import { Dice } from "../simulation/Dice.js"
import * as JsonMutation from "./JsonMutation.js"
import * as Mutation from "./Mutation.js"
import { accepted, check, refused, type Target, type Verdict } from "./Target.js"

const setUp = new Dice(0x4a9d)
const key = () => Keys.fromBytes<"server">(setUp.bytes(32))
const ring = [key(), key()] as const
const stranger = key()

const count = 24
const times = <A>(make: () => A): ReadonlyArray<A> => Array.from({ length: count }, make)

/** Handshakes that were begun with one of the server's keys and answered, all recorded. */
const recorded = times(() => {
  const psk = setUp.pick(ring)
  const initiated = Handshake.initiate(psk, setUp.bytes(32))
  const answer = Either.getOrThrow(Handshake.respond(ring, initiated.line, setUp.bytes(32)))
  return { psk, initiated, answer: answer.line, session: Option.getOrThrow(answer.session) }
})
const hellos = recorded.map(({ initiated }) => initiated.line)
const answers = recorded.map(({ answer }) => answer)
const strangers = times(() => Handshake.initiate(stranger, setUp.bytes(32)).line)
const seen = [...hellos, ...answers, ...strangers]

/** RFC 7748 section 6.1: with these the secret is all zeros, whatever the other side's key. */
const lowOrder = [
  "00".repeat(32),
  `01${"00".repeat(31)}`,
  "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
  "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
  `ec${"ff".repeat(30)}7f`,
  `ed${"ff".repeat(30)}7f`
].map((text) => Buffer.from(text, "hex"))

/** A line as somebody without the key could send it. */
const tampered = (dice: Dice, own: ReadonlyArray<string>): string => {
  const line = dice.chance(0.7) ? dice.pick(own) : dice.pick(seen)
  if (dice.chance(0.1)) return line
  const bytes = Buffer.from(line, "base64url")
  if (dice.chance(0.05)) return Base64Url.encode(Buffer.concat([dice.pick(lowOrder), bytes.subarray(32)]))
  // Spoilt as bytes, it is base64url still.
  if (dice.chance(0.4)) return Base64Url.encode(Mutation.bytes(dice, bytes, Buffer.from(dice.pick(seen), "base64url")))
  return Mutation.text(dice, line, dice.pick(seen))
}

const reasonOf = (error: unknown, known: ReadonlyArray<string>): Verdict => {
  check(error instanceof Handshake.HandshakeError, `it was refused without a HandshakeError: ${String(error)}`)
  return refused(error.reason, known)
}

const isSameKey = (a: Keys.AnyKey, b: Keys.AnyKey) => Buffer.from(Redacted.value(a)).equals(Redacted.value(b))

const server: Target = {
  name: "first messages, to the server",
  share: 6,
  once: (dice) => {
    const line = tampered(dice, hellos)
    const answer = Handshake.respond(ring, line, dice.bytes(32))
    const isKnown = hellos.includes(line)
    if (Either.isLeft(answer)) {
      check(!isKnown, "a good first message was refused")
      return reasonOf(answer.left, ["line", "noise"])
    }
    check(isKnown, "a forged first message was answered")
    check(Option.isSome(answer.right.session), "a good first message has led to no session")
    // A replay, which is all that this can be, gives its sender nothing: the keys are others than those of the recording.
    const at = hellos.indexOf(line)
    const old = recorded[at]
    check(
      old !== undefined && !isSameKey(old.session.up, answer.right.session.value.up),
      "a replay had the keys of the recording"
    )
    return accepted
  }
}

const client: Target = {
  name: "answers, to a client",
  share: 3,
  once: (dice) => {
    const own = dice.pick(recorded)
    const line = dice.chance(0.3) ? tampered(dice, [own.answer]) : tampered(dice, answers)
    const session = own.initiated.complete(line)
    if (Either.isLeft(session)) {
      check(line !== own.answer, "the server's answer was refused")
      return reasonOf(session.left, ["line", "noise"])
    }
    check(line === own.answer, "a forged answer was taken")
    check(
      isSameKey(session.right.up, own.session.up) && isSameKey(session.right.down, own.session.down),
      "both sides are in a session, and its keys differ"
    )
    return accepted
  }
}

const prologue = Buffer.from("fernet-chat/1")
const starts = ring.map((psk) => Noise.begin({ psk, prologue }))

/** Payloads are from somebody with the key, who may write what he likes. */
const offers: Target = {
  name: "offers of versions",
  share: 1.5,
  once: (dice) => {
    const start = dice.pick(starts)
    const good = dice.pick([{ versions: [1] }, { versions: [2, 1] }, { versions: [7] }, { versions: [1], more: "x" }])
    const payload = dice.chance(0.1) ? Json.encode(good) : JsonMutation.bytes(dice, good, { version: 1, versions: [] })
    const initiated = Noise.initiate(start, dice.bytes(32), payload.subarray(0, 4_096))
    const answer = Handshake.respond(ring, Base64Url.encode(initiated.message), dice.bytes(32))
    if (Either.isLeft(answer)) return reasonOf(answer.left, ["payload"])
    const completed = Noise.complete(initiated, Buffer.from(answer.right.line, "base64url"))
    check(Either.isRight(completed), "the server's answer does not open")
    if (Option.isNone(answer.right.session)) return refused("no version", ["no version"])
    check(
      Buffer.from(completed.right.session.up).equals(Redacted.value(answer.right.session.value.up)),
      "both sides are in a session, and its keys differ"
    )
    return accepted
  }
}

const choices: Target = {
  name: "choices of a version",
  share: 1.5,
  once: (dice) => {
    const at = dice.whole(0, ring.length - 1)
    const start = starts[at] ?? dice.pick(starts)
    const initiated = Handshake.initiate(ring[at] ?? ring[0], dice.bytes(32))
    const message = Either.getOrThrow(Noise.accept(start, Buffer.from(initiated.line, "base64url")))
    const good = dice.pick([{ version: 1 }, { version: 2 }, { versions: [2, 3] }, { version: 1, more: [1] }])
    const payload = dice.chance(0.1) ? Json.encode(good) : JsonMutation.bytes(dice, good, { version: 1, versions: [] })
    const answer = Either.getOrThrow(Noise.respond(message, dice.bytes(32), payload))
    const session = initiated.complete(Base64Url.encode(answer.message))
    if (Either.isLeft(session)) return reasonOf(session.left, ["payload", "version"])
    check(
      Buffer.from(answer.session.up).equals(Redacted.value(session.right.up)),
      "both sides are in a session, and its keys differ"
    )
    return accepted
  }
}

export const targets: ReadonlyArray<Target> = [server, client, offers, choices]
