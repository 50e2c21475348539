import { Buffer } from "node:buffer"
import * as Crypto from "node:crypto"
import { describe, expect, it, vi } from "@effect/vitest"
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
const [initiatorStart, responderStart] = [Noise.begin(initiator), Noise.begin(responder)]
const initiated = Noise.initiate(initiatorStart, vector.init_ephemeral, first.payload)
const accepted = Either.getOrThrow(Noise.accept(responderStart, first.ciphertext))
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

/** An X25519 key pair as DER, in and out. */
const pairOf = (secret: Uint8Array) => {
  const der = Buffer.concat([Buffer.from("302e020100300506032b656e04220420", "hex"), secret])
  const privateKey = Crypto.createPrivateKey({ key: der, format: "der", type: "pkcs8" })
  const publicKey = Crypto.createPublicKey(privateKey)
  return { privateKey, publicKey, point: publicKey.export({ format: "der", type: "spki" }).subarray(-32) }
}

/** The same handshake written in a row, with node's own HKDF and keys as DER: messages, keys and hash. */
const reference = (
  setup: { readonly psk: Uint8Array; readonly prologue: Uint8Array },
  ephemerals: readonly [Uint8Array, Uint8Array],
  payloads: readonly [Uint8Array, Uint8Array]
) => {
  const sha256 = (...parts: ReadonlyArray<Uint8Array>) =>
    Crypto.createHash("sha256").update(Buffer.concat(parts)).digest()
  let hash = sha256(sha256(utf8("Noise_NNpsk0_25519_ChaChaPoly_SHA256")), setup.prologue)
  let chain = sha256(utf8("Noise_NNpsk0_25519_ChaChaPoly_SHA256"))
  /** The next chaining key is the first 32 bytes; what is left is returned. */
  const mix = (material: Uint8Array, length: number) => {
    const out = Buffer.from(Crypto.hkdfSync("sha256", material, chain, new Uint8Array(0), length))
    chain = out.subarray(0, 32)
    return out.subarray(32)
  }
  const seal = (key: Uint8Array, payload: Uint8Array) => {
    const cipher = Crypto.createCipheriv("chacha20-poly1305", key, Buffer.alloc(12), { authTagLength: 16 })
    cipher.setAAD(hash, { plaintextLength: payload.length })
    const sealed = Buffer.concat([cipher.update(payload), cipher.final(), cipher.getAuthTag()])
    hash = sha256(hash, sealed)
    return sealed
  }
  const [client, server] = [pairOf(ephemerals[0]), pairOf(ephemerals[1])]
  // Of the psk come three values: the second is hashed, and the third is a key that `e` replaces before it is used.
  hash = sha256(hash, mix(setup.psk, 96).subarray(0, 32))
  hash = sha256(hash, client.point)
  const first = Buffer.concat([client.point, seal(mix(client.point, 64), payloads[0])])
  hash = sha256(hash, server.point)
  mix(server.point, 64)
  const shared = Crypto.diffieHellman({ privateKey: server.privateKey, publicKey: client.publicKey })
  const second = Buffer.concat([server.point, seal(mix(shared, 64), payloads[1])])
  const keys = Buffer.from(Crypto.hkdfSync("sha256", new Uint8Array(0), chain, new Uint8Array(0), 64))
  return [first, second, keys.subarray(0, 32), keys.subarray(32), hash].map(hex)
}

describe("a handshake", () => {
  const bytes = (length: number) => fc.uint8Array({ minLength: length, maxLength: length })

  it.prop(
    "carries any payloads, both ends get the same keys, and they are those of a plain reference",
    {
      psk: bytes(32),
      prologue: fc.uint8Array({ maxLength: 40 }),
      ephemerals: fc.tuple(bytes(32), bytes(32)),
      payloads: fc.tuple(fc.uint8Array({ maxLength: 300 }), fc.uint8Array({ maxLength: 300 }))
    },
    ({ ephemerals, payloads, prologue, psk }) => {
      const start = Noise.begin({ psk: Redacted.make(psk), prologue })
      const client = Noise.initiate(start, ephemerals[0], payloads[0])
      const server = Either.getOrThrow(Noise.accept(start, client.message))
      const answer = Either.getOrThrow(Noise.respond(server, ephemerals[1], payloads[1]))
      const done = Either.getOrThrow(Noise.complete(client, answer.message))
      expect([server.payload, done.payload].map(hex)).toEqual(payloads.map(hex))
      expect([client.message.length, answer.message.length]).toEqual(payloads.map(({ length }) => length + 48))
      expect(shown(done.session)).toEqual(shown(answer.session))
      const { down, hash, up } = answer.session
      expect([client.message, answer.message, up, down, hash].map(hex)).toEqual(
        reference({ psk, prologue }, ephemerals, payloads)
      )
    }
  )

  it("is the same where node reads no private JWK without its point, as from version 26 on", async () => {
    vi.doMock("node:crypto", async (original) => {
      const crypto = await original<typeof Crypto>()
      const createPrivateKey = vi.fn((input: Parameters<typeof Crypto.createPrivateKey>[0]) => {
        if (typeof input === "object" && "format" in input && input.format === "jwk") throw new Error("Invalid JWK")
        return crypto.createPrivateKey(input)
      })
      return { ...crypto, createPrivateKey }
    })
    vi.resetModules()
    const Strict = await import("../src/domain/Noise.js")
    vi.doUnmock("node:crypto")
    expect(Strict.begin).not.toBe(Noise.begin)
    const { ephemeral, message } = Strict.initiate(Strict.begin(initiator), vector.init_ephemeral, first.payload)
    expect(hex(message)).toBe(hex(first.ciphertext))
    expect(ephemeral.secret.type).toBe("private")
  })

  it("with another ephemeral on either side gives other keys", () => {
    const other = new Uint8Array(32).fill(9)
    const answer = Either.getOrThrow(Noise.respond(accepted, other, second.payload))
    const again = Noise.initiate(initiatorStart, other, first.payload)
    const byOther = Either.getOrThrow(
      Noise.respond(
        Either.getOrThrow(Noise.accept(responderStart, again.message)),
        vector.resp_ephemeral,
        second.payload
      )
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
    const start = Noise.begin(setup)
    const client = Noise.initiate(start, vector.init_ephemeral, first.payload)
    expect(reasonOf(Noise.accept(responderStart, client.message))).toBe("not-authentic")
    expect(reasonOf(Noise.accept(start, first.ciphertext))).toBe("not-authentic")
    expect(reasonOf(Noise.complete(client, second.ciphertext))).toBe("not-authentic")
  })

  it("a changed message is refused, whichever byte", () => {
    const reads = flipped(first.ciphertext).map((message) => reasonOf(Noise.accept(responderStart, message)))
    expect(reads).toEqual(reads.map(() => "not-authentic"))
    const answers = flipped(second.ciphertext).map((message) => reasonOf(Noise.complete(initiated, message)))
    expect(answers).toEqual(answers.map(() => "not-authentic"))
  })

  it("a message of 48 bytes is the shortest; a shorter one is refused as such", () => {
    for (let length = 0; length < 48; length++) {
      expect(reasonOf(Noise.accept(responderStart, first.ciphertext.subarray(0, length)))).toBe("too-short")
      expect(reasonOf(Noise.complete(initiated, second.ciphertext.subarray(0, length)))).toBe("too-short")
    }
    const shortest = Noise.initiate(initiatorStart, vector.init_ephemeral, new Uint8Array(0))
    expect(shortest.message.length).toBe(48)
    expect(reasonOf(Noise.accept(responderStart, shortest.message))).toBe("accepted")
  })

  it("a message cut short or made longer is refused", () => {
    for (const message of [first.ciphertext.subarray(0, -1), Buffer.concat([first.ciphertext, Buffer.alloc(1)])]) {
      expect(reasonOf(Noise.accept(responderStart, message))).toBe("not-authentic")
    }
  })

  it("an answer to another first message is refused", () => {
    const other = Noise.initiate(initiatorStart, new Uint8Array(32).fill(9), first.payload)
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
