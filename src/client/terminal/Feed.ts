/**
 * The log from a place on: each event once, in its order. What this member is not told by itself, because it lies before
 * what it is told, or because it came faster than it was taken, is fetched.
 */
import * as Arr from "effect/Array"
import * as Chunk from "effect/Chunk"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import * as Protocol from "../../domain/Protocol.js"
import { Lagged } from "../Backlog.js"
import type * as Client from "../Client.js"
import type * as Entry from "../Entry.js"
import type * as Failure from "../Failure.js"

/** What is told. That this member had been away is nothing that the log says. */
export type Told = Exclude<Entry.Entry, Entry.Back>

/** Events that are fetched, and held, at once. */
const page = 500

export interface Source extends Pick<Client.Shape, "history" | "log" | "member"> {
  readonly events: Stream.Stream<Entry.Entry, Failure.Disconnected | Lagged>
}

export interface Options<E> {
  /** Begins after this event, whatever this member has seen; without it, with what is new to this member. */
  readonly since: Option.Option<Protocol.Position>
  /** Done when all is told that does not come by itself. */
  readonly begun: Deferred.Deferred<void>
  /** Takes what is told. More comes when it is done. */
  readonly tell: (entries: Arr.NonEmptyReadonlyArray<Told>) => Effect.Effect<void, E>
}

/** Tells the log until the member has left; fails when the client has ended otherwise. */
export const run = Effect.fn("Feed.run")(function* <E>(client: Source, { begun, since, tell }: Options<E>) {
  /** The newest event that was told, or is not to be; none before the first. */
  let last: number | undefined
  /** The log that it counts in. */
  let log = yield* client.log

  /** The highest number told of each author: what is fetched piece by piece was checked within its piece only. */
  let said = new Map<Protocol.MemberId, number>()
  const check = (entry: Told): Told => {
    if (entry._tag === "NewLog" || entry._tag === "Missing") said = new Map()
    if (entry._tag !== "Said" && entry._tag !== "Unreadable") return entry
    const { at, member, n, nick, seq } = entry
    const before = said.get(member)
    said.set(member, Math.max(before ?? 0, n))
    const goesOn = before === undefined || n === before + 1
    return goesOn || entry._tag === "Unreadable"
      ? entry
      : { _tag: "Unreadable", seq, at, member, n, nick, reason: "number" }
  }

  const tellSome = (entries: ReadonlyArray<Told>) =>
    Arr.isNonEmptyReadonlyArray(entries) ? tell(Arr.map(entries, check)) : Effect.void

  /** The newest `limit` events before `before`; none of a log that is no more. */
  const fetch = Effect.fnUntraced(function* (before: number, limit: number) {
    const none = { events: [], oldest: Protocol.Seq.make(Number.MAX_SAFE_INTEGER) }
    if ((yield* client.log) !== log) return none
    return yield* Effect.catchIf(
      client.history({ before: Protocol.Seq.make(before), limit }),
      ({ reason }) => reason === "new-log",
      () => Effect.succeed(none)
    )
  })

  /** Tells what comes after `from`, up to `to`. */
  const fill = Effect.fnUntraced(function* (from: number, to: number) {
    let at = from
    while (at < to) {
      const before = Math.min(to, at + page) + 1
      const { events, oldest } = yield* fetch(before, page)
      const newer = events.filter(({ seq }) => seq > at)
      const next = newer[0]?.seq ?? Math.min(Math.max(oldest, before), to + 1)
      if (next > at + 1) {
        yield* tellSome([{ _tag: "Missing", after: Protocol.Position.make(at), to: Protocol.Position.make(next - 1) }])
      }
      yield* tellSome(newer)
      at = newer.at(-1)?.seq ?? next - 1
      last = at
    }
  })

  const take = Effect.fnUntraced(function* (entries: Iterable<Entry.Entry>) {
    let ready: Array<Told> = []
    for (const entry of entries) {
      switch (entry._tag) {
        case "Back":
          break
        case "NewLog":
          log = entry.log
          // Where it was to begin is a place in the old one: all of this one is later.
          last = Option.isSome(since) ? Protocol.start : entry.after
          ready.push(entry)
          break
        case "Missing":
          // Later on it shows when the next event comes.
          if (last === undefined) ready.push(entry)
          break
        default:
          if (last !== undefined && entry.seq <= last) break
          if (last !== undefined && entry.seq > last + 1) {
            yield* tellSome(ready)
            ready = []
            yield* fill(last, entry.seq - 1)
          }
          ready.push(entry)
          last = entry.seq
      }
    }
    yield* tellSome(ready)
  })

  /** Tells what the log holds after `place`, as far as it does not come by itself. */
  const begin = Effect.fnUntraced(function* <E2>(pull: Effect.Effect<Chunk.Chunk<Entry.Entry>, E2>, place: number) {
    // What has come by now is taken before anything that is asked is answered: it says if this is another log.
    const first = yield* Effect.fork(pull)
    const { events } = yield* fetch(Number.MAX_SAFE_INTEGER, 1)
    const come = yield* Fiber.poll(first)
    const entries = Option.isSome(come) ? yield* come.value : Chunk.empty()
    const newest = events.at(-1)?.seq ?? Protocol.start
    const heads = Chunk.map(entries, (entry) => (entry._tag === "Back" ? entry.head : Protocol.start))
    // A place that the log has not come to yet is its end: what is new follows.
    last = Math.min(place, Math.max(newest, yield* client.member, ...heads))
    yield* take(entries)
    yield* fill(last, newest)
    yield* Deferred.succeed(begun, undefined)
    if (Option.isNone(come)) yield* take(yield* Fiber.join(first))
  })

  const watch = Effect.scoped(
    Effect.gen(function* () {
      const pull = Effect.mapError(
        yield* Stream.toPull(client.events),
        Option.getOrElse(() => "over" as const)
      )
      if (Option.isSome(since) && last === undefined) yield* begin(pull, since.value)
      yield* Deferred.succeed(begun, undefined)
      return yield* Effect.forever(Effect.flatMap(pull, take))
    })
  )

  yield* watch.pipe(
    // What it has not taken in time is still in the log, unless that is no more.
    Effect.retry({
      while: (error) => (error instanceof Lagged ? Effect.map(client.log, (now) => now === log) : false)
    }),
    Effect.catchIf(
      (error) => error === "over",
      () => Effect.void
    )
  )
})
