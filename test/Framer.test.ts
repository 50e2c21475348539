import { Buffer } from "node:buffer"
import { describe, expect, it } from "@effect/vitest"
import * as Either from "effect/Either"
import * as FastCheck from "effect/FastCheck"
import * as Base64Url from "../src/domain/Base64Url.js"
import type { Fault } from "../src/domain/Fault.js"
import { Framer, handshakeLimit, lineLimit } from "../src/domain/Framer.js"
import { ruleOf } from "./utils/Faults.js"

const bytes = (text: string) => Buffer.from(text, "latin1")

/** Every line there is now; the first fault ends it. */
const drain = (framer: Framer): Either.Either<ReadonlyArray<string>, Fault> => {
  const lines: Array<string> = []
  for (;;) {
    const line = framer.next()
    if (Either.isLeft(line)) return Either.left(line.left)
    if (line.right === undefined) return Either.right(lines)
    lines.push(line.right)
  }
}

/** The lines of a whole stream that comes in `pieces`. */
const cut = (
  pieces: ReadonlyArray<Uint8Array>,
  limit = handshakeLimit
): Either.Either<ReadonlyArray<string>, Fault> => {
  const framer = new Framer()
  framer.limit = limit
  return Either.gen(function* () {
    const lines: Array<string> = []
    for (const piece of pieces) {
      framer.push(piece)
      lines.push(...(yield* drain(framer)))
    }
    yield* framer.end()
    return lines
  })
}

const oneByOne = (whole: Uint8Array): ReadonlyArray<Uint8Array> => Array.from(whole, (byte) => Uint8Array.of(byte))

const line = FastCheck.uint8Array({ minLength: 1, maxLength: 200 }).map((content) =>
  Buffer.from(content.map((byte) => (byte === 0x0a ? 0x0b : byte))).toString("latin1")
)

describe("Framer", () => {
  it.prop(
    "the same lines come out however the bytes were split",
    { lines: FastCheck.array(line, { maxLength: 20 }), splits: FastCheck.array(FastCheck.nat(5_000)) },
    ({ lines, splits }) => {
      const whole = bytes(lines.map((text) => `${text}\n`).join(""))
      const at = [0, ...splits.map((split) => split % (whole.length + 1)).sort((a, b) => a - b), whole.length]
      const pieces = at.slice(1).map((end, index) => whole.subarray(at[index], end))
      expect(cut([whole])).toEqual(Either.right(lines))
      expect(cut(pieces)).toEqual(Either.right(lines))
      expect(cut(oneByOne(whole))).toEqual(Either.right(lines))
    }
  )

  it.each([handshakeLimit, lineLimit, 5])(
    "a line of %i bytes may come where so many are allowed, and no more",
    (limit) => {
      const most = "x".repeat(limit)
      for (const split of [oneByOne, (whole: Uint8Array) => [whole]]) {
        expect(cut(split(bytes(`${most}\n`)), limit)).toEqual(Either.right([most]))
        expect(ruleOf(cut(split(bytes(`${most}x\n`)), limit))).toBe("line")
        expect(ruleOf(cut(split(bytes(`ab\n${most}x\n`)), limit))).toBe("line")
      }
    }
  )

  it("a line that is too long is a fault before its end has come", () => {
    const framer = new Framer()
    framer.push(bytes("x".repeat(handshakeLimit)))
    expect(framer.next()).toEqual(Either.right(undefined))
    framer.push(bytes("x"))
    expect(ruleOf(framer.next())).toBe("line")
  })

  it("an empty line is a fault", () => {
    expect(ruleOf(cut([bytes("\n")]))).toBe("line")
    expect(ruleOf(cut([bytes("a\n\nb\n")]))).toBe("line")
    expect(ruleOf(cut(oneByOne(bytes("a\n\n"))))).toBe("line")
  })

  it("a partial line at the end is a fault", () => {
    expect(ruleOf(cut([bytes("a")]))).toBe("truncated")
    expect(ruleOf(cut([bytes("a\nb")]))).toBe("truncated")
    expect(ruleOf(cut([bytes("a\nb\n")]))).toBe("none")
    expect(ruleOf(cut([]))).toBe("none")
  })

  it("a carriage return stays in its line, which is then no base64url", () => {
    expect(cut([bytes("YWJj\r\n")])).toEqual(Either.right(["YWJj\r"]))
    expect(Base64Url.isCanonical("YWJj")).toBe(true)
    expect(Base64Url.isCanonical("YWJj\r")).toBe(false)
    expect(Base64Url.isCanonical("YWJ\r")).toBe(false)
  })

  it("bytes beyond ASCII stay in their line, which is then no base64url", () => {
    const lines = Either.getOrThrow(cut([Buffer.from([0xff, 0xc3, 0xa9, 0x41, 0x0a])]))
    expect(lines).toEqual(["\xff\xc3\xa9A"])
    expect(lines.some(Base64Url.isCanonical)).toBe(false)
  })

  it("a limit raised between two lines of the same bytes counts for the second", () => {
    const long = "y".repeat(handshakeLimit + 1)
    const framer = new Framer()
    framer.push(bytes(`hello\n${long}\n`))
    expect(framer.next()).toEqual(Either.right("hello"))
    framer.limit = lineLimit
    expect(framer.next()).toEqual(Either.right(long))
  })

  it("without raising the limit the long second line is a fault, and stays one", () => {
    const framer = new Framer()
    framer.push(bytes(`hello\n${"y".repeat(handshakeLimit + 1)}\n`))
    expect(framer.next()).toEqual(Either.right("hello"))
    expect(ruleOf(framer.next())).toBe("line")
    expect(ruleOf(framer.next())).toBe("line")
  })

  it("a line that comes byte by byte costs its length, not the square of it", () => {
    const framer = new Framer()
    framer.limit = lineLimit
    const copied: Array<number> = []
    const copy = Buffer.prototype.copy
    // Every copy that the framer makes passes here.
    Buffer.prototype.copy = function (this: Buffer, ...args: Parameters<Buffer["copy"]>) {
      const count = copy.apply(this, args)
      copied.push(count)
      return count
    }
    try {
      for (const piece of oneByOne(bytes("z".repeat(lineLimit)))) {
        framer.push(piece)
        framer.next()
      }
    } finally {
      Buffer.prototype.copy = copy
    }
    expect(copied.reduce((sum, count) => sum + count, 0)).toBeGreaterThanOrEqual(lineLimit)
    expect(copied.reduce((sum, count) => sum + count, 0)).toBeLessThanOrEqual(3 * lineLimit)
    framer.push(bytes("\n"))
    expect(framer.next()).toEqual(Either.right("z".repeat(lineLimit)))
  })

  it("what is kept of a line does not hold on to the bytes it came in", () => {
    const framer = new Framer()
    const piece = bytes("abc")
    framer.push(piece)
    expect(framer.next()).toEqual(Either.right(undefined))
    piece.fill(0x78)
    framer.push(bytes("d\n"))
    expect(framer.next()).toEqual(Either.right("abcd"))
  })
})

it("a fault takes nothing: whoever asks again is told again", () => {
  const framer = new Framer()
  framer.limit = lineLimit
  framer.push(bytes("a\n\nb\n"))
  expect(framer.next()).toEqual(Either.right("a"))
  expect(ruleOf(framer.next())).toBe("line")
  expect(ruleOf(framer.next())).toBe("line")
})
