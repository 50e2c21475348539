/**
 * Streams the log to sessions that are behind: newcomers, those who come back, those who were too slow. A session has a
 * fiber here for as long as it catches up, and none while it is live.
 */
import * as Arr from "effect/Array"
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as FiberMap from "effect/FiberMap"
import type * as Scope from "effect/Scope"
import { EventLoop } from "../domain/EventLoop.js"
import * as Wire from "../domain/Wire.js"
import type { Downlink } from "./Downlink.js"
import * as Ending from "./Ending.js"
import { Log } from "./Log.js"
import { Room } from "./Room.js"

/** Events that are read from the log in a turn, frames that are written, and unsent bytes that are enough for it. */
const pageSize = 256
const framesAtOnce = 4
const enough = 128 * 1024

/** No more is read than those frames can hold: to read and open what is not written costs as much as what is. */
const pageBytes = framesAtOnce * Wire.maxPlaintext

/**
 * Writes the log to a client from where it stands, a page at a time, until the Room can make it live. It reads when its
 * turn has come and not before: in a crowd a page that was read earlier would be far from the head when it is written.
 */
const follow = Effect.fnUntraced(function* (link: Downlink) {
  const log = yield* Log
  const { aside } = yield* EventLoop
  const room = yield* Room
  while (true) {
    yield* link.drained
    // Those who talk do not wait for a whole history.
    yield* aside
    link.welcome()
    if (!link.isWelcomed) return
    const { farewell, last } = link
    const head = yield* log.head
    const events = yield* log.read(last, pageSize, pageBytes)
    // The Room has written to it meanwhile, as it does for who leaves: the rest is read anew.
    if (link.last !== last) continue
    if (Arr.isNonEmptyReadonlyArray(events)) {
      // The log has dropped what it should read next: it has been too slow for it.
      if (events[0].seq !== last + 1) return link.bye("slow")
      const pages = Wire.pages(events)
      const isAll = pages.slice(0, framesAtOnce).every((page) => link.events(page) <= enough)
      if (!isAll || pages.length > framesAtOnce) continue
    }
    if (link.last < head) continue
    if (farewell !== undefined) return link.bye(farewell)
    // What has come since then is for the Room to write.
    if (link.farewell === undefined) {
      link.caughtUp()
      return yield* room.submit([{ _tag: "Ready", link }])
    }
  }
})

export class CatchUp extends Context.Tag("fernet-chat/CatchUp")<
  CatchUp,
  {
    /** Begins to stream to a session, or begins anew. */
    readonly start: (link: Downlink) => void
    /** Streams to it no more. */
    readonly stop: (link: Downlink) => Effect.Effect<void>
  }
>() {}

/** Streams for the life of the Scope. */
export const make: Effect.Effect<CatchUp["Type"], never, Log | Room | Scope.Scope> = Effect.gen(function* () {
  const following = yield* FiberMap.make<Downlink, void>()
  const run = yield* FiberMap.runtime(following)<Log | Room>()
  return CatchUp.of({
    start: (link) => {
      const followed = follow(link).pipe(
        Effect.catchTag("LogError", ({ message }) => Ending.die(link, `a session has died: ${message}`)),
        Effect.catchAllDefect((defect) => Ending.die(link, "a session has died", Cause.die(defect))),
        Effect.annotateLogs("from", link.address),
        Effect.interruptible
      )
      run(link, followed)
    },
    stop: (link) => FiberMap.remove(following, link)
  })
})
