/** How long a client waits before it tries again: longer each time, and not all clients at the same moment. */

/** The first wait and the longest, in ms, before they are varied. */
const first = 500
const longest = 30_000

/** A connection that has lasted so long (ms) was a good one: the next loss begins anew with a short wait. */
export const stable = 10_000

/** The wait (ms) before the next try after `failures` in a row; `random` is from 0 to 1, and varies it by half. */
export const delay = (failures: number, random: number): number =>
  Math.round(Math.min(first * 2 ** failures, longest) * (0.5 + random / 2))
