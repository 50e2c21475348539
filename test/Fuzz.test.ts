import { beforeEach, describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Random from "effect/Random"
import * as Tally from "./fuzz/Tally.js"
import { accepted, check, type Target } from "./fuzz/Target.js"
import * as Targets from "./fuzz/Targets.js"
import { Dice } from "./simulation/Dice.js"

const inputs = 2_000

// A target is one long step: between two of them whoever waits for the event loop gets his turn.
beforeEach(() => new Promise((resolve) => setImmediate(resolve)))

/** Tries inputs from `first` on. */
const tryAll = (target: Target, first: number, count = inputs): Tally.Tally => {
  const tally = Tally.of(target)
  for (let seed = first; seed < first + count && tally.found.length === 0; seed++) Tally.add(tally, target, seed)
  return tally
}

describe("whatever strangers write is read or refused for a reason, and nothing forged opens", () => {
  for (const target of Targets.all) {
    it.effect(target.name, () =>
      Effect.gen(function* () {
        const first = yield* Random.nextIntBetween(1, 2 ** 31)
        const { found, ...tally } = tryAll(target, first)
        expect(found.map((each) => `${each.what}\n${Tally.replay(each)}`)).toEqual([])
        // Neither is everything refused at the door, nor is nothing refused.
        expect(tally.accepted).toBeGreaterThan(inputs / 200)
        expect(tally.tried - tally.accepted).toBeGreaterThan(inputs / 20)
      })
    )
  }
})

describe("the fuzzer", () => {
  const wrong: Target = {
    name: "wrong",
    share: 1,
    once: (dice) => {
      check(dice.chance(0.999), "once in a thousand")
      return accepted
    }
  }

  it("tells the seed of what it finds, and the seed finds it again", () => {
    const [found] = tryAll(wrong, 1, 100_000).found
    expect(found?.what).toContain("once in a thousand")
    expect(tryAll(wrong, found?.seed ?? 0, 1).found).toHaveLength(1)
  })

  it("makes the same of the same seed", () => {
    const verdicts = () => Targets.all.flatMap(({ once }) => [1, 2, 3, 4, 5].map((seed) => once(new Dice(seed))))
    expect(verdicts()).toEqual(verdicts())
  })
})
