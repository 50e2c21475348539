import { describe, expect, it, vi } from "@effect/vitest"
import * as fc from "effect/FastCheck"
import type * as Completion from "../src/client/terminal/Completion.js"
import * as Editor from "../src/client/terminal/Editor.js"
import type { Chord, Key } from "../src/client/terminal/Keyboard.js"
import * as Seal from "../src/domain/Seal.js"

const nothing: Completion.Find = (before) => ({ from: before.length, options: [] })

const chord = (name: Chord): Key => ({ _tag: "Chord", chord: name })
const paste = (text: string): Key => ({ _tag: "Paste", text })
/** A key for each code point, as they come from a terminal. */
const typed = (text: string): ReadonlyArray<Key> =>
  [...text].map((character) => ({ _tag: "Character", text: character }))

const pressAll = (
  editor: Editor.Editor,
  keys: ReadonlyArray<Key>,
  find: Completion.Find = nothing
): readonly [Editor.Editor, ReadonlyArray<Editor.Request>] => {
  const requests: Array<Editor.Request> = []
  let state = editor
  for (const key of keys) {
    const [next, request] = Editor.press(state, key, find)
    state = next
    if (request !== undefined) requests.push(request)
  }
  return [state, requests]
}

type Step = string | Key | ReadonlyArray<Key>

/** Words of small letters with a hyphen or alone are chords; for texts that read like one say `typed`. */
const chordNames: ReadonlySet<string> = new Set<Chord>([
  ...(["enter", "alt-enter", "escape", "tab", "shift-tab", "backspace", "alt-backspace", "delete", "left"] as const),
  ...(["right", "up", "down", "home", "end", "ctrl-left", "ctrl-right", "alt-b", "alt-d", "alt-f"] as const),
  ...(["ctrl-a", "ctrl-b", "ctrl-c", "ctrl-d", "ctrl-e", "ctrl-f", "ctrl-j", "ctrl-k", "ctrl-l", "ctrl-n"] as const),
  ...(["ctrl-p", "ctrl-t", "ctrl-u", "ctrl-w", "ctrl-y", "ctrl-z"] as const)
])
const isChord = (step: string): step is Chord => chordNames.has(step)

const keysOf = (steps: ReadonlyArray<Step>): ReadonlyArray<Key> =>
  steps.flatMap((step) => (typeof step !== "string" ? step : isChord(step) ? [chord(step)] : typed(step)))

/** The text after these steps, with a bar for the cursor. */
const shown = ({ cursor, text }: Editor.Editor): string => `${text.slice(0, cursor)}|${text.slice(cursor)}`
const made = (...steps: ReadonlyArray<Step>): string => shown(pressAll(Editor.make(), keysOf(steps))[0])
const requestsOf = (editor: Editor.Editor, ...steps: ReadonlyArray<Step>) => pressAll(editor, keysOf(steps))[1]
const submit = (text: string): Editor.Request => ({ _tag: "Submit", text })

// The plain model: a list of graphemes, made anew from the text after each step.

const segmenter = new Intl.Segmenter("en", { granularity: "grapheme" })
const graphemes = (text: string): ReadonlyArray<string> => [...segmenter.segment(text)].map(({ segment }) => segment)

interface Model {
  readonly cells: ReadonlyArray<string>
  /** Cells before the cursor. */
  readonly cursor: number
  /** Where the last typed character ended, in UTF-16 units, when the last key was one. */
  readonly typing: number | undefined
  readonly killed: string
  readonly killing: boolean
}

/** A model of `text` whose cursor is the first boundary at or after `offset`. */
const modelOf = (text: string, offset: number): Pick<Model, "cells" | "cursor"> => {
  const cells = graphemes(text)
  let cursor = 0
  for (let end = 0; end < offset; cursor += 1) end += cells[cursor]?.length ?? 1
  return { cells, cursor }
}

const offsetOf = ({ cells, cursor }: Model): number => cells.slice(0, cursor).join("").length

const isWord = (cell: string): boolean => /^[\p{L}\p{N}\p{M}_]/u.test(cell)
const isVisible = (cell: string): boolean => !/^\s/.test(cell)

const model = (was: Model, key: Key): Model => {
  const kept: Model = { ...was, typing: undefined, killing: false }
  const { cells, cursor } = was
  const text = cells.join("")
  const offset = offsetOf(was)
  const lineStart = cells.lastIndexOf("\n", cursor - 1) + 1
  const start = cursor === 0 ? 0 : lineStart
  const newline = cells.indexOf("\n", cursor)
  const end = newline === -1 ? cells.length : newline

  const put = (at: number, added: string, typing: boolean): Model => ({
    ...kept,
    ...modelOf(text.slice(0, at) + added + text.slice(at), at + added.length),
    typing: typing ? at + added.length : undefined
  })
  const cut = (from: number, to: number): Model =>
    from === to
      ? kept
      : {
          ...kept,
          ...modelOf([...cells.slice(0, from), ...cells.slice(to)].join(""), cells.slice(0, from).join("").length)
        }
  const kill = (from: number, to: number): Model => {
    if (from === to) return { ...kept, killing: was.killing }
    const gone = cells.slice(from, to).join("")
    const before = was.killing ? was.killed : ""
    return { ...cut(from, to), killing: true, killed: to === cursor ? gone + before : before + gone }
  }
  const wordBefore = (inWord: (cell: string) => boolean): number => {
    let at = cursor
    while (at > 0 && !inWord(cells[at - 1] ?? "")) at -= 1
    while (at > 0 && inWord(cells[at - 1] ?? "")) at -= 1
    return at
  }
  const wordAfter = (): number => {
    let at = cursor
    while (at < cells.length && !isWord(cells[at] ?? "")) at += 1
    while (at < cells.length && isWord(cells[at] ?? "")) at += 1
    return at
  }
  const to = (at: number): Model => ({ ...kept, cursor: Math.min(Math.max(at, 0), cells.length) })

  if (key._tag === "Character") return put(was.typing ?? offset, key.text, true)
  if (key._tag === "Paste") return put(offset, key.text, true)
  switch (key.chord) {
    case "ctrl-j":
    case "alt-enter":
      return put(offset, "\n", false)
    case "left":
    case "ctrl-b":
      return to(cursor - 1)
    case "right":
    case "ctrl-f":
      return to(cursor + 1)
    case "home":
    case "ctrl-a":
      return to(start)
    case "end":
    case "ctrl-e":
      return to(end)
    case "ctrl-left":
    case "alt-b":
      return to(wordBefore(isWord))
    case "ctrl-right":
    case "alt-f":
      return to(wordAfter())
    case "backspace":
      return cut(Math.max(cursor - 1, 0), cursor)
    case "delete":
      return cut(cursor, Math.min(cursor + 1, cells.length))
    case "ctrl-u":
      return kill(start === cursor ? Math.max(start - 1, 0) : start, cursor)
    case "ctrl-k":
      return kill(cursor, end === cursor ? Math.min(end + 1, cells.length) : end)
    case "ctrl-w":
      return kill(wordBefore(isVisible), cursor)
    case "alt-backspace":
      return kill(wordBefore(isWord), cursor)
    case "alt-d":
      return kill(cursor, wordAfter())
    case "ctrl-y":
      return put(offset, was.killed, false)
    case "up": {
      if (start === 0) return kept
      const above = start - 1 === 0 ? 0 : cells.lastIndexOf("\n", start - 2) + 1
      return to(Math.min(above + cursor - start, start - 1))
    }
    case "down": {
      if (newline === -1) return kept
      const below = cells.indexOf("\n", end + 1)
      return to(Math.min(end + 1 + cursor - start, below === -1 ? cells.length : below))
    }
    default:
      return kept
  }
}

// Pieces that join with one another in every way there is, and some that do not.
const piece = fc.constantFrom(
  ...["a", "Z", "7", "_", " ", "-", ".", "é", "e\u0301", "\u0301", "\u0323", "字", "か", "\u3099", "한", "ᄒ", "ᅡ", "ᆫ"],
  ...["😀", "👩‍💻", "👨‍👩‍👧‍👦", "👩", "\u200d", "💻", "👍🏽", "🏽", "❤️", "\ufe0f", "1️⃣", "🇩", "🇪", "🇫🇷", "🏴󠁧󠁢󠁳󠁣󠁴󠁿"],
  ...["क्ष", "क", "्", "ष", "ก", "ำ", "\u0600", "שׁ", "\t", "\n", "\u2028", "\u00ad"]
)

const changing = [
  ...(["ctrl-j", "alt-enter", "left", "ctrl-b", "right", "ctrl-f", "home", "ctrl-a", "end", "ctrl-e"] as const),
  ...(["ctrl-left", "alt-b", "ctrl-right", "alt-f", "backspace", "backspace", "delete", "ctrl-u"] as const),
  ...(["ctrl-k", "ctrl-w", "alt-backspace", "alt-d", "ctrl-y"] as const),
  ...(["left", "left", "right", "home", "ctrl-left"] as const)
]

const step = fc.oneof(
  { weight: 4, arbitrary: fc.array(piece, { minLength: 1, maxLength: 6 }).map((pieces) => typed(pieces.join(""))) },
  { weight: 1, arbitrary: fc.array(piece, { maxLength: 9 }).map((pieces) => [paste(`${pieces.join("")}.`)]) },
  { weight: 5, arbitrary: fc.constantFrom(...changing).map((name) => [chord(name)]) },
  { weight: 1, arbitrary: fc.constantFrom<Chord>("up", "down").map((name) => [chord(name), chord("left")]) }
)

const isBoundary = (text: string, offset: number): boolean =>
  offset === 0 || graphemes(text).some((_, index, all) => all.slice(0, index + 1).join("").length === offset)

describe("Editor", () => {
  it.prop(
    "what is typed, moved and deleted equals a plain model",
    [fc.array(step, { maxLength: 40 })],
    ([steps]) => {
      let editor = Editor.make()
      let plain: Model = { cells: [], cursor: 0, typing: undefined, killed: "", killing: false }
      for (const key of steps.flat()) {
        ;[editor] = Editor.press(editor, key, nothing)
        plain = model(plain, key)
        expect(editor.text).toBe(plain.cells.join(""))
        expect(editor.cursor).toBe(offsetOf(plain))
        expect(isBoundary(editor.text, editor.cursor)).toBe(true)
        expect(editor.count).toBe([...editor.text].length)
      }
    },
    { fastCheck: { numRuns: 500 } }
  )

  it.prop(
    "typed a code point at a time, a text stands where it was typed, whatever it could join there",
    [fc.array(piece, { maxLength: 8 }), fc.array(piece, { maxLength: 8 }), fc.nat()],
    ([there, pieces, moves]) => {
      const text = there.join("")
      const [before] = pressAll(Editor.make(), [
        paste(`${text}.`),
        ...Array.from({ length: moves % 12 }, () => chord("left"))
      ])
      const added = pieces.join("")
      const [editor] = pressAll(before, typed(added))
      expect(editor.text).toBe(before.text.slice(0, before.cursor) + added + before.text.slice(before.cursor))
    }
  )

  it.prop(
    "a text that was submitted is typed again by Up, and the same keys make the same text",
    [fc.array(step, { maxLength: 20 })],
    ([steps]) => {
      const keys = steps.flat()
      const [first] = pressAll(Editor.make(), keys)
      expect(pressAll(Editor.make(), keys)[0]).toEqual(first)
      if (first.text.trim() === "") return
      const [sent, requests] = pressAll(first, [
        chord("enter"),
        ...(first.text.split("\n").length > 5 ? [chord("enter")] : [])
      ])
      expect(requests).toEqual([submit(first.text)])
      expect(shown(sent)).toBe("|")
      expect(shown(pressAll(sent, [chord("up")])[0])).toBe(`${first.text}|`)
    }
  )

  it.each<readonly [string, ReadonlyArray<Step>, string]>([
    ["a combining mark joins the letter before it", ["e", "\u0301", "x", "left", "left"], "|e\u0301x"],
    ["a family is one step", ["a👨‍👩‍👧‍👦b", "left", "left"], "a|👨‍👩‍👧‍👦b"],
    ["and goes as a whole", ["a👨‍👩‍👧‍👦", "backspace"], "a|"],
    ["flags go one by one", ["🇩🇪🇫🇷", "backspace"], "🇩🇪|"],
    ["a flag may be typed before another", ["🇫🇷", "home", "🇩🇪"], "🇩🇪|🇫🇷"],
    ["a family may be typed before another emoji", ["💻", "home", "👩‍🚀"], "👩‍🚀|💻"],
    ["delete takes what is after the cursor", ["字é", "home", "delete"], "|é"],
    ["ctrl-d as well", ["ab", "home", "ctrl-d"], "|b"],
    ["at the ends nothing happens", ["a", "right", "delete", "home", "left", "backspace"], "|a"],
    ["home and end are those of the line", ["one", "ctrl-j", "two", "home", "x", "end", "y"], "one\nxtwoy|"],
    ["words are letters and digits", ["a-b c_d!", "ctrl-left"], "a-b |c_d!"],
    ["word by word back", ["a-b c_d!", "alt-b", "alt-b", "alt-b"], "|a-b c_d!"],
    ["word by word forth", ["a-b c_d!", "home", "alt-f", "alt-f"], "a-b| c_d!"],
    ["ctrl-w takes up to a blank", ["say a-b  ", "ctrl-w"], "say |"],
    ["alt-backspace takes letters", ["say a-b", "alt-backspace"], "say a-|"],
    ["alt-d takes them after the cursor", ["one two", "home", "alt-d"], "| two"],
    ["ctrl-u takes the line up to the cursor", ["one", "ctrl-j", "two", "left", "ctrl-u"], "one\n|o"],
    ["and the line break where there is no more", ["one", "ctrl-j", "ctrl-u"], "one|"],
    ["ctrl-k takes the rest of the line", ["one", "ctrl-j", "two", "up", "left", "ctrl-k"], "on|\ntwo"],
    ["and the line break where there is no more", ["one", "ctrl-j", "two", "up", "ctrl-k"], "one|two"],
    ["ctrl-y puts it back", ["one two", "ctrl-w", "home", "ctrl-y"], "two|one "],
    ["deletions in a row add up", ["one two three", "ctrl-w", "ctrl-w", "ctrl-y"], "one two three|"],
    ["in either direction", ["one two", "left", "left", "left", "ctrl-k", "ctrl-u", "ctrl-y"], "one two|"],
    ["not with a key between them", ["one two", "ctrl-w", "left", "ctrl-w", "ctrl-y"], "one| "],
    ["ctrl-t swaps", ["ab", "left", "ctrl-t"], "ba|"],
    ["at the end the last two", ["teh", "ctrl-t"], "the|"],
    ["graphemes", ["a👩‍💻", "ctrl-t"], "👩‍💻a|"],
    ["at the start nothing", ["ab", "home", "ctrl-t"], "|ab"],
    ["with one character nothing", ["a", "ctrl-t"], "a|"],
    ["up keeps the column", ["abcd", "ctrl-j", "字字字", "left", "up"], "ab|cd\n字字字"],
    ["through a shorter line", ["abcd", "ctrl-j", "x", "ctrl-j", "abcd", "left", "up", "up"], "abc|d\nx\nabcd"],
    ["and down again", ["abcd", "ctrl-j", "", "ctrl-j", "abcd", "left", "up", "up", "down", "down"], "abcd\n\nabc|d"],
    ["ctrl-c clears", ["one", "ctrl-j", "two", "ctrl-c"], "|"],
    ["a text of blanks is not submitted", ["  ", "enter"], "  |"]
  ])("%s", (_, steps, expected) => {
    expect(made(...steps)).toBe(expected)
  })

  describe("what is asked of the caller", () => {
    it.each<readonly [string, ReadonlyArray<Step>, ReadonlyArray<Editor.Request>]>([
      ["enter submits", ["hello", "enter"], [submit("hello")]],
      ["in the middle too", ["hello", "home", "enter"], [submit("hello")]],
      ["as it was typed", [" a", "alt-enter", "b ", "enter"], [submit(" a\nb ")]],
      ["not an empty text", ["enter", " ", "enter", "ctrl-j", "enter"], []],
      ["ctrl-c leaves an empty text", ["ctrl-c"], [{ _tag: "Leave" }]],
      ["and clears another first", ["a", "ctrl-c", "ctrl-c"], [{ _tag: "Leave" }]],
      ["ctrl-d leaves an empty text", ["ctrl-d"], [{ _tag: "Leave" }]],
      ["but not by deleting the last character", ["a", "home", "ctrl-d"], []],
      ["a blank is not empty", [" ", "ctrl-d"], []],
      ["ctrl-l redraws, ctrl-z suspends", ["a", "ctrl-l", "ctrl-z"], [{ _tag: "Redraw" }, { _tag: "Suspend" }]]
    ])("%s", (_, steps, expected) => {
      expect(requestsOf(Editor.make(), ...steps)).toEqual(expected)
    })
  })

  describe("pastes", () => {
    it.each([
      ["line ends become newlines", "a\r\nb\rc\nd", "a\nb\nc\nd|"],
      ["one at the end is dropped", "a\r\n", "a|"],
      ["one only", "a\n\n", "a\n|"],
      ["one alone is nothing", "\r\n", "|"],
      ["a tab stays", "a\tb", "a\tb|"],
      ["controls go", "a\u0000\u0003\u0004\u001b\u007f\u0085\u009bb", "ab|"],
      ["and sequences that colour", "\u001b[31mred\u001b[0m \u001b[1;2;3mx\u001b[?25l", "red x|"],
      ["what is no Unicode is replaced", "a\ud800b", "a\ufffdb|"]
    ])("%s", (_, text, expected) => {
      expect(made(paste(text))).toBe(expected)
    })

    it("a paste in mid-line stands as it is, and never submits", () => {
      expect(made("abc", "home", paste("ZZ"))).toBe("ZZ|abc")
      expect(requestsOf(Editor.make(), paste("one\r\ntwo\r\n"))).toEqual([])
    })

    it("more than can be kept is dropped, and what is too long is not submitted but stays", () => {
      const [editor, requests] = pressAll(Editor.make(), [paste("😀".repeat(100_000)), chord("enter"), ...typed("x")])
      expect(requests).toEqual([{ _tag: "TooLong" }])
      expect(editor.count).toBe(Editor.maxCount)
      expect(editor.text).toBe("😀".repeat(Editor.maxCount))
      const [most] = pressAll(Editor.make(), [paste("字".repeat(Seal.maxText + 1))])
      expect(most.count).toBe(4_001)
      expect(requestsOf(most, "enter", "backspace", "enter")).toEqual([
        { _tag: "TooLong" },
        submit("字".repeat(Seal.maxText))
      ])
    })
  })

  describe("a text of many lines", () => {
    const lines = (many: number) => Array.from({ length: many }, (_, index) => `line ${index}`).join("\n")
    const pasted = (many: number) => pressAll(Editor.make(), [paste(lines(many))])[0]

    it("up to five are sent at once", () => {
      expect(requestsOf(pasted(5), "enter")).toEqual([submit(lines(5))])
    })

    it("six are sent when Enter is pressed twice", () => {
      const [asking, none] = pressAll(pasted(6), [chord("enter")])
      expect(none).toEqual([])
      expect(asking.question).toBe(6)
      expect(asking.text).toBe(lines(6))
      expect(requestsOf(asking, "enter")).toEqual([submit(lines(6))])
      expect(pressAll(asking, [chord("enter")])[0].question).toBeUndefined()
    })

    it.each<readonly [string, Step]>([
      ["Escape", "escape"],
      ["Ctrl-C", "ctrl-c"],
      ["a character", "x"],
      ["a move", "up"],
      ["a paste", paste("")]
    ])("%s goes on editing, and Enter asks again", (_, key) => {
      const [editing, requests] = pressAll(pasted(6), keysOf(["enter", key]))
      expect(requests).toEqual([])
      expect(editing.question).toBeUndefined()
      expect(editing.text).toBe(lines(6) + (key === "x" ? "x" : ""))
      const [again, none] = pressAll(editing, [chord("enter")])
      expect(none).toEqual([])
      expect(again.question).toBe(6)
    })
  })

  describe("history", () => {
    const said = (...texts: ReadonlyArray<string>) =>
      pressAll(
        Editor.make(),
        texts.flatMap((text) => [...typed(text), chord("enter")])
      )[0]
    const from = (editor: Editor.Editor, ...steps: ReadonlyArray<Step>) => shown(pressAll(editor, keysOf(steps))[0])

    it("up and down go through it, and stop at its ends", () => {
      const editor = said("one", "two")
      expect(from(editor, "up")).toBe("two|")
      expect(from(editor, "up", "ctrl-p", "up")).toBe("one|")
      expect(from(editor, "up", "up", "down")).toBe("two|")
      expect(from(editor, "up", "ctrl-n", "down")).toBe("|")
      expect(from(Editor.make(), "x", "up", "down")).toBe("x|")
    })

    it("the draft is kept, with its cursor", () => {
      expect(from(said("one"), "draft", "left", "left", "up", "down")).toBe("dra|ft")
    })

    it("an entry that is edited stays so until something is submitted, and the history is as it was", () => {
      const editor = said("one", "two")
      expect(from(editor, "up", "x", "up", "down")).toBe("twox|")
      const [submitted, requests] = pressAll(editor, keysOf(["draft", "up", "x", "up", "y", "enter"]))
      expect(requests).toEqual([submit("oney")])
      expect(submitted.history).toEqual(["one", "two", "oney"])
      expect(from(submitted, "down")).toBe("|")
      expect(from(submitted, "up", "up")).toBe("two|")
    })

    it("Ctrl-C gives an empty draft", () => {
      expect(from(said("one"), "draft", "up", "ctrl-c", "up", "down")).toBe("|")
    })

    it("the same text twice in a row is remembered once", () => {
      expect(said("one", "one", "two", "one").history).toEqual(["one", "two", "one"])
    })

    it("in a text of several lines the lines come first", () => {
      const [editor] = pressAll(Editor.make(), keysOf(["old", "enter", "a", "ctrl-j", "b", "enter"]))
      expect(from(editor, "up")).toBe("a\nb|")
      expect(from(editor, "up", "up")).toBe("a|\nb")
      expect(from(editor, "up", "up", "up")).toBe("old|")
      expect(from(editor, "up", "up", "down", "down")).toBe("|")
    })

    it("it is bounded", () => {
      const many = Array.from({ length: Editor.maxHistory + 3 }, (_, index) => `text ${index}`)
      const editor = said(...many)
      expect(editor.history).toEqual(many.slice(-Editor.maxHistory))
      expect(from(editor, "up")).toBe(`${many.at(-1)}|`)
      expect(from(Editor.make(many), "up", "up", "down")).toBe(`${many.at(-1)}|`)
      expect(Editor.make(many).history).toHaveLength(Editor.maxHistory)
    })
  })

  describe("completion", () => {
    const find: Completion.Find = (before) => {
      const word = /\S*$/.exec(before)?.[0] ?? ""
      const options = ["ada ", "adam ", "bob "].filter((nick) => word !== "" && nick.startsWith(word))
      return { from: before.length - word.length, options }
    }
    const completed = (...steps: ReadonlyArray<Step>) => shown(pressAll(Editor.make(), keysOf(steps), find)[0])

    it("Tab cycles through what there is, Shift-Tab the other way", () => {
      expect(completed("hi a", "tab")).toBe("hi ada |")
      expect(completed("hi a", "tab", "tab")).toBe("hi adam |")
      expect(completed("hi a", "tab", "tab", "tab")).toBe("hi ada |")
      expect(completed("hi a", "shift-tab")).toBe("hi adam |")
      expect(completed("hi a", "tab", "shift-tab")).toBe("hi adam |")
      expect(completed("hi a", "tab", "tab", "shift-tab")).toBe("hi ada |")
    })

    it("what else is typed ends the cycle", () => {
      expect(completed("a", "tab", "b", "tab")).toBe("ada bob |")
      expect(completed("a", "tab", "backspace", "tab")).toBe("ada |")
      expect(completed("a", "tab", "left", "right", "tab")).toBe("ada |")
    })

    it("Escape puts back what was typed", () => {
      expect(completed("hi a", "tab", "tab", "escape")).toBe("hi a|")
      expect(completed("hi a", "tab", "x", "escape")).toBe("hi ada x|")
    })

    it("without options nothing changes", () => {
      expect(completed("hi c", "tab", "shift-tab")).toBe("hi c|")
      expect(completed("tab")).toBe("|")
    })

    it("in the middle of a text what follows stays, and one blank is enough", () => {
      expect(completed("a is here", ...Array.from({ length: 8 }, () => "left"), "tab")).toBe("ada| is here")
      expect(completed("a(here)", ...Array.from({ length: 6 }, () => "left"), "tab", "tab")).toBe("adam |(here)")
    })
  })

  it.each([
    ["words", "word "],
    ["one long link", "x"],
    ["Chinese", "字"],
    ["families", "👨‍👩‍👧‍👦"],
    ["flags", "🇩🇪"],
    ["letters with marks", "e\u0301\u0323"],
    ["lines", `${"x".repeat(300)}\n`]
  ])("a key looks at little of a text of 4,000 characters: %s", (_, unit) => {
    const [editor] = pressAll(Editor.make(), [paste(unit.repeat(4_000 / [...unit].length)), chord("left")])
    const keys = Array.from({ length: 10 }, () =>
      keysOf([
        "a字",
        "left",
        "backspace",
        "right",
        "delete",
        "home",
        "up",
        "down",
        "end",
        "ctrl-k",
        "ctrl-y",
        "ctrl-t",
        "x ",
        "ctrl-w"
      ])
    ).flat()
    pressAll(editor, keys)
    const segment = vi.spyOn(Intl.Segmenter.prototype, "segment")
    pressAll(editor, keys)
    const looked = segment.mock.calls.reduce((sum, [text]) => sum + text.length, 0)
    segment.mockRestore()
    // If each looked at all of it, it would be the whole length and more; most keys look at a line or a word.
    expect(looked / keys.length).toBeLessThan(editor.text.length / 2)
  })
})
