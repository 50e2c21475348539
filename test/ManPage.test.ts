import { execFileSync, spawnSync } from "node:child_process"
import { readFileSync } from "node:fs"
import { fileURLToPath } from "node:url"
import * as Args from "@effect/cli/Args"
import * as CliCommand from "@effect/cli/Command"
import * as Options from "@effect/cli/Options"
import { describe, expect, it } from "@effect/vitest"
import * as ManPage from "../scripts/ManPage.js"
import { manual } from "../scripts/Manual.js"
import * as Command from "./utils/Command.js"

const readme = readFileSync(fileURLToPath(new URL("../README.md", import.meta.url)), "utf8")

/** The sections of a subcommand, by what it is called. */
const commands = new Map(
  manual
    .slice(manual.indexOf("\n.SH COMMANDS"), manual.indexOf("\n.SH OPTIONS"))
    .split("\n.SS ")
    .slice(1)
    .flatMap((text) =>
      (text.split("\n")[0] ?? "").split(", ").map((name) => [name.replace("chat ", ""), text] as const)
    )
)

const options = (roff: string) =>
  Array.from(roff.replaceAll("\\", "").matchAll(/^(?:fB-\w+fR, )?fB(--[\w-]+?)fR/gm), ([, option]) => option)

// That of mandoc knows neither this flag nor warnings.
const hasMan = spawnSync("man", ["--version"]).status === 0
const hasMandoc = spawnSync("mandoc", { input: "" }).error === undefined

/** A page as a terminal of 80 columns shows it, without what makes letters bold; it fails on the first warning. */
const show = (roff: string) => {
  const { stderr, stdout } = spawnSync("man", ["--warnings", "--local-file", "-"], {
    input: roff,
    encoding: "utf8",
    env: { ...process.env, LC_ALL: "C.UTF-8", MANWIDTH: "80", MANPAGER: "cat", GROFF_NO_SGR: "1" }
  })
  expect(stderr).toBe("")
  return stdout.replace(/.\x08/g, "")
}

const awkward = ".dots and 'quotes' \\fBbackslash -- ~/x^`y` … $SOME_DAY.\nA second line: Here."

const made = (() => {
  const flag = Options.boolean("flag").pipe(Options.withAlias("f"), Options.withDescription(awkward))
  const inner = CliCommand.make("inner", { who: Args.text({ name: "who" }), flag }).pipe(
    CliCommand.withDescription("Do it.")
  )
  const other = CliCommand.make("other", { rest: Args.repeated(Args.text({ name: "rest" })) })
  const outer = CliCommand.make("outer").pipe(
    CliCommand.withDescription("What is within."),
    CliCommand.withSubcommands([inner, other])
  )
  const root = CliCommand.make("tool").pipe(
    CliCommand.withDescription("A tool. It works. Exit codes: 0 done, 7 failed."),
    CliCommand.withSubcommands([outer])
  )
  return ManPage.roff({
    version: "1.2-3",
    chat: root.descriptor,
    subcommands: [outer.descriptor],
    environment: [],
    files: [["-file", "is\n.here"]],
    examples: []
  })
})()

describe("the page in the manual", () => {
  it("tells of every command and option that the completions know, in the same words as --help", () => {
    const script = execFileSync(process.execPath, [Command.path, "--completions", "bash"], { encoding: "utf8" })
    const completed = Array.from(
      script.matchAll(/^ +chat__(\w+)\)\n +opts="([^"]*)"/gm),
      ([, name = "", opts = ""]) =>
        [name.replaceAll("__", " "), opts.split(" ").filter((word) => word.startsWith("--"))] as const
    )
    expect(completed.length).toBeGreaterThan(4)
    const everywhere = options(manual.slice(manual.indexOf("\n.SH OPTIONS")))
    for (const [name, words] of completed) {
      const told = [...options(commands.get(name) ?? ""), ...everywhere]
      expect([name, words.filter((word) => !told.includes(word))]).toEqual([name, []])
    }
  })

  it("tells of every variable that the README names", () => {
    const variables = new Set(readme.match(/\b((?:CHAT|OTEL|XDG)_[A-Z_]*[A-Z]|(?:NO|FORCE)_COLOR)\b/g))
    const environment = manual.slice(manual.indexOf("\n.SH ENVIRONMENT"), manual.indexOf("\n.SH FILES"))
    expect(variables.size).toBeGreaterThan(10)
    expect([...variables].filter((variable) => !environment.includes(variable))).toEqual([])
  })

  it("shows examples that are among the README's, which are run", () => {
    const part = manual.slice(manual.indexOf("\n.SH EXAMPLES"))
    const examples = Array.from(part.matchAll(/^\.TP\n\\fB(.*)\\fR$/gm), ([, text = ""]) => text.replaceAll("\\", ""))
    expect(examples.length).toBeGreaterThan(2)
    for (const example of examples) expect(readme).toContain(`\nnpx ${example}\n`)
  })

  it("has what is within subcommands, in order, and a name and exit codes from the description", () => {
    expect(made).toContain(".SH NAME\ntool \\- a tool\n")
    expect(made).toContain(".SH DESCRIPTION\nA tool.\nIt works.\n")
    expect(made).toContain(".SH EXIT STATUS\n.TP\n\\fB0\\fR\ndone\n.TP\n\\fB7\\fR\nfailed\n")
    expect(made.match(/^\.SS .*/gm)).toEqual([".SS tool outer", ".SS tool outer inner", ".SS tool outer other"])
    expect(made).toContain("\\fBtool outer inner\\fR [\\fIoption\\fR]... <\\fIwho\\fR>\n")
    expect(made).toContain("\\fBtool outer other\\fR <\\fIrest\\fR>\\&...\n")
    expect(made).toContain(".TP\n\\fBSOME_DAY\\fR\nSee \\-\\-flag.\n")
  })

  it.skipIf(!hasMan)("shows text as it is, and the whole page without a warning (needs man)", () => {
    const shown = show(made).replace(/\s+/g, " ")
    expect(shown).toContain(`-f, --flag ${awkward.replace(/\s+/g, " ")}`)
    expect(shown).toContain("-file is .here")
    expect(show(manual)).toContain("       chat c [option]... [<invite>]\n")
  })

  it.skipIf(!hasMandoc)("is what mandoc takes for a page as well (needs mandoc)", () => {
    const { stdout } = spawnSync("mandoc", ["-T", "lint", "-W", "warning"], { input: manual, encoding: "utf8" })
    // It has no date: the version tells how old it is.
    expect(stdout.split("\n").filter((line) => line !== "" && !line.includes("missing date"))).toEqual([])
  })
})
