/**
 * Text as a terminal shows it, in columns. Styled text is text with SGR sequences (`\x1b[…m`) in it, which take no
 * column; it may hold no other control, save what is said of each function.
 *
 * What is shown is not always what was written: a cell gets at most eight marks, since a pile of hundreds would spill
 * over its neighbours, and a cluster longer than those of any language is taken apart. Only what is shown is cut:
 * `graphemes` gives the text as it is, for those who edit it.
 */
import stringWidth from "string-width"
import { harmless } from "./Display.js"

/** Rows of text, and where the cursor stands in them: `row` of the rows and `column`, both from 0. */
export interface Block {
  readonly rows: ReadonlyArray<string>
  readonly cursor: { readonly row: number; readonly column: number }
}

const segmenter = new Intl.Segmenter()
const printable = /^[\x20-\x7e]*$/
const styles = /\x1b\[[\d;:]*m/g

/** Marks shown on one base, and code points of a cluster that is shown as one. The longest emoji has ten. */
const marksShown = 8
const clusterLongest = 16

/** The text's graphemes, which are what a reader takes for one character. */
export const graphemes = (text: string): ReadonlyArray<string> =>
  printable.test(text) ? text.split("") : Array.from(segmenter.segment(text), ({ segment }) => segment)

/**
 * Terminals show letters of one cluster side by side, if their font does not join them: Devanagari's conjuncts, Thai's
 * vowels. string-width counts the first alone. Jamo do join everywhere.
 */
const measure = (grapheme: string): number => {
  const letters = grapheme.match(/(?![\u1100-\u11ff\ua960-\ua97c\ud7b0-\ud7fb])\p{Lo}/gu)
  if (letters === null || letters.length < 2) return stringWidth(grapheme)
  return Array.from(grapheme).reduce((columns, character) => columns + stringWidth(character), 0)
}

// string-width takes about two microseconds a grapheme, and texts use few different ones.
const measured = new Map<string, number>()
const measuredMost = 4_096

const columnsOf = (grapheme: string): number => {
  if (grapheme.length === 1 && grapheme >= " " && grapheme <= "~") return 1
  const known = measured.get(grapheme)
  if (known !== undefined) return known
  const columns = measure(grapheme)
  if (measured.size === measuredMost) measured.clear()
  measured.set(grapheme, columns)
  return columns
}

/** What is shown as one: a cluster with its columns, or a style, which has none. */
interface Cell {
  readonly text: string
  readonly columns: number
  readonly style: boolean
}

const cell = (text: string): Cell => ({ text, columns: columnsOf(text), style: false })

/** A cluster as it is shown: mostly one cell. */
const shown = (grapheme: string): ReadonlyArray<Cell> => {
  if (grapheme.length <= 2) return [cell(grapheme)]
  let marks = 0
  const characters = Array.from(grapheme).filter((character) => !/\p{M}/u.test(character) || ++marks <= marksShown)
  return characters.length > clusterLongest ? characters.map(cell) : [cell(characters.join(""))]
}

/** The cells of text without styles. */
const plainCells = (text: string): ReadonlyArray<Cell> =>
  printable.test(text) ? text.split("").map(cell) : graphemes(text.toWellFormed()).flatMap(shown)

/** The cells of styled text. */
const cells = (text: string): ReadonlyArray<Cell> => {
  if (!text.includes("\x1b")) return plainCells(text)
  const found: Array<Cell> = []
  let from = 0
  for (const { 0: style, index } of text.matchAll(styles)) {
    found.push(...plainCells(text.slice(from, index)), { text: style, columns: 0, style: true })
    from = index + style.length
  }
  found.push(...plainCells(text.slice(from)))
  return found
}

const unstyled = (text: string): string => (text.includes("\x1b") ? text.replace(styles, "") : text)

/** Whether each character of styled text is one column wide, whatever the terminal. */
export const isPlain = (text: string): boolean => printable.test(unstyled(text))

/** Columns that styled text takes. */
export const width = (text: string): number => {
  const bare = unstyled(text)
  return printable.test(bare) ? bare.length : plainCells(bare).reduce((sum, { columns }) => sum + columns, 0)
}

/** The attributes in force, by what ends each: colour and background have one end, bold and dim share theirs. */
type Style = ReadonlyMap<string, string>

const none: Style = new Map()

const endOf = (parameter: number): string => {
  if (parameter <= 2) return "22"
  if (parameter <= 9) return String(parameter === 6 ? 25 : parameter + 20)
  if (parameter >= 40 && parameter <= 48) return "49"
  if (parameter >= 100) return "49"
  return "39"
}

/** The style after one more sequence, which begins or ends one attribute, or ends all. */
const styled = (style: Style, sequence: string): Style => {
  const parameters = sequence.slice(2, -1)
  if (parameters === "" || parameters === "0") return none
  const next = new Map(style)
  const first = Number.parseInt(parameters, 10)
  if ((first >= 22 && first <= 29) || first === 39 || first === 49) {
    for (const [key] of style) if (key.startsWith(parameters)) next.delete(key)
  } else {
    const end = endOf(first)
    // Bold does not end dim.
    const key = end === "22" ? `22 ${first}` : end
    next.delete(key)
    next.set(key, sequence)
  }
  return next
}

const opened = (style: Style): string => Array.from(style.values()).join("")
const closed = (style: Style): string =>
  Array.from(new Set(Array.from(style.keys(), (key) => `\x1b[${key.slice(0, 2)}m`)))
    .reverse()
    .join("")

/**
 * Breaks styled text into rows of at most `columns`, at spaces; further rows are indented by `indent` columns (half of
 * a row at most). A word longer than a row is broken where the row ends, but a link (it holds `://`) is left whole on a
 * row of its own: the terminal wraps it, and it can still be opened and copied. Newlines end rows as well. No style
 * reaches over the end of a row.
 */
export const wrap = (text: string, columns: number, indent: number): ReadonlyArray<string> => {
  const limit = Math.max(1, columns)
  if (text.length <= limit && printable.test(text)) return [text]
  const hang = Math.min(indent, limit >> 1)
  const rows: Array<string> = []
  let style = none
  let row = ""
  let start = 0
  let used = 0
  const append = ({ text, columns, style: isStyle }: Cell) => {
    row += text
    used += columns
    if (isStyle) style = styled(style, text)
  }
  const end = () => {
    rows.push(row + closed(style))
    row = " ".repeat(hang) + opened(style)
    start = used = hang
  }
  let spaces: Array<Cell> = []
  let word: Array<Cell> = []
  const put = () => {
    const spaceColumns = spaces.reduce((sum, { columns }) => sum + columns, 0)
    const wordColumns = word.reduce((sum, { columns }) => sum + columns, 0)
    const isLink =
      wordColumns > limit - hang &&
      word
        .map(({ text }) => text)
        .join("")
        .includes("://")
    const isLong = wordColumns > limit - hang && !isLink
    if (used + spaceColumns + (isLong ? 1 : wordColumns) <= limit) spaces.forEach(append)
    else {
      // Spaces at a break are not shown; what styles they hold counts.
      for (const space of spaces) if (space.style) append(space)
      if (used > start) end()
    }
    for (const each of word) {
      if (isLong && used > start && used + each.columns > limit) end()
      append(each)
    }
    // What the terminal makes of a link's rows is not known: the next word begins a row.
    if (isLink) used = limit
    spaces = []
    word = []
  }
  for (const each of cells(text)) {
    if (each.text === "\n") {
      put()
      end()
    } else if (each.style) (word.length > 0 ? word : spaces).push(each)
    else if (each.text === " ") {
      if (word.length > 0) put()
      spaces.push(each)
    } else word.push(each)
  }
  put()
  rows.push(row + closed(style))
  return rows
}

/** As much of the beginning of styled text as fits into `columns`, its styles ended. */
export const head = (text: string, columns: number): string => {
  if (printable.test(text)) return text.slice(0, Math.max(0, columns))
  let style = none
  let row = ""
  let used = 0
  for (const each of cells(text)) {
    if (used + each.columns > columns) break
    row += each.text
    used += each.columns
    if (each.style) style = styled(style, each.text)
  }
  return row + closed(style)
}

/** Styled text in at most `columns`: what is too long ends with `…`. */
export const cut = (text: string, columns: number): string => {
  if (width(text) <= columns) return head(text, columns)
  return columns < 1 ? "" : `${head(text, columns - 1)}…`
}

/**
 * The rows that a terminal of `columns` makes of a text that it wraps (or wraps anew), and where in them is what stood at
 * `column`: of how many rows, and which.
 */
export const rewrapped = (
  text: string,
  columns: number,
  column = 0
): { readonly rows: number; readonly row: number } => {
  let rows = 1
  let used = 0
  let before = 0
  let row = column === 0 ? 0 : undefined
  for (const each of cells(text)) {
    if (each.columns > 0 && used > 0 && used + each.columns > columns) {
      rows++
      used = 0
    }
    if (row === undefined && each.columns > 0 && before >= column) row = rows - 1
    used += each.columns
    before += each.columns
  }
  return { rows, row: row ?? rows - 1 }
}

/** A place for a new line or a tab in what is typed. */
const newline = /^\r?\n$|^\r$/
const tab = Array.from("    ", cell)

/**
 * What is typed, as rows of at most `columns - 1` (so that a cursor behind a full row has a place), `prompt` before the
 * first and as much space before the others; where there is no room for it there is none. `cursor` is an offset into
 * `text`, in UTF-16 units. Tabs are shown as four spaces, other controls as `^X`.
 */
export const layout = (text: string, cursor: number, columns: number, prompt: string): Block => {
  const limit = Math.max(1, columns - 1)
  const lead = limit - width(prompt) < 2 ? "" : prompt
  const indent = width(lead)
  const rows: Array<string> = []
  let row = lead
  let used = indent
  let at = 0
  let place: Block["cursor"] | undefined
  const end = () => {
    rows.push(row)
    row = " ".repeat(indent)
    used = indent
  }
  for (const grapheme of graphemes(text)) {
    const here = place === undefined && cursor < at + grapheme.length
    at += grapheme.length
    if (newline.test(grapheme)) {
      if (here) place = { row: rows.length, column: used }
      end()
      continue
    }
    const parts = grapheme === "\t" ? tab : plainCells(harmless(grapheme))
    parts.forEach((part, index) => {
      // In a terminal narrower than a character something stands for it.
      const { text, columns } = part.columns > limit - indent ? { text: "…", columns: 1 } : part
      if (used + columns > limit) end()
      if (here && index === 0) place = { row: rows.length, column: used }
      row += text
      used += columns
    })
  }
  place ??= { row: rows.length, column: used }
  rows.push(row)
  return { rows, cursor: { row: place.row, column: Math.min(place.column, Math.max(0, columns - 1)) } }
}

/** At most `rows` rows of a block: those around its cursor. */
export const window = (block: Block, rows: number): Block => {
  const count = Math.max(1, rows)
  const { row, column } = block.cursor
  const from = Math.max(0, Math.min(row - (count >> 1), block.rows.length - count))
  return { rows: block.rows.slice(from, from + count), cursor: { row: row - from, column } }
}
