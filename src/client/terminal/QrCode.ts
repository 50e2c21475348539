/** A text as a QR code on a terminal, for a phone to read. */
import { encode } from "uqr"

/** Light modules around the code. The standard wants 4; readers find it with 2, and terminals are small. */
const quiet = 2

// Black on white in so many words, whatever the terminal's own colours are: not every reader takes white on black.
const colours = (depth: number): string =>
  depth >= 24 ? "\x1b[38;2;0;0;0;48;2;255;255;255m" : depth >= 8 ? "\x1b[38;5;16;48;5;231m" : "\x1b[30;107m"
const reset = "\x1b[0m"

/** The modules of `text`'s code with the light ones around it, row by row; true is dark. */
export const modules = (text: string): ReadonlyArray<ReadonlyArray<boolean>> =>
  encode(text, { ecc: "L", border: quiet }).data

/**
 * The code as rows of half blocks, two modules to a character; none when `columns` are too few. `depth` is the terminal's
 * colours in bits; without any (1) light modules are drawn in the colour of letters, which is right where
 * letters are light on dark; on the other ground it is inverted, and most phones read that too.
 */
export const rows = (text: string, columns: number, depth: number): ReadonlyArray<string> => {
  const dark = modules(text)
  const width = dark[0]?.length ?? 0
  if (width > columns) return []
  const plain = depth < 4
  const blocks = plain
    ? { both: " ", upper: "▄", lower: "▀", none: "█" }
    : { both: "█", upper: "▀", lower: "▄", none: " " }
  const [before, after] = plain ? ["", ""] : [colours(depth), reset]
  return Array.from({ length: Math.ceil(dark.length / 2) }, (_, row) => {
    const upper = dark[2 * row] ?? []
    // Where the rows are odd in number the last has light ones below.
    const lower = dark[2 * row + 1] ?? []
    const line = Array.from({ length: width }, (_, column) => {
      if (upper[column] === true) return lower[column] === true ? blocks.both : blocks.upper
      return lower[column] === true ? blocks.lower : blocks.none
    })
    return before + line.join("") + after
  })
}
