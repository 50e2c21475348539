/** A terminal emulator, to see what a user would: xterm.js without a window. */

// A CommonJS module: its names are on its default export.
import xterm from "@xterm/headless"
import * as Effect from "effect/Effect"
import type { Rewraps, Size } from "../../src/client/terminal/Screen.js"

/** What is on it. */
export interface Emulator {
  readonly terminal: xterm.Terminal
  readonly write: (text: string) => Effect.Effect<void>
  readonly resize: (size: Size) => void
}

/** How xterm.js is told to behave as each kind of terminal does. */
const options: Record<Rewraps, xterm.ITerminalOptions> = {
  all: { reflowCursorLine: true },
  others: {},
  // As on an old Windows, where xterm.js wraps nothing anew.
  none: { windowsPty: { backend: "winpty", buildNumber: 1 } }
}

export const make = (size: Size, rewraps: Rewraps): Emulator => {
  const terminal = new xterm.Terminal({
    cols: size.columns,
    rows: size.rows,
    scrollback: 200_000,
    allowProposedApi: true,
    ...options[rewraps]
  })
  return {
    terminal,
    write: (text) => Effect.async<void>((resume) => terminal.write(text, () => resume(Effect.void))),
    resize: ({ columns, rows }) => terminal.resize(columns, rows)
  }
}

/** A row that was written whole, or one that goes on where the one before was full. */
export interface Row {
  readonly text: string
  readonly isWrapped: boolean
}

/** All rows without spaces at their ends, scrollback included, less the empty ones at the end. */
export const rows = ({ terminal }: Emulator): ReadonlyArray<Row> => {
  const { active } = terminal.buffer
  const found = Array.from({ length: active.length }, (_, index): Row => {
    const line = active.getLine(index)
    return {
      text: (line?.translateToString(true, 0, terminal.cols) ?? "").trimEnd(),
      isWrapped: line?.isWrapped ?? false
    }
  })
  return found.slice(0, found.findLastIndex(({ text }) => text !== "") + 1)
}

/** What was written on a row, spaces at its end included. */
const written = (line: xterm.IBufferLine, columns: number): string => {
  let end = columns
  // A cell that was never written has no character, as the second one of a wide character, which has no width.
  while (end > 0 && line.getCell(end - 1)?.getChars() === "" && line.getCell(end - 1)?.getWidth() !== 0) end--
  return line.translateToString(false, 0, end)
}

/** All lines, each with the rows that it goes on on, less the empty ones at the end. */
export const lines = ({ terminal }: Emulator): ReadonlyArray<string> => {
  const { active } = terminal.buffer
  const joined: Array<string> = []
  for (let index = 0; index < active.length; index++) {
    const line = active.getLine(index)
    if (line === undefined) continue
    joined.push((line.isWrapped ? (joined.pop() ?? "") : "") + written(line, terminal.cols))
  }
  return joined.slice(0, joined.findLastIndex((text) => text !== "") + 1)
}

/** Where the cursor is: `row` counts from the first of all rows. */
export const cursor = ({ terminal }: Emulator): { readonly row: number; readonly column: number } => {
  const { active } = terminal.buffer
  return { row: active.baseY + active.cursorY, column: active.cursorX }
}
