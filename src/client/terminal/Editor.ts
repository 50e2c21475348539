/**
 * The line editor: what is typed becomes a text. It moves and deletes by graphemes (what a reader takes for one character),
 * and the cursor never stands within one. Pure, so that it needs no terminal; drawing is not its business.
 */
import * as Seal from "../../domain/Seal.js"
import type * as Completion from "./Completion.js"
import * as Grapheme from "./Grapheme.js"
import type { Chord, Key } from "./Keyboard.js"

/** Most code points of a text while it is edited, so that no paste is a burden. What is over is dropped. */
export const maxCount = 16_384

/** A text of more lines than this is sent when Enter was pressed twice. */
const askAbove = 5

/** Texts that are remembered. */
export const maxHistory = 500

/** What the caller is asked to do. */
export type Request =
  | { readonly _tag: "Submit"; readonly text: string }
  /** Enter was pressed, and the text has more than {@link Seal.maxText} code points: it stays as it is. */
  | { readonly _tag: "TooLong" }
  | { readonly _tag: "Leave" }
  | { readonly _tag: "Redraw" }
  | { readonly _tag: "Suspend" }

/** A text and the cursor in it. */
interface Draft {
  readonly text: string
  /** Offset in UTF-16 units, at a boundary of graphemes. */
  readonly cursor: number
}

/** A completion of which Tab shows the next option. */
interface Cycle {
  readonly options: ReadonlyArray<string>
  readonly shown: number
  /** Where the option stands, what did before it, and where the cursor was. */
  readonly from: number
  readonly text: string
  readonly cursor: number
}

/** What is typed, and what is remembered. Change it by {@link press} only. */
export interface Editor extends Draft {
  /** Code points of the text. */
  readonly count: number
  /** Lines that the next Enter sends, while that is asked; Escape, or to go on editing, takes the question back. */
  readonly question: number | undefined
  /** Texts that were submitted, oldest first. */
  readonly history: ReadonlyArray<string>
  /** Which of them is edited; its length is the draft. */
  readonly at: number
  /** How those that were edited, and the draft, were left, until something is submitted. */
  readonly left: ReadonlyMap<number, Draft>
  /** Where the last typed character ended. The next one may join it: a flag is two, and may stand before another flag. */
  readonly point: number
  /** The column that Up and Down keep to while nothing else is pressed. */
  readonly column: number | undefined
  /** What Ctrl-Y puts back. */
  readonly killed: string
  /** Whether the last key added to it. */
  readonly killing: boolean
  readonly cycle: Cycle | undefined
}

/** An empty text, with the texts that Up brings back. */
export const make = (history: ReadonlyArray<string> = []): Editor => ({
  text: "",
  cursor: 0,
  count: 0,
  question: undefined,
  history: history.slice(-maxHistory),
  at: Math.min(history.length, maxHistory),
  left: new Map(),
  point: 0,
  column: undefined,
  killed: "",
  killing: false,
  cycle: undefined
})

const isLow = (code: number): boolean => code >= 0xdc00 && code < 0xe000

// Of well-formed text, as all is that comes in.
const codePoints = (text: string): number => {
  let count = 0
  for (let index = 0; index < text.length; index += 1) if (!isLow(text.charCodeAt(index))) count += 1
  return count
}

/** The first `many` code points. */
const cut = (text: string, many: number): string => {
  if (text.length <= many) return text
  let index = 0
  for (let count = 0; count < many && index < text.length; count += 1)
    index += isLow(text.charCodeAt(index + 1)) ? 2 : 1
  return text.slice(0, index)
}

// A sequence that colours is of no use once its first byte is dropped.
const sequences = /\x1b\[[\x20-\x3f]*[\x40-\x7e]/g
const controls = /[\x00-\x08\x0b-\x1f\x7f-\x9f]/g

const clean = (text: string): string =>
  text.toWellFormed().replace(sequences, "").replace(/\r\n?/g, "\n").replace(controls, "")

/** Puts `text` in the place of what is between two offsets, as much of it as there is room for, and the cursor behind it. */
const replace = (editor: Editor, from: number, to: number, text: string): Editor => {
  const without = editor.count - codePoints(editor.text.slice(from, to))
  const put = cut(text, maxCount - without)
  const whole = editor.text.slice(0, from) + put + editor.text.slice(to)
  const point = from + put.length
  return { ...editor, text: whole, cursor: Grapheme.ceil(whole, point), point, count: without + codePoints(put) }
}

const insert = (editor: Editor, text: string): Editor => replace(editor, editor.cursor, editor.cursor, text)

const move = (editor: Editor, cursor: number): Editor => (cursor === editor.cursor ? editor : { ...editor, cursor })

const remove = (editor: Editor, from: number, to: number): Editor =>
  from === to ? editor : replace(editor, from, to, "")

/** Deletes what Ctrl-Y puts back. Several such deletions in a row add up. */
const kill = (editor: Editor, from: number, to: number, was: Editor): Editor => {
  if (from === to) return { ...editor, killing: was.killing }
  const text = editor.text.slice(from, to)
  const before = was.killing ? editor.killed : ""
  return { ...remove(editor, from, to), killed: from < editor.cursor ? text + before : before + text, killing: true }
}

const lineStart = (text: string, at: number): number => (at === 0 ? 0 : text.lastIndexOf("\n", at - 1) + 1)

const lineEnd = (text: string, at: number): number => {
  const found = text.indexOf("\n", at)
  return found === -1 ? text.length : found
}

// A grapheme is what its first character is: marks go with their letter.
const wordly = /^[\p{L}\p{M}\p{N}_]/u
const blank = /^\s/

/** Words as Alt-B knows them: letters, digits and underscores. */
const isWordly = (grapheme: string): boolean => wordly.test(grapheme)
/** Words as Ctrl-W knows them: all between blanks. */
const isVisible = (grapheme: string): boolean => !blank.test(grapheme)

/** Length of what comes before the end of the first word. */
const throughWord = (graphemes: Iterable<string>, isWord: (grapheme: string) => boolean): number => {
  let length = 0
  let inWord = false
  for (const grapheme of graphemes) {
    const is = isWord(grapheme)
    if (inWord && !is) break
    inWord = is
    length += grapheme.length
  }
  return length
}

/** Where the word before the cursor begins. */
const wordBefore = ({ cursor, text }: Draft, isWord: (grapheme: string) => boolean): number =>
  cursor - throughWord(Grapheme.backward(text, cursor), isWord)

/** Where the word after the cursor ends. */
const wordAfter = ({ cursor, text }: Draft): number => cursor + throughWord(Grapheme.forward(text, cursor), isWordly)

/** Swaps the graphemes around the cursor; at the end of a line those before it. */
const transpose = (editor: Editor): Editor => {
  const { text } = editor
  const start = lineStart(text, editor.cursor)
  const end = lineEnd(text, editor.cursor)
  const middle = editor.cursor === end && end > start ? Grapheme.before(text, end) : editor.cursor
  if (middle === start) return editor
  const from = Grapheme.before(text, middle)
  const to = Grapheme.after(text, middle)
  return replace(editor, from, to, text.slice(middle, to) + text.slice(from, middle))
}

/** Another text of the history, or the draft; what was edited meanwhile is kept as it was left. */
const recall = (editor: Editor, at: number): Editor => {
  if (at < 0 || at > editor.history.length) return editor
  const left = new Map(editor.left).set(editor.at, { text: editor.text, cursor: editor.cursor })
  const text = left.get(at)?.text ?? editor.history[at] ?? ""
  const isDraft = at === editor.history.length
  const cursor = isDraft ? (left.get(at)?.cursor ?? 0) : text.length
  return { ...editor, at, left, text, cursor, count: codePoints(text) }
}

/** A column further right than this is not kept: no line is so wide, and counting costs. */
const maxColumn = 250

/** A line up or down in the text, and beyond its first and last line another text. */
const vertical = (editor: Editor, by: -1 | 1, was: Editor): Editor => {
  const { cursor, text } = editor
  const start = lineStart(text, cursor)
  const end = lineEnd(text, cursor)
  if (by === -1 ? start === 0 : end === text.length) return recall(editor, editor.at + by)
  const column = was.column ?? Grapheme.count(text.slice(start, cursor), maxColumn)
  const to = by === -1 ? lineStart(text, start - 1) : end + 1
  return { ...editor, cursor: to + Grapheme.skip(text.slice(to, lineEnd(text, to)), column), column }
}

const show = (editor: Editor, cycle: Cycle): Editor => {
  const { cursor, from, options, shown, text } = cycle
  // An option ends in a space to go on typing; where there is one already, that will do.
  const option = options[shown] ?? ""
  const put = blank.test(text.slice(cursor, cursor + 1)) ? option.trimEnd() : option
  const restored: Editor = { ...editor, text, cursor, count: codePoints(text) }
  return { ...replace(restored, from, cursor, put), cycle }
}

const complete = (editor: Editor, by: -1 | 1, was: Editor, find: Completion.Find): Editor => {
  if (was.cycle !== undefined) {
    const { options, shown } = was.cycle
    return show(editor, { ...was.cycle, shown: (shown + by + options.length) % options.length })
  }
  const { cursor, text } = editor
  const { from, options } = find(text.slice(0, cursor))
  if (options.length === 0) return editor
  return show(editor, { options, shown: by === 1 ? 0 : options.length - 1, from, text, cursor })
}

const cancel = (editor: Editor, { cycle }: Editor): Editor =>
  cycle === undefined ? editor : { ...editor, text: cycle.text, cursor: cycle.cursor, count: codePoints(cycle.text) }

const submit = (editor: Editor, was: Editor): readonly [Editor, Request | undefined] => {
  const { count, history, killed, text } = editor
  if (text.trim() === "") return [editor, undefined]
  if (count > Seal.maxText) return [editor, { _tag: "TooLong" }]
  const lines = text.split("\n").length
  if (lines > askAbove && was.question === undefined) return [{ ...editor, question: lines }, undefined]
  const fresh = make(history.at(-1) === text ? history : [...history, text])
  return [
    { ...fresh, killed },
    { _tag: "Submit", text }
  ]
}

/** `editor` has what lasts from key to key; `was` has as well what lasts only as long as the same key is pressed. */
const obey = (
  editor: Editor,
  was: Editor,
  chord: Chord,
  find: Completion.Find
): Editor | readonly [Editor, Request | undefined] => {
  const { cursor, text } = editor
  switch (chord) {
    case "enter":
      return submit(editor, was)
    case "alt-enter":
    case "ctrl-j":
      return insert(editor, "\n")
    case "escape":
      return cancel(editor, was)
    case "tab":
      return complete(editor, 1, was, find)
    case "shift-tab":
      return complete(editor, -1, was, find)
    case "left":
    case "ctrl-b":
      return move(editor, Grapheme.before(text, cursor))
    case "right":
    case "ctrl-f":
      return move(editor, Grapheme.after(text, cursor))
    case "home":
    case "ctrl-a":
      return move(editor, lineStart(text, cursor))
    case "end":
    case "ctrl-e":
      return move(editor, lineEnd(text, cursor))
    case "ctrl-left":
    case "alt-b":
      return move(editor, wordBefore(editor, isWordly))
    case "ctrl-right":
    case "alt-f":
      return move(editor, wordAfter(editor))
    case "up":
    case "ctrl-p":
      return vertical(editor, -1, was)
    case "down":
    case "ctrl-n":
      return vertical(editor, 1, was)
    case "backspace":
      return remove(editor, Grapheme.before(text, cursor), cursor)
    case "delete":
      return remove(editor, cursor, Grapheme.after(text, cursor))
    case "ctrl-d":
      return text === "" ? [editor, { _tag: "Leave" }] : remove(editor, cursor, Grapheme.after(text, cursor))
    case "ctrl-u": {
      // At the start of a line it takes the line break before it, and Ctrl-K at the end the one after.
      const start = lineStart(text, cursor)
      return kill(editor, start === cursor ? Math.max(0, start - 1) : start, cursor, was)
    }
    case "ctrl-k": {
      const end = lineEnd(text, cursor)
      return kill(editor, cursor, end === cursor ? Math.min(end + 1, text.length) : end, was)
    }
    case "ctrl-w":
      return kill(editor, wordBefore(editor, isVisible), cursor, was)
    case "alt-backspace":
      return kill(editor, wordBefore(editor, isWordly), cursor, was)
    case "alt-d":
      return kill(editor, cursor, wordAfter(editor), was)
    case "ctrl-y":
      return insert(editor, editor.killed)
    case "ctrl-t":
      return transpose(editor)
    case "ctrl-c":
      if (was.question !== undefined) return editor
      if (text === "") return [editor, { _tag: "Leave" }]
      return { ...make(editor.history), killed: editor.killed }
    case "ctrl-l":
      return [editor, { _tag: "Redraw" }]
    case "ctrl-z":
      return [editor, { _tag: "Suspend" }]
  }
}

/** What a key makes of it, and what it asks of the caller. `find` completes what stands before the cursor. */
export const press = (was: Editor, key: Key, find: Completion.Find): readonly [Editor, Request | undefined] => {
  const editor: Editor = {
    ...was,
    point: was.cursor,
    question: undefined,
    column: undefined,
    killing: false,
    cycle: undefined
  }
  switch (key._tag) {
    case "Character":
      return [replace(editor, was.point, was.point, clean(key.text)), undefined]
    case "Paste":
      // Who copies a line copies its end along.
      return [insert(editor, clean(key.text).replace(/\n$/, "")), undefined]
    case "Chord": {
      const result = obey(editor, was, key.chord, find)
      const [next, request] = "text" in result ? [result, undefined] : result
      // Only what is typed goes on where the last character ended.
      return [{ ...next, point: next.cursor }, request]
    }
  }
}
