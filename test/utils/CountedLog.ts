/** A log that counts the events that are read from it. */
import * as Effect from "effect/Effect"
import type * as Log from "../../src/server/Log.js"

export const make = (log: Log.Log["Type"]) => {
  let read = 0
  const counted: Log.Log["Type"] = {
    ...log,
    read: (after, limit, bytes) =>
      Effect.tap(log.read(after, limit, bytes), (events) =>
        Effect.sync(() => {
          read += events.length
        })
      )
  }
  return { log: counted, read: () => read }
}
