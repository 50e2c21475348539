import { Buffer } from "node:buffer"
import { describe, expect, it } from "@effect/vitest"
import * as FastCheck from "effect/FastCheck"
import * as Lines from "../src/client/terminal/Lines.js"

const split = (most: number, chunks: ReadonlyArray<Uint8Array>): ReadonlyArray<Lines.Line> => {
  let state = Lines.make(most)
  const lines: Array<Lines.Line> = []
  for (const chunk of chunks) {
    const [next, some] = Lines.push(state, chunk)
    state = next
    lines.push(...some)
  }
  return [...lines, ...Lines.end(state)]
}

const bytes = (text: string) => new Uint8Array(Buffer.from(text))
const text = (number: number, text: string): Lines.Line => ({ _tag: "Text", number, text })
const refused = (number: number, reason: "long" | "utf8"): Lines.Line => ({ _tag: "Refused", number, reason })

/** `whole` in pieces that end at `cuts`. */
const pieces = (whole: Uint8Array, cuts: ReadonlyArray<number>) => {
  const ends = [...cuts.map((cut) => cut % (whole.length + 1)), whole.length].sort((a, b) => a - b)
  return ends.map((end, index) => whole.subarray(ends[index - 1] ?? 0, end))
}

describe("Lines", () => {
  it("have either end, and the last one need not have any", () => {
    expect(split(10, [bytes("one\ntwo\r\n\nthree")])).toEqual([
      text(1, "one"),
      text(2, "two"),
      text(3, ""),
      text(4, "three")
    ])
    expect(split(10, [bytes("one\n")])).toEqual([text(1, "one")])
    expect(split(10, [])).toEqual([])
    // Half an end is none of it.
    expect(split(10, [bytes("a\rb\n")])).toEqual([text(1, "a\rb")])
  })

  it("begin without the mark that some programs put before UTF-8", () => {
    expect(split(10, [bytes("\ufeffone\n\ufefftwo\n")])).toEqual([text(1, "one"), text(2, "\ufefftwo")])
    expect(split(10, [bytes("\ufeff\n")])).toEqual([text(1, "")])
  })

  it("may have as many bytes as are allowed, and no more", () => {
    expect(split(4, [bytes("\ufeff1234\r\n1234\r\n1234\n1234")])).toEqual([1, 2, 3, 4].map((n) => text(n, "1234")))
    expect(split(4, [bytes("\ufeff12345\n12345\n12345\r\n12345")])).toEqual([1, 2, 3, 4].map((n) => refused(n, "long")))
    // Without a mark before it, what would have been its place is no more room.
    expect(split(4, [bytes("1234567\n12345678\n\ufeff1\n\ufeff12")])).toEqual([
      refused(1, "long"),
      refused(2, "long"),
      text(3, "\ufeff1"),
      refused(4, "long")
    ])
  })

  it("are refused by their number, and the rest is read", () => {
    const input = Buffer.concat([bytes("one\n"), Uint8Array.of(0xff, 0x0a), bytes("three\nfour is long\nfive")])
    expect(split(5, [input])).toEqual([
      text(1, "one"),
      refused(2, "utf8"),
      text(3, "three"),
      refused(4, "long"),
      text(5, "five")
    ])
  })

  it("take no more memory the longer they are, and are refused at once", () => {
    const chunk = new Uint8Array(65_536).fill(0x78)
    let state = Lines.make(16_000)
    const told: Array<Lines.Line> = []
    // 1 GiB.
    for (let i = 0; i < 16_384; i++) {
      const [next, lines] = Lines.push(state, chunk)
      state = next
      told.push(...lines)
      expect(state.begun.length).toBe(0)
    }
    expect(told).toEqual([refused(1, "long")])
    expect(Lines.push(state, bytes("x\nnext\n"))[1]).toEqual([text(2, "next")])
    expect(Lines.end(state)).toEqual([])
  })

  it("are the same however they come in chunks", () => {
    const line = FastCheck.oneof(
      FastCheck.string({ unit: "grapheme", maxLength: 12 }).map(bytes),
      FastCheck.uint8Array({ maxLength: 12 })
    )
    const end = FastCheck.constantFrom("\n", "\r\n", "")
    const input = FastCheck.array(FastCheck.tuple(line, end), { maxLength: 12 }).map(
      (parts) => new Uint8Array(Buffer.concat(parts.flatMap(([line, end]) => [line, bytes(end)])))
    )
    const cuts = FastCheck.array(FastCheck.nat(), { maxLength: 12 })
    FastCheck.assert(
      FastCheck.property(input, cuts, (input, cuts) => {
        const whole = split(8, [input])
        expect(split(8, pieces(input, cuts))).toEqual(whole)
        expect(
          split(
            8,
            Array.from(input, (byte) => Uint8Array.of(byte))
          )
        ).toEqual(whole)
        expect(whole.map(({ number }) => number)).toEqual(whole.map((_, index) => index + 1))
      })
    )
  })

  it("are what a model says that has all of the input at once", () => {
    const input = FastCheck.string({ unit: FastCheck.constantFrom("a", "é", "\n", "\r\n", " "), maxLength: 40 })
    FastCheck.assert(
      FastCheck.property(input, (input) => {
        const parts = input.split("\n")
        const lines = parts.at(-1) === "" ? parts.slice(0, -1) : parts
        expect(split(1_000, [bytes(input)])).toEqual(
          lines.map((line, index) => text(index + 1, line.endsWith("\r") ? line.slice(0, -1) : line))
        )
      })
    )
  })
})
