/** How what is shown is set off: colours and weights, as far as the terminal has them. */
import * as Nickname from "../../domain/Nickname.js"

/** Gives text its look, and ends just that behind it. What is styled within keeps its own. */
export type Paint = (text: string) => string

/** The looks there are. */
export interface Style {
  /** The steady colour of a nick, whatever its case. */
  readonly nick: (nick: string) => Paint
  /** The reader's own nick. */
  readonly own: Paint
  /** What calls the reader by name. */
  readonly mention: Paint
  readonly dim: Paint
  readonly bold: Paint
  readonly warning: Paint
}

/**
 * Colours of nicks, as numbers of the 256 that xterm has: those of its cube that have a contrast of at least 3:1 on black
 * and on white, less those that are nearly grey or nearly another.
 */
export const palette: ReadonlyArray<number> = [
  167, 166, 130, 137, 94, 136, 100, 64, 28, 65, 29, 30, 66, 31, 32, 25, 67, 27, 69, 61, 63, 99, 97, 135, 92, 134, 171,
  127, 133, 163, 169, 162, 168, 161, 132
]

/** The same of the 16 basic ones, as SGR parameters: red, magenta, bright red, bright blue, bright magenta. */
export const basic: ReadonlyArray<number> = [31, 35, 91, 94, 95]

const plain: Paint = (text) => text

const paint = (begin: string, end: string): Paint => {
  const open = `\x1b[${begin}m`
  const close = `\x1b[${end}m`
  // What is styled within may end the same attribute: it begins anew behind that.
  return (text) => (text === "" ? "" : open + text.replaceAll(close, close + open) + close)
}

const bold = paint("1", "22")
const mention = paint("7", "27")

/** FNV-1a: spreads similar nicks. */
const hash = (text: string): number => {
  let value = 0x811c9dc5
  for (let index = 0; index < text.length; index++) value = Math.imul(value ^ text.charCodeAt(index), 0x01000193)
  // The low bits of it hardly depend on the last character's high ones.
  return (value ^ (value >>> 15)) >>> 0
}

const coloured = (colours: ReadonlyArray<string>, dim: Paint, warning: Paint): Style => {
  const paints = colours.map((colour) => paint(colour, "39"))
  return {
    nick: (nick) => paints[hash(Nickname.fold(nick)) % paints.length] ?? plain,
    own: bold,
    mention,
    dim,
    bold,
    warning
  }
}

const without: Style = { nick: () => plain, own: plain, mention: plain, dim: plain, bold: plain, warning: plain }
const few = coloured(basic.map(String), paint("2", "22"), paint("31", "39"))
// A grey of its own is readable, where what terminals make of faint is not always.
const many = coloured(
  palette.map((colour) => `38;5;${colour}`),
  paint("38;5;102", "39"),
  paint("38;5;160", "39")
)

/** The looks for a terminal of `depth` bits of colour, as `getColorDepth` of a `tty.WriteStream` tells: 1, 4, 8 or 24. */
export const make = (depth: number): Style => (depth < 4 ? without : depth < 8 ? few : many)
