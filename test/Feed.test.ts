import { describe, expect, it } from "@effect/vitest"
import * as Arr from "effect/Array"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import { Backlog, Lagged } from "../src/client/Backlog.js"
import type * as Entry from "../src/client/Entry.js"
import type * as Failure from "../src/client/Failure.js"
import * as Feed from "../src/client/terminal/Feed.js"
import * as Base64Url from "../src/domain/Base64Url.js"
import * as Protocol from "../src/domain/Protocol.js"

const seq = (n: number) => Protocol.Seq.make(n)
const position = (n: number) => Protocol.Position.make(n)
const logId = (n: number) => Protocol.LogId.make(Base64Url.encode(new Uint8Array(16).fill(n)))
const notice = (n: number): Entry.Logged => ({ _tag: "Notice", seq: seq(n), at: 0, text: `event ${n}` })
const notices = (from: number, to: number) => Arr.range(from, to).map(notice)

/** A member of a log that holds the events from `oldest` on, of which the first that comes by itself is `from`. */
const world = ({ capacity = 10_000, from = 1, head, oldest = 1 }: Record<string, number> & { head: number }) => {
  const backlog = new Backlog<Entry.Entry, Failure.Disconnected>(capacity)
  const state = { head, log: logId(1), told: [] as Array<Feed.Told>, fetched: 0 }
  const push = (to: number) => {
    for (let n = state.head + 1; n <= to; n++) backlog.push(notice(n))
    state.head = Math.max(state.head, to)
  }
  for (let n = from; n <= head; n++) backlog.push(notice(n))
  const client: Feed.Source = {
    events: backlog.stream,
    log: Effect.sync(() => state.log),
    member: Effect.succeed(Protocol.MemberId.make(1)),
    history: ({ before, limit }) =>
      Effect.yieldNow().pipe(
        Effect.zipRight(
          Effect.sync(() => {
            state.fetched += 1
            const to = Math.min(before - 1, state.head)
            const first = Math.max(oldest, to - limit + 1)
            return { events: to < first ? [] : notices(first, to), oldest: seq(oldest) }
          })
        )
      )
  }
  const end = () => backlog.end(Option.none())
  const run = (
    since: number | undefined,
    tell: (entries: ReadonlyArray<Feed.Told>) => Effect.Effect<void> = () => Effect.void
  ) =>
    Effect.gen(function* () {
      const begun = yield* Deferred.make<void>()
      const running = yield* Effect.fork(
        Feed.run(client, {
          since: Option.map(Option.fromNullable(since), position),
          begun,
          tell: (entries) =>
            Effect.zipRight(
              tell(entries),
              Effect.sync(() => void state.told.push(...entries))
            )
        })
      )
      return { begun: Deferred.await(begun), done: Fiber.join(running) }
    })
  return { backlog, end, push, run, state }
}

/** The numbers of what was told, and the tags of what has none. */
const told = ({ state }: ReturnType<typeof world>) =>
  state.told.map((entry) => ("seq" in entry ? entry.seq : entry._tag))

describe("Feed", () => {
  it.effect("tells what comes by itself, but not that the member is back", () =>
    Effect.gen(function* () {
      const room = world({ head: 3 })
      room.backlog.push({ _tag: "Back", after: position(3), head: seq(4) })
      const { begun, done } = yield* room.run(undefined)
      yield* begun
      room.push(5)
      room.end()
      yield* done
      expect(told(room)).toEqual([1, 2, 3, 4, 5])
      expect(room.state.fetched).toBe(0)
    })
  )

  it.effect("fetches what lies between the place it is to begin at and what comes by itself", () =>
    Effect.gen(function* () {
      for (const { from, head, since } of [
        { since: 0, from: 1_500, head: 1_600 },
        { since: 0, from: 3, head: 2 },
        { since: 7, from: 9, head: 9 },
        { since: 7, from: 8, head: 9 },
        { since: 499, from: 1_001, head: 1_000 },
        { since: 500, from: 501, head: 1_002 },
        { since: 5, from: 3, head: 9 }
      ]) {
        const room = world({ from, head })
        const { begun, done } = yield* room.run(since)
        yield* begun
        room.push(head + 3)
        room.end()
        yield* done
        expect(told(room)).toEqual(Arr.range(since + 1, head + 3))
      }
    })
  )

  it.effect("begins with what is new where the log has not come to the place yet", () =>
    Effect.gen(function* () {
      const room = world({ from: 3, head: 5 })
      const { begun, done } = yield* room.run(99)
      yield* begun
      room.push(7)
      room.end()
      yield* done
      expect(told(room)).toEqual([6, 7])
      const back = world({ from: 4, head: 3 })
      // What it was told so far is not all there is.
      back.backlog.push({ _tag: "Back", after: position(3), head: seq(6) })
      back.push(5)
      const again = yield* back.run(99)
      yield* again.begun
      back.push(8)
      back.end()
      yield* again.done
      expect(told(back)).toEqual([7, 8])
    })
  )

  it.effect("says what the server no longer has", () =>
    Effect.gen(function* () {
      const room = world({ from: 2_001, head: 2_002, oldest: 1_300 })
      const { begun, done } = yield* room.run(10)
      yield* begun
      room.end()
      yield* done
      expect(room.state.told[0]).toEqual({ _tag: "Missing", after: 10, to: 1_299 })
      expect(told(room).slice(1)).toEqual(Arr.range(1_300, 2_002))
    })
  )

  it.effect("loses nothing of what comes faster than it is taken", () =>
    Effect.gen(function* () {
      const room = world({ capacity: 10, head: 1 })
      const gate = yield* Effect.makeLatch(false)
      const { begun, done } = yield* room.run(undefined, () => gate.await)
      yield* begun
      yield* Effect.yieldNow()
      room.push(1_200)
      yield* gate.open
      // It has caught up when it waits for more.
      while (room.state.told.length < 1_200) yield* Effect.yieldNow()
      room.push(1_203)
      room.end()
      yield* done
      expect(told(room)).toEqual(Arr.range(1, 1_203))
      expect(room.state.fetched).toBeGreaterThan(0)
    })
  )

  it.effect("tells of a new log, and all of that where it was to begin at a place in the old one", () =>
    Effect.gen(function* () {
      for (const since of [undefined, 400]) {
        const room = world({ from: 151, head: 150 })
        room.state.log = logId(2)
        room.backlog.push({ _tag: "NewLog", log: logId(2), member: Protocol.MemberId.make(1), after: position(50) })
        for (const entry of notices(51, 150)) room.backlog.push(entry)
        const { begun, done } = yield* room.run(since)
        yield* begun
        room.push(152)
        room.end()
        yield* done
        expect(told(room)).toEqual(["NewLog", ...Arr.range(since === undefined ? 51 : 1, 152)])
      }
    })
  )

  it.effect("fails where what it has not taken was in a log that is no more", () =>
    Effect.gen(function* () {
      const room = world({ capacity: 10, head: 1 })
      const gate = yield* Effect.makeLatch(false)
      const { begun, done } = yield* room.run(undefined, () => gate.await)
      yield* begun
      yield* Effect.yieldNow()
      room.push(100)
      room.state.log = logId(2)
      yield* gate.open
      expect(yield* Effect.flip(done)).toBeInstanceOf(Lagged)
      expect(told(room)).toEqual([1])
    })
  )
})
