/** What every Log keeps, whatever it is kept in: one suite, run over each of them. */
import { describe, expect, it } from "@effect/vitest"
import * as Arr from "effect/Array"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as FastCheck from "effect/FastCheck"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as Scope from "effect/Scope"
import * as Protocol from "../../src/domain/Protocol.js"
import * as Log from "../../src/server/Log.js"
import * as Membership from "../../src/server/Membership.js"
import { base64Url } from "./Messages.js"

/** The thread of a log in a database, as `npm run bundle` makes it: tests run sources, and a thread cannot. */
export const storeWorker = new URL("../../dist/bin/StoreWorker.js", import.meta.url)

export const position = (at: number): Protocol.Position => Protocol.Position.make(at)

/** A batch of notices, each as old as its number. */
export const notices = (from: number, to: number): Arr.NonEmptyReadonlyArray<Protocol.Event> =>
  Arr.map(
    Arr.range(from, to),
    (seq): Protocol.Notice => ({ _tag: "Notice", seq: Protocol.Seq.make(seq), at: seq, text: `notice ${seq}` })
  )

/** A text by member 1, sealed in `length` characters (a multiple of 4). */
export const chat = (seq: number, length = 400): Protocol.Chat => ({
  _tag: "Chat",
  seq: Protocol.Seq.make(seq),
  at: seq,
  member: Protocol.MemberId.make(1),
  nick: "ada",
  n: Protocol.TextNumber.make(seq),
  sealed: Protocol.Sealed.make("A".repeat(length))
})

export const chats = (from: number, to: number, length?: number): Arr.NonEmptyReadonlyArray<Protocol.Event> =>
  Arr.map(Arr.range(from, to), (seq) => chat(seq, length))

const decodeMembership = Schema.decodeSync(Membership.Membership)

/** A member whose ticket is 16 bytes of its number. */
export const membership = (member: number, acked = 0, here = true): Membership.Membership =>
  decodeMembership({
    member,
    ticket: Membership.hash(Protocol.Ticket.make(base64Url(16, member))),
    nick: `member-${member}`,
    acked,
    here
  })

export const seqs = (events: ReadonlyArray<Protocol.Event>): ReadonlyArray<number> => events.map(({ seq }) => seq)

/** Everything a log holds, a page at a time. */
export const readAll = Effect.fnUntraced(function* (log: Log.Log["Type"], limit = 100) {
  const all: Array<Protocol.Event> = []
  for (;;) {
    const page = yield* log.read(all.at(-1)?.seq ?? Protocol.start, limit)
    if (page.length === 0) return all
    expect(page.length).toBeLessThanOrEqual(limit)
    all.push(...page)
  }
})

/** Where a log can be opened again and again, one after the other. */
export type Place<R> = Effect.Effect<Layer.Layer<Log.Log, Log.LogError>, never, R | Scope.Scope>

/** A log that can be closed and opened again. */
const reopening = Effect.fnUntraced(function* (layer: Layer.Layer<Log.Log, Log.LogError>) {
  const open = Effect.gen(function* () {
    const scope = yield* Effect.acquireRelease(Scope.make(), Scope.close)
    const log = yield* Effect.provideService(
      Effect.flatMap(Layer.build(layer), (context) => Effect.provide(Log.Log, context)),
      Scope.Scope,
      scope
    )
    return { log, scope }
  })
  let current = yield* open
  return {
    log: () => current.log,
    reopen: Effect.gen(function* () {
      yield* Scope.close(current.scope, Exit.void)
      current = yield* open
    })
  }
})

const step = FastCheck.oneof(
  {
    weight: 4,
    arbitrary: FastCheck.record({
      _tag: FastCheck.constant("append" as const),
      count: FastCheck.integer({ min: 1, max: 120 }),
      length: FastCheck.constantFrom(4, 400, 4000, 32_000),
      member: FastCheck.integer({ min: 1, max: 5 }),
      older: FastCheck.boolean()
    })
  },
  {
    weight: 1,
    arbitrary: FastCheck.record({
      _tag: FastCheck.constant("change" as const),
      member: FastCheck.integer({ min: 1, max: 5 }),
      banned: FastCheck.option(FastCheck.constantFrom({ at: 1 }, { at: 2, network: "192.0.2.7" }), { nil: undefined })
    })
  },
  {
    weight: 2,
    arbitrary: FastCheck.record({
      _tag: FastCheck.constant("read" as const),
      from: FastCheck.double({ min: 0, max: 1, noNaN: true }),
      limit: FastCheck.integer({ min: 1, max: 300 })
    })
  },
  {
    weight: 1,
    arbitrary: FastCheck.record({
      _tag: FastCheck.constant("trim" as const),
      share: FastCheck.double({ min: 0, max: 1, noNaN: true })
    })
  },
  { weight: 1, arbitrary: FastCheck.constant({ _tag: "reopen" as const }) }
)

/**
 * The promises of a Log. `place` makes an empty one; `durable` says whether it outlives its Scope; `runs` is how many
 * random histories are tried.
 */
export const logSuite = (
  name: string,
  place: Place<never>,
  { durable, runs }: { readonly durable: boolean; readonly runs: number }
) =>
  describe(name, () => {
    const test = (title: string, body: (log: Log.Log["Type"]) => Effect.Effect<unknown, Log.LogError, Scope.Scope>) =>
      it.scoped(title, () =>
        Effect.gen(function* () {
          yield* body(yield* Effect.provide(Log.Log, yield* Layer.build(yield* place)))
        })
      )

    test("starts empty, with an id of its own", (log) =>
      Effect.gen(function* () {
        const other = yield* Effect.provide(Log.Log, yield* Layer.build(yield* place))
        expect(yield* log.head).toBe(0)
        expect(yield* log.oldest).toBe(1)
        expect(yield* log.members).toEqual([])
        expect(yield* log.read(Protocol.start, 10)).toEqual([])
        expect(log.recent(Protocol.start)).toEqual(Option.some([]))
        yield* log.trim(Number.MAX_SAFE_INTEGER)
        expect(yield* log.oldest).toBe(1)
        expect(log.id).not.toBe(other.id)
      }))

    test("reads what was appended, from anywhere, a page at a time", (log) =>
      Effect.gen(function* () {
        yield* log.append(notices(1, 3), [])
        yield* log.append(notices(4, 50), [])
        expect(yield* log.head).toBe(50)
        expect(yield* log.read(Protocol.start, 50)).toEqual(notices(1, 50))
        expect(seqs(yield* log.read(position(2), 3))).toEqual([3, 4, 5])
        expect(seqs(yield* log.read(position(48), 10))).toEqual([49, 50])
        expect(yield* log.read(position(50), 10)).toEqual([])
        expect(yield* log.read(position(60), 10)).toEqual([])
      }))

    test("gives out the newest from memory, and only where it has all of them", (log) =>
      Effect.gen(function* () {
        yield* log.append(notices(1, 10), [])
        expect(Option.map(log.recent(position(7)), seqs)).toEqual(Option.some([8, 9, 10]))
        expect(log.recent(position(10))).toEqual(Option.some([]))
        for (let i = 0; i < 30; i++) yield* log.append(notices(i * 100 + 11, i * 100 + 110), [])
        expect(log.recent(Protocol.start)).toEqual(Option.none())
        expect(Option.map(log.recent(position(3005)), seqs)).toEqual(Option.some([3006, 3007, 3008, 3009, 3010]))
      }))

    test("holds a batch that is larger than any row", (log) =>
      Effect.gen(function* () {
        const batch = chats(1, 60, 32_000)
        yield* log.append(batch, [])
        yield* log.append(chats(61, 1500), [])
        expect(yield* log.read(Protocol.start, 60)).toEqual(batch)
        expect(yield* readAll(log)).toEqual([...batch, ...chats(61, 1500)])
        expect(yield* readAll(log, 1)).toHaveLength(1500)
        expect(seqs(yield* log.read(position(33), 4))).toEqual([34, 35, 36, 37])
      }))

    test("reads no more than is wanted, in bytes, but something", (log) =>
      Effect.gen(function* () {
        const batch = chats(1, 60, 32_000)
        yield* log.append(batch, [])
        expect(seqs(yield* log.read(position(10), 40, 100_000))).toEqual([11, 12, 13, 14])
        expect(seqs(yield* log.read(position(10), 40, 1))).toEqual([11])
        // Also of what is not in memory any more.
        yield* log.append(chats(61, 3000), [])
        expect(seqs(yield* log.read(position(10), 40, 100_000))).toEqual([11, 12, 13, 14])
        expect(seqs(yield* log.read(position(10), 40, 1))).toEqual([11])
        expect(seqs(yield* log.read(position(10), 2, 100_000))).toEqual([11, 12])
      }))

    test("remembers each member as it was last", (log) =>
      Effect.gen(function* () {
        yield* log.append(notices(1, 2), [membership(1), membership(2)])
        yield* log.append(notices(3, 3), [membership(1, 7)])
        yield* log.append(notices(4, 4), [])
        yield* log.append(notices(5, 5), [membership(2, 0, false), membership(2, 1, false)])
        const members = Array.from(yield* log.members).sort((a, b) => a.member - b.member)
        expect(members).toEqual([membership(1, 7), membership(2, 1, false)])
      }))

    test("keeps members who have changed without an event", (log) =>
      Effect.gen(function* () {
        yield* log.append(notices(1, 2), [membership(1), membership(2)])
        const banned = { ...membership(2), banned: { at: 5, network: "192.0.2.7" } }
        yield* log.append([], [banned])
        expect(yield* log.head).toBe(2)
        expect(Array.from(yield* log.members).sort((a, b) => a.member - b.member)).toEqual([membership(1), banned])
        yield* log.append([], [membership(2)])
        yield* log.append(notices(3, 3), [])
        expect(yield* readAll(log)).toEqual(notices(1, 3))
        expect(Array.from(yield* log.members).sort((a, b) => a.member - b.member)).toEqual([
          membership(1),
          membership(2)
        ])
      }))

    test("drops what is old, never the newest event and no member", (log) =>
      Effect.gen(function* () {
        for (let i = 0; i < 40; i++) yield* log.append(notices(i * 10 + 1, i * 10 + 10), [membership(i + 1)])
        yield* log.trim(0)
        expect(yield* log.oldest).toBe(1)
        yield* log.trim(206)
        const oldest = yield* log.oldest
        expect(oldest).toBeGreaterThan(190)
        expect(oldest).toBeLessThanOrEqual(206)
        expect(seqs(yield* log.read(Protocol.start, 2))).toEqual([oldest, oldest + 1])
        expect(log.recent(Protocol.start)).toEqual(Option.none())
        expect(yield* readAll(log)).toEqual(notices(oldest, 400))
        yield* log.trim(Number.MAX_SAFE_INTEGER)
        expect(yield* log.head).toBe(400)
        expect(yield* log.oldest).toBeLessThanOrEqual(400)
        expect(seqs(yield* log.read(position(399), 10))).toEqual([400])
        expect(yield* log.members).toHaveLength(40)
        yield* log.append(notices(401, 401), [])
        expect(yield* log.head).toBe(401)
      }))

    it.effect("is what an array would be, whatever is done to it", () =>
      Effect.promise(() =>
        FastCheck.assert(
          FastCheck.asyncProperty(FastCheck.array(step, { minLength: 1, maxLength: 30 }), (steps) =>
            Effect.runPromise(
              Effect.scoped(
                Effect.gen(function* () {
                  const { log, reopen } = yield* reopening(yield* place)
                  const id = log().id
                  let events: ReadonlyArray<Protocol.Event> = []
                  let head = 0
                  const members = new Map<number, Membership.Membership>()
                  for (const step of steps) {
                    if (step._tag === "append") {
                      const batch = Arr.map(chats(head + 1, head + step.count, step.length), (event) => ({
                        ...event,
                        // Clocks may go back.
                        at: step.older ? Math.max(0, event.seq - 50) : event.seq
                      }))
                      const member = membership(step.member, head)
                      yield* log().append(batch, [member])
                      events = [...events, ...batch]
                      head += batch.length
                      members.set(step.member, member)
                    } else if (step._tag === "change") {
                      const { banned: _, ...member } = members.get(step.member) ?? membership(step.member)
                      const changed = step.banned === undefined ? member : { ...member, banned: step.banned }
                      yield* log().append([], [changed])
                      members.set(step.member, changed)
                    } else if (step._tag === "read") {
                      const from = Math.floor(step.from * (head + 2))
                      const read = yield* log().read(position(from), step.limit)
                      const expected = events.filter(({ seq }) => seq > from)
                      expect(read.length).toBe(Math.min(step.limit, expected.length))
                      expect(read).toEqual(expected.slice(0, read.length))
                    } else if (step._tag === "trim") {
                      const before = Math.floor(step.share * head)
                      yield* log().trim(before)
                      const oldest = yield* log().oldest
                      const dropped = events.filter(({ seq }) => seq < oldest)
                      expect(dropped.every(({ at }) => at < before)).toBe(true)
                      expect(oldest).toBeLessThanOrEqual(Math.max(head, 1))
                      events = events.slice(dropped.length)
                    } else if (durable) {
                      yield* reopen
                    }
                    expect(log().id).toBe(id)
                    expect(yield* log().head).toBe(head)
                    expect(yield* log().oldest).toBe(events[0]?.seq ?? head + 1)
                    expect(Option.getOrUndefined(log().recent(position(Math.max(0, head - 1))))).toEqual(
                      events.slice(-1)
                    )
                  }
                  expect(yield* readAll(log(), 256)).toEqual(events)
                  const byMember = (a: Membership.Membership, b: Membership.Membership) => a.member - b.member
                  expect(Array.from(yield* log().members).sort(byMember)).toEqual(
                    Array.from(members.values()).sort(byMember)
                  )
                })
              )
            )
          ),
          { numRuns: runs }
        )
      )
    )

    if (durable) {
      it.scoped("is the same when it is opened again", () =>
        Effect.gen(function* () {
          const { log, reopen } = yield* reopening(yield* place)
          const { id } = log()
          yield* reopen
          expect(log().id).toBe(id)
          yield* log().append(chats(1, 500), [membership(1, 500), membership(2)])
          yield* log().append(notices(501, 2000), [membership(2, 3, false)])
          const banned = { ...membership(3), banned: { at: 7 } }
          yield* log().append([], [banned])
          yield* log().trim(20)
          const before = yield* readAll(log())
          yield* reopen
          expect(log().id).toBe(id)
          expect(yield* log().head).toBe(2000)
          expect(yield* log().oldest).toBe(before[0]?.seq)
          expect(Option.map(log().recent(position(1000)), seqs)).toEqual(Option.some(Arr.range(1001, 2000)))
          expect(yield* readAll(log())).toEqual(before)
          expect(Array.from(yield* log().members).sort((a, b) => a.member - b.member)).toEqual([
            membership(1, 500),
            membership(2, 3, false),
            banned
          ])
          yield* log().append(notices(2001, 2001), [])
          expect(yield* log().head).toBe(2001)
        })
      )
    }
  })
