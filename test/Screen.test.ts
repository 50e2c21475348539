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
    columns: fc.oneof(fc.integer({ min: columns, max: columns + 12 }), fc.integer({ min: columns, max: 200 })),
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
    { maxLength: 12 }
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

/** What is there of printed lines and live rows: lines, or their beginnings where the terminal cuts them. */
const seen = (emulator: Emulator.Emulator, rewraps: Screen.Rewraps) =>
  rewraps === "none"
    ? Emulator.rows(emulator)
        .filter(({ isWrapped }) => !isWrapped)
        .map(({ text }) => label(text))
    : Emulator.lines(emulator)

const scripts = (rewraps: Screen.Rewraps, most: number, columns: number, rows: number) =>
  script(most, columns, rows).map((steps) => (rewraps === "all" ? steps.map(atEnd) : steps))

describe.each(kinds)("on a terminal that wraps anew: %s", (rewraps) => {
  // Three live rows of 199 columns take 27 rows of 24, so no resize pushes any out of the top.
  it.effect.prop(
    "each printed line is there once, in order, and then the live rows, whole and in their place",
    [size(24, 30), scripts(rewraps, 3, 24, 30)],
    ([start, steps]) =>
      follow(rewraps, start, steps, (emulator, printed, screen) => {
        expectLive(emulator, screen)
        const expected = [...printed, ...live(screen)]
        expect(seen(emulator, rewraps)).toEqual(rewraps === "none" ? expected.map(label) : expected)
      }),
    { fastCheck: { numRuns: 20 } }
  )

  // Live rows that a resize pushed out of the top are beyond reach and stay: nothing that was printed is lost for it. But
  // xterm.js moves the cursor where the live rows are as many as the terminal's, and then a printed row may go with them.
  const [columns, rows] = rewraps === "others" ? [20, 6] : [4, 3]
  it.effect.prop(
    "each printed line is there once, in order, and the live rows come last, however small it is",
    [size(columns, rows), scripts(rewraps, rewraps === "others" ? 4 : 8, columns, rows)],
    ([start, steps]) =>
      follow(rewraps, start, steps, (emulator, printed, screen) => {
        expectLive(emulator, screen)
        const found = seen(emulator, rewraps).filter((line) => line.startsWith("#"))
        if (rewraps === "none") expect(found.length).toBe(printed.length)
        else expect(found).toEqual(printed)
      }),
    { fastCheck: { numRuns: 20 } }
  )
})

const wide: Screen.Size = { columns: 40, rows: 10 }
const narrow: Screen.Size = { columns: 15, rows: 10 }
const typed = (...rows: ReadonlyArray<string>): Screen.Frame => ({
  rows,
  cursor: { row: rows.length - 1, column: Cells.width(rows.at(-1) ?? "") }
})
const three = ["#one", "#two", "#three"]
const long = `=${"status ".repeat(5)}`.trimEnd()

describe("a terminal that was taken for another", () => {
  it.effect("loses no more lines than live rows would have been added", () =>
    Effect.gen(function* () {
      const emulator = Emulator.make(wide, "none")
      const [screen, output] = Screen.draw(Screen.make("all"), three, typed(long, "> "), wide)
      yield* emulator.write(output)
      emulator.resize(narrow)
      yield* emulator.write(Screen.draw(screen, [], typed("=status", "> "), narrow)[1])
      // The status would have taken three rows, so two.
      expect(Cells.rewrapped(long, narrow.columns).rows).toBe(3)
      expect(Emulator.lines(emulator)).toEqual(["#one", "=status", "> "])
    })
  )

  it.effect("keeps live rows where it does wrap", () =>
    Effect.gen(function* () {
      const emulator = Emulator.make(wide, "all")
      const [screen, output] = Screen.draw(Screen.make("none"), three, typed(long, "> "), wide)
      yield* emulator.write(output)
      emulator.resize(narrow)
      yield* emulator.write(Screen.draw(screen, [], typed("=status", "> "), narrow)[1])
      expect(Emulator.lines(emulator).slice(0, 3)).toEqual(three)
      expect(Emulator.lines(emulator).slice(-2)).toEqual(["=status", "> "])
    })
  )

  it.each<[Screen.Rewraps, Record<string, string>]>([
    ["all", {}],
    ["all", { TERM: "xterm-256color" }],
    [
      "all",
      { TERM: "screen-256color", TMUX: "/run/tmux/default,1,0", TERM_PROGRAM: "tmux", XTERM_VERSION: "XTerm(379)" }
    ],
    ["others", { TERM_PROGRAM: "vscode" }],
    ["none", { TERM: "xterm", XTERM_VERSION: "XTerm(379)" }],
    ["none", { TERM: "screen", STY: "1.pts-0" }],
    ["none", { TERM: "linux" }]
  ])("wraps %s by its environment %o", (rewraps, environment) => {
    expect(Screen.rewraps(environment)).toBe(rewraps)
  })
})

describe("drawing", () => {
  it("writes nothing where nothing changed", () => {
    const [screen, output] = Screen.draw(Screen.make("all"), [], typed("> "), wide)
    expect(output).not.toBe("")
    expect(Screen.draw(screen, [], typed("> "), wide)).toEqual([screen, ""])
    expect(Screen.draw(screen, [], typed("> a"), wide)[1]).not.toBe("")
    expect(Screen.draw(screen, [], typed("> "), narrow)[1]).not.toBe("")
    expect(Screen.draw(Screen.make("all"), [], { rows: [] }, wide)[1]).toBe("")
    const [left] = Screen.leave(screen, wide)
    expect(Screen.leave(left, wide)[1]).toBe("")
  })

  it("is one synchronized update, with the cursor shown at its end where the frame has one", () => {
    const [screen, output] = Screen.draw(Screen.make("all"), three, typed("> "), wide)
    expect(output.startsWith("\x1b[?2026h\x1b[?25l")).toBe(true)
    expect(output.endsWith("\x1b[?25h\x1b[?2026l")).toBe(true)
    const [hidden, without] = Screen.draw(screen, [], { rows: ["="] }, wide)
    expect(without).not.toContain("\x1b[?25h")
    expect(Screen.draw(hidden, [], { rows: [] }, wide)[1]).toContain("\x1b[?25h")
    expect(Screen.leave(hidden, wide)[1]).toContain("\x1b[?25h")
  })

  it.effect("shows the last rows of a frame that is higher than the terminal, and always the cursor's", () =>
    Effect.gen(function* () {
      const emulator = Emulator.make(wide, "all")
      const rows = Array.from({ length: 30 }, (_, index) => `=${index}`)
      const [screen, output] = Screen.draw(Screen.make("all"), three, typed(...rows), wide)
      yield* emulator.write(output)
      expect(Emulator.lines(emulator)).toEqual([...three, ...rows.slice(-9)])
      yield* emulator.write(Screen.draw(screen, [], { rows, cursor: { row: 4, column: 1 } }, wide)[1])
      expect(Emulator.lines(emulator)).toEqual([...three, ...rows.slice(4, 13)])
      expect(Emulator.cursor(emulator)).toEqual({ row: 3, column: 1 })
    })
  )

  it.effect("clears what is seen and keeps it in the scrollback, without empty rows between", () =>
    Effect.gen(function* () {
      const emulator = Emulator.make(wide, "all")
      const [screen, output] = Screen.draw(Screen.make("all"), three, typed("=", "> hello"), wide)
      yield* emulator.write(output)
      const [cleared, clearing] = Screen.clear(screen, typed("=", "> hello"), wide)
      yield* emulator.write(clearing)
      expect(emulator.terminal.buffer.active.baseY).toBe(3)
      expect(Emulator.cursor(emulator)).toEqual({ row: 4, column: 7 })
      yield* emulator.write(Screen.draw(cleared, ["#four"], typed("=", "> hello"), wide)[1])
      expect(Emulator.lines(emulator)).toEqual([...three, "#four", "=", "> hello"])
    })
  )

  it.effect("makes room for another program, and goes on behind what that wrote", () =>
    Effect.gen(function* () {
      const emulator = Emulator.make(wide, "all")
      const [screen, output] = Screen.draw(Screen.make("all"), three, typed("=", "> hello"), wide)
      yield* emulator.write(output)
      const [left, leaving] = Screen.leave(screen, wide)
      yield* emulator.write(leaving)
      expect(Emulator.lines(emulator)).toEqual(three)
      expect(Emulator.cursor(emulator)).toEqual({ row: 3, column: 0 })
      yield* emulator.write("$ fg\r\n")
      yield* emulator.write(Screen.draw(left, [], typed("=", "> hello"), wide)[1])
      expect(Emulator.lines(emulator)).toEqual([...three, "$ fg", "=", "> hello"])
    })
  )

  // xterm.js without its addon has the widths of Unicode 6: an emoji takes one column, a family as many as its members.
  it.effect.prop(
    "keeps every live row in a row, whatever the terminal takes for the width of its characters",
    [
      fc.array(
        fc.array(fc.constantFrom("a", "👨‍👩‍👧‍👦", "👍🏽", "❤️", "🇳🇱", "क्ष", "กำ", "각", "…", "\u3000", "🫠"), {
          maxLength: 60
        }),
        {
          minLength: 1,
          maxLength: 5
        }
      )
    ],
    ([frames]) =>
      Effect.gen(function* () {
        const emulator = Emulator.make(wide, "all")
        let screen = Screen.make("all")
        for (const [index, letters] of frames.entries()) {
          const [next, output] = Screen.draw(screen, [`#${index}`], typed("=", letters.join(""), "="), wide)
          screen = next
          yield* emulator.write(output)
          const rows = Emulator.rows(emulator)
          expect(rows.some(({ isWrapped }) => isWrapped)).toBe(false)
          expect(rows.map(({ text }) => text).filter((text) => text.startsWith("#"))).toEqual(
            frames.slice(0, index + 1).map((_, index) => `#${index}`)
          )
          expect(rows.length).toBe(index + 1 + 3)
        }
        return true
      }),
    { fastCheck: { numRuns: 20 } }
  )

  it.effect("leaves colours, modes and title as they were", () =>
    Effect.gen(function* () {
      const emulator = Emulator.make(wide, "all")
      const before = { ...emulator.terminal.modes }
      let titled = false
      emulator.terminal.onTitleChange(() => {
        titled = true
      })
      const red = "\x1b[31m\x1b[1mrot 漢"
      const [screen, output] = Screen.draw(Screen.make("all"), [red], typed(red, `${red}${red.repeat(9)}`), wide)
      yield* emulator.write(output)
      yield* emulator.write(`${Screen.leave(screen, wide)[1]}x`)
      const cell = emulator.terminal.buffer.active.getLine(1)?.getCell(0)
      expect([cell?.getChars(), cell?.isAttributeDefault()]).toEqual(["x", true])
      expect({ ...emulator.terminal.modes }).toEqual(before)
      expect(titled).toBe(false)
    })
  )
})
