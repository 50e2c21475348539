import { Buffer } from "node:buffer"
import * as Crypto from "node:crypto"
import { describe, expect, it } from "@effect/vitest"
import * as Either from "effect/Either"
import * as fc from "effect/FastCheck"
import * as Redacted from "effect/Redacted"
import * as Noise from "../src/domain/Noise.js"
import { plain, utf8, noise as vector } from "./utils/Vectors.js"

const initiator: Noise.Setup = { psk: Redacted.make(vector.init_psks[0]), prologue: vector.init_prologue }
const responder: Noise.Setup = { psk: Redacted.make(vector.resp_psks[0]), prologue: vector.resp_prologue }
const [first, second, ...transport] = vector.messages
if (first === undefined || second === undefined) throw new Error("the vector has two handshake messages")

const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString("hex")
const shown = ({ down, hash, up }: Noise.Session) => ({ up: hex(up), down: hex(down), hash: hex(hash) })

/** The handshake of the vector, both sides; any failure is a defect of the test. */
const initiated = Noise.initiate(initiator, vector.init_ephemeral, first.payload)
const accepted = Either.getOrThrow(Noise.accept(responder, first.ciphertext))
const responded = Either.getOrThrow(Noise.respond(accepted, vector.resp_ephemeral, second.payload))
const completed = Either.getOrThrow(Noise.complete(initiated, second.ciphertext))

const reasonOf = (result: Either.Either<unknown, Noise.NoiseError>) =>
  Either.match(result, { onLeft: (error) => error.reason, onRight: () => "accepted" })

/** Every message that differs from `message` in one bit of one byte; which bit goes round. */
const flipped = (message: Uint8Array) =>
  Array.from(message, (byte, at) => {
    const copy = plain(message)
    copy[at] = byte ^ (1 << (at % 8))
    return copy
  })

/** A Noise transport message: the nonce is 4 zero bytes and the counter, 64 bits, little-endian. */
const encrypted = (key: Uint8Array, counter: number, payload: Uint8Array) => {
  const nonce = Buffer.alloc(12)
  nonce.writeBigUInt64LE(BigInt(counter), 4)
  const cipher = Crypto.createCipheriv("chacha20-poly1305", key, nonce, { authTagLength: 16 })
  return Buffer.concat([cipher.update(payload), cipher.final(), cipher.getAuthTag()])
}

describe("the published vector", () => {
  it("the initiator writes the first message byte for byte, the responder reads it", () => {
    expect(hex(initiated.message)).toBe(hex(first.ciphertext))
    expect(hex(accepted.payload)).toBe(hex(first.payload))
  })

  it("the responder writes the second message byte for byte, the initiator reads it", () => {
    expect(hex(responded.message)).toBe(hex(second.ciphertext))
    expect(hex(completed.payload)).toBe(hex(second.payload))
  })

  it("both have the published handshake hash, and the same keys", () => {
    expect(hex(completed.session.hash)).toBe(hex(vector.handshake_hash))
    expect(shown(responded.session)).toEqual(shown(completed.session))
    expect(hex(completed.session.up)).not.toBe(hex(completed.session.down))
  })

  it("the keys of the session encrypt the vector's later messages: up the initiator's, down the responder's", () => {
    const { down, up } = completed.session
    expect(transport.length).toBe(4)
    expect(transport.map(({ payload }, i) => hex(encrypted(i % 2 === 0 ? up : down, i >> 1, payload)))).toEqual(
      transport.map(({ ciphertext }) => hex(ciphertext))
    )
  })
})

describe("a handshake", () => {
  const bytes = (length: number) => fc.uint8Array({ minLength: length, maxLength: length })

  it.prop(
    "carries any payloads, and both ends get the same keys",
    {
      psk: bytes(32),
      prologue: fc.uint8Array({ maxLength: 40 }),
      ephemerals: fc.tuple(bytes(32), bytes(32)),
      payloads: fc.tuple(fc.uint8Array({ maxLength: 300 }), fc.uint8Array({ maxLength: 300 }))
    },
    ({ ephemerals, payloads, prologue, psk }) => {
      const setup = { psk: Redacted.make(psk), prologue }
      const client = Noise.initiate(setup, ephemerals[0], payloads[0])
      const server = Either.getOrThrow(Noise.accept(setup, client.message))
      const answer = Either.getOrThrow(Noise.respond(server, ephemerals[1], payloads[1]))
      const done = Either.getOrThrow(Noise.complete(client, answer.message))
      expect([server.payload, done.payload].map(hex)).toEqual(payloads.map(hex))
      expect([client.message.length, answer.message.length]).toEqual(payloads.map(({ length }) => length + 48))
      expect(shown(done.session)).toEqual(shown(answer.session))
    }
  )

  it("with another ephemeral on either side gives other keys", () => {
    const other = new Uint8Array(32).fill(9)
    const answer = Either.getOrThrow(Noise.respond(accepted, other, second.payload))
    const again = Noise.initiate(initiator, other, first.payload)
    const byOther = Either.getOrThrow(
      Noise.respond(Either.getOrThrow(Noise.accept(responder, again.message)), vector.resp_ephemeral, second.payload)
    )
    const keys = [responded, answer, byOther].flatMap(({ session }) => [hex(session.up), hex(session.down)])
    expect(new Set(keys).size).toBe(6)
  })

  const otherPsk = plain(vector.init_psks[0])
  otherPsk[31] = (otherPsk[31] ?? 0) ^ 1

  it.each([
    ["a wrong psk", { ...initiator, psk: Redacted.make(otherPsk) }],
    ["a wrong prologue", { ...initiator, prologue: utf8("fernet-chat/2") }],
    ["no prologue", { ...initiator, prologue: new Uint8Array(0) }]
  ])("with %s is refused on either side", (_, setup) => {
    const client = Noise.initiate(setup, vector.init_ephemeral, first.payload)
    expect(reasonOf(Noise.accept(responder, client.message))).toBe("not-authentic")
    expect(reasonOf(Noise.accept(setup, first.ciphertext))).toBe("not-authentic")
    expect(reasonOf(Noise.complete(client, second.ciphertext))).toBe("not-authentic")
  })

  it("a changed message is refused, whichever byte", () => {
    const reads = flipped(first.ciphertext).map((message) => reasonOf(Noise.accept(responder, message)))
    expect(reads).toEqual(reads.map(() => "not-authentic"))
    const answers = flipped(second.ciphertext).map((message) => reasonOf(Noise.complete(initiated, message)))
    expect(answers).toEqual(answers.map(() => "not-authentic"))
  })

  it("a message of 48 bytes is the shortest; a shorter one is refused as such", () => {
    for (let length = 0; length < 48; length++) {
      expect(reasonOf(Noise.accept(responder, first.ciphertext.subarray(0, length)))).toBe("too-short")
      expect(reasonOf(Noise.complete(initiated, second.ciphertext.subarray(0, length)))).toBe("too-short")
    }
    const shortest = Noise.initiate(initiator, vector.init_ephemeral, new Uint8Array(0))
    expect(shortest.message.length).toBe(48)
    expect(reasonOf(Noise.accept(responder, shortest.message))).toBe("accepted")
  })

  it("a message cut short or made longer is refused", () => {
    for (const message of [first.ciphertext.subarray(0, -1), Buffer.concat([first.ciphertext, Buffer.alloc(1)])]) {
      expect(reasonOf(Noise.accept(responder, message))).toBe("not-authentic")
    }
  })

  it("an answer to another first message is refused", () => {
    const other = Noise.initiate(initiator, new Uint8Array(32).fill(9), first.payload)
    expect(reasonOf(Noise.complete(other, second.ciphertext))).toBe("not-authentic")
  })

  it("one's own message does not do as the answer", () => {
    expect(reasonOf(Noise.complete(initiated, initiated.message))).toBe("not-authentic")
  })

  // RFC 7748 section 6.1: points that give the same secret, all zeros, whatever the other side's key.
  it.each([
    ["0", "00".repeat(32)],
    ["1", `01${"00".repeat(31)}`],
    ["of order 8", "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800"],
    ["of order 8, the other", "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157"],
    ["p - 1", `ec${"ff".repeat(30)}7f`],
    ["p, which is 0", `ed${"ff".repeat(30)}7f`],
    ["p + 1, which is 1", `ee${"ff".repeat(30)}7f`]
  ])("a low-order point is refused on either side: %s", (_, text) => {
    const point = Buffer.from(text, "hex")
    expect(reasonOf(Noise.respond({ ...accepted, point }, vector.resp_ephemeral, second.payload))).toBe(
      "low-order-point"
    )
    expect(reasonOf(Noise.complete(initiated, Buffer.concat([point, second.ciphertext.subarray(32)])))).toBe(
      "low-order-point"
    )
  })
})
