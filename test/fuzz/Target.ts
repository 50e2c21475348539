/** Something that reads what strangers wrote, and what must hold of it whatever that was. */
import { isDeepStrictEqual } from "node:util"
import type { Dice } from "../simulation/Dice.js"

/** What became of an input: it was accepted, or why it was refused. */
export type Verdict = string

export const accepted: Verdict = "accepted"

export interface Target {
  readonly name: string
  /** How many of all inputs it gets, as a weight. */
  readonly share: number
  /** Makes one input, tries it, and throws where something does not hold. The same dice make the same input. */
  readonly once: (dice: Dice) => Verdict
}

/** Something does not hold. */
export class Finding extends Error {}

/** Says what does not hold, unless it does. */
export function check(holds: boolean, what: string): asserts holds {
  if (!holds) throw new Finding(what)
}

const asWritten = (value: unknown): unknown => JSON.parse(JSON.stringify(value))

/** Whether two values mean the same: they are written alike, but for the order of their fields. */
export const isSame = (a: unknown, b: unknown): boolean => isDeepStrictEqual(asWritten(a), asWritten(b))

/** The reason of a refusal, which must be one that is known. */
export const refused = (reason: string, known: ReadonlyArray<string>): Verdict => {
  check(known.includes(reason), `it was refused for a reason that it cannot have: ${reason}`)
  return reason
}
