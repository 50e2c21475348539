import { Buffer } from "node:buffer"
import { describe, expect, it } from "@effect/vitest"
import * as fc from "effect/FastCheck"
import * as Option from "effect/Option"
import * as Base64Url from "../src/domain/Base64Url.js"
import { plain } from "./utils/Vectors.js"

/** What {@link Base64Url.write} makes of a text. */
const written = (text: string): Option.Option<Uint8Array> => {
  const into = Buffer.alloc(text.length)
  const bytes = Base64Url.write(text, into)
  return bytes === -1 ? Option.none() : Option.some(into.subarray(0, bytes))
}

const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"

describe("Base64Url", () => {
  it.prop("what is encoded decodes to the same bytes", [fc.uint8Array({ maxLength: 200 })], ([bytes]) => {
    const text = Base64Url.encode(bytes)
    expect(text.length).toBe(4 * Math.ceil(bytes.length / 3))
    expect(Option.map(Base64Url.decode(text), plain)).toEqual(Option.some(bytes))
  })

  it.prop("it writes what Buffer writes, with padding", [fc.uint8Array({ maxLength: 200 })], ([bytes]) => {
    const text = Buffer.from(bytes).toString("base64").replaceAll("+", "-").replaceAll("/", "_")
    expect(Base64Url.encode(bytes)).toBe(text)
  })

  it("a view on a larger buffer is encoded by itself", () => {
    expect(Base64Url.encode(new Uint8Array([1, 2, 3, 4, 5]).subarray(1, 4))).toBe("AgME")
  })

  it.prop(
    "a text is accepted exactly when encoding its bytes gives it back",
    [fc.string({ unit: fc.constantFrom(..."AQgwEk_-=+/ \n%éŁ"), maxLength: 9 })],
    ([text]) => {
      const strict = Base64Url.encode(Buffer.from(text, "base64url")) === text
      expect(Base64Url.isCanonical(text)).toBe(strict)
      expect(Option.isSome(Base64Url.decode(text))).toBe(strict)
      expect(written(text)).toEqual(Base64Url.decode(text))
    },
    { fastCheck: { numRuns: 2_000 } }
  )

  it("of the 64 last characters only those with zero trailing bits are accepted", () => {
    const accepted = (before: string, after: string) =>
      [...alphabet].filter((character) => Base64Url.isCanonical(before + character + after)).join("")
    expect(accepted("A", "==")).toBe("AQgw")
    expect(accepted("AA", "=")).toBe("AEIMQUYcgkosw048")
    expect(accepted("AAA", "")).toBe(alphabet)
  })

  it.prop(
    "one character put in another's place is judged the same way, in a text of any length",
    [fc.uint8Array({ minLength: 1, maxLength: 3_000 }), fc.nat(), fc.constantFrom(..."+/= \n\t\u0000%éŁ😀")],
    ([bytes, at, wrong]) => {
      const text = Base64Url.encode(bytes)
      expect(written(text)).toEqual(Option.some(Buffer.from(bytes)))
      const place = at % text.length
      const mutated = text.slice(0, place) + wrong + text.slice(place + wrong.length)
      expect(written(mutated)).toEqual(Base64Url.decode(mutated))
    },
    { fastCheck: { numRuns: 1_000 } }
  )

  it.each([
    ["junk", "AA%A"],
    ["a space", "AAA "],
    ["a newline at the end", "AAAA\n"],
    ["a newline in place of a character", "AAA\n"],
    ["the + of plain base64", "AA+A"],
    ["the / of plain base64", "AA/A"],
    ["a letter that is not ASCII", "AAAé"],
    ["no padding where some is due", "AA"],
    ["too little padding", "AA="],
    ["too much padding", "AAA=="],
    ["padding only", "===="],
    ["three padding characters", "A==="],
    ["padding in the middle", "AA==AAAA"],
    ["padding before the end of a group", "AA=A"],
    ["one character too many", "AAAAA"],
    ["trailing bits that are not zero, one byte", "AB=="],
    ["trailing bits that are not zero, two bytes", "AAB="]
  ])("%s is refused", (_, text) => {
    expect(Base64Url.isCanonical(text)).toBe(false)
    expect(Base64Url.decode(text)).toEqual(Option.none())
    expect(written(text)).toEqual(Option.none())
  })

  it("the empty text stands for no bytes", () => {
    expect(Option.map(Base64Url.decode(""), plain)).toEqual(Option.some(new Uint8Array(0)))
  })
})
