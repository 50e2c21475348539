/** What a typed line asks for, and the commands there are. */
import { closest, distance } from "fastest-levenshtein"

const bells = ["off", "mentions", "all"] as const
export type Bell = (typeof bells)[number]

const timestamps = ["off", "time", "datetime"] as const
export type Timestamp = (typeof timestamps)[number]

export type Input =
  | { readonly _tag: "Say"; readonly text: string; readonly me: boolean }
  | { readonly _tag: "Help"; readonly command?: Command }
  | { readonly _tag: "Names" }
  | { readonly _tag: "Nick"; readonly nick: string }
  /** Shows no more of what somebody says; without a nick, tells who is ignored. */
  | { readonly _tag: "Ignore"; readonly nick?: string }
  | { readonly _tag: "Unignore"; readonly nick: string }
  | { readonly _tag: "Quiet" }
  | { readonly _tag: "Timestamp"; readonly timestamp: Timestamp }
  | { readonly _tag: "Bell"; readonly bell: Bell }
  | { readonly _tag: "History"; readonly limit: number }
  | { readonly _tag: "Clear" }
  | { readonly _tag: "Quit" }
  | { readonly _tag: "Nothing" }
  /** It cannot be obeyed: `message` tells why, and what can. */
  | { readonly _tag: "Wrong"; readonly message: string }

export interface Command {
  /** Without its slash, in lower case. */
  readonly name: string
  /** What follows it, as the user is told. */
  readonly usage: string
  readonly description: string
  /** The words that may follow it, where they are few. */
  readonly words?: ReadonlyArray<string>
  /** What it asks for with `argument`, which may be empty; nothing where it makes no sense. */
  readonly read: (argument: string) => Input | undefined
}

/** A command whose argument is one of a few words. */
const oneOf =
  <A extends string>(words: ReadonlyArray<A>, to: (word: A) => Input) =>
  (argument: string): Input | undefined => {
    const word = words.find((one) => one === argument.toLowerCase())
    return word === undefined ? undefined : to(word)
  }

/** A command that takes nothing. */
const bare =
  (input: Input) =>
  (argument: string): Input | undefined =>
    argument === "" ? input : undefined

/** Older messages that `/history` shows where no number is given, and at most. */
const historyLimit = 50
const maxHistory = 5000

export const commands: ReadonlyArray<Command> = [
  {
    name: "help",
    usage: "[COMMAND]",
    description: "what there is, or more about one of it",
    read: (argument) => {
      if (argument === "") return { _tag: "Help" }
      const name = argument.replace(/^\//, "").toLowerCase()
      const command = commands.find((known) => known.name === name)
      return command === undefined ? unknown(name) : { _tag: "Help", command }
    }
  },
  { name: "names", usage: "", description: "who is here", read: bare({ _tag: "Names" }) },
  {
    name: "nick",
    usage: "NAME",
    description: "take another nick",
    read: (nick) => (nick === "" ? undefined : { _tag: "Nick", nick })
  },
  {
    name: "me",
    usage: "TEXT",
    description: "say what you do, as in * ada waves",
    read: (text) => (text === "" ? undefined : { _tag: "Say", text, me: true })
  },
  {
    name: "ignore",
    usage: "[NICK]",
    description: "hide what somebody says until you leave; alone, of whom",
    read: (nick) => (nick === "" ? { _tag: "Ignore" } : { _tag: "Ignore", nick })
  },
  {
    name: "unignore",
    usage: "NICK",
    description: "show again what somebody says",
    read: (nick) => (nick === "" ? undefined : { _tag: "Unignore", nick })
  },
  {
    name: "quiet",
    usage: "",
    description: "hide who joins and leaves, or show it again",
    read: bare({ _tag: "Quiet" })
  },
  {
    name: "timestamp",
    usage: "off|time|datetime",
    description: "what is shown before each message",
    words: timestamps,
    read: oneOf(timestamps, (timestamp) => ({ _tag: "Timestamp", timestamp }))
  },
  {
    name: "bell",
    usage: "off|mentions|all",
    description: "what the terminal rings for",
    words: bells,
    read: oneOf(bells, (bell) => ({ _tag: "Bell", bell }))
  },
  {
    name: "history",
    usage: "[N]",
    description: `the N events before the oldest shown (${historyLimit}, at most ${maxHistory})`,
    read: (argument) => {
      if (argument !== "" && !/^\d+$/.test(argument)) return undefined
      const limit = argument === "" ? historyLimit : Number(argument)
      return limit >= 1 && limit <= maxHistory ? { _tag: "History", limit } : undefined
    }
  },
  { name: "clear", usage: "", description: "clear the screen (Ctrl-L)", read: bare({ _tag: "Clear" }) },
  {
    name: "quit",
    usage: "",
    description: "leave (Ctrl-C or Ctrl-D on an empty line)",
    read: bare({ _tag: "Quit" })
  }
]

/** The words that may follow a command, where they are few; `/help` is followed by any command. */
export const wordsOf = (name: string): ReadonlyArray<string> | undefined =>
  name === "help" ? commands.map((command) => command.name) : commands.find((command) => command.name === name)?.words

const invocation = ({ name, usage }: Command): string => `/${name}${usage === "" ? "" : ` ${usage}`}`

/** How one command is used. */
export const helpOf = (command: Command): string => `${invocation(command)}: ${command.description}`

/** What is typed, and what it does, in two columns. */
const row = (typed: string, description: string): string => `${typed.padEnd(32)}${description}`

/** All there is, a line each. */
export const help: ReadonlyArray<string> = [
  ...commands.map((command) => row(invocation(command), command.description)),
  row("//TEXT", "say a text that starts with a slash"),
  row("Tab", "complete a command or a nick"),
  row("Alt-Enter", "begin a new line within your text"),
  row("Up, Down", "what you have said before"),
  row("Ctrl-A, Ctrl-E", "to the start and the end of the line"),
  row("Ctrl-U, Ctrl-K, Ctrl-W, Ctrl-Y", "delete to the start, to the end, a word; put back")
]

/** Edits that a misspelling has at most. */
const misspelling = 2

const unknown = (name: string): Input => {
  const names = commands.map((command) => command.name)
  const nearest = names.find((known) => known.startsWith(name)) ?? closest(name, names)
  const isNear = name !== "" && (nearest.startsWith(name) || distance(name, nearest) <= misspelling)
  const hint = isNear ? `did you mean /${nearest}?` : "/help shows what there is"
  return { _tag: "Wrong", message: `there is no /${name}: ${hint}` }
}

/** Reads a line. Commands start with a slash, in either case; two slashes say one. */
export const parse = (line: string): Input => {
  if (line.trim() === "") return { _tag: "Nothing" }
  if (!line.startsWith("/")) return { _tag: "Say", text: line, me: false }
  if (line.startsWith("//")) return { _tag: "Say", text: line.slice(1), me: false }
  const [, name = "", argument = ""] = /^\/(\S*)\s*(.*)$/su.exec(line) ?? []
  const command = commands.find((known) => known.name === name.toLowerCase())
  if (command === undefined) return unknown(name.toLowerCase())
  return command.read(argument.trim()) ?? { _tag: "Wrong", message: `use ${helpOf(command)}` }
}
