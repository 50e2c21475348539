/** What a room counts of itself and of its log. */
import type * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import type * as Protocol from "../domain/Protocol.js"
import * as Instrument from "./Instrument.js"
import type { Log } from "./Log.js"
import * as Metrics from "./Metrics.js"

/** Sets what a room adds to gauges, now and whenever what it gives is called, until the Scope closes. */
export const gauges = (look: () => readonly [members: number, live: number, taking: number]) =>
  Effect.gen(function* () {
    const shares = {
      members: new Instrument.Share(Metrics.members),
      live: new Instrument.Share(Metrics.live),
      taking: new Instrument.Share(Metrics.taking)
    }
    const set = ([here, told, takes]: ReturnType<typeof look>) => {
      shares.members.set(here)
      shares.live.set(told)
      shares.taking.set(takes)
    }
    yield* Effect.addFinalizer(() => Effect.sync(() => set([0, 0, 0])))
    set(look())
    return () => set(look())
  })

const committed = (events: ReadonlyArray<Protocol.Event>, nanoseconds: number): void => {
  let said = 0
  for (const { _tag } of events) if (_tag === "Chat") said += 1
  Instrument.update(Metrics.commit, nanoseconds / 1e9)
  if (events.length > 0) Instrument.update(Metrics.batch, events.length)
  if (said > 0) Instrument.update(Metrics.texts, said)
}

/** A log whose commits are counted. Of one that is a class instance, `...log` would leave the methods behind. */
export const counted = (log: Log["Type"], clock: Clock.Clock): Log["Type"] => ({
  id: log.id,
  // As it is whenever it is asked for: it may be a getter.
  get head() {
    return log.head
  },
  get oldest() {
    return log.oldest
  },
  get members() {
    return log.members
  },
  read: (after, limit, bytes) => log.read(after, limit, bytes),
  recent: (after) => log.recent(after),
  trim: (before) => log.trim(before),
  append: (events, changed) =>
    Effect.suspend(() => {
      const began = clock.unsafeCurrentTimeNanos()
      return Effect.tapBoth(log.append(events, changed), {
        onSuccess: () => Effect.sync(() => committed(events, Number(clock.unsafeCurrentTimeNanos() - began))),
        onFailure: () => Effect.sync(() => Instrument.update(Metrics.commitFailures, 1))
      })
    })
})
