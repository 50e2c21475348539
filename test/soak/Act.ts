/** What members do, as dice fall. */
import * as Arr from "effect/Array"
import * as Struct from "effect/Struct"
import type { Dice } from "../simulation/Dice.js"

/** Each with how often it is done, in a thousand times. */
const shares = {
  "says a text": 400,
  "says several at once": 30,
  "asks for another nick": 60,
  "asks for a nick that may be taken": 20,
  "fetches history": 100,
  "asks whether the server is there": 40,
  "stops reading": 90,
  "takes over its older connection": 50,
  "breaks the rules": 30,
  leaves: 70,
  crashes: 80,
  "crashes in the middle of a line": 30
} as const

export type Act = keyof typeof shares

/** One of several, each as often as its share says: it is in the list so many times. */
const picking = <A extends string>(shares: Record<A, number>) => {
  const all = Struct.entries(shares).flatMap(([act, share]) => Arr.replicate(act, share))
  return (dice: Dice): A => dice.pick(all)
}

export const next = picking(shares)

/** What goes before one comes, most often nothing: connections that come to nothing. */
const doors = {
  "does nothing of it": 850,
  "crashes in the middle of a hello": 30,
  "crashes after its hello": 30,
  "crashes in the middle of its first frame": 30,
  "crashes after its first frame": 30,
  "calls with another key": 30
} as const

export type Door = keyof typeof doors

export const door = picking(doors)

/** How long (ms) after the beginning of a round one of so many comes. All at once would be another thing to measure. */
export const arrival = (dice: Dice, members: number): number => dice.between(1_000, 1_000 + 20 * members)

/** How long (ms) one of so many waits between two acts: few have to do more each, so that there is as much to do. */
export const pause = (dice: Dice, members: number): number => dice.scale(500, 20_000) * Math.min(members / 500, 1)

/** How long one stays away after a visit: less than the grace time, or more. */
export const absence = (dice: Dice): number => dice.scale(20, 5_000)

/** How long one reads nothing: some are sent away for it. */
export const stall = (dice: Dice): number => dice.scale(200, 10_000)
