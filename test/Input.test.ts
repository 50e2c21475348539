import { describe, expect, it } from "@effect/vitest"
import * as Input from "../src/client/terminal/Input.js"

const say = (text: string, me = false): Input.Input => ({ _tag: "Say", text, me })

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
  ["/me", { _tag: "Help" }],
  ["/me  ", { _tag: "Help" }],
  ["/nick Ada", { _tag: "Nick", nick: "Ada" }],
  ["/NiCk  Ada ", { _tag: "Nick", nick: "Ada" }],
  ["/nick two words", { _tag: "Nick", nick: "two words" }],
  ["/nick", { _tag: "Help" }],
  ["/nick   ", { _tag: "Help" }],
  ["/names", { _tag: "Names" }],
  ["/Names", { _tag: "Names" }],
  ["/quit", { _tag: "Quit" }],
  ["/QUIT", { _tag: "Quit" }],
  ["/help", { _tag: "Help" }],
  ["/Help me", { _tag: "Help" }],
  ["/dance now", { _tag: "Unknown", command: "dance" }],
  ["/Dance", { _tag: "Unknown", command: "Dance" }],
  ["/", { _tag: "Unknown", command: "" }],
  ["/ quit", { _tag: "Unknown", command: "" }],
  ["/quitter", { _tag: "Unknown", command: "quitter" }]
]

describe("Input", () => {
  it.each(cases)("%j asks for %j", (line, input) => {
    expect(Input.parse(line)).toEqual(input)
  })

  it("every command that help names is known", () => {
    const commands = Input.help.flatMap((line) => /^\/\w+/.exec(line) ?? [])
    expect(commands).toEqual(["/me", "/names", "/nick", "/quit"])
    for (const command of commands) expect(Input.parse(`${command} x`)._tag, command).not.toBe("Unknown")
  })
})
