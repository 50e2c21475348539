import { Buffer } from "node:buffer"
import { describe, expect, it, vi } from "@effect/vitest"
import * as Either from "effect/Either"
import * as fc from "effect/FastCheck"
import * as Nickname from "../src/domain/Nickname.js"
import * as Skeleton from "../src/domain/Skeleton.js"

const parsed = (text: string): string => Either.getOrElse(Nickname.parse(text), () => "refused")

describe("a nick", () => {
  it("that is far too long is refused before anything is made of it that takes long", () => {
    const normalize = vi.spyOn(String.prototype, "normalize")
    try {
      // A quarter of a second of work.
      const marks = `a${"\u0301\u0323".repeat(12_000)}`
      expect(parsed(marks)).toBe("refused")
      expect(Nickname.is(marks)).toBe(false)
      // A client shows what a server calls somebody, whatever that is.
      expect(Nickname.fold(marks)).toBe(marks)
      expect(normalize).not.toHaveBeenCalled()
    } finally {
      normalize.mockRestore()
    }
  })

  it.each([
    "ada",
    "Zoë",
    "Грета",
    "李雷",
    "अमृता",
    "٣٤٥",
    "a-b_c.d",
    "...",
    "x",
    "x".repeat(32),
    "𐐷".repeat(32),
    "o\u0323\u0302".normalize("NFC")
  ])("may be %s", (nick) => {
    expect(parsed(nick)).toBe(nick)
  })

  it.each([
    ["fullwidth letters", "ａｄａ", "ada"],
    ["a letter and its accent apart", "Zoe\u0308", "Zoë"],
    ["a ligature", "ﬁona", "fiona"],
    ["a superscript digit", "x²", "x2"],
    ["a Roman numeral", "Ⅷ", "VIII"],
    ["four code points for each of 32", "\u03b1\u0313\u0300\u0345".repeat(32), "\u1f82".repeat(32)],
    ["33 code points that compose to 32", `${"x".repeat(31)}e\u0301`, `${"x".repeat(31)}é`]
  ])("is brought to NFKC: %s", (_, text, nick) => {
    expect(parsed(text)).toBe(nick)
  })

  it.each([
    ["nothing", ""],
    ["33 letters", "x".repeat(33)],
    ["33 astral letters", "𐐷".repeat(33)],
    ["32 characters that NFKC makes 33", `${"x".repeat(31)}ﬁ`],
    ["a space within", "a da"],
    ["a space at its end", "ada "],
    ["a no-break space", "a\u00a0da"],
    ["an ideographic space", "a\u3000da"],
    ["a newline", "ada\n"],
    ["a tab", "\tada"],
    ["a NUL", "a\u0000da"],
    ["an escape sequence", "\u001b[31mada"],
    ["DEL", "ada\u007f"],
    ["a C1 control", "ada\u009b"],
    ["a bidi override", "\u202eada"],
    ["a bidi isolate", "\u2066ada\u2069"],
    ["a zero-width space", "a\u200bda"],
    ["a zero-width joiner", "a\u200dda"],
    ["a soft hyphen", "a\u00adda"],
    ["a byte order mark", "\ufeffada"],
    ["an emoji", "ada😀"],
    ["a flag", "🇳🇱"],
    ["an at sign", "@ada"],
    ["a slash", "a/da"],
    ["a colon", "ada:"],
    ["angle brackets", "<ada>"],
    ["an apostrophe", "o'neill"],
    ["half a fraction, which NFKC spells with a slash", "½"],
    ["a circled letter that is no letter", "🅐"],
    ["half a surrogate pair", "ada\ud83d"],
    ["a mark that shows as nothing", "ada\u034f"],
    ["a variation selector", "ada\ufe0f"],
    ["a letter that shows as nothing", "\u3164"]
  ])("may not hold %s", (_, text) => {
    expect(Either.mapLeft(Nickname.parse(text), (why) => why.includes("1 to 32 letters"))).toEqual(Either.left(true))
  })

  it.prop("once admitted is admitted as it is", [fc.string({ unit: "binary", maxLength: 6 })], ([text]) => {
    fc.pre(Either.isRight(Nickname.parse(text)))
    expect(parsed(parsed(text))).toBe(parsed(text))
  })
})

describe("the skeletons of nicks", () => {
  const skeletons = (nick: string) => Skeleton.skeletons(parsed(nick))
  const alike = (a: string, b: string) => skeletons(a).some((skeleton) => skeletons(b).includes(skeleton))
  const pairs = (nicks: ReadonlyArray<string>) =>
    nicks.flatMap((a, i) => nicks.slice(i + 1).map((b) => [a, b, alike(a, b)] as const))

  it.each([
    ["case", ["ada", "Ada", "ADA", "aDa"]],
    ["a Cyrillic letter", ["ada", "\u0430da", "ad\u0430", "\u0410da"]],
    ["fullwidth letters", ["ada", "ａｄａ", "ＡＤＡ"]],
    ["zero and O", ["0", "O", "o", "\u043e", "\u03bf"]],
    ["one and a small L", ["l", "1", "L"]],
    ["letters that run together", ["rnax", "max", "Max", "MAX"]],
    ["composed and decomposed accents", ["zoë", "zoe\u0308", "ZOË"]],
    ["sharp s and its capitals", ["straße", "STRASSE", "strasse"]],
    ["the two small sigmas", ["νίκος", "ΝΊΚΟΣ", "νίκοσ"]],
    ["a dotless i", ["ira", "\u0131ra", "IRA"]],
    ["a whole name in another script", ["cocoa", "\u0441\u043e\u0441\u043e\u0430"]],
    ["a capital I and a small L", ["Alex", "AIex", "A1ex"]],
    ["a name in capitals", ["Iris", "IRIS", "iris"]],
    ["Cyrillic capitals whose small letters differ", ["BOB", "bob", "\u0412\u041e\u0412"]]
  ])("have one in common where nicks look alike: %s", (_, nicks) => {
    expect(pairs(nicks).filter(([, , same]) => !same)).toEqual([])
  })

  it.each([
    ["names", ["ada", "bob", "eve", "zoë", "zoe", "anna", "ann", "李雷", "Грета"]],
    ["digits", ["a2", "a3", "a4", "a", "2a"]],
    ["punctuation", ["a-b", "a_b", "a.b", "ab"]],
    ["accents", ["e", "é", "è", "ê", "ë"]]
  ])("tell apart what does not: %s", (_, nicks) => {
    expect(pairs(nicks).filter(([, , same]) => same)).toEqual([])
  })

  it.prop("do not depend on the case of ASCII", [fc.stringMatching(/^[A-Za-z0-9._-]{1,32}$/)], ([nick]) => {
    expect(pairs([nick, nick.toUpperCase(), nick.toLowerCase()]).every(([, , same]) => same)).toBe(true)
  })
})

describe("what a client may send", () => {
  it.each([
    ["128 bytes", "x".repeat(128)],
    ["128 bytes of two each", "é".repeat(64)],
    ["a nick that only the server refuses", "a b 😀"],
    ["nothing", ""]
  ])("fits: %s", (_, nick) => {
    expect(Nickname.fits(nick)).toBe(true)
  })

  it.each([
    ["129 bytes", "x".repeat(129)],
    ["65 characters of two bytes", "é".repeat(65)],
    ["33 characters of four bytes", "😀".repeat(33)],
    ["half a surrogate pair", "\ud83d"]
  ])("does not fit: %s", (_, nick) => {
    expect(Nickname.fits(nick)).toBe(false)
  })

  it("every nick the server admits fits", () => {
    expect(Nickname.maxBytes).toBe(128)
    expect(Buffer.byteLength("𐐷".repeat(32))).toBe(Nickname.maxBytes)
    expect(Nickname.fits(parsed("𐐷".repeat(32)))).toBe(true)
  })
})
