import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as fc from "effect/FastCheck"
import * as Cells from "../src/client/terminal/Cells.js"
import * as Screen from "../src/client/terminal/Screen.js"
import * as Emulator from "./utils/Emulator.js"

const kinds: ReadonlyArray<Screen.Rewraps> = ["all", "others", "none"]

type Step =
  | { readonly _tag: "Draw"; readonly lines: ReadonlyArray<string>; readonly frame: Screen.Frame }
  | { readonly _tag: "Resize"; readonly size: Screen.Size }
  | { readonly _tag: "Clear" | "Leave" }

// What every terminal sees the same way: letters of one and two columns, marks, styles. `#` is in printed lines only.
const letter = fc.oneof(
  { weight: 12, arbitrary: fc.constantFrom("a", "b", "c", "d", "-", "e\u0301") },
  { weight: 2, arbitrary: fc.constantFrom("漢", "字", "한") },
  { weight: 1, arbitrary: fc.constantFrom("\x1b[1ma\x1b[22m", "\x1b[38;5;167mb\x1b[39m") }
)
const text = (most: number) => fc.array(letter, { maxLength: most }).map((letters) => letters.join(""))
const row = fc.oneof(text(12), text(90), text(250))
const frame = (most: number): fc.Arbitrary<Screen.Frame> =>
  fc
    .record({
      // Like `text`, but with letters that printed lines have not, so that what stays behind is known.
      rows: fc.array(
        row.map((row) => `=${row}`),
        { maxLength: most }
      ),
      row: fc.nat(most - 1),
      column: fc.nat(250),
      hidden: fc.boolean()
    })
    .map(({ rows, row, column, hidden }) => {
      if (hidden || rows.length === 0) return { rows }
      const at = row % rows.length
      // Where a cursor may stand: between characters.
      return {
        rows,
        cursor: {
          row: at,
          column: Cells.width(Cells.head(rows[at] ?? "", Math.min(column, Cells.width(rows[at] ?? ""))))
        }
      }
    })
const size = (columns: number, rows: number): fc.Arbitrary<Screen.Size> =>
  fc.record({
    columns: fc.oneof(fc.integer({ min: columns, max: 20 }), fc.integer({ min: columns, max: 200 })),
    rows: fc.oneof(fc.integer({ min: rows, max: rows + 6 }), fc.integer({ min: rows, max: 60 }))
  })
const script = (most: number, columns: number, rows: number): fc.Arbitrary<ReadonlyArray<Step>> =>
  fc.array(
    fc.oneof(
      {
        weight: 6,
        arbitrary: fc.record({
          _tag: fc.constant("Draw" as const),
          lines: fc.array(row, { maxLength: 4 }),
          frame: frame(most)
        })
      },
      { weight: 3, arbitrary: fc.record({ _tag: fc.constant("Resize" as const), size: size(columns, rows) }) },
      { weight: 1, arbitrary: fc.constantFrom<Step>({ _tag: "Clear" }, { _tag: "Leave" }) }
    ),
    { maxLength: 25 }
  )

/** xterm.js, told to wrap the cursor's row too, takes the cursor to the end of it, where other terminals leave it at its character. */
const atEnd = (step: Step): Step => {
  if (step._tag !== "Draw") return step
  const { rows } = step.frame
  return { ...step, frame: { rows, cursor: { row: rows.length - 1, column: 1_000 } } }
}

const label = (line: string) => line.replace(/^(#\d+:|=).*$/, "$1")

const bare = (text: string) => text.replace(/\x1b\[[\d;]*m/g, "")

/** Follows a script on an emulator; `check` looks at it after each step. */
const follow = Effect.fnUntraced(function* (
  rewraps: Screen.Rewraps,
  start: Screen.Size,
  steps: ReadonlyArray<Step>,
  check: (emulator: Emulator.Emulator, printed: ReadonlyArray<string>, screen: Screen.Screen) => void
) {
  const emulator = Emulator.make(start, rewraps)
  const printed: Array<string> = []
  let size = start
  let screen = Screen.make(rewraps)
  let shown: Screen.Frame = { rows: [] }
  const apply = ([next, output]: readonly [Screen.Screen, string]) => {
    screen = next
    return emulator.write(output)
  }
  for (const step of steps) {
    switch (step._tag) {
      case "Draw": {
        const lines = step.lines.map((line, index) => `#${printed.length + index}:${line}`)
        printed.push(...lines.map(bare))
        shown = step.frame
        yield* apply(Screen.draw(screen, lines, shown, size))
        break
      }
      case "Resize":
        size = step.size
        emulator.resize(size)
        yield* apply(Screen.draw(screen, [], shown, size))
        break
      case "Clear":
        yield* apply(Screen.clear(screen, shown, size))
        break
      case "Leave":
        yield* apply(Screen.leave(screen, size))
        break
    }
    check(emulator, printed, screen)
  }
  yield* apply(Screen.leave(screen, size))
  check(emulator, printed, screen)
  return true
})

const live = (screen: Screen.Screen) => (screen.drawn?.frame.rows ?? []).map(bare)

/** The rows on the emulator from the live area on are that, each in a row of its own, and the cursor is in its place. */
const expectLive = (emulator: Emulator.Emulator, screen: Screen.Screen) => {
  const frame = screen.drawn?.frame ?? { rows: [] }
  const { row, column } = Emulator.cursor(emulator)
  const cursorRow = frame.cursor?.row ?? Math.max(0, frame.rows.length - 1)
  const rows = Emulator.rows(emulator)
  const first = row - cursorRow
  const found = frame.rows.map((_, index) => rows[first + index] ?? { text: "", isWrapped: false })
  expect(found).toEqual(frame.rows.map((row) => ({ text: bare(row), isWrapped: false })))
  expect(rows.length).toBeLessThanOrEqual(first + frame.rows.length)
  expect(column).toBe(frame.cursor?.column ?? 0)
}

describe.each(kinds)("a terminal that wraps anew %s", (rewraps) => {
  it.effect.prop(
    "holds each printed line once, in order, and then the live rows",
    [size(8, 30), script(3, 8, 30).map((steps) => (rewraps === "all" ? steps.map(atEnd) : steps))],
    ([start, steps]) =>
      follow(rewraps, start, steps, (emulator, printed, screen) => {
        expectLive(emulator, screen)
        const expected = [...printed, ...live(screen)]
        // Where lines are cut their beginnings are there.
        const seen = rewraps === "none" ? label : (line: string) => line
        const found =
          rewraps === "none"
            ? Emulator.rows(emulator)
                .filter(({ isWrapped }) => !isWrapped)
                .map(({ text }) => text)
            : Emulator.lines(emulator)
        expect(found.map(seen)).toEqual(expected.map(seen))
      }),
    { fastCheck: { numRuns: 100 } }
  )
})
