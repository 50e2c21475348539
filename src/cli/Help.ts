/** What @effect/cli makes for `--help`, mended. */
import { stripVTControlCharacters } from "node:util"

/** What this command is called where help begins. */
export const name = "fernet-chat"

/** Of the list of subcommands one: how it is used, and what it does. */
const entry = /^ {2}- (\S.*?) {2,}(\S.*)$/

/** A line in rows of at most `columns`, the further ones indented; words stay whole. */
const wrap = (line: string, indent: number, columns: number): string => {
  const [first = "", ...words] = line.split(" ")
  const rows: Array<string> = []
  let row = first
  for (const word of words) {
    const longer = `${row} ${word}`
    if (row.trim() === "" || stripVTControlCharacters(longer).length <= columns) row = longer
    else {
      rows.push(row)
      row = " ".repeat(indent) + word
    }
  }
  return [...rows, row].join("\n")
}

/** How a command is called: the generator names it without what it is a subcommand of. */
const usage = (line: string, words: ReadonlyArray<string>): string => {
  const at = words.indexOf(line.split(" ")[1] ?? "")
  return at === -1 ? line : ["$ chat", ...words.slice(0, at), line.slice("$ ".length)].join(" ")
}

/**
 * Help for the command that `argv` names, on a terminal that is so wide: subcommands are a list of names, how each is used
 * is in its own help. What is no help stays as it is.
 */
export const mend = (printed: string, argv: ReadonlyArray<string>, columns: number): string => {
  if (!stripVTControlCharacters(printed).startsWith(`${name}\n`)) return printed
  const words = argv.filter((word) => !word.startsWith("-"))
  const lines = printed.replace(/(\n {2}- .*)\n(?=\n {2}- )/g, "$1").split("\n")
  const names = lines.map((line) => entry.exec(line)?.[1]?.replace(/ [[<(].*$/, ""))
  const longest = Math.max(...names.map((each) => each?.length ?? 0))
  return lines
    .map((line, at) => {
      const name = names[at]
      if (name !== undefined) {
        const start = `  - ${name.padEnd(longest)}  `
        return wrap(start + line.replace(entry, "$2"), start.length, columns)
      }
      if (line.startsWith("$ ")) return wrap(usage(line, words), 4, columns)
      return wrap(line, line.search(/\S|$/), columns)
    })
    .join("\n")
}
