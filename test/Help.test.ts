import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Help from "../src/cli/Help.js"
import * as Command from "./utils/Command.js"

/** Help as the generator prints it on a terminal. */
const printed = [
  "\u001b[1mfernet-chat\u001b[0m",
  "",
  "\u001b[1mUSAGE\u001b[0m",
  "",
  "$ admin [--json]",
  "",
  "  What the option is for.",
  "",
  "COMMANDS",
  "",
  "  - kick [--socket file] [--json] <nick>     Put a member out of the room.",
  "",
  "  - ban [(-t, --ticket-only)] <nick>         Bar a member.",
  ""
].join("\n")

describe("help", () => {
  it("lists subcommands by their names, and says how a command is called from the beginning", () => {
    expect(Help.mend(printed, ["admin", "--help"], 80).split("\n")).toEqual([
      "\u001b[1mfernet-chat\u001b[0m",
      "",
      "\u001b[1mUSAGE\u001b[0m",
      "",
      "$ chat admin [--json]",
      "",
      "  What the option is for.",
      "",
      "COMMANDS",
      "",
      "  - kick  Put a member out of the room.",
      "  - ban   Bar a member.",
      ""
    ])
  })

  it("breaks no word at the end of a row", () => {
    const rows = Help.mend(printed, ["admin"], 20).split("\n")
    expect(rows.slice(4, 9)).toEqual(["$ chat admin", "    [--json]", "", "  What the option is", "  for."])
    expect(rows.slice(-7)).toEqual([
      "  - kick  Put a",
      "          member out",
      "          of the",
      "          room.",
      "  - ban   Bar a",
      "          member.",
      ""
    ])
  })

  it("leaves what else is printed", () => {
    const names = "fernet-chats (@1) live since 2026-01-01T00:00:00Z, from 192.0.2.7:55330\n"
    expect(Help.mend(names, ["admin", "names"], 20)).toBe(names)
  })

  it.scopedLive("of a subcommand of a subcommand names both", () =>
    Effect.gen(function* () {
      const cwd = yield* Command.directory
      const { stdout } = yield* Command.run(["admin", "kick", "--help"], { cwd })
      expect(stdout).toContain("\n$ chat admin kick [--socket file] [--key-file text] [--json] <nick>\n")
      const all = yield* Command.run(["--help"], { cwd })
      expect(all.stdout).toMatch(/\n {2}- admin kick +Put a member out of the room\./)
      expect(all.stdout).toMatch(/\n\$ chat\n/)
    })
  )
})
