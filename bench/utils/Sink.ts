/** The far end of a session that costs nothing: what is written there is gone, and the writer may look at it. */
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import type { Transport } from "../../src/domain/Transport.js"

/** A Transport that says nothing and takes everything at once. `onWrite` is called after each write. */
export const make = (onWrite: () => void): Transport => ({
  address: "sink",
  network: undefined,
  stalledAt: undefined,
  isGone: false,
  unsent: 0,
  traffic: { received: 0, written: 0 },
  lines: Stream.never,
  next: Effect.never,
  stopReading: () => {},
  trust: () => {},
  write: () => {
    onWrite()
    return 0
  },
  drained: Effect.void,
  end: Effect.void
})
