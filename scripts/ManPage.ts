/** The page of the manual, in roff, from what the descriptions of the commands say to --help. */
import * as CliConfig from "@effect/cli/CliConfig"
import * as CommandDescriptor from "@effect/cli/CommandDescriptor"
import type { HelpDoc } from "@effect/cli/HelpDoc"
import type { Span } from "@effect/cli/HelpDoc/Span"
import * as Usage from "@effect/cli/Usage"
import * as HashMap from "effect/HashMap"

type Descriptor = CommandDescriptor.Command<unknown>

/** A term and what is said of it, as plain text. */
export type Item = readonly [term: string, text: string]

export interface Page {
  readonly version: string
  readonly chat: Descriptor
  /** In the order in which they are told of. */
  readonly subcommands: ReadonlyArray<Descriptor>
  /** What no description says: further variables, files, and commands to try. */
  readonly environment: ReadonlyArray<Item>
  readonly files: ReadonlyArray<Item>
  readonly examples: ReadonlyArray<Item>
}

// ---- What the descriptions say ----

interface Entry {
  /** As it is typed, from `chat` on. */
  readonly path: string
  readonly description: string
  /** The arguments as they are in the usage: `[<invite>]`, `<text>...`. */
  readonly operands: ReadonlyArray<string>
  readonly arguments: ReadonlyArray<Item>
  readonly options: ReadonlyArray<Item>
  readonly children: ReadonlyArray<Entry>
}

const plain = (span: Span): string => {
  switch (span._tag) {
    case "Sequence":
      return plain(span.left) + plain(span.right)
    case "Text":
    case "URI":
      return span.value
    default:
      return plain(span.value)
  }
}

const blocks = (doc: HelpDoc): ReadonlyArray<HelpDoc> =>
  doc._tag === "Sequence" ? [...blocks(doc.left), ...blocks(doc.right)] : [doc]

/** What is below a heading. */
const section = (doc: HelpDoc, heading: string): ReadonlyArray<HelpDoc> => {
  const all = blocks(doc)
  const start = all.findIndex((block) => block._tag === "Header" && plain(block.value) === heading)
  if (start === -1) return []
  const end = all.findIndex((block, i) => i > start && block._tag === "Header")
  return all.slice(start + 1, end === -1 ? undefined : end)
}

/** What is said of any option or argument: nothing that a page need repeat. */
const boilerplate =
  /^(A user-defined piece of text|A true or false value|One of the following: .*|This option can be set from environment variables|This (setting|option|argument) (is optional|may be repeated .*))\.?$/

const textOf = (docs: ReadonlyArray<HelpDoc>): string =>
  docs
    .flatMap(blocks)
    .flatMap((block) => (block._tag === "Paragraph" ? [plain(block.value).trim()] : []))
    .filter((text) => text !== "" && !boilerplate.test(text))
    .join(" ")

const items = (docs: ReadonlyArray<HelpDoc>): ReadonlyArray<Item> =>
  docs.flatMap((doc) =>
    doc._tag === "DescriptionList"
      ? doc.definitions.map(([term, text]): Item => [plain(term).replace(/^\((.*)\)$/, "$1"), textOf([text])])
      : []
  )

const bare = CliConfig.make({ showBuiltIns: false })

const nameOf = (descriptor: Descriptor): string => [...CommandDescriptor.getNames(descriptor)].join()

const entryOf = (descriptor: Descriptor, above: string): Entry => {
  const path = `${above} ${nameOf(descriptor)}`
  const help = CommandDescriptor.getHelp(descriptor, bare)
  // A map has no order: that of the list in the help is the order in which they were defined.
  const listed = section(help, "COMMANDS")
    .flatMap((block) => (block._tag === "Enumeration" ? block.elements : []))
    .map((element) => textOf([element]).split(" ")[0])
  const children = listed.length === 0 ? [] : HashMap.toValues(CommandDescriptor.getSubcommands(descriptor))
  return {
    path,
    description: textOf(section(help, "DESCRIPTION")),
    operands: textOf([Usage.getHelp(CommandDescriptor.getUsage(descriptor))]).match(/\[?<[\w-]+>\]?(\.{3})?/g) ?? [],
    arguments: items(section(help, "ARGUMENTS")),
    options: items(section(help, "OPTIONS")),
    children: children
      .toSorted((a, b) => listed.indexOf(nameOf(a)) - listed.indexOf(nameOf(b)))
      .map((child) => entryOf(child, path))
  }
}

const flat = (entry: Entry): ReadonlyArray<Entry> => [entry, ...entry.children.flatMap(flat)]

// ---- Roff ----

const glyphs: Record<string, string> = {
  "\\": "\\e",
  "-": "\\-",
  "'": "\\(aq",
  "`": "\\(ga",
  "^": "\\(ha",
  "~": "\\(ti"
}

/** Text as it is, whatever roff would take it for. */
const literal = (text: string): string =>
  text
    .replace(/[\\\-'`^~]/g, (character) => glyphs[character] ?? character)
    .replace(
      /[^\n -~]/gu,
      (character) => `\\[u${character.codePointAt(0)?.toString(16).toUpperCase().padStart(4, "0")}]`
    )
    .replace(/^\./gm, "\\&.")

/** A sentence a line, as roff wants it. */
const prose = (text: string): string => literal(text.replace(/([.:]) (?=[A-Z])/g, "$1\n"))

const bold = (text: string) => `\\fB${literal(text)}\\fR`
const italic = (text: string) => `\\fI${literal(text)}\\fR`

/** `--host text`, `-o, --output text`, `<invite>`. */
const term = (text: string): string =>
  text
    .split(/(, | \| | |[<>[\]])/)
    .map((part) => (part.startsWith("-") ? bold(part) : /^\w/.test(part) ? italic(part) : literal(part)))
    .join("")

const list = (entries: ReadonlyArray<Item>): ReadonlyArray<string> =>
  entries.flatMap(([name, text]) => [".TP", term(name), prose(text)])

const named = (entries: ReadonlyArray<Item>): ReadonlyArray<string> =>
  entries.flatMap(([name, text]) => [".TP", bold(name), prose(text)])

const part = (heading: string, lines: ReadonlyArray<string>) => (lines.length === 0 ? [] : [`.SH ${heading}`, ...lines])

const synopsis = ({ children, operands, options, path }: Entry): ReadonlyArray<string> =>
  children.length > 0
    ? []
    : [
        ".br",
        [bold(path), ...(options.length > 0 ? [`[${italic("option")}]...`] : []), ...operands.map(term)].join(" ")
      ]

const same = /^The same as (\w+)\.$/

/** The whole page. */
export const roff = (page: Page): string => {
  const name = nameOf(page.chat)
  const help = CommandDescriptor.getHelp(page.chat, CliConfig.defaultConfig)
  const all = page.subcommands.map((descriptor) => entryOf(descriptor, name)).flatMap(flat)
  const told = all.filter(({ description }) => !same.test(description))
  const otherNames = (path: string) =>
    all.filter(({ description }) => `${name} ${same.exec(description)?.[1]}` === path).map((other) => other.path)

  const [about = "", exitCodes = ""] = textOf(section(help, "DESCRIPTION")).split(" Exit codes: ")
  const [summary = "", ...rest] = about.split(/(?<=\.) /)
  const exits = Array.from(exitCodes.matchAll(/(\d+) ([^,.]+)/g), ([, code = "", is = ""]): Item => [code, is])

  // Where a description names a variable, there is what it is for.
  const variables = new Map<string, string>()
  for (const [item, text] of told.flatMap((entry) => [...entry.arguments, ...entry.options])) {
    const is = /--[\w-]+|<.*>/.exec(item)?.[0] ?? item
    for (const [variable] of text.matchAll(/(?<=\$)[A-Z][A-Z_]*/g)) variables.set(variable, `See ${is}.`)
  }

  const lines = [
    '.\\" Made by scripts/man.ts from what src/cli.ts says.',
    `.TH ${name.toUpperCase()} 1 "" "${literal(`fernet-chat ${page.version}`)}" "User Commands"`,
    // Neither hyphens nor wide spaces: what is here is for copying.
    ".nh",
    ".ad l",
    ...part("NAME", [
      `${name} \\- ${literal(summary.replace(/^./, (first) => first.toLowerCase()).replace(/\.$/, ""))}`
    ]),
    ...part("SYNOPSIS", [bold(name), ...told.flatMap(synopsis)]),
    ...part("DESCRIPTION", [prose([summary, ...rest].join(" "))]),
    ...part(
      "COMMANDS",
      told.flatMap((entry) => [
        `.SS ${literal([entry.path, ...otherNames(entry.path)].join(", "))}`,
        prose(entry.description),
        ...list(entry.arguments),
        ...list(entry.options)
      ])
    ),
    ...part("OPTIONS", ["These go with every command.", ...list(items(section(help, "OPTIONS")))]),
    ...part("ENVIRONMENT", [
      "An option goes before a variable.",
      ...named([...[...variables].toSorted(([a], [b]) => (a < b ? -1 : 1)), ...page.environment])
    ]),
    ...part("FILES", named(page.files)),
    ...part("EXIT STATUS", named(exits)),
    ...part("EXAMPLES", named(page.examples))
  ]
  // An empty line would be shown as one.
  return `${lines.filter((line) => line !== "").join("\n")}\n`
}
