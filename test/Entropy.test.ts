import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import { Entropy } from "../src/domain/Entropy.js"
import * as Keys from "../src/domain/Keys.js"
import { withEntropy } from "./utils/ScriptedEntropy.js"

/** What a pool is drawn from at once: lengths around it are where a pool could go wrong. */
const pool = 4096

describe("Entropy", () => {
  it.effect("no draw is all zeros and none is given twice", () =>
    Effect.gen(function* () {
      const entropy = yield* Entropy
      const draws = Array.from({ length: 5_000 }, () => entropy.bytes(16))
      const texts = draws.map((bytes) => bytes.join())
      expect(draws.every((bytes) => bytes.length === 16)).toBe(true)
      expect(new Set(texts).size).toBe(draws.length)
      expect(texts).not.toContain(new Uint8Array(16).join())
      // No byte of a draw is fixed, the first and the last ones neither.
      const values = Array.from({ length: 16 }, (_, at) => new Set(draws.map((bytes) => bytes[at])).size)
      expect(Math.min(...values)).toBeGreaterThan(200)
    })
  )

  it.effect("draws of odd lengths do not overlap where the pool ends", () =>
    Effect.gen(function* () {
      const entropy = yield* Entropy
      const lengths = Array.from({ length: 3_000 }, (_, i) => 8 + ((i * 7) % 90))
      const draws = lengths.map((length) => entropy.bytes(length))
      expect(draws.map((bytes) => bytes.length)).toEqual(lengths)
      const starts = draws.map((bytes) => bytes.subarray(0, 8).join())
      const ends = draws.map((bytes) => bytes.subarray(-8).join())
      expect(new Set(starts).size).toBe(draws.length)
      expect(new Set(ends).size).toBe(draws.length)
    })
  )

  it.effect("what was handed out does not change with later draws, nor they with it", () =>
    Effect.gen(function* () {
      const entropy = yield* Entropy
      const kept = entropy.bytes(32)
      const copy = kept.slice()
      const before = entropy.bytes(32)
      before.fill(0)
      const later = Array.from({ length: 300 }, () => entropy.bytes(32))
      expect(kept).toEqual(copy)
      expect(later.every((bytes) => bytes.some((byte) => byte !== 0))).toBe(true)
      expect(kept.buffer.byteLength).toBe(32)
    })
  )

  it.effect.each([pool - 1, pool, pool + 1, 3 * pool])("%i bytes at once are all random", (length) =>
    Effect.gen(function* () {
      const bytes = (yield* Entropy).bytes(length)
      const windows = Array.from({ length: Math.floor(length / 16) }, (_, i) =>
        bytes.subarray(16 * i, 16 * i + 16).join()
      )
      expect(bytes.length).toBe(length)
      expect(new Set(windows).size).toBe(windows.length)
    })
  )

  it.effect("no bytes are an empty array", () =>
    Effect.gen(function* () {
      expect((yield* Entropy).bytes(0)).toEqual(new Uint8Array(0))
    })
  )

  it.effect("one given in its place is what is drawn from", () =>
    Effect.gen(function* () {
      const bytes = Uint8Array.from({ length: 32 }, (_, i) => i)
      const key = yield* Keys.generate.pipe(withEntropy(bytes))
      expect(Redacted.value(key)).toEqual(bytes)
    })
  )
})
