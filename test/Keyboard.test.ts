import { Buffer } from "node:buffer"
import { PassThrough } from "node:stream"
import { describe, expect, it } from "@effect/vitest"
import * as Chunk from "effect/Chunk"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Stream from "effect/Stream"
import * as Keyboard from "../src/client/terminal/Keyboard.js"

const chord = (name: Keyboard.Chord): Keyboard.Key => ({ _tag: "Chord", chord: name })
const paste = (text: string): Keyboard.Key => ({ _tag: "Paste", text })
const typed = (text: string): ReadonlyArray<Keyboard.Key> =>
  [...text].map((character) => ({ _tag: "Character", text: character }))

const a = typed("a")

/** What a terminal sends, and the keys that it is. */
const recorded: ReadonlyArray<readonly [string, string | Buffer, ReadonlyArray<Keyboard.Key>]> = [
  ["letters", "aZ 9~é字😀", typed("aZ 9~é字😀")],
  ["what joins comes apart", "e\u0301👩‍💻", typed("e\u0301👩‍💻")],
  ["Enter, Ctrl-J", "\r\n", [chord("enter"), chord("ctrl-j")]],
  ["Alt-Enter", "\x1b\r\x1b\n", [chord("alt-enter"), chord("alt-enter")]],
  ["Tab, Shift-Tab", "\t\x1b[Z", [chord("tab"), chord("shift-tab")]],
  ["Backspace, and Ctrl-H", "\x7f\b", [chord("backspace"), chord("backspace")]],
  ["Alt-Backspace", "\x1b\x7f\x1b\b", [chord("alt-backspace"), chord("alt-backspace")]],
  [
    "Ctrl and a letter",
    "\x01\x02\x03\x04\x05\x06\x0b\x0c\x0e\x10\x14\x15\x17\x19\x1a",
    (["a", "b", "c", "d", "e", "f", "k", "l", "n", "p", "t", "u", "w", "y", "z"] as const).map((letter) =>
      chord(`ctrl-${letter}`)
    )
  ],
  ["Alt and a letter", "\x1bb\x1bd\x1bf\x1bB", [chord("alt-b"), chord("alt-d"), chord("alt-f"), chord("alt-b")]],
  ["arrows", "\x1b[A\x1b[B\x1b[C\x1b[D", [chord("up"), chord("down"), chord("right"), chord("left")]],
  ["arrows of an application", "\x1bOA\x1bOB\x1bOC\x1bOD", [chord("up"), chord("down"), chord("right"), chord("left")]],
  ["Ctrl and an arrow", "\x1b[1;5D\x1b[1;5C", [chord("ctrl-left"), chord("ctrl-right")]],
  ["the same of rxvt", "\x1bOd\x1bOc", [chord("ctrl-left"), chord("ctrl-right")]],
  ["Alt and an arrow", "\x1b[1;3D\x1b\x1b[C", [chord("ctrl-left"), chord("ctrl-right")]],
  ["Shift and an arrow", "\x1b[1;2D", [chord("left")]],
  ["Home", "\x1b[H\x1bOH\x1b[1~\x1b[7~", Array.from({ length: 4 }, () => chord("home"))],
  ["End", "\x1b[F\x1bOF\x1b[4~\x1b[8~", Array.from({ length: 4 }, () => chord("end"))],
  ["Delete", "\x1b[3~\x1b[3;5~\x1b[3;3~", [chord("delete"), chord("alt-d"), chord("alt-d")]],
  ["Page Up, Insert, function keys", "\x1b[5~\x1b[2~\x1bOP\x1b[15~\x1b[[A\x1b[24~a", a],
  ["other controls", "\x00\x07\x11\x1c\x1d\x1e\x1f\u0085\u009ba", a],
  ["Alt and what means nothing", "\x1b.\x1b1\x1bé\x1b\ta", a],
  ["Ctrl and Up", "\x1b[1;5Aa", a],
  ["the window has the focus", "\x1b[I\x1b[Oa", a],
  ["a mouse", "\x1b[<0;12;7M\x1b[<0;12;7ma", a],
  ["what the terminal is", "\x1b[?1;2c\x1b[>41;354;0ca", a],
  ["where the cursor is", "\x1b[24;80Ra", a],
  ["keys of other protocols", "\x1b[27;5;13~\x1b[13;3u\x1b[97;5:1ua", a],
  ["a sequence of many parts", "\x1b[1;2;3;4;5ma", a],
  ["a sequence cut by another", "\x1b[?1\x1b[Da", [chord("left"), ...a]],
  ["a sequence cut by a control", "\x1b[?1\x03a", [chord("ctrl-c"), ...a]],
  ["bytes that are not UTF-8", Buffer.from([0x61, 0xff, 0x62, 0xc3, 0x28]), typed("a\ufffdb\ufffd(")],
  ["a paste", "\x1b[200~one\r\ntwo\x1b[201~a", [paste("one\r\ntwo"), ...a]],
  [
    "keys within a paste are text",
    "\x1b[200~a\tb\x03\x04\x7f\x1bb\x1b[A\x1b[31mé😀\x1b[201~\r",
    [paste("a\tb\x03\x04\x7f\x1bb\x1b[A\x1b[31mé😀"), chord("enter")]
  ],
  ["a paste within a paste", "\x1b[200~a\x1b[200~b\x1b[201~a", [paste("a\x1b[200~b"), ...a]],
  ["an empty paste", "\x1b[200~\x1b[201~a", [paste(""), ...a]],
  ["the end of a paste that did not begin", "\x1b[201~a", a],
  ["a paste cut by the end of the input", "a\x1b[200~one\rtwo", [...a, paste("one\rtwo")]],
  ["a sequence cut by the end of the input", "a\x1b[1;", a],
  ["a character cut by the end of the input", Buffer.from([0x61, 0xe5, 0xad]), a]
]

/** A terminal of which the test has both ends. */
const makeTerminal = () => {
  const log: Array<string> = []
  const input = Object.assign(new PassThrough(), {
    setRawMode: (raw: boolean) => void log.push(raw ? "raw" : "cooked")
  })
  const output = { write: (text: string) => void log.push(JSON.stringify(text)) }
  return { input, output, log }
}

const on = ["raw", JSON.stringify("\x1b[?2004h")]
const off = [JSON.stringify("\x1b[?2004l"), "cooked"]

/** The keys of these reads. */
const keysOf = (reads: ReadonlyArray<Uint8Array>) =>
  Effect.gen(function* () {
    const terminal = makeTerminal()
    const { keys } = yield* Keyboard.make(terminal)
    const all = yield* Effect.fork(Stream.runCollect(keys))
    for (const read of reads) terminal.input.write(read)
    terminal.input.end()
    return Chunk.toReadonlyArray(yield* Fiber.join(all))
  }).pipe(Effect.scoped)

describe("Keyboard", () => {
  it.live.each(recorded.map(([name, sent, keys]) => ({ name, bytes: Buffer.from(sent), keys })))(
    "$name, in one read, in two that are split anywhere, and byte by byte",
    ({ bytes, keys }) =>
      Effect.gen(function* () {
        expect(yield* keysOf([bytes])).toEqual(keys)
        for (let at = 1; at < bytes.length; at += 1) {
          expect(yield* keysOf([bytes.subarray(0, at), bytes.subarray(at)]), `split at ${at}`).toEqual(keys)
        }
        expect(yield* keysOf(Array.from(bytes, (_, at) => bytes.subarray(at, at + 1)))).toEqual(keys)
      })
  )

  it.scopedLive("Escape is one that nothing follows", () =>
    Effect.gen(function* () {
      const terminal = makeTerminal()
      const { keys } = yield* Keyboard.make(terminal)
      const first = yield* Effect.fork(Stream.runCollect(Stream.take(keys, 1)))
      terminal.input.write("\x1b")
      expect(Chunk.toReadonlyArray(yield* Fiber.join(first))).toEqual([chord("escape")])
      const second = yield* Effect.fork(Stream.runCollect(Stream.take(keys, 2)))
      terminal.input.write("\x1b\x1b")
      yield* Effect.sleep("200 millis")
      terminal.input.write("b")
      expect(Chunk.toReadonlyArray(yield* Fiber.join(second))).toEqual([chord("escape"), ...typed("b")])
    })
  )

  it.live("a paste comes in one piece, however many reads it takes, and has a bound", () =>
    Effect.gen(function* () {
      const lines = Array.from({ length: 100 }, (_, line) => `line ${line}\r`)
      const reads = ["\x1b[200~", ...lines, "\x1b[201~"].map((read) => Buffer.from(read))
      expect(yield* keysOf(reads)).toEqual([paste(lines.join(""))])
      const huge = Buffer.from(`\x1b[200~${"x".repeat(1_000_000)}\x1b[201~a`)
      expect(yield* keysOf([huge])).toEqual([paste("x".repeat(Keyboard.maxPaste)), ...a])
    })
  )

  it.live("raw mode and bracketed paste are on while the scope lasts, and nothing is read after it", () =>
    Effect.gen(function* () {
      const { input, log, output } = makeTerminal()
      yield* Effect.scoped(
        Effect.gen(function* () {
          yield* Keyboard.make({ input, output })
          expect(log).toEqual(on)
        })
      )
      expect(log).toEqual([...on, ...off])
      expect(input.listenerCount("keypress")).toBe(0)
      expect(input.isPaused()).toBe(true)
      input.write("for the shell")
      yield* Effect.sleep("5 millis")
      expect(input.read()?.toString()).toBe("for the shell")
    })
  )

  it.scopedLive("it is given back while something else has the terminal, also when that fails", () =>
    Effect.gen(function* () {
      const { input, log, output } = makeTerminal()
      const { aside, keys } = yield* Keyboard.make({ input, output })
      yield* Effect.ignore(
        aside(
          Effect.sync(() => {
            expect(log).toEqual([...on, ...off])
            expect(input.isPaused()).toBe(true)
          }).pipe(Effect.zipRight(Effect.fail("no")))
        )
      )
      expect(log).toEqual([...on, ...off, ...on])
      input.write("a")
      expect(Chunk.toReadonlyArray(yield* Stream.runCollect(Stream.take(keys, 1)))).toEqual(a)
    })
  )

  it.scopedLive("a terminal that is gone ends the keys", () =>
    Effect.gen(function* () {
      const { input, output } = makeTerminal()
      const { keys } = yield* Keyboard.make({ input, output })
      input.write("a")
      yield* Effect.sleep("5 millis")
      input.destroy(new Error("read EIO"))
      expect(Chunk.toReadonlyArray(yield* Stream.runCollect(keys))).toEqual(a)
      // And were never there where it was gone before.
      const { keys: none } = yield* Keyboard.make({ input, output })
      expect(Chunk.toReadonlyArray(yield* Stream.runCollect(none))).toEqual([])
    })
  )

  it.scopedLive("while nobody takes keys nothing more is read, and none is lost", () =>
    Effect.gen(function* () {
      const { input, output } = makeTerminal()
      const { keys } = yield* Keyboard.make({ input, output })
      const read = "0123456789".repeat(100)
      for (let count = 0; count < 100; count += 1) input.write(read)
      yield* Effect.sleep("20 millis")
      expect(input.readableFlowing).toBe(false)
      expect(input.readableLength + input.writableLength).toBeGreaterThan(90_000)
      input.end()
      expect(Chunk.toReadonlyArray(yield* Stream.runCollect(keys))).toEqual(typed(read.repeat(100)))
    })
  )
})
