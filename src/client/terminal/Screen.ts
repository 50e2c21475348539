/**
 * Drawing inline, under what the terminal has scrolled. Printed lines are never touched again; the live rows below them
 * are erased and drawn anew. What is on the screen is a value, and drawing gives the next one with what to write.
 *
 * All moves but those of `clear` are relative to the cursor, so how many rows above it the live ones begin must be known.
 * The terminal may be resized at any time, and most then wrap anew what they show; see `Rewraps`. Write each result
 * whole and in order, and ask for the size (`getWindowSize` of a `tty.WriteStream`) just before each drawing.
 */
import * as Cells from "./Cells.js"

/** The live rows, styled, each in a row of the terminal (what is too long is cut), and where the cursor stands. */
export interface Frame {
  readonly rows: ReadonlyArray<string>
  /** Within the row, or behind its end. Without it the cursor is hidden. */
  readonly cursor?: Cells.Block["cursor"]
}

export interface Size {
  readonly columns: number
  readonly rows: number
}

/**
 * What a terminal does with its rows when its width changes. `all`: wraps them anew; most do. `others`: all but the row
 * with the cursor, which is cut (xterm.js, so Visual Studio Code); of a terminal that is hardly higher than the live area a
 * printed row may be erased with it. `none`: cuts them (xterm, Linux's console, GNU screen).
 *
 * Where it is told wrong, rows of an earlier live area stay behind, or printed rows are erased: as many as the rows above
 * the cursor would be more, wrapped at the new width. The same where the terminal was narrowed and what was drawn for the
 * old width came to it later.
 */
export type Rewraps = "all" | "others" | "none"

/** What is on the terminal of ours. */
export interface Screen {
  readonly rewraps: Rewraps
  /** What was drawn last, as it was cut to the size of then. */
  readonly drawn: { readonly frame: Frame; readonly size: Size } | undefined
}

/** What the terminal does, by what it tells of itself in the environment. */
export const rewraps = (environment: Readonly<Record<string, string | undefined>>): Rewraps => {
  // tmux wraps anew, whatever it runs in, and says `screen` as well.
  if (environment.TMUX !== undefined) return "all"
  if (environment.STY !== undefined || environment.TERM === "linux") return "none"
  if (environment.TERM_PROGRAM === "vscode") return "others"
  return environment.XTERM_VERSION === undefined ? "all" : "none"
}

/** Nothing is drawn yet, and the cursor is at the beginning of a row. */
export const make = (rewraps: Rewraps): Screen => ({ rewraps, drawn: undefined })

const begin = "\x1b[?2026h\x1b[?25l"
const end = "\x1b[?2026l"
const showCursor = "\x1b[?25h"

/**
 * Erases the row of the cursor and all below. From the second column: tmux takes an erasure that begins at the very first
 * place for a clearing of the screen, and keeps what was there in its history.
 */
const erase = "\r\x1b[K\x1b[C\x1b[J\r"

const move = (count: number, direction: "A" | "B" | "C"): string => (count > 0 ? `\x1b[${count}${direction}` : "")

/** The frame as it fits: no row wider than the terminal less one, nor as many rows as it has; the last ones, but the cursor's. */
const fitted = (frame: Frame, { columns, rows }: Size): Frame => {
  const most = Math.max(1, rows - 1)
  const { cursor } = frame
  const last = Math.max(0, frame.rows.length - most)
  const from = cursor === undefined ? last : Math.min(last, cursor.row)
  const shown = frame.rows.slice(from, from + most).map((row) => Cells.cut(row, columns - 1))
  if (cursor === undefined || shown.length === 0) return { rows: shown }
  const row = Math.min(cursor.row - from, shown.length - 1)
  return { rows: shown, cursor: { row, column: Math.min(cursor.column, Cells.width(shown[row] ?? "")) } }
}

/** Where the cursor was left: at the beginning of the last row where none is shown. */
const resting = ({ rows, cursor }: Frame): Cells.Block["cursor"] => cursor ?? { row: rows.length - 1, column: 0 }

/** How many rows of the terminal, as wide as it is now, are above the cursor and of the live area. */
const above = ({ drawn, rewraps }: Screen, { columns }: Size): number => {
  if (drawn === undefined || drawn.frame.rows.length === 0) return 0
  const { row, column } = resting(drawn.frame)
  if (rewraps === "none" || columns >= drawn.size.columns) return row
  return drawn.frame.rows.reduce((count, text, index) => {
    if (index === row) return rewraps === "all" ? count + Cells.rewrapped(text, columns, column).row : count
    const { rows } = Cells.rewrapped(text, columns)
    if (index < row) return count + rows
    // xterm.js moves the cursor down for what grows below it, too.
    return rewraps === "others" ? count + rows - 1 : count
  }, 0)
}

/** Goes to where the live area begins, and erases it. */
const erased = (screen: Screen, size: Size): string =>
  screen.drawn === undefined ? "" : `\r${move(above(screen, size), "A")}${erase}`

/** A row whose width terminals may take for another is kept from wrapping. */
const unwrapped = (row: string): string => (Cells.isPlain(row) ? row : `\x1b[?7l${row}\x1b[?7h`)

/** The live rows, from where the cursor is, and the cursor in its place. */
const live = (frame: Frame): string => {
  const { row, column } = resting(frame)
  const text = Cells.head(frame.rows[row] ?? "", column)
  // Written once more, the text takes the cursor to where the terminal itself sees its end.
  const across = Cells.isPlain(text) ? move(column, "C") : unwrapped(text)
  return `${frame.rows.map(unwrapped).join("\r\n")}\r${move(frame.rows.length - 1 - row, "A")}${across}`
}

const same = (a: Frame, b: Frame): boolean =>
  a.cursor?.row === b.cursor?.row &&
  a.cursor?.column === b.cursor?.column &&
  a.rows.length === b.rows.length &&
  a.rows.every((row, index) => row === b.rows[index])

/**
 * Prints `lines` (styled; each of one line, as long as they like: the terminal wraps them) and draws `frame` below them.
 * Nothing is written where nothing changed.
 */
export const draw = (
  screen: Screen,
  lines: ReadonlyArray<string>,
  frame: Frame,
  size: Size
): readonly [Screen, string] => {
  const { drawn } = screen
  const next = fitted(frame, size)
  const sameSize = drawn !== undefined && drawn.size.columns === size.columns && drawn.size.rows === size.rows
  if (lines.length === 0 && (drawn === undefined ? next.rows.length === 0 : sameSize && same(drawn.frame, next))) {
    return [screen, ""]
  }
  return [{ ...screen, drawn: { frame: next, size } }, begin + erased(screen, size) + print(lines) + place(next) + end]
}

const print = (lines: ReadonlyArray<string>): string =>
  lines.map((line) => (line.includes("\x1b") ? `${line}\x1b[0m\r\n` : `${line}\r\n`)).join("")

const place = (frame: Frame): string =>
  frame.rows.length === 0 ? showCursor : live(frame) + (frame.cursor === undefined ? "" : showCursor)

/**
 * Draws at the top of an empty screen. What was printed goes up, out of sight: the terminal keeps it.
 */
export const clear = (screen: Screen, frame: Frame, size: Size): readonly [Screen, string] => {
  const next = fitted(frame, size)
  // As many lines as this push out just what is above the cursor, wherever it is.
  const up = "\n".repeat(Math.max(0, size.rows - 1))
  return [{ ...screen, drawn: { frame: next, size } }, `${begin}${erased(screen, size)}${up}\x1b[H${place(next)}${end}`]
}

/**
 * Erases the live rows and shows the cursor, at the beginning of the row where they began: at the end, before the process
 * stops (Ctrl-Z), and before something else is to write. The next drawing begins where the cursor is then.
 */
export const leave = (screen: Screen, size: Size): readonly [Screen, string] => [
  make(screen.rewraps),
  screen.drawn === undefined ? "" : begin + erased(screen, size) + showCursor + end
]
