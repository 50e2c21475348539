/** Bytes and texts spoilt at random: bits flipped, parts cut, repeated, moved, put in, and two inputs spliced. */
import { Buffer } from "node:buffer"
import type { Dice } from "../simulation/Dice.js"

/** Inputs grow no further: more tells nothing new. */
const most = 160 * 1024

/** Bytes that parsers have views on. */
const telling = Buffer.from('\0\t\n\r "#%&+,-./0:=@A[\\]_{}\x7f\x80\xbf\xc3\xed\xff', "latin1")

const base64 = "ABQgwEIMUYckos048_-zZ9="

const place = (dice: Dice, length: number) => dice.whole(0, length)

/** A part of `length` bytes that begins and ends anywhere; short ones as often as long ones. */
const part = (dice: Dice, length: number): readonly [number, number] => {
  const from = place(dice, length)
  return [from, Math.min(length, from + Math.floor(dice.scale(1, Math.max(2, length))))]
}

type Step = (dice: Dice, input: Buffer, other: Buffer) => Buffer

const steps: ReadonlyArray<Step> = [
  // A bit is flipped.
  (dice, input) => {
    const flipped = Buffer.from(input)
    const at = dice.whole(0, Math.max(0, input.length - 1))
    flipped[at] = (flipped[at] ?? 0) ^ (1 << dice.whole(0, 7))
    return flipped
  },
  // A byte is another.
  (dice, input) => {
    const changed = Buffer.from(input)
    changed[dice.whole(0, Math.max(0, input.length - 1))] = dice.pick([...telling])
    return changed
  },
  // Two characters of base64url change places, or one is another.
  (dice, input) => {
    const changed = Buffer.from(input)
    const a = dice.whole(0, Math.max(0, input.length - 1))
    const b = dice.whole(0, Math.max(0, input.length - 1))
    const was = changed[a] ?? 0
    changed[a] = dice.chance(0.5) ? (changed[b] ?? 0) : base64.charCodeAt(dice.whole(0, base64.length - 1))
    if (dice.chance(0.5)) changed[b] = was
    return changed
  },
  // The end, or the beginning, is cut off.
  (dice, input) => input.subarray(0, place(dice, input.length)),
  (dice, input) => input.subarray(place(dice, input.length)),
  // A part is taken out.
  (dice, input) => {
    const [from, to] = part(dice, input.length)
    return Buffer.concat([input.subarray(0, from), input.subarray(to)])
  },
  // A part is repeated.
  (dice, input) => {
    const [from, to] = part(dice, input.length)
    const times = dice.whole(1, 8)
    return Buffer.concat([
      input.subarray(0, to),
      ...Array.from({ length: times }, () => input.subarray(from, to)),
      input.subarray(to)
    ])
  },
  // Bytes are put in.
  (dice, input) => {
    const at = place(dice, input.length)
    const put = dice.chance(0.5)
      ? dice.bytes(dice.whole(1, 32))
      : Buffer.alloc(dice.whole(1, 8), dice.pick([...telling]))
    return Buffer.concat([input.subarray(0, at), put, input.subarray(at)])
  },
  // It begins as one and ends as the other.
  (dice, input, other) =>
    Buffer.concat([input.subarray(0, place(dice, input.length)), other.subarray(place(dice, other.length))]),
  // A part is that of the other, at the same place.
  (dice, input, other) => {
    const [from, to] = part(dice, Math.min(input.length, other.length))
    return Buffer.concat([input.subarray(0, from), other.subarray(from, to), input.subarray(to)])
  },
  // Both, one after the other.
  (_, input, other) => Buffer.concat([input, other])
]

/** `input` after one to four changes, some of them taken from `other`. */
export const bytes = (dice: Dice, input: Uint8Array, other: Uint8Array): Buffer => {
  let now = Buffer.from(input)
  const second = Buffer.from(other)
  const rounds = dice.chance(0.6) ? 1 : dice.whole(2, 4)
  for (let round = 0; round < rounds; round++) {
    if (now.length === 0) now = Buffer.from(second)
    const next = dice.pick(steps)(dice, now, second)
    now = Buffer.from(next.subarray(0, most))
  }
  return now
}

/** Characters beyond a byte whose low byte is one of base64url, or which look like nothing, or are half a character. */
const foreign = ["\u0141", "\u2041", "\u200b", "\ufeff", "\ud800", "\udc00", "\u00e9", "\u{1f600}", "\u202e"]

/** The same of a text whose characters are bytes; once in a while one that is not is put in. */
export const text = (dice: Dice, input: string, other: string): string => {
  const changed = bytes(dice, Buffer.from(input, "latin1"), Buffer.from(other, "latin1")).toString("latin1")
  if (!dice.chance(0.05)) return changed
  const at = place(dice, changed.length)
  return changed.slice(0, at) + dice.pick(foreign) + changed.slice(at + (dice.chance(0.5) ? 1 : 0))
}
