import { inspect } from "node:util"
import { describe, expect, it } from "@effect/vitest"
import * as Arr from "effect/Array"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as fc from "effect/FastCheck"
import * as Inspectable from "effect/Inspectable"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import * as Base64Url from "../src/domain/Base64Url.js"
import * as Keys from "../src/domain/Keys.js"
import { keyFilledWith, plain, session } from "./utils/Vectors.js"

const one = Base64Url.encode(new Uint8Array(32).fill(1))
const two = Base64Url.encode(new Uint8Array(32).fill(2))

/** The kind and the text of each key, which is all a key set says. */
const shown = (set: Keys.KeySet) => ({ _tag: set._tag, keys: set.keys.map(Keys.toBase64Url) })
const parsed = (text: string) => Either.map(Keys.parse(text), shown)
const rooms = (...keys: ReadonlyArray<string>) => Either.right({ _tag: "RoomKeys", keys })
const servers = (...keys: ReadonlyArray<string>) => Either.right({ _tag: "ServerKeys", keys })

const bytesOfKey = fc.uint8Array({ minLength: 32, maxLength: 32 })

describe("key files", () => {
  it.prop(
    "what is formatted parses to the same keys, of the same kind, in the same order",
    [fc.array(bytesOfKey, { minLength: 1, maxLength: 4 }), fc.boolean()],
    ([keys, server]) => {
      const texts = keys.map(Base64Url.encode)
      const set = Either.getOrThrow(Keys.parse(texts.map((text) => (server ? `server:${text}` : text)).join("\n")))
      expect(shown(set)).toEqual({ _tag: server ? "ServerKeys" : "RoomKeys", keys: texts })
      expect(parsed(Keys.format(set))).toEqual(Either.right(shown(set)))
    }
  )

  it("a formatted file has one key a line, the line ended", () => {
    expect(Keys.format({ _tag: "RoomKeys", keys: [keyFilledWith<"room">(1), keyFilledWith<"room">(2)] })).toBe(
      `${one}\n${two}\n`
    )
    expect(Keys.format({ _tag: "ServerKeys", keys: [keyFilledWith<"server">(1)] })).toBe(`server:${one}\n`)
  })

  it("a key of 32 zero bytes is a key", () => {
    const zeros = `${"A".repeat(43)}=`
    expect(parsed(zeros)).toEqual(rooms(zeros))
  })

  it.each([
    ["comments and blank lines are ignored", `# old and new\n\n${one}\n   \n# next\n${two}\n`],
    ["lines may end as on Windows", `# keys\r\n${one}\r\n\r\n${two}\r\n`],
    ["spaces around a key are ignored", `  ${one}\t\n${two}   `],
    ["the last line needs no end", `${one}\n${two}`]
  ])("%s", (_, text) => {
    expect(parsed(text)).toEqual(rooms(one, two))
  })

  it("a line that starts with server: is a server key", () => {
    expect(parsed(`# for the host\nserver:${two}\r\nserver:${one}\n`)).toEqual(servers(two, one))
  })

  it.each([
    ["room key first", `${one}\nserver:${two}\n`],
    ["server key first", `server:${two}\n${one}\n`]
  ])("room and server keys in one file are refused: %s", (_, text) => {
    expect(Either.mapLeft(parsed(text), (error) => error.reason)).toEqual(Either.left("mixed"))
  })

  it.each(["", "\n\r\n  \n", "# no key here\n", `#${one}\n`])("a file without a key is refused: %j", (text) => {
    expect(Either.mapLeft(parsed(text), (error) => error.reason)).toEqual(Either.left("empty"))
  })

  it.each([
    ["cut short", one.slice(0, -4)],
    ["without its padding", one.slice(0, -1)],
    ["one byte short", Base64Url.encode(new Uint8Array(31).fill(1))],
    ["one byte long", Base64Url.encode(new Uint8Array(33).fill(1))],
    ["with trailing bits that are not zero", `${one.slice(0, -2)}F=`],
    ["in plain base64", Base64Url.encode(new Uint8Array(32).fill(255)).replaceAll("_", "/")],
    ["with a word after it", `${one} mine`],
    ["in hexadecimal", "01".repeat(32)],
    ["under another prefix", `room:${one}`],
    ["under server: in capitals", `SERVER:${one}`],
    ["under server: twice", `server:server:${one}`],
    ["in quotes", `"${one}"`]
  ])("a key %s is refused, with its line and without its text", (_, line) => {
    const error = Either.getOrThrow(Either.flip(Keys.parse(`# first\n${two}\n\n${line}\n`)))
    expect(error.reason).toBe("malformed")
    expect(error.message).toContain("line 4 ")
    for (const told of [error.message, String(error), inspect(error), JSON.stringify(error)]) {
      expect(told).not.toContain(line)
      expect(told).not.toContain(line.slice(0, 20))
    }
  })
})

describe("keys", () => {
  it("the derived keys are those of the vectors", () => {
    const room = Keys.fromBytes<"room">(session.roomKeyHex)
    expect(Keys.toBase64Url(Keys.serverKey(room))).toBe(session.serverKey)
    expect(Keys.toBase64Url(Keys.messageKey(room))).toBe(session.messageKey)
  })

  it("a key has one use: no two derived keys are the same", () => {
    const room = Keys.fromBytes<"room">(session.roomKeyHex)
    const server = Keys.serverKey(room)
    const derived = [room, server, Keys.messageKey(room), Keys.stateKey(room), Keys.logKey(server)]
    expect(new Set(derived.map(Keys.toBase64Url)).size).toBe(derived.length)
  })

  it("a server has the server keys of either kind of file", () => {
    const room = Keys.fromBytes<"room">(session.roomKeyHex)
    const fromRooms = Keys.serverKeys({ _tag: "RoomKeys", keys: [room, keyFilledWith<"room">(1)] })
    expect(fromRooms.map(Keys.toBase64Url)).toEqual([
      session.serverKey,
      Keys.toBase64Url(Keys.serverKey(keyFilledWith<"room">(1)))
    ])
    expect(Keys.serverKeys({ _tag: "ServerKeys", keys: [keyFilledWith<"server">(2)] }).map(Keys.toBase64Url)).toEqual([
      two
    ])
  })

  it("a client is refused a server key, and told which it needs", () => {
    const refused = Keys.roomKeys(Either.getOrThrow(Keys.parse(`server:${one}`)))
    const error = Either.getOrThrow(Either.flip(refused))
    expect(error.reason).toBe("kind")
    expect(error.message).toContain("room key")
    expect(error.message).not.toContain(one)
    const accepted = Either.map(Keys.roomKeys(Either.getOrThrow(Keys.parse(one))), Arr.map(Keys.toBase64Url))
    expect(accepted).toEqual(Either.right([one]))
  })

  it.effect("a new key is fresh and reads back from its text", () =>
    Effect.gen(function* () {
      const [a, b] = [yield* Keys.generate, yield* Keys.generate]
      expect(Keys.toBase64Url(a)).not.toBe(Keys.toBase64Url(b))
      const back = Option.map(Keys.fromBase64Url<"room">(Keys.toBase64Url(a)), Redacted.value)
      expect(Option.map(back, plain)).toEqual(Option.some(plain(Redacted.value(a))))
    })
  )

  it.each([31, 33, 0])("%i bytes are no key", (length) => {
    expect(() => Keys.fromBytes(new Uint8Array(length))).toThrow(RangeError)
    expect(Keys.fromBase64Url(Base64Url.encode(new Uint8Array(length)))).toEqual(Option.none())
  })

  it("nothing that prints a key or a key set shows it", () => {
    // Bytes that stand out in every notation: as text, in hexadecimal and as numbers.
    const bytes = Uint8Array.from({ length: 32 }, (_, i) => 201 + i)
    const notations = [Base64Url.encode(bytes), "c9cacbcc", "c9 ca cb", "201,202", "201, 202", "201\n", ": 201"]
    const key = Keys.fromBytes<"room">(bytes)
    const set = Either.getOrThrow(Keys.parse(Base64Url.encode(bytes)))
    for (const value of [key, set, { nested: { set } }, Keys.serverKeys(set)]) {
      const printed = [
        String(value),
        JSON.stringify(value),
        inspect(value, { depth: 10, showHidden: true }),
        inspect(value, { depth: 10, showHidden: true, customInspect: false }),
        Inspectable.toStringUnknown(value),
        JSON.stringify(Inspectable.toJSON(value))
      ].join("\n")
      for (const notation of notations) expect(printed).not.toContain(notation)
    }
    // The notations are ones that printing the bare bytes would show.
    expect([String(bytes), JSON.stringify(bytes), inspect(bytes)].join("\n")).toContain("201")
  })
})
