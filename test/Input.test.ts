import { describe, expect, it } from "@effect/vitest"
import * as Input from "../src/client/terminal/Input.js"

const say = (text: string, me = false): Input.Input => ({ _tag: "Say", text, me })
const command = (name: string) => Input.commands.find((known) => known.name === name) ?? expect.unreachable(name)

const cases: ReadonlyArray<readonly [string, Input.Input]> = [
  ["hello", say("hello")],
  [" hello ", say(" hello ")],
  ["two\nlines", say("two\nlines")],
  ["and/or", say("and/or")],
  [" /quit", say(" /quit")],
  ["//text", say("/text")],
  ["//quit", say("/quit")],
  ["//", say("/")],
  ["", { _tag: "Nothing" }],
  ["  \t ", { _tag: "Nothing" }],
  ["\n", { _tag: "Nothing" }],
  ["/me waves", say("waves", true)],
  ["/ME waves at Bob", say("waves at Bob", true)],
  ["/me waves\nand leaves", say("waves\nand leaves", true)],
  ["/nick Ada", { _tag: "Nick", nick: "Ada" }],
  ["/NiCk  Ada ", { _tag: "Nick", nick: "Ada" }],
  ["/nick two words", { _tag: "Nick", nick: "two words" }],
  ["/names", { _tag: "Names" }],
  ["/Names ", { _tag: "Names" }],
  ["/ignore bob", { _tag: "Ignore", nick: "bob" }],
  ["/ignore", { _tag: "Ignore" }],
  ["/unignore Bob", { _tag: "Unignore", nick: "Bob" }],
  ["/quiet", { _tag: "Quiet" }],
  ["/timestamp DateTime", { _tag: "Timestamp", timestamp: "datetime" }],
  ["/timestamp off", { _tag: "Timestamp", timestamp: "off" }],
  ["/bell mentions", { _tag: "Bell", bell: "mentions" }],
  ["/history", { _tag: "History", limit: 50 }],
  ["/history 1", { _tag: "History", limit: 1 }],
  ["/history 5000", { _tag: "History", limit: 5000 }],
  ["/clear", { _tag: "Clear" }],
  ["/quit", { _tag: "Quit" }],
  ["/QUIT", { _tag: "Quit" }],
  ["/help", { _tag: "Help" }],
  ["/Help Me", { _tag: "Help", command: command("me") }],
  ["/help /bell", { _tag: "Help", command: command("bell") }]
]

const wrong: ReadonlyArray<readonly [string, string]> = [
  ["/dance now", "there is no /dance: /help shows what there is"],
  ["/", "there is no /: /help shows what there is"],
  ["/ quit", "there is no /: /help shows what there is"],
  ["/qit", "there is no /qit: did you mean /quit?"],
  ["/TIME", "there is no /time: did you mean /timestamp?"],
  ["/hist 3", "there is no /hist: did you mean /history?"],
  ["/help nmes", "there is no /nmes: did you mean /names?"],
  ["/me  ", `use ${Input.helpOf(command("me"))}`],
  ["/nick", `use ${Input.helpOf(command("nick"))}`],
  ["/unignore", `use ${Input.helpOf(command("unignore"))}`],
  ["/timestamp", `use ${Input.helpOf(command("timestamp"))}`],
  ["/bell loud", `use ${Input.helpOf(command("bell"))}`],
  ["/history many", `use ${Input.helpOf(command("history"))}`],
  ["/history 0", `use ${Input.helpOf(command("history"))}`],
  ["/history 5001", `use ${Input.helpOf(command("history"))}`],
  // What was meant for somebody is not taken for a wish to leave.
  ["/quit it", `use ${Input.helpOf(command("quit"))}`]
]

describe("Input", () => {
  it.each(cases)("%j asks for %j", (line, input) => {
    expect(Input.parse(line)).toEqual(input)
  })

  it.each(wrong)("%j is answered: %s", (line, message) => {
    expect(Input.parse(line)).toEqual({ _tag: "Wrong", message })
  })

  it("help has a line for every command, no wider than a usual terminal", () => {
    for (const { name } of Input.commands) {
      expect(Input.help.filter((line) => line.startsWith(`/${name} `))).toHaveLength(1)
    }
    for (const line of Input.help) expect(line.length, line).toBeLessThanOrEqual(91)
  })
})
