/** What a run does to its programs, as dice fall: whom it kills, and how long they stay away. */
import type { Dice } from "../simulation/Dice.js"

export interface Kill {
  /** The server, or the client of that number. */
  readonly victim: "server" | number
  /** How long after the one before it, in ms; 0 is at the same moment. */
  readonly delay: number
  /** How long it stays away, in ms; 0 is started again at once. */
  readonly pause: number
  /** How long before it a text is written, in ms, to the client or, for the server, to any. */
  readonly aim: number | undefined
}

/** Kills that belong together. */
export type Round = readonly [Kill, ...Array<Kill>]

const pause = (dice: Dice): number => (dice.chance(0.5) ? 0 : dice.scale(20, 2_000))

/** Shorter than a start takes at one end, long enough for all to be well again at the other. */
const wait = (dice: Dice): number => dice.scale(50, 3_000)

/** A text is read, kept, sent, committed and shown within some 10 ms: that is where a kill hurts most. */
const aim = (dice: Dice) => (dice.chance(0.5) ? dice.scale(1, 40) : undefined)

/** One or two kills; over many, the server is about every other victim. */
export const round = (dice: Dice, clients: number): Round => {
  const server = (): Kill => ({ victim: "server", delay: wait(dice), pause: pause(dice), aim: aim(dice) })
  const client = (delay: number, aim?: number): Kill => ({
    victim: dice.whole(0, clients - 1),
    delay,
    pause: pause(dice),
    aim
  })
  const kind = dice.fraction()
  if (kind < 0.44) return [server()]
  if (kind < 0.8) return [client(wait(dice), aim(dice))]
  if (kind < 0.88) return [server(), client(0)]
  // One that is killed, and may be started again, while there is no server.
  if (kind < 0.95) return [{ ...server(), pause: dice.between(300, 1_500) }, client(dice.between(20, 300))]
  return [client(wait(dice), aim(dice)), client(0)]
}
