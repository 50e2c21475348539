/**
 * Turns of the event loop. A fiber that goes on at once sees what one socket has brought; a turn later it sees what all
 * of them have. A service, so that a run can be replayed without a real event loop.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"

/** What waits for turns of the event loop. */
export interface Shape {
  /** Goes on in the next turn: whatever has come in by now has been read. */
  readonly turn: Effect.Effect<void>
  /**
   * The same for work that others are not to wait for, such as the handshake of a newcomer: it is let in one after the
   * other, in a turn each, so that a crowd of them holds nobody up for longer than one does.
   */
  readonly aside: Effect.Effect<void>
}

const makeSystem = (): Shape => {
  const waiting = new Set<() => void>()
  let isDue = false
  const schedule = () => {
    if (isDue || waiting.size === 0) return
    isDue = true
    setImmediate(next)
  }
  const next = () => {
    isDue = false
    for (const first of waiting) {
      waiting.delete(first)
      first()
      break
    }
    schedule()
  }
  return {
    turn: Effect.async((resume) => {
      const due = setImmediate(() => resume(Effect.void))
      return Effect.sync(() => clearImmediate(due))
    }),
    aside: Effect.async((resume) => {
      const go = () => resume(Effect.void)
      waiting.add(go)
      schedule()
      return Effect.sync(() => waiting.delete(go))
    })
  }
}

/** The event loop: that of Node, unless another one is provided. */
export class EventLoop extends Context.Reference<EventLoop>()("fernet-chat/EventLoop", { defaultValue: makeSystem }) {}
