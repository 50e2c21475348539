import { describe, expect, it } from "@effect/vitest"
import * as Arguments from "../src/cli/Arguments.js"

const read = (...words: ReadonlyArray<string>) => {
  const { argv, ...rest } = Arguments.read(["node", "chat", ...words])
  expect(argv.slice(0, 2)).toEqual(["node", "chat"])
  return { argv: argv.slice(2), ...rest }
}

describe("--log-level", () => {
  it("is found wherever it stands", () => {
    const argv = ["s", "--port", "0"]
    expect(read(...argv)).toEqual({ argv, verbatim: [], logLevel: undefined })
    for (const at of [0, 1, 3]) {
      const around = (...flag: ReadonlyArray<string>) => read(...argv.slice(0, at), ...flag, ...argv.slice(at))
      expect(around("--log-level", "trace")).toEqual({ argv, verbatim: [], logLevel: "trace" })
      expect(around("--log-level=trace")).toEqual({ argv, verbatim: [], logLevel: "trace" })
    }
    // Nothing follows: the command line's parser has something to say of that.
    expect(read(...argv, "--log-level")).toEqual({ argv: [...argv, "--log-level"], verbatim: [], logLevel: undefined })
  })

  it.each([
    [["send", "--nick", "bob"]],
    [["send", "--nick=bob"]],
    [["admin", "say", "--json", "--socket", "chat.sock"]]
  ])("is one before the words of a text, and none among them: %j", (command) => {
    const words = ["please", "use", "--log-level", "debug", "for", "this"]
    expect(read(...command, ...words)).toEqual({ argv: [...command, ...words], verbatim: [], logLevel: undefined })
    expect(read(...command, "--log-level", "debug", "hi")).toEqual({
      argv: [...command, "hi"],
      verbatim: [],
      logLevel: "debug"
    })
  })
})

describe("what follows --", () => {
  it("is the text of who says one, whatever it looks like", () => {
    const verbatim = ["--log-level", "debug", "--", "-"]
    expect(read("send", "--", ...verbatim)).toEqual({ argv: ["send"], verbatim, logLevel: undefined })
    expect(read("admin", "say", "--json", "hi", "--", ...verbatim)).toEqual({
      argv: ["admin", "say", "--json", "hi"],
      verbatim,
      logLevel: undefined
    })
  })

  it("is for other commands to read", () => {
    const argv = ["c", "--", "--invite"]
    expect(read(...argv)).toEqual({ argv, verbatim: [], logLevel: undefined })
  })
})
