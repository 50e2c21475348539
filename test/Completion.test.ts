import { describe, expect, it } from "@effect/vitest"
import * as Completion from "../src/client/terminal/Completion.js"

const context: Completion.Context = {
  nicks: ["bob", "Adam", "ada", "Zoë", "İpek", "ada-2"],
  commands: ["quit", "nick", "names", "me"],
  wordsOf: (command) => (command === "bell" ? ["off", "mentions", "all"] : undefined)
}
const options = (before: string) => Completion.find(before, context).options

describe("Completion", () => {
  it.each<readonly [string, Completion.Completion]>([
    ["/", { from: 0, options: ["/me ", "/names ", "/nick ", "/quit "] }],
    ["/n", { from: 0, options: ["/names ", "/nick "] }],
    ["/NI", { from: 0, options: ["/nick "] }],
    ["/x", { from: 0, options: [] }],
    ["/bell ", { from: 6, options: ["all", "mentions", "off"] }],
    ["/BELL  m", { from: 7, options: ["mentions"] }],
    ["/bell x", { from: 6, options: [] }],
    ["/nick a", { from: 6, options: ["ada ", "ada-2 ", "Adam "] }],
    ["//n", { from: 0, options: [] }],
    ["a", { from: 0, options: ["ada: ", "ada-2: ", "Adam: "] }],
    ["ADA", { from: 0, options: ["ada: ", "ada-2: ", "Adam: "] }],
    ["hi b", { from: 3, options: ["bob "] }],
    ["hi\tb", { from: 3, options: ["bob "] }],
    ["one\nb", { from: 4, options: ["bob: "] }],
    ["one\n/n", { from: 4, options: [] }],
    ["hi /n", { from: 3, options: [] }],
    ["ada: ", { from: 5, options: [] }],
    ["", { from: 0, options: [] }]
  ])("%j", (before, expected) => {
    expect(Completion.find(before, context)).toEqual(expected)
  })

  it("case and the way a letter is written do not matter, wherever one is", () => {
    expect(options("zoe\u0308")).toEqual(["Zoë: "])
    expect(options("ＺＯ")).toEqual(["Zoë: "])
    expect(options("i")).toEqual(["İpek: "])
  })

  it("names that look the same folded keep one order, whatever the order they came in", () => {
    const find = (...nicks: ReadonlyArray<string>) => Completion.find("a", { ...context, nicks, commands: [] }).options
    expect(find("Ab", "aB", "ab")).toEqual(["Ab: ", "aB: ", "ab: "])
    expect(find("ab", "aB", "Ab")).toEqual(["Ab: ", "aB: ", "ab: "])
  })

  it("what it was given stays as it was", () => {
    const nicks = Object.freeze(["ab", "aa"])
    expect(Completion.find("a", { ...context, nicks, commands: [] }).options).toEqual(["aa: ", "ab: "])
  })
})
