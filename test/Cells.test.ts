import { describe, expect, it } from "@effect/vitest"
import * as fc from "effect/FastCheck"
import stringWidth from "string-width"
import * as Cells from "../src/client/terminal/Cells.js"
import { harmless } from "../src/client/terminal/Display.js"
import * as Style from "../src/client/terminal/Style.js"

const style = Style.make(8)
const family = "👨‍👩‍👧‍👦"
const zalgo = `e${"\u0301".repeat(300)}`
const bare = (text: string) => text.replace(/\x1b\[[\d;]*m/g, "")

const character = fc.oneof(
  { weight: 10, arbitrary: fc.constantFrom("a", "b", "c", " ", " ", "-") },
  { weight: 3, arbitrary: fc.constantFrom("e\u0301", "漢", "한", "각", family, "❤️", "क्ष", "กำ", "\u200b", "\u0301") },
  {
    weight: 1,
    arbitrary: fc.string({ unit: "grapheme", minLength: 1, maxLength: 1 }).filter((one) => !/\p{Cc}/u.test(one))
  }
)
const text = fc.array(character, { maxLength: 80 }).map((characters) => characters.join(""))
const styledText = fc
  .array(
    fc.tuple(
      text,
      fc.constantFrom(style.bold, style.dim, style.mention, style.nick("ada"), (text: string) => text)
    ),
    {
      maxLength: 5
    }
  )
  .map((parts) => style.warning(parts.map(([text, paint]) => paint(text)).join("")))
const columns = fc.oneof(fc.integer({ min: 1, max: 5 }), fc.integer({ min: 1, max: 100 }))

/** The attributes in force behind `text`. */
const inForce = (text: string): ReadonlyArray<string> => {
  const ends: Record<string, string> = { "1": "22", "7": "27", "38": "39" }
  const open = new Set<string>()
  for (const [, parameter = ""] of text.matchAll(/\x1b\[(\d+)[\d;]*m/g)) {
    const end = ends[parameter]
    if (end === undefined) open.delete(parameter)
    else open.add(end)
  }
  return Array.from(open)
}

describe("graphemes", () => {
  it.prop("are the whole text", [fc.string({ unit: "binary" })], ([text]) => {
    expect(Cells.graphemes(text).join("")).toBe(text)
  })

  it("are what one reads as a character", () => {
    expect(Cells.graphemes(`ae\u0301${family}漢`)).toEqual(["a", "e\u0301", family, "漢"])
    expect(Cells.graphemes("abc")).toEqual(["a", "b", "c"])
    expect(Cells.graphemes(zalgo)).toEqual([zalgo])
  })
})

describe("the width", () => {
  it.each([
    ["", 0],
    ["abc", 3],
    ["漢字", 4],
    ["e\u0301", 1],
    ["\u0301", 0],
    ["\u200b", 0],
    [family, 2],
    ["🇳🇱", 2],
    ["각", 2],
    ["각", 2],
    ["क्ष", 2],
    ["กำ", 2],
    ["ｶﾞ", 2],
    ["…", 1],
    [style.bold("漢a"), 3],
    [zalgo, 1],
    ["\ud83d", 1]
  ])("of %j is %i", (text, columns) => {
    expect(Cells.width(text)).toBe(columns)
  })

  it.prop("is never less than string-width's", [text], ([text]) => {
    expect(Cells.width(text)).toBeGreaterThanOrEqual(stringWidth(text))
  })

  it.prop("of styled text is that of the text", [styledText], ([text]) => {
    expect(Cells.width(text)).toBe(Cells.width(bare(text)))
  })
})

describe("what is shown of a character", () => {
  it("has eight marks at most", () => {
    const few = `e${"\u0301".repeat(8)}`
    expect(Cells.wrap(zalgo, 10, 0)).toEqual([few])
    expect(Cells.cut(zalgo, 10)).toBe(few)
    expect(Cells.layout(zalgo, 0, 10, "").rows).toEqual([few])
    expect(Cells.cut(style.bold(zalgo), 10)).toBe(style.bold(few))
  })

  it("of one longer than any language has, is its parts", () => {
    const chain = Array.from({ length: 200 }, () => "😀").join("\u200d")
    expect(Cells.graphemes(chain).length).toBe(1)
    for (const long of [chain, "\u1100".repeat(400), Array.from({ length: 200 }, () => "क").join("\u094d")]) {
      const rows = Cells.wrap(long, 20, 0)
      expect(rows.join("").replaceAll("\u200d", "").length).toBeGreaterThan(190)
      expect(rows.every((row) => Cells.width(row) <= 20)).toBe(true)
      expect(Cells.layout(long, 0, 20, "> ").rows.every((row) => Cells.width(row) <= 19)).toBe(true)
    }
  })
})

describe("wrapping", () => {
  it.each([
    ["at spaces", "the quick brown fox", 10, 2, ["the quick", "  brown", "  fox"]],
    ["not at all where it fits", "the quick", 9, 2, ["the quick"]],
    ["with the spaces within and before", "  a  b c", 6, 0, ["  a  b", "c"]],
    ["a long word from where it begins", "no abcdefghij", 6, 2, ["no abc", "  defg", "  hij"]],
    ["characters of two columns", "漢字漢字", 5, 0, ["漢字", "漢字"]],
    ["at newlines", "a\nb\n\nc", 10, 2, ["a", "  b", "  ", "  c"]],
    ["with no more indent than half a row", "abcdef", 4, 10, ["abcd", "  ef"]],
    ["a short link like a word", "see ab://c d", 12, 2, ["see ab://c d"]],
    [
      "a long link on a row of its own",
      "see https://example.org/path and",
      12,
      2,
      ["see", "  https://example.org/path", "  and"]
    ],
    ["a long link alone", "https://example.org/path", 12, 2, ["https://example.org/path"]],
    ["in one column", "ab 漢", 1, 0, ["a", "b", "漢"]]
  ])("breaks %s", (_, text, columns, indent, rows) => {
    expect(Cells.wrap(text, columns, indent)).toEqual(rows)
  })

  it("a style goes on in the next row, and does not reach over the end of one", () => {
    expect(Cells.wrap(`${style.bold("the quick")} fox`, 6, 1)).toEqual([
      style.bold("the"),
      ` ${style.bold("quick")}`,
      " fox"
    ])
    const nested = style.warning(`aaa ${style.mention("bbb ccc")} ddd`)
    for (const row of Cells.wrap(nested, 3, 0)) expect(inForce(row)).toEqual([])
    expect(Cells.wrap(nested, 3, 0).map(bare)).toEqual(["aaa", "bbb", "ccc", "ddd"])
  })

  it.prop(
    "no row is wider than it may be, nothing is lost, no style is left open",
    [styledText, columns, fc.nat(20)],
    ([text, columns, indent]) => {
      const rows = Cells.wrap(text, columns, indent)
      for (const row of rows) {
        // A character that is wider than all there is has a row of its own.
        const characters = Cells.graphemes(bare(row).trimStart()).length
        if (characters > 1) expect(Cells.width(row)).toBeLessThanOrEqual(Math.max(columns, 4))
        expect(inForce(row)).toEqual([])
      }
      expect(bare(rows.join("")).replaceAll(" ", "")).toBe(bare(text).replaceAll(" ", ""))
    }
  )
})

describe("cutting", () => {
  it.each([
    ["abc", 3, "abc"],
    ["abcd", 3, "ab…"],
    ["漢字", 3, "漢…"],
    ["漢字", 2, "…"],
    ["abc", 1, "…"],
    ["abc", 0, ""],
    ["abc", -1, ""],
    ["", 0, ""]
  ])("%j to %i is %j", (text, columns, cut) => {
    expect(Cells.cut(text, columns)).toBe(cut)
  })

  it.prop(
    "to no more than there is room for, and with no style left open",
    [styledText, fc.nat(60)],
    ([text, columns]) => {
      const cut = Cells.cut(text, columns)
      expect(Cells.width(cut)).toBeLessThanOrEqual(columns)
      expect(inForce(cut)).toEqual([])
      if (Cells.width(text) <= columns) expect(bare(cut)).toBe(bare(text))
      else expect(cut.endsWith("…") || columns === 0).toBe(true)
    }
  )
})

describe("the rows of what is typed", () => {
  it.each([
    ["nothing", "", 0, 10, ["> "], [0, 2]],
    ["a line", "abc", 3, 10, ["> abc"], [0, 5]],
    ["a full row, cursor behind it", "abcdefg", 7, 10, ["> abcdefg"], [0, 9]],
    ["one more", "abcdefgh", 8, 10, ["> abcdefg", "  h"], [1, 3]],
    ["a full row, cursor before what follows", "abcdefgh", 7, 10, ["> abcdefg", "  h"], [1, 2]],
    ["lines", "ab\ncd", 4, 10, ["> ab", "  cd"], [1, 3]],
    ["lines, cursor before the newline", "ab\ncd", 2, 10, ["> ab", "  cd"], [0, 4]],
    ["lines, cursor behind the newline", "ab\ncd", 3, 10, ["> ab", "  cd"], [1, 2]],
    ["a newline at the end", "ab\n", 3, 10, ["> ab", "  "], [1, 2]],
    ["a full row and a newline", "abcdefg\nh", 7, 10, ["> abcdefg", "  h"], [0, 9]],
    ["other newlines", "a\r\nb\rc", 3, 10, ["> a", "  b", "  c"], [1, 2]],
    ["a tab", "a\tb", 2, 10, ["> a    b"], [0, 7]],
    ["a tab that breaks", "abcdef\tb", 6, 10, ["> abcdef ", "     b"], [0, 8]],
    ["a control", "a\x1bb", 2, 10, ["> a^[b"], [0, 5]],
    ["a wide character that does not fit", "abcdef漢", 6, 10, ["> abcdef", "  漢"], [1, 2]],
    ["a cursor within a character", "ae\u0301b", 2, 10, ["> ae\u0301b"], [0, 3]],
    ["a cursor behind everything", "ab", 99, 10, ["> ab"], [0, 4]],
    ["no room for the prompt", "abc", 3, 4, ["abc"], [0, 3]],
    ["no room for a wide character", "漢a", 1, 2, ["…", "a"], [1, 0]],
    ["one column", "ab", 2, 1, ["a", "b"], [1, 0]]
  ])("%s", (_, text, cursor, columns, rows, [row, column]) => {
    expect(Cells.layout(text, cursor, columns, "> ")).toEqual({ rows, cursor: { row, column } })
  })

  it.prop(
    "fit, hold all of it, and the cursor stands behind what is before it",
    [
      fc.array(fc.oneof(text, fc.constantFrom("\n", "\t"))).map((parts) => parts.join("")),
      fc.double({ min: 0, max: 1, noNaN: true }),
      columns
    ],
    ([text, part, columns]) => {
      const graphemes = Cells.graphemes(text)
      const before = graphemes.slice(0, Math.round(part * graphemes.length)).join("")
      const { rows, cursor } = Cells.layout(text, before.length, columns, "> ")
      for (const row of rows) expect(Cells.width(row)).toBeLessThanOrEqual(Math.max(1, columns - 1))
      expect(cursor.row).toBeLessThan(rows.length)
      expect(cursor.column).toBeLessThan(columns)
      expect(cursor.column).toBeLessThanOrEqual(Cells.width(rows[cursor.row] ?? ""))
      // What is before the cursor is laid out as without the rest; only at the end of a full row it may be on the next.
      if (columns > 10) {
        const alone = Cells.layout(before, before.length, columns, "> ").cursor
        if (cursor.row === alone.row) expect(cursor).toEqual(alone)
        else expect(cursor).toEqual({ row: alone.row + 1, column: 2 })
        const shown = rows
          .map((row) => row.slice(2))
          .join("")
          .replaceAll(" ", "")
        expect(shown).toBe(harmless(text.replace(/[\n\t ]/g, "")))
      }
    }
  )

  it.prop(
    "those around the cursor are in the window",
    [fc.integer({ min: 1, max: 30 }), fc.nat(29), fc.integer({ min: -1, max: 40 })],
    ([count, at, height]) => {
      const rows = Array.from({ length: count }, (_, index) => String(index))
      const row = at % count
      const window = Cells.window({ rows, cursor: { row, column: 3 } }, height)
      expect(window.rows.length).toBe(Math.min(count, Math.max(1, height)))
      expect(window.rows[window.cursor.row]).toBe(String(row))
      expect(rows.join(" ")).toContain(window.rows.join(" "))
      expect(window.cursor.column).toBe(3)
    }
  )
})

describe("rows that a terminal wraps anew", () => {
  it.each([
    ["", 10, 0, 1, 0],
    ["abcdefghij", 10, 10, 1, 0],
    ["abcdefghij", 5, 4, 2, 0],
    ["abcdefghij", 5, 5, 2, 1],
    ["abcdefghij", 5, 10, 2, 1],
    ["a漢字b", 2, 0, 4, 0],
    ["a漢字b", 2, 3, 4, 2],
    [style.bold("abcdef"), 4, 5, 2, 1]
  ])("of %j in %i columns, at column %i, are %i, and it is in %i", (text, columns, column, rows, row) => {
    expect(Cells.rewrapped(text, columns, column)).toEqual({ rows, row })
  })
})
