/**
 * Lines out of bytes: what a pipe delivers in chunks of any size. What is held of a line is bounded, however long it
 * turns out to be.
 */
import { Buffer } from "node:buffer"

const newline = 0x0a
const carriageReturn = 0x0d
/** What some programs put before UTF-8. */
const mark = [0xef, 0xbb, 0xbf]

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true })

/** A line by its number, counted from 1: its text without its end, or why it has none. */
export type Line =
  | { readonly _tag: "Text"; readonly number: number; readonly text: string }
  | { readonly _tag: "Refused"; readonly number: number; readonly reason: "long" | "utf8" }

export interface State {
  /** Most bytes of a line, without its end. */
  readonly most: number
  /** The number of the line that comes next, or has begun. */
  readonly number: number
  /** What has come of it. */
  readonly begun: Uint8Array
  /** Whether it is too long: the rest of it passes by. */
  readonly isSkipping: boolean
}

const nothing = new Uint8Array()

/** Before the first byte of lines of at most `most` bytes. */
export const make = (most: number): State => ({ most, number: 1, begun: nothing, isSkipping: false })

const decode = (number: number, bytes: Uint8Array): Line => {
  try {
    return { _tag: "Text", number, text: utf8.decode(bytes) }
  } catch {
    return { _tag: "Refused", number, reason: "utf8" }
  }
}

/** The line that is `bytes`, without a mark before the first one and with either end. */
const line = (most: number, number: number, bytes: Uint8Array): Line => {
  const from = number === 1 && mark.every((byte, index) => bytes[index] === byte) ? mark.length : 0
  const to = bytes.at(-1) === carriageReturn ? bytes.length - 1 : bytes.length
  return to - from > most
    ? { _tag: "Refused", number, reason: "long" }
    : decode(number, bytes.subarray(from, Math.max(from, to)))
}

/** Takes a chunk: the lines that end in it. One that is too long is told as soon as that shows. */
export const push = (state: State, chunk: Uint8Array): readonly [State, ReadonlyArray<Line>] => {
  const { most } = state
  let { begun, isSkipping, number } = state
  const lines: Array<Line> = []
  let from = 0
  while (from < chunk.length) {
    const end = chunk.indexOf(newline, from)
    const part = chunk.subarray(from, end === -1 ? chunk.length : end)
    from += part.length + 1
    // Beside its own bytes a line may hold a mark and half of its end.
    if (!isSkipping && begun.length + part.length > most + mark.length + 1) {
      lines.push({ _tag: "Refused", number, reason: "long" })
      isSkipping = true
    }
    if (end === -1) {
      // A copy, so that a small part does not keep the whole chunk.
      begun = isSkipping ? nothing : Buffer.concat([begun, part])
      continue
    }
    if (!isSkipping) lines.push(line(most, number, begun.length === 0 ? part : Buffer.concat([begun, part])))
    begun = nothing
    isSkipping = false
    number += 1
  }
  return [{ most, number, begun, isSkipping }, lines]
}

/** What is left at the end of the input: a line without a newline is one as well. */
export const end = ({ begun, isSkipping, most, number }: State): ReadonlyArray<Line> =>
  isSkipping || begun.length === 0 ? [] : [line(most, number, begun)]
