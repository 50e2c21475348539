import { describe, expect, it } from "@effect/vitest"
import * as fc from "effect/FastCheck"
import * as Grapheme from "../src/client/terminal/Grapheme.js"

const segmenter = new Intl.Segmenter("en", { granularity: "grapheme" })
/** All boundaries of a text, found by cutting all of it. */
const boundaries = (text: string): ReadonlyArray<number> => [
  ...[...segmenter.segment(text)].map(({ index }) => index),
  text.length
]

// One of every class of UAX #29, and some of those that are told quickly.
const unit = fc.constantFrom(
  ...["a", "é", "ж", "字", "か", "한", "ก", "ب", "א", "！", " ", "\n", "\t", "©"],
  ...[
    "\u0301",
    "\u3099",
    "\u200d",
    "\u200c",
    "\ufe0f",
    "\u0600",
    "\u0903",
    "\u094d",
    "\u0e33",
    "क",
    "\u00ad",
    "\u2028"
  ],
  ...["ᄒ", "ᅡ", "ᆫ", "가", "🇩", "🇪", "😀", "👩", "🏽", "❤", "\u{e0067}", "1"]
)
const text = fc.array(unit, { maxLength: 12 }).map((units) => units.join(""))

describe("Grapheme", () => {
  it.prop(
    "around every offset it finds the boundaries that cutting the whole text finds",
    [text],
    ([text]) => {
      const all = boundaries(text)
      for (let at = 0; at <= text.length; at += 1) {
        expect(Grapheme.after(text, at)).toBe(all.find((boundary) => boundary > at) ?? text.length)
        expect(Grapheme.ceil(text, at)).toBe(all.find((boundary) => boundary >= at))
        if (all.includes(at)) expect(Grapheme.before(text, at)).toBe(all.findLast((boundary) => boundary < at) ?? 0)
      }
    },
    { fastCheck: { numRuns: 2_000 } }
  )

  it.prop(
    "forward and backward it gives all there are",
    [fc.array(unit, { maxLength: 200 }).map((units) => units.join("")), fc.nat()],
    ([text, choice]) => {
      const all = boundaries(text)
      const at = all[choice % all.length] ?? 0
      const cut = (part: string) => [...segmenter.segment(part)].map(({ segment }) => segment)
      expect([...Grapheme.forward(text, at)]).toEqual(cut(text.slice(at)))
      expect([...Grapheme.backward(text, at)].toReversed()).toEqual(cut(text.slice(0, at)))
    },
    { fastCheck: { numRuns: 500 } }
  )

  it.prop("it counts and skips as many as there are", [text, fc.nat(14)], ([text, many]) => {
    const all = boundaries(text)
    const total = text === "" ? 0 : all.length - 1
    expect(Grapheme.count(text, 100)).toBe(total)
    expect(Grapheme.count(text, many + 1)).toBe(Math.min(total, many + 1))
    expect(Grapheme.skip(text, many)).toBe(all[many] ?? text.length)
  })

  it("no character of the basic plane joins another where it is said to be apart", () => {
    // Halves of a pair never stand alone, and a text has no CR.
    const codes = Array.from({ length: 0x10000 }, (_, code) => code)
    const characters = codes
      .filter((code) => (code < 0xd800 || code >= 0xe000) && code !== 0x0d)
      .map((code) => String.fromCharCode(code))
    for (const partner of ["a", "한"]) {
      for (let from = 0; from < characters.length; from += 64) {
        const text = partner + characters.slice(from, from + 64).join(partner) + partner
        const all = new Set(boundaries(text))
        for (let at = 0; at <= text.length; at += 1) {
          if ((Grapheme.ceil(text, at) === at) !== all.has(at)) {
            expect.unreachable(`${at - 1} of ${JSON.stringify(text)}`)
          }
        }
      }
    }
  })
})
