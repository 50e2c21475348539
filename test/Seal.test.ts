import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as fc from "effect/FastCheck"
import * as Schema from "effect/Schema"
import * as TestClock from "effect/TestClock"
import * as Fernet from "../src/domain/Fernet.js"
import * as Json from "../src/domain/Json.js"
import type * as Keys from "../src/domain/Keys.js"
import * as Protocol from "../src/domain/Protocol.js"
import * as Seal from "../src/domain/Seal.js"
import { withEntropy } from "./utils/ScriptedEntropy.js"
import { chatOf, contentOf } from "./utils/SealedText.js"
import { keyFilledWith, keyOf, session, utf8 } from "./utils/Vectors.js"

const published = session.sealed
const content = contentOf(JSON.parse(published.plaintext))
const ring: Keys.Ring<Keys.MessageKey> = [keyOf<"message">(published.key)]
const makeFernet = Effect.provide(Fernet.Fernet, Fernet.layer)

/** The token of a plaintext that `seal` would not make. */
const sealedAnyhow = (plaintext: Uint8Array) =>
  Effect.map(makeFernet, (fernet) => Protocol.Sealed.make(fernet.encrypt(ring, plaintext)))

/** What becomes of a token that arrives where the published one belongs. */
const openedThere = (sealed: Protocol.Sealed) =>
  Effect.map(makeFernet, (fernet) => Seal.open(fernet, ring, content.log, chatOf(content, sealed)))

describe("the published seal", () => {
  it.effect("is made byte for byte", () =>
    Effect.gen(function* () {
      yield* TestClock.setTime(published.time * 1000)
      const fernet = yield* makeFernet.pipe(withEntropy(published.ivHex))
      expect(Seal.seal(fernet, ring, content)).toBe(published.token)
    })
  )

  it.effect("opens to its content, whatever the time", () =>
    Effect.gen(function* () {
      expect(yield* openedThere(Protocol.Sealed.make(published.token))).toEqual(Either.right(content))
      expect(content.text).toBe('Grüße, "Welt" 😀\n')
    })
  )
})

describe("a seal", () => {
  it.effect.prop(
    "opens to what was sealed",
    [fc.string({ unit: "binary", minLength: 1, maxLength: 200 }), fc.constantFrom(true, false, undefined)],
    ([text, me]) =>
      Effect.gen(function* () {
        const said = contentOf({ ...content, text, ...(me === undefined ? {} : { me }) })
        const sealed = Seal.seal(yield* makeFernet, ring, said)
        expect(yield* openedThere(sealed)).toEqual(Either.right(said))
      })
  )

  it.effect.each([
    ["log", { log: "AAAAAAAAAAAAAAAAAAAAAA==" }],
    ["member", { member: 2 }],
    ["number", { n: 2 }],
    ["nick", { nick: "Zoe" }],
    ["spelling of the nick", { nick: "Zoë".normalize("NFD") }]
  ])("does not open in another place: %s", ([, change]) =>
    Effect.gen(function* () {
      const fernet = yield* makeFernet
      const elsewhere = contentOf(Object.assign({}, content, change))
      // What was sealed for elsewhere arrives here, and what was sealed for here arrives elsewhere.
      expect(yield* openedThere(Seal.seal(fernet, ring, elsewhere))).toEqual(Either.left("mismatch"))
      const moved = chatOf(elsewhere, Seal.seal(fernet, ring, content))
      expect(Seal.open(fernet, ring, elsewhere.log, moved)).toEqual(Either.left("mismatch"))
    })
  )

  it.effect("opens under any key of the ring, and under no other", () =>
    Effect.gen(function* () {
      const fernet = yield* makeFernet
      const [old, next] = [keyFilledWith<"message">(1), keyFilledWith<"message">(2)]
      const opened = (keys: Keys.Ring<Keys.MessageKey>) =>
        Seal.open(fernet, keys, content.log, chatOf(content, Seal.seal(fernet, [next, old], content)))
      expect(opened([next])).toEqual(Either.right(content))
      expect(opened([old, next])).toEqual(Either.right(content))
      expect(opened([old])).toEqual(Either.left("key"))
    })
  )

  it.effect.each(["AAAA", "gAAAAABpVbkB", published.token.replace("g", "h"), published.token.slice(4)])(
    "that is no token says so as one of another key does: %s",
    (token) =>
      Effect.gen(function* () {
        expect(yield* openedThere(Protocol.Sealed.make(token))).toEqual(Either.left("key"))
      })
  )

  it.effect("may hold keys that are not known here", () =>
    Effect.gen(function* () {
      const sealed = yield* sealedAnyhow(Json.encode({ later: [1], ...content, reply: { to: 3 } }))
      expect(yield* openedThere(sealed)).toEqual(Either.right(content))
    })
  )

  const changed = (change: object) => Json.encode({ ...content, ...change })

  it.effect.each([
    ["nothing", new Uint8Array(0)],
    ["no JSON", utf8("hello")],
    ["bytes that are not UTF-8", changed({ text: "~" }).map((byte) => (byte === 0x7e ? 0xff : byte))],
    ["JSON of another shape", utf8("[1]")],
    ["no text", changed({ text: undefined })],
    ["an empty text", changed({ text: "" })],
    ["a text too long", changed({ text: "x".repeat(4_001) })],
    ["a text that is a number", changed({ text: 1 })],
    ["half a surrogate pair", changed({ text: "\ud83d" })],
    ["half a surrogate pair in the nick", changed({ nick: "\ude00" })],
    ["no number", changed({ n: undefined })],
    ["number 0", changed({ n: 0 })],
    ["a number beyond 2^53 - 1", changed({ n: 2 ** 53 })],
    ["a member that is a text", changed({ member: "1" })],
    ["a log id that is not one", changed({ log: "QEFC" })],
    ["a me that is no boolean", changed({ me: 1 })]
  ] as const)("under the right key that holds %s is not a text", ([, plaintext]) =>
    Effect.gen(function* () {
      expect(yield* openedThere(yield* sealedAnyhow(plaintext))).toEqual(Either.left("content"))
    })
  )

  it.effect("stays within its 32,768 characters at its largest", () =>
    Effect.gen(function* () {
      const largest = contentOf({
        log: content.log,
        member: Number.MAX_SAFE_INTEGER,
        n: Number.MAX_SAFE_INTEGER,
        nick: "𐐷".repeat(32),
        // A control character takes six bytes of JSON, more than any other code point.
        text: "\u0001".repeat(Seal.maxText),
        me: false
      })
      const fernet = yield* makeFernet
      const sealed = Seal.seal(fernet, ring, largest)
      expect(sealed.length).toBeLessThanOrEqual(32_768)
      expect(sealed.length).toBeGreaterThan(32_000)
      expect(Seal.open(fernet, ring, largest.log, chatOf(largest, sealed))).toEqual(Either.right(largest))
    })
  )
})

describe("a text", () => {
  const isText = Schema.is(Seal.Text)

  it.each([
    ["one character", "x"],
    ["one astral character", "😀"],
    ["4,000 characters", "x".repeat(4_000)],
    ["4,000 astral characters", "😀".repeat(4_000)],
    ["4,000 characters, one of them astral", `${"x".repeat(3_999)}😀`],
    ["newlines and tabs", "a\n\tb"],
    ["control characters, which are for the display to tame", "\u0000\u001b[2J\u202e"],
    ["a space", " "]
  ])("may be %s", (_, text) => {
    expect(isText(text)).toBe(true)
  })

  it.each([
    ["empty", ""],
    ["4,001 characters", "x".repeat(4_001)],
    ["4,001 astral characters", "😀".repeat(4_001)],
    ["4,001 characters, one of them astral", `${"x".repeat(4_000)}😀`],
    ["8,001 units long", "x".repeat(8_001)],
    ["a lone high surrogate", "\ud83d"],
    ["a lone low surrogate among others", "a\ude00b"],
    ["a pair the wrong way round", "\ude00\ud83d"]
  ])("may not be %s", (_, text) => {
    expect(isText(text)).toBe(false)
  })
})
