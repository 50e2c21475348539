/** The arguments of the process: what of them @effect/cli is to read, and what it would take for something else. */

type Words = ReadonlyArray<string>

/** Options of commands that say a text, which have no value of their own. */
const flags: ReadonlySet<string> = new Set(["--json", "--help"])

/** Where the words of a text begin that is to be said: behind the command and its options; nowhere for other commands. */
const textOf = (argv: Words): number | undefined => {
  const command = argv.findIndex(
    (word, at) => at > 1 && (word === "send" || (word === "say" && argv[at - 1] === "admin"))
  )
  if (command === -1) return undefined
  let at = command + 1
  for (let word = argv[at]; word?.startsWith("--") && word !== "--"; word = argv[at]) {
    at += word.includes("=") || flags.has(word) ? 1 : 2
  }
  return at
}

export interface Arguments {
  /** What is left to read. */
  readonly argv: Words
  /** Words of a text that follow `--`: they are said as they are, whatever they look like. */
  readonly verbatim: Words
  /** What `--log-level` names. */
  readonly logLevel: string | undefined
}

/**
 * Reads what `process.argv` holds. `--log-level` may stand anywhere but among the words of a text: @effect/cli finds it only
 * before other options.
 */
export const read = (all: Words): Arguments => {
  const text = textOf(all)
  const end = text === undefined ? -1 : all.indexOf("--", text)
  const words = end === -1 ? all : all.slice(0, end)
  const argv: Array<string> = []
  let logLevel: string | undefined
  for (let at = 0; at < words.length; at++) {
    const word = words[at] ?? ""
    const next = words[at + 1]
    const isOption = text === undefined || at < text
    if (isOption && word.startsWith("--log-level=")) logLevel = word.slice("--log-level=".length)
    else if (isOption && word === "--log-level" && next !== undefined) {
      logLevel = next
      at += 1
    } else argv.push(word)
  }
  return { argv, verbatim: end === -1 ? [] : all.slice(end + 1), logLevel }
}
