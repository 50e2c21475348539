/**
 * Keys, as a terminal sends them. Node's `emitKeypressEvents` takes the bytes apart (UTF-8 and escape sequences, split
 * anywhere between reads); this names what it found. What is not obvious of it, as seen on Node 20:
 *
 * - A typed character comes one code point at a time, so that an emoji of several, or a letter and its accent, are several
 *   keys. A byte that is not UTF-8 comes as U+FFFD, after up to three more that might have completed it.
 * - Enter is `return`, Ctrl-J is `enter`; with Alt they have `meta`. Ctrl-H cannot be told from Backspace, nor Ctrl-I from
 *   Tab. A capital letter has its small one's name and `shift`.
 * - Escape alone comes once nothing followed it for a while (500 ms unless told otherwise by who first listened to that
 *   stream), with `meta` set; twice in a row it comes as one. `ESC [` alone waits for whatever is next.
 * - Alt with an arrow is `ESC [ 1 ; 3 D` (meta), or `ESC ESC [ D`, which Node gives without `meta`.
 * - A sequence that it does not know has the string "undefined" for a name, and when it has more parameters than two, or a
 *   private mark, it is cut short: the rest comes as if typed. That rest is swallowed here, up to the sequence's last byte.
 * - Of a bracketed paste it names only the marks, `paste-start` and `paste-end`: all between comes as keys, Enter, Tab and
 *   escape sequences too.
 * - After the end of input nothing more comes, also when a sequence or a paste was not complete.
 */
import * as Readline from "node:readline"
import type { Readable } from "node:stream"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Mailbox from "effect/Mailbox"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"

/** A key that does something, by its usual name. Keys that do the same on every terminal's editor share one. */
export type Chord =
  | "enter"
  | "alt-enter"
  | "escape"
  | "tab"
  | "shift-tab"
  | "backspace"
  | "alt-backspace"
  | "delete"
  | "left"
  | "right"
  | "up"
  | "down"
  | "home"
  | "end"
  | "ctrl-left"
  | "ctrl-right"
  | "alt-b"
  | "alt-d"
  | "alt-f"
  | `ctrl-${"a" | "b" | "c" | "d" | "e" | "f" | "j" | "k" | "l" | "n" | "p" | "t" | "u" | "w" | "y" | "z"}`

/** What came from the keyboard. */
export type Key =
  /** A code point that was typed; no control. */
  | { readonly _tag: "Character"; readonly text: string }
  /** A bracketed paste, as it came: line ends, controls and all. */
  | { readonly _tag: "Paste"; readonly text: string }
  | { readonly _tag: "Chord"; readonly chord: Chord }

/** A key as Node tells it. */
type Keypress = Pick<Readline.Key, "sequence" | "name" | "ctrl" | "meta" | "shift">

/** What came before that changes what is next: the rest of a sequence to swallow, or a paste that has begun. */
type State =
  | { readonly _tag: "Ready" }
  | { readonly _tag: "Swallowing" }
  | { readonly _tag: "Pasting"; readonly text: string }

/** Where to begin. */
const ready: State = { _tag: "Ready" }

/** Most UTF-16 units of a paste; what is over is dropped. Nobody can say a text of a tenth of it. */
export const maxPaste = 65_536

const letters = ["a", "b", "c", "d", "e", "f", "k", "l", "n", "p", "t", "u", "w", "y", "z"] as const

const chords: ReadonlyMap<string, Chord> = new Map<string, Chord>([
  ...letters.map((letter) => [`ctrl-${letter}`, `ctrl-${letter}`] as const),
  ["return", "enter"],
  ["alt-return", "alt-enter"],
  ["enter", "ctrl-j"],
  ["alt-enter", "alt-enter"],
  ["tab", "tab"],
  ["shift-tab", "shift-tab"],
  ["backspace", "backspace"],
  ["alt-backspace", "alt-backspace"],
  ["delete", "delete"],
  ["ctrl-delete", "alt-d"],
  ["alt-delete", "alt-d"],
  ["left", "left"],
  ["right", "right"],
  ["up", "up"],
  ["down", "down"],
  ["home", "home"],
  ["end", "end"],
  ["ctrl-left", "ctrl-left"],
  ["ctrl-right", "ctrl-right"],
  ["alt-left", "ctrl-left"],
  ["alt-right", "ctrl-right"],
  ["alt-b", "alt-b"],
  ["alt-d", "alt-d"],
  ["alt-f", "alt-f"]
])

// `ESC [` and parameters (ECMA-48, section 5.4), without the byte that ends them.
const unfinished = /^\x1b+\[[\x20-\x3f]*$/
const parameter = /^[\x20-\x3f]$/
const final = /^[\x40-\x7e]$/
const control = /^[\x00-\x1f\x7f-\x9f]/

const chordOf = ({ ctrl, meta, name, sequence, shift }: Keypress): Chord | undefined => {
  if (name === undefined) return undefined
  // It has `meta` as well.
  if (name === "escape") return "escape"
  const alt = meta === true || sequence?.startsWith("\x1b\x1b[") === true
  const shifted = shift === true && name === "tab"
  return chords.get(`${ctrl === true ? "ctrl-" : ""}${alt ? "alt-" : ""}${shifted ? "shift-" : ""}${name}`)
}

/** What a keypress is, if it is anything, and what to make of the next one. */
const decode = (state: State, keypress: Keypress): readonly [State, Key | undefined] => {
  const { name, sequence = "" } = keypress
  if (state._tag === "Pasting") {
    if (name === "paste-end") return [ready, { _tag: "Paste", text: state.text }]
    const fits = state.text.length + sequence.length <= maxPaste
    return [fits ? { _tag: "Pasting", text: state.text + sequence } : state, undefined]
  }
  if (state._tag === "Swallowing") {
    if (parameter.test(sequence)) return [state, undefined]
    if (final.test(sequence)) return [ready, undefined]
  }
  if (name === "paste-start") return [{ _tag: "Pasting", text: "" }, undefined]
  if (name === "undefined") return [unfinished.test(sequence) ? { _tag: "Swallowing" } : ready, undefined]
  const chord = chordOf(keypress)
  if (chord !== undefined) return [ready, { _tag: "Chord", chord }]
  return [ready, sequence === "" || control.test(sequence) ? undefined : { _tag: "Character", text: sequence }]
}

/** What of a `tty.ReadStream` and a `tty.WriteStream` is needed. */
export interface Terminal {
  readonly input: Readable & { readonly setRawMode: (raw: boolean) => unknown }
  readonly output: { readonly write: (text: string) => unknown }
}

/** Keys that may wait; when more do, nothing is read until they are taken. A single read may exceed it. */
const backlog = 1_024

/** How long an escape sequence may pause after its first byte (ms): a slow line's bytes, a finger that waits for Escape. */
const escapeTimeout = 100

/** The keyboard while it is ours. */
export interface Keyboard {
  /** All keys that came, for one reader; it ends with the input. What of a paste came before that is given first. */
  readonly keys: Stream.Stream<Key>
  /** Gives the terminal back for as long as an effect takes, to suspend or to run an editor, then takes it again. */
  readonly aside: <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>
}

/**
 * Takes the keyboard for as long as the scope lasts: raw mode and bracketed paste on, both off again at its end. A
 * process that ends otherwise leaves bracketed paste on (`\x1b[?2004l` turns it off); raw mode Node ends by itself.
 */
export const make = Effect.fnUntraced(function* ({
  input,
  output
}: Terminal): Effect.fn.Return<Keyboard, never, Scope.Scope> {
  const keys = yield* Mailbox.make<Key>()
  let state: State = ready
  let full = false

  const offer = (key: Key | undefined): void => {
    if (key === undefined) return
    keys.unsafeOffer(key)
    if (full || keys.unsafeSize().pipe((size) => size._tag === "None" || size.value < backlog)) return
    full = true
    input.pause()
  }
  const onKeypress = (_: string | undefined, keypress: Keypress): void => {
    const [next, key] = decode(state, keypress)
    state = next
    offer(key)
  }
  const onEnd = (): void => {
    if (state._tag === "Pasting") offer({ _tag: "Paste", text: state.text })
    state = ready
    keys.unsafeDone(Exit.void)
  }
  const taken = Effect.sync(() => {
    if (!full) return
    full = false
    input.resume()
  })

  const on = Effect.sync(() => {
    input.setRawMode(true)
    output.write("\x1b[?2004h")
    if (!full) input.resume()
  })
  const off = Effect.sync(() => {
    // What is typed now is for another.
    input.pause()
    output.write("\x1b[?2004l")
    input.setRawMode(false)
  })

  yield* Effect.acquireRelease(
    Effect.sync(() => {
      // Of an interface nothing else is read; where Node does not read that either it waits for 500 ms.
      Readline.emitKeypressEvents(input, { escapeCodeTimeout: escapeTimeout } as unknown as Readline.Interface)
      input.on("keypress", onKeypress)
      // A terminal that is gone is an error (EIO), and the end of the input all the same.
      for (const event of ["end", "close", "error"]) input.on(event, onEnd)
      if (input.readableEnded || input.destroyed) onEnd()
    }),
    () =>
      Effect.sync(() => {
        input.off("keypress", onKeypress)
        for (const event of ["end", "close", "error"]) input.off(event, onEnd)
      })
  )
  yield* Effect.acquireRelease(on, () => off)
  return {
    keys: Mailbox.toStream(keys).pipe(
      Stream.chunks,
      Stream.tap(() => taken),
      Stream.flattenChunks
    ),
    aside: (effect) =>
      Effect.acquireUseRelease(
        off,
        () => effect,
        () => on
      )
  }
})
