import { stripVTControlCharacters } from "node:util"
import { describe, expect, it } from "@effect/vitest"
import * as QrCode from "../src/client/terminal/QrCode.js"

const text = `chat://chat.example.org:55555#v1.${"Ab3-".repeat(10)}Ab3=`
const quiet = 2

/** The dark modules that rows of half blocks show; `plain` is drawn with light letters on a dark ground. */
const seen = (rows: ReadonlyArray<string>, plain: boolean): ReadonlyArray<ReadonlyArray<boolean>> =>
  rows.flatMap((row) => {
    const blocks = [...stripVTControlCharacters(row)]
    return [
      blocks.map((block) => "█▀".includes(block) !== plain),
      blocks.map((block) => "█▄".includes(block) !== plain)
    ]
  })

// A finder pattern (ISO 18004, section 6.3.3), with its separator where it has one.
const finder = ["#######", "#.....#", "#.###.#", "#.###.#", "#.###.#", "#.....#", "#######"]
const part = (dark: ReadonlyArray<ReadonlyArray<boolean>>, top: number, left: number) =>
  Array.from({ length: 7 }, (_, row) =>
    Array.from({ length: 7 }, (_, column) => (dark[top + row]?.[left + column] === true ? "#" : ".")).join("")
  )

describe("QrCode", () => {
  it.each([1, 4, 8, 24])("shows the code, colours of %i bits", (depth) => {
    const dark = QrCode.modules(text)
    const rows = QrCode.rows(text, 80, depth)
    const size = dark.length
    const shown = seen(rows, depth === 1)
    expect(shown.slice(0, size)).toEqual(dark)
    // What fills the last row is light.
    expect(shown.slice(size).flat()).not.toContain(true)
    expect(rows.every((row) => stripVTControlCharacters(row).length === size)).toBe(true)
    // A terminal's own colours come back at the end of each row, and without colours none are set.
    expect(rows.every((row) => row.endsWith("\x1b[0m"))).toBe(depth > 1)
    expect(rows.some((row) => row.includes("\x1b"))).toBe(depth > 1)
  })

  it("is a QR code: a square of a known size, three finders, two timing patterns, light around it", () => {
    const dark = QrCode.modules(text)
    const size = dark.length - 2 * quiet
    expect(dark.every((row) => row.length === dark.length)).toBe(true)
    expect((size - 17) % 4).toBe(0)
    const far = quiet + size - 7
    for (const [top, left] of [
      [quiet, quiet],
      [quiet, far],
      [far, quiet]
    ] as const) {
      expect(part(dark, top, left)).toEqual(finder)
    }
    expect(part(dark, far, far)).not.toEqual(finder)
    for (let at = 8; at < size - 8; at += 1) {
      expect(dark[quiet + 6]?.[quiet + at]).toBe(at % 2 === 0)
      expect(dark[quiet + at]?.[quiet + 6]).toBe(at % 2 === 0)
    }
    const within = (at: number) => at >= quiet && at < quiet + size
    expect(dark.flatMap((row, y) => row.filter((_, x) => !within(x) || !within(y)))).not.toContain(true)
  })

  it("says nothing where it has no room", () => {
    const { length } = QrCode.modules(text)
    expect(QrCode.rows(text, length - 1, 24)).toEqual([])
    expect(QrCode.rows(text, length, 24)).toHaveLength(Math.ceil(length / 2))
    expect(length).toBeLessThanOrEqual(45)
  })
})
