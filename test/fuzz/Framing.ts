/** The framer: however a stream is cut into pieces, the lines and the fault are those of the whole. */
import { Buffer } from "node:buffer"
import * as Either from "effect/Either"
import * as Base64Url from "../../src/domain/Base64Url.js"
import { Framer, handshakeLimit, lineLimit } from "../../src/domain/Framer.js"
import type { Dice } from "../simulation/Dice.js"
import * as Mutation from "./Mutation.js"
import { accepted, check, refused, type Target } from "./Target.js"

interface Read {
  readonly lines: ReadonlyArray<string>
  readonly rule: string | undefined
}

const limitAfter = (lines: number, trusted: number) => (lines >= trusted ? lineLimit : handshakeLimit)

/** What the whole stream says, read in the plainest way. Lines may be longer after the first `trusted`. */
const readWhole = (stream: Buffer, trusted: number): Read => {
  const lines: Array<string> = []
  for (let at = 0; ; ) {
    const end = stream.indexOf(0x0a, at)
    const size = (end === -1 ? stream.length : end) - at
    if (size > limitAfter(lines.length, trusted) || (end !== -1 && size === 0)) return { lines, rule: "line" }
    if (end === -1) return { lines, rule: size > 0 ? "truncated" : undefined }
    lines.push(stream.toString("latin1", at, end))
    at = end + 1
  }
}

const readPieces = (pieces: ReadonlyArray<Uint8Array>, trusted: number): Read => {
  const framer = new Framer()
  framer.limit = limitAfter(0, trusted)
  const lines: Array<string> = []
  for (const piece of pieces) {
    framer.push(piece)
    for (;;) {
      const line = framer.next()
      if (Either.isLeft(line)) {
        check(Either.isLeft(framer.next()), "a fault was gone when it was asked for again")
        return { lines, rule: line.left.rule }
      }
      if (line.right === undefined) break
      lines.push(line.right)
      framer.limit = limitAfter(lines.length, trusted)
    }
  }
  const end = framer.end()
  return { lines, rule: Either.isLeft(end) ? end.left.rule : undefined }
}

const size = (dice: Dice): number => {
  if (dice.chance(0.9)) return dice.whole(1, 200)
  return dice.chance(0.8) ? handshakeLimit + dice.whole(-2, 2) : lineLimit + dice.whole(-2, 2)
}

const stream = (dice: Dice): Buffer =>
  Buffer.from(Array.from({ length: dice.whole(1, 6) }, () => `${"A".repeat(size(dice))}\n`).join(""))

/** At most a few hundred pieces: some of a byte, some empty, one of all the rest. */
const cut = (dice: Dice, whole: Buffer): ReadonlyArray<Uint8Array> => {
  const pieces: Array<Uint8Array> = []
  const longest = Math.max(2, Math.floor(dice.scale(2, Math.max(3, whole.length))))
  let at = 0
  while (at < whole.length && pieces.length < 300) {
    const to = Math.min(whole.length, at + dice.whole(0, longest))
    pieces.push(whole.subarray(at, to))
    at = to
  }
  return [...pieces, whole.subarray(at)]
}

const framer: Target = {
  name: "framer",
  share: 10,
  once: (dice) => {
    const good = stream(dice)
    const whole = dice.chance(0.2) ? good : Mutation.bytes(dice, good, stream(dice))
    const trusted = dice.whole(0, 3)
    const expected = readWhole(whole, trusted)
    const read = readPieces(cut(dice, whole), trusted)
    check(
      read.rule === expected.rule && read.lines.length === expected.lines.length,
      `in pieces: ${read.lines.length} lines and ${read.rule}; whole: ${expected.lines.length} and ${expected.rule}`
    )
    check(
      read.lines.every((line, at) => line === expected.lines[at]),
      "a line came out otherwise in pieces"
    )
    if (read.rule !== undefined) return refused(read.rule, ["line", "truncated"])
    check(whole.equals(Buffer.from(read.lines.map((line) => `${line}\n`).join(""), "latin1")), "a byte was lost")
    return accepted
  }
}

const room = Buffer.alloc(256 * 1024)

/** Both ways to read base64url agree, and only what is written alike is read. */
const base64: Target = {
  name: "base64url",
  share: 14,
  once: (dice) => {
    const text = (length: number) => Base64Url.encode(dice.bytes(length))
    const good = text(dice.whole(0, 120))
    const given = dice.chance(0.1) ? good : Mutation.text(dice, good, text(dice.whole(0, 120)))
    const length = Base64Url.write(given, room)
    const decoded = Base64Url.decode(given)
    check((length === -1) === (decoded._tag === "None"), "one way to read it accepts what the other refuses")
    if (decoded._tag === "None") return refused("not canonical", ["not canonical"])
    check(room.subarray(0, length).equals(decoded.value), "the two ways to read it differ")
    check(Base64Url.encode(decoded.value) === given, "what was read is written otherwise")
    return accepted
  }
}

export const targets: ReadonlyArray<Target> = [framer, base64]
