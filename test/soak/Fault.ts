/** Lines that break the rules, of one whom the server has let in. */
import { Buffer } from "node:buffer"
import type * as Fernet from "../../src/domain/Fernet.js"
import { lineLimit } from "../../src/domain/Framer.js"
import type * as Keys from "../../src/domain/Keys.js"
import type { Dice } from "../simulation/Dice.js"

/** A line, its newline included. */
export const line = (dice: Dice, fernet: Fernet.Shape, up: Keys.AnyKey, other: Keys.AnyKey): string => {
  const sealed = (plaintext: string, key = up) => `${fernet.encrypt([key], Buffer.from(plaintext))}\n`
  return dice.pick([
    () => "\n",
    () => "this is no Fernet token\n",
    () => "A".repeat(lineLimit + 1),
    () => sealed(`{"frame":0,"messages":[{"_tag":"Leave"}]}`, other),
    // Frame 0 was its first Nick.
    () => sealed(`{"frame":0,"messages":[{"_tag":"Leave"}]}`),
    () => sealed(`{"frame":9007199254740991,"messages":[{"_tag":"Leave"}]}`),
    () => sealed(`{"frame":1,"messages":[{"_tag":"Shout"}]}`),
    () => sealed("this is no JSON")
  ])()
}
