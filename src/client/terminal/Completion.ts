/** What the word before the cursor may become: a command, or the nick of somebody here. */
import * as Order from "effect/Order"
import * as Nickname from "../../domain/Nickname.js"

/** What there is to choose from. */
export interface Context {
  /** The nicks that may be meant; whoever asks leaves out their own. */
  readonly nicks: ReadonlyArray<string>
  /** The commands, without their slashes. */
  readonly commands: ReadonlyArray<string>
  /** The words that may follow a command; none where nicks or a text do. */
  readonly wordsOf: (command: string) => ReadonlyArray<string> | undefined
}

/** Options for what stands from `from` up to the cursor, sorted. Each ends as one would go on typing. */
export interface Completion {
  readonly from: number
  readonly options: ReadonlyArray<string>
}

/** Finds what may become of the end of a text, which is what stands before the cursor. */
export type Find = (before: string) => Completion

const { fold } = Nickname

const sorted = Order.combine(
  Order.mapInput(Order.string, (name: string) => fold(name)),
  Order.string
)

const starting = (prefix: string, names: ReadonlyArray<string>): ReadonlyArray<string> => {
  const folded = fold(prefix)
  return names.filter((name) => fold(name).startsWith(folded)).sort(sorted)
}

/**
 * After a slash at the start of the text it is commands (two slashes say one: no command) and then the words that one
 * takes, elsewhere nicks: `nick: ` at the start of a line, which speaks to somebody, and `nick ` in a line. Case does not
 * matter. No letter, no nick.
 */
export const find = (before: string, { commands, nicks, wordsOf }: Context): Completion => {
  const command = /^\/([^\s/]*)$/.exec(before)?.[1]
  if (command !== undefined) return { from: 0, options: starting(command, commands).map((name) => `/${name} `) }
  const [, start = "", name = "", word = ""] = /^(\/(\S+)\s+)(\S*)$/.exec(before) ?? []
  const words = wordsOf(fold(name))
  if (words !== undefined) return { from: start.length, options: starting(word, words) }
  // Looked for from the end: a pattern that may start anywhere would try each place of a long word.
  let from = before.length
  while (from > 0 && !/\s/.test(before.charAt(from - 1))) from -= 1
  if (from === before.length) return { from, options: [] }
  const end = from === 0 || before[from - 1] === "\n" ? ": " : " "
  return { from, options: starting(before.slice(from), nicks).map((nick) => `${nick}${end}`) }
}
