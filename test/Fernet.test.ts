import { Buffer } from "node:buffer"
import * as Crypto from "node:crypto"
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as fc from "effect/FastCheck"
import type * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as TestClock from "effect/TestClock"
import * as Base64Url from "../src/domain/Base64Url.js"
import * as Fernet from "../src/domain/Fernet.js"
import type * as Keys from "../src/domain/Keys.js"
import { withEntropy } from "./utils/ScriptedEntropy.js"
import { keyFilledWith, keyOf, plain, fernet as published, utf8 } from "./utils/Vectors.js"

const key = keyFilledWith(7)
const ring: Keys.Ring = [key]
const hello = utf8("hello")
const ttl = { ttl: "60 seconds" } as const

/** When the tokens of these tests are made, in seconds; any time will do. */
const made = 1_700_000_000
const setSeconds = (seconds: number) => TestClock.setTime(seconds * 1000)

/** What became of a token: its bytes, or why it was refused. */
const outcome = (opened: Either.Either<Uint8Array, Fernet.FernetError>) =>
  Either.match(opened, { onLeft: (error) => error.reason, onRight: plain })

/** A token whose MAC is right, whatever its parts are. */
const signed = (...parts: ReadonlyArray<Uint8Array>) => {
  const body = Buffer.concat(parts)
  const mac = Crypto.createHmac("sha256", Redacted.value(key).subarray(0, 16)).update(body).digest()
  return Base64Url.encode(Buffer.concat([body, mac]))
}
const header = (version: number) => Buffer.concat([Buffer.from([version]), Buffer.alloc(8), Buffer.alloc(16)])

/** AES-128-CBC under `key` and an IV of zeros, with the padding as it is given. */
const enciphered = (padded: Uint8Array) => {
  const aes = Redacted.value(key).subarray(16)
  const cipher = Crypto.createCipheriv("aes-128-cbc", aes, Buffer.alloc(16)).setAutoPadding(false)
  return Buffer.concat([cipher.update(padded), cipher.final()])
}

/** What each of the published invalid vectors is refused for, in their order. */
const reasons = ["mac", "malformed", "malformed", "malformed", "padding", "clock-skew", "expired", "padding"] as const

const suite = (name: string, layer: Layer.Layer<Fernet.Fernet>) =>
  describe(name, () => {
    /** Built inside the test, so that it takes the test's clock and entropy. */
    const make = Effect.provide(Fernet.Fernet, layer)

    it.effect.each(published.generate)("published vector: $src is encrypted to the same token", (vector) =>
      Effect.gen(function* () {
        yield* TestClock.setTime(vector.now)
        const fernet = yield* make.pipe(withEntropy(Uint8Array.from(vector.iv)))
        expect(fernet.encrypt([keyOf(vector.secret)], utf8(vector.src))).toBe(vector.token)
      })
    )

    it.effect.each(published.verify)("published vector: the token of $src is opened", (vector) =>
      Effect.gen(function* () {
        yield* TestClock.setTime(vector.now)
        const fernet = yield* make
        const opened = fernet.decrypt([keyOf(vector.secret)], vector.token, { ttl: `${vector.ttl_sec} seconds` })
        expect(outcome(opened)).toEqual(utf8(vector.src))
      })
    )

    it.effect.each(published.invalid.map((vector, index) => ({ ...vector, reason: reasons[index] })))(
      "published vector: $desc is refused ($reason)",
      (vector) =>
        Effect.gen(function* () {
          yield* TestClock.setTime(vector.now)
          const fernet = yield* make
          const opened = fernet.decrypt([keyOf(vector.secret)], vector.token, { ttl: `${vector.ttl_sec} seconds` })
          expect(outcome(opened)).toBe(vector.reason)
        })
    )

    it.effect("a token is dated in whole seconds", () =>
      Effect.gen(function* () {
        const iv = new Uint8Array(16)
        const fernet = yield* make.pipe(withEntropy(iv, iv, iv))
        yield* setSeconds(made)
        const token = fernet.encrypt(ring, hello)
        yield* setSeconds(made + 0.999)
        expect(fernet.encrypt(ring, hello)).toBe(token)
        yield* setSeconds(made + 1)
        expect(fernet.encrypt(ring, hello)).not.toBe(token)
      })
    )

    it.effect("a token is opened until it is older than its ttl, and no longer", () =>
      Effect.gen(function* () {
        const fernet = yield* make
        yield* setSeconds(made)
        const token = fernet.encrypt(ring, hello)
        yield* setSeconds(made + 60)
        expect(outcome(fernet.decrypt(ring, token, ttl))).toEqual(hello)
        yield* setSeconds(made + 61)
        expect(outcome(fernet.decrypt(ring, token, ttl))).toBe("expired")
      })
    )

    it.effect("with a ttl, a token from up to 60 s in the future is opened, and no further", () =>
      Effect.gen(function* () {
        const fernet = yield* make
        yield* setSeconds(made)
        const token = fernet.encrypt(ring, hello)
        yield* setSeconds(made - 60)
        expect(outcome(fernet.decrypt(ring, token, ttl))).toEqual(hello)
        yield* setSeconds(made - 61)
        expect(outcome(fernet.decrypt(ring, token, ttl))).toBe("clock-skew")
      })
    )

    it.effect.each([-1_000_000_000, -61, 61, 1_000_000_000])("without a ttl time is not looked at: %i s off", (off) =>
      Effect.gen(function* () {
        const fernet = yield* make
        yield* setSeconds(made)
        const token = fernet.encrypt(ring, hello)
        yield* setSeconds(made + off)
        expect(outcome(fernet.decrypt(ring, token))).toEqual(hello)
      })
    )

    it.effect("a token under a wrong key says so before it says that it is too old", () =>
      Effect.gen(function* () {
        const fernet = yield* make
        const token = fernet.encrypt(ring, hello)
        yield* setSeconds(made)
        expect(outcome(fernet.decrypt([keyFilledWith(8)], token, ttl))).toBe("mac")
      })
    )

    it.effect("the first key of a ring encrypts, any of them opens, and where none fits the token is refused", () =>
      Effect.gen(function* () {
        const fernet = yield* make
        const [a, b, c] = [keyFilledWith(1), keyFilledWith(2), keyFilledWith(3)]
        const token = fernet.encrypt([a, b], hello)
        expect(outcome(fernet.decrypt([a], token))).toEqual(hello)
        expect(outcome(fernet.decrypt([b], token))).toBe("mac")
        expect(outcome(fernet.decrypt([c, b, a], token))).toEqual(hello)
        expect(outcome(fernet.decrypt([b, a, c], token))).toEqual(hello)
        expect(outcome(fernet.decrypt([b, c], token))).toBe("mac")
      })
    )

    it.effect("half a key is no key: the signing and the encrypting half must both fit", () =>
      Effect.gen(function* () {
        const fernet = yield* make
        const half = (first: number, last: number) => Uint8Array.from({ length: 32 }, (_, i) => (i < 16 ? first : last))
        const ringOf = (first: number, last: number): Keys.Ring => [Redacted.make(half(first, last))]
        const token = fernet.encrypt(ringOf(1, 2), hello)
        expect(outcome(fernet.decrypt(ringOf(3, 2), token))).toBe("mac")
        expect(outcome(fernet.decrypt(ringOf(1, 3), token))).not.toEqual(hello)
        expect(outcome(fernet.decrypt(ringOf(1, 2), token))).toEqual(hello)
      })
    )

    it.effect.prop("any bytes come back as they were", [fc.uint8Array({ maxLength: 300 })], ([bytes]) =>
      Effect.gen(function* () {
        const fernet = yield* make
        const token = fernet.encrypt(ring, bytes)
        expect(token.length).toBe(4 * Math.ceil((57 + 16 * (Math.floor(bytes.length / 16) + 1)) / 3))
        expect(outcome(fernet.decrypt(ring, token))).toEqual(bytes)
      })
    )

    it.effect("the same text is never the same token twice", () =>
      Effect.gen(function* () {
        const fernet = yield* make
        const tokens = Array.from({ length: 100 }, () => fernet.encrypt(ring, hello))
        expect(new Set(tokens).size).toBe(100)
      })
    )

    it.effect("a corrupted token is refused, whichever character", () =>
      Effect.gen(function* () {
        const fernet = yield* make
        for (const text of ["", "hello", "0123456789abcdef"]) {
          const token = fernet.encrypt(ring, utf8(text))
          const opened = Array.from(token).flatMap((character, at) =>
            [character === "A" ? "B" : "A", character === "_" ? "-" : "_", "%", "\n", "=", "+"]
              .filter((other) => other !== character)
              .map((other) => token.slice(0, at) + other + token.slice(at + 1))
              .filter((corrupted) => Either.isRight(fernet.decrypt(ring, corrupted)))
          )
          expect(opened).toEqual([])
        }
      })
    )

    it.effect("a corrupted token is refused, whichever bit", () =>
      Effect.gen(function* () {
        const fernet = yield* make
        const bytes = Buffer.from(fernet.encrypt(ring, hello), "base64url")
        for (let bit = 0; bit < 8 * bytes.length; bit++) {
          const corrupted = Buffer.from(bytes)
          corrupted[bit >> 3] = (corrupted[bit >> 3] ?? 0) ^ (1 << (bit & 7))
          const opened = outcome(fernet.decrypt(ring, Base64Url.encode(corrupted)))
          expect(opened).toBe(bit < 8 ? "malformed" : "mac")
        }
      })
    )

    it.effect("a token cut short or made longer is refused, wherever", () =>
      Effect.gen(function* () {
        const fernet = yield* make
        const token = fernet.encrypt(ring, utf8("a text of more than one block"))
        const bytes = Buffer.from(token, "base64url")
        const others = [
          ...Array.from(token, (_, at) => token.slice(0, at)),
          ...Array.from(token, (_, at) => token.slice(at + 1)),
          ...Array.from(bytes, (_, at) => Base64Url.encode(bytes.subarray(0, at))),
          ...["A", "=", "\n", " ", "AAAA", "AA==", token].flatMap((more) => [token + more, more + token]),
          ...[1, 15, 16, 32].map((more) => Base64Url.encode(Buffer.concat([bytes, Buffer.alloc(more)])))
        ]
        expect(others.filter((other) => Either.isRight(fernet.decrypt(ring, other)))).toEqual([])
        expect(outcome(fernet.decrypt(ring, token))).toEqual(utf8("a text of more than one block"))
      })
    )

    it.effect("a token signed with the right key is refused when it is of another version or length", () =>
      Effect.gen(function* () {
        const fernet = yield* make
        const padded = enciphered(Buffer.alloc(16, 16))
        expect(outcome(fernet.decrypt(ring, signed(header(0x80), padded)))).toEqual(new Uint8Array(0))
        expect(outcome(fernet.decrypt(ring, signed(header(0x81), padded)))).toBe("malformed")
        expect(outcome(fernet.decrypt(ring, signed(header(0x00), padded)))).toBe("malformed")
        expect(outcome(fernet.decrypt(ring, signed(header(0x80))))).toBe("malformed")
        expect(outcome(fernet.decrypt(ring, signed(header(0x80), padded.subarray(1))))).toBe("malformed")
        expect(outcome(fernet.decrypt(ring, signed(header(0x80), padded, Buffer.alloc(8))))).toBe("malformed")
      })
    )

    it.effect.each([
      ["zero", [0]],
      ["more than a block", [17]],
      ["255", [255]],
      ["two, but only one", [2]],
      ["three with a hole", [3, 9, 3]],
      ["seventeen of seventeen", Array.from({ length: 17 }, () => 17)],
      ["sixteen, but fewer", [9, ...Array.from({ length: 14 }, () => 16), 16]]
    ] as const)("a token signed with the right key is refused when its padding is wrong: %s", ([, end]) =>
      Effect.gen(function* () {
        const fernet = yield* make
        const blocks = Buffer.alloc(32)
        blocks.set(end, 32 - end.length)
        expect(outcome(fernet.decrypt(ring, signed(header(0x80), enciphered(blocks))))).toBe("padding")
      })
    )

    it.effect("an error names its reason and nothing of the token", () =>
      Effect.gen(function* () {
        const fernet = yield* make
        const error = yield* Effect.flip(fernet.decrypt([keyFilledWith(8)], fernet.encrypt(ring, hello)))
        expect(JSON.stringify(error)).toBe('{"reason":"mac","_tag":"FernetError"}')
        expect(error.message).toBe("the token was not opened (mac)")
      })
    )
  })

suite("Fernet on node:crypto", Fernet.layer)
suite("Fernet on the npm package fernet", Fernet.layerPure)

describe("both implementations of Fernet", () => {
  it.effect.prop(
    "each opens what the other made, and both make the same token at the same time with the same IV",
    {
      bytes: fc.uint8Array({ maxLength: 300 }),
      secret: fc.uint8Array({ minLength: 32, maxLength: 32 }),
      iv: fc.uint8Array({ minLength: 16, maxLength: 16 }),
      seconds: fc.nat(2 ** 31 - 1)
    },
    ({ bytes, iv, secret, seconds }) =>
      Effect.gen(function* () {
        yield* setSeconds(seconds)
        const keys: Keys.Ring = [Redacted.make(secret)]
        const node = yield* Effect.provide(Fernet.Fernet, Fernet.layer).pipe(withEntropy(iv))
        const pure = yield* Effect.provide(Fernet.Fernet, Fernet.layerPure).pipe(withEntropy(iv))
        const [ofNode, ofPure] = [node.encrypt(keys, bytes), pure.encrypt(keys, bytes)]
        expect(ofNode).toBe(ofPure)
        expect(outcome(pure.decrypt(keys, ofNode, ttl))).toEqual(bytes)
        expect(outcome(node.decrypt(keys, ofPure, ttl))).toEqual(bytes)
      })
  )

  it.effect("they agree however often a key was used before, for tokens of any length and keys in any order", () =>
    Effect.gen(function* () {
      const keys = [keyFilledWith(1), keyFilledWith(2)] as const
      // The longest is longer than any token of the wire.
      const lengths = [0, 1, 15, 16, 17, 31, 32, 33, 100, 20_000, 5, 70_000]
      const uses = Array.from({ length: 60 }, (_, at) => ({
        key: keys[at % 5 === 0 ? 1 : 0],
        iv: new Uint8Array(16).fill(at),
        bytes: new Uint8Array(lengths[at % lengths.length] ?? 0).fill(at)
      }))
      const ivs = uses.map(({ iv }) => iv)
      yield* setSeconds(made)
      const node = yield* Effect.provide(Fernet.Fernet, Fernet.layer).pipe(withEntropy(...ivs))
      const pure = yield* Effect.provide(Fernet.Fernet, Fernet.layerPure).pipe(withEntropy(...ivs))
      for (const { bytes, key } of uses) {
        const token = node.encrypt([key], bytes)
        expect(token).toBe(pure.encrypt([key], bytes))
        expect(outcome(node.decrypt([...keys], token))).toEqual(bytes)
        expect(outcome(node.decrypt([...keys], `${token.slice(0, -8)}AAAAAAA=`))).not.toEqual(bytes)
      }
    })
  )

  it.effect("what was opened stays as it was when more is opened", () =>
    Effect.gen(function* () {
      const fernet = yield* Effect.provide(Fernet.Fernet, Fernet.layer)
      const texts = Array.from({ length: 50 }, (_, at) => utf8(`text ${at}`))
      const opened = texts.map((text) => fernet.decrypt(ring, fernet.encrypt(ring, text)))
      expect(opened.map(outcome)).toEqual(texts)
    })
  )
})
