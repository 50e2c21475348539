/**
 * Older events for whoever asks: the log is read and written a little at a time, in turns of its own, so that those who
 * talk do not wait for it, and no faster than the client takes it.
 */
import * as Arr from "effect/Array"
import * as Effect from "effect/Effect"
import { EventLoop } from "../domain/EventLoop.js"
import * as Protocol from "../domain/Protocol.js"
import * as Wire from "../domain/Wire.js"
import type { Downlink } from "./Downlink.js"
import * as Ending from "./Ending.js"
import { Log } from "./Log.js"

/** Events that are read from the log in a turn, frames that are written, and unsent bytes that are enough for it. */
const eventsAtOnce = 64
const framesAtOnce = 4
const enough = 128 * 1024

/** No more is read than those frames can hold. */
const bytesAtOnce = framesAtOnce * Wire.maxPlaintext

const write = Effect.fnUntraced(function* (link: Downlink, { before, limit }: Protocol.Fetch) {
  const log = yield* Log
  const { aside } = yield* EventLoop
  /** What is asked for ends before here. */
  const end = Math.min(before, (yield* log.head) + 1)
  let after = Protocol.Position.make(Math.max(end - limit - 1, 0))
  let hasBegun = false
  while (after < end - 1) {
    yield* Effect.raceFirst(link.drained, link.closed)
    yield* aside
    // Whoever has gone is not seen to go while this is written, for nothing is read meanwhile.
    if (!link.isWelcomed || link.isGone) return
    const found = yield* log.read(after, Math.min(end - 1 - after, eventsAtOnce), bytesAtOnce)
    // The log has dropped what it should read next: it has been too slow for it.
    if (hasBegun && found[0]?.seq !== after + 1) return link.bye("slow")
    const events = Arr.takeWhile(found, ({ seq }) => seq < end)
    if (!Arr.isNonEmptyArray(events)) break
    const oldest = yield* log.oldest
    for (const page of Wire.pages(events).slice(0, framesAtOnce)) {
      const unsent = link.send({ _tag: "History", events: page, oldest })
      after = Arr.lastNonEmpty(page).seq
      hasBegun = true
      if (unsent > enough) break
    }
  }
  if (!hasBegun || after !== before - 1) link.send({ _tag: "History", events: [], oldest: yield* log.oldest })
})

/** Answers a Fetch, as the protocol says it is; a session whose log cannot be read dies. */
export const answer = (link: Downlink, fetch: Protocol.Fetch): Effect.Effect<void, never, Log> =>
  write(link, fetch).pipe(
    Effect.catchTag("LogError", ({ message }) => Ending.die(link, `a session has died: ${message}`)),
    Effect.annotateLogs("from", link.address)
  )
