import { describe, expect, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as LogLevel from "effect/LogLevel"
import type * as Metric from "effect/Metric"
import * as Option from "effect/Option"
import * as Scope from "effect/Scope"
import * as TestClock from "effect/TestClock"
import * as Protocol from "../src/domain/Protocol.js"
import * as Log from "../src/server/Log.js"
import * as Metrics from "../src/server/Metrics.js"
import * as Server from "../src/server/Server.js"
import * as RawClient from "./utils/RawClient.js"
import * as Room from "./utils/Room.js"

const count = (counter: Metric.Metric.Counter<number>) => counter.unsafeValue([]).count

/** Waits until somebody is there who has yet to show a key. */
const isHalfOpen = Room.eventually(
  Effect.sync(() => Metrics.halfOpen.unsafeValue([]).value),
  (open) => open === 1
)

/** How often each outcome, and each reason of refusal, was counted while an Effect ran. */
const counted = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.gen(function* () {
    const look = () => ({
      ended: Object.entries(Metrics.ended).map(([outcome, counter]) => [outcome, count(counter)] as const),
      refused: Object.entries(Metrics.refusals).map(([refusal, counter]) => [refusal, count(counter)] as const)
    })
    const before = look()
    yield* effect
    const after = look()
    const difference = (kind: "ended" | "refused") =>
      Object.fromEntries(
        after[kind]
          .map(([name, value], i) => [name, value - (before[kind][i]?.[1] ?? 0)] as const)
          .filter(([, by]) => by > 0)
      )
    return { ended: difference("ended"), refused: difference("refused") }
  })

/** What the server logs while an Effect runs, at whatever level. */
const logged = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.gen(function* () {
    const lines: Array<Record<string, unknown>> = []
    const logger = Logger.make<unknown, void>(({ annotations, logLevel, message }) => {
      lines.push({ level: logLevel._tag, message: String(message), ...Object.fromEntries(annotations) })
    })
    yield* effect.pipe(Effect.provide(Logger.add(logger)), Logger.withMinimumLogLevel(LogLevel.All))
    return lines
  })

interface Ending {
  readonly how: string
  /** Ends connections of members, who have come one after the other. */
  readonly act: Effect.Effect<unknown, unknown, Room.Services | Scope.Scope>
  readonly limits?: Partial<Omit<Server.Options, "keys">>
  readonly log?: Layer.Layer<Log.Log>
  readonly ended: Record<string, number>
  readonly refused: Record<string, number>
  /** What the lines say of how, and of whom. */
  readonly told: ReadonlyArray<Record<string, unknown>>
}

/** A log that cannot be read once `disk` has an error. */
const breakable = (disk: { error: Effect.Effect<never, Log.LogError> | undefined }) =>
  Layer.effect(
    Log.Log,
    Effect.map(Log.Log, (log) => ({
      ...log,
      read: (after: Protocol.Position, limit: number) => disk.error ?? log.read(after, limit)
    }))
  ).pipe(Layer.provide(Log.layerMemory()))

const died = [{ level: "Info", outcome: "died", member: 1, nick: "ada" }]

/** By what a log does that breaks: while it is read to who comes, and to who asks for what is older. */
const broken = (what: string, error: Effect.Effect<never, Log.LogError>): ReadonlyArray<Ending> => {
  const ending = (how: string, act: (breakDown: Effect.Effect<void>) => Ending["act"]): Ending => {
    const disk: Parameters<typeof breakable>[0] = { error: undefined }
    const breakDown = Effect.sync(() => {
      disk.error = error
    })
    const by = `by ${what} ${how}`
    return {
      how: by,
      log: breakable(disk),
      act: Effect.scoped(act(breakDown)),
      ended: { died: 1 },
      refused: {},
      told: died
    }
  }
  return [
    ending("while it catches up", (breakDown) =>
      Effect.gen(function* () {
        const raw = yield* RawClient.open
        yield* breakDown
        raw.send({ _tag: "Nick", nick: "ada", ticket: RawClient.ticket })
        yield* RawClient.untilEnd(raw)
      })
    ),
    ending("while it is told what is older", (breakDown) =>
      Effect.gen(function* () {
        const raw = yield* RawClient.joined("ada")
        yield* breakDown
        raw.send({ _tag: "Fetch", before: 2, limit: 1 })
        yield* RawClient.untilEnd(raw)
      })
    )
  ]
}

const endings: ReadonlyArray<Ending> = [
  ...broken("a log that cannot be read", new Log.LogError({ reason: "damaged", message: "gone" })),
  ...broken("a defect", Effect.dieMessage("a defect")),
  {
    how: "by leaving",
    act: Effect.scoped(Room.join("ada")),
    ended: { quit: 1 },
    refused: {},
    told: [{ level: "Info", outcome: "quit", member: 1, nick: "ada" }]
  },
  {
    how: "without a word",
    act: Effect.scoped(RawClient.joined("ada")),
    ended: { lost: 1 },
    refused: {},
    told: [{ level: "Info", outcome: "lost", member: 1, nick: "ada" }]
  },
  {
    how: "under another nick",
    act: Effect.scoped(Effect.flatMap(Room.join("ada"), (ada) => ada.rename("eva"))),
    ended: { quit: 1 },
    refused: {},
    told: [{ level: "Info", outcome: "quit", member: 1, nick: "eva" }]
  },
  {
    how: "by a fault",
    act: Effect.scoped(
      Effect.gen(function* () {
        const raw = yield* RawClient.joined("ada")
        raw.send({ _tag: "Shout" })
        yield* RawClient.untilEnd(raw)
      })
    ),
    ended: { protocol: 1 },
    refused: { "broke a rule": 1 },
    told: [{ level: "Info", outcome: "protocol", member: 1, nick: "ada", detail: expect.stringContaining("(shape)") }]
  },
  {
    how: "by another connection of the same member",
    act: Effect.scoped(
      Effect.gen(function* () {
        const first = yield* RawClient.joined("ada")
        const second = yield* RawClient.joined("ada")
        yield* RawClient.untilEnd(first)
        second.send({ _tag: "Leave" })
        yield* RawClient.untilEnd(second)
      })
    ),
    ended: { "taken-over": 1, quit: 1 },
    refused: {},
    told: [
      { level: "Info", outcome: "quit", member: 1, nick: "ada" },
      { level: "Info", outcome: "taken-over", member: 1, nick: "ada" }
    ]
  },
  {
    how: "by silence",
    limits: { pingAfter: "1 second", silentAfter: "3 seconds" },
    act: Effect.scoped(
      Effect.gen(function* () {
        const raw = yield* RawClient.joined("ada")
        yield* Effect.repeat(Effect.zipRight(TestClock.adjust("1 second"), Room.settle), { times: 4 })
        yield* RawClient.untilEnd(raw)
      })
    ),
    ended: { silent: 1 },
    refused: {},
    told: [{ level: "Info", outcome: "silent", member: 1, nick: "ada", seconds: 5 }]
  },
  {
    how: "by taking nothing of what waits for it",
    limits: { slowAfter: "3 seconds" },
    act: Effect.scoped(
      Effect.gen(function* () {
        const ada = yield* Room.join("ada")
        const raw = yield* RawClient.joined("eve")
        for (let i = 0; i < 4; i++) yield* ada.say("🎈".repeat(3_900))
        yield* Room.settle
        yield* Effect.repeat(Effect.zipRight(TestClock.adjust("1 second"), Room.settle), { times: 4 })
        yield* RawClient.untilEnd(raw)
      })
    ),
    ended: { slow: 1, quit: 1 },
    refused: {},
    told: [
      { level: "Info", outcome: "quit", member: 1, nick: "ada" },
      { level: "Info", outcome: "slow", member: 2, nick: "eve" }
    ]
  },
  {
    how: "where there is no place",
    limits: { connections: 1 },
    act: Effect.scoped(
      Effect.gen(function* () {
        yield* Room.join("ada")
        yield* Effect.flip(Effect.scoped(RawClient.joined("bob")))
      })
    ),
    ended: { full: 1, quit: 1 },
    refused: { full: 1 },
    told: [
      { level: "Debug", outcome: "full" },
      { level: "Info", outcome: "quit", member: 1, nick: "ada" }
    ]
  },
  {
    how: "by the operator's kick",
    act: Effect.scoped(
      Effect.gen(function* () {
        const raw = yield* RawClient.joined("ada")
        yield* Effect.flatMap(Server.Server, ({ kick }) => kick("ada"))
        yield* RawClient.untilEnd(raw)
      })
    ),
    ended: { kicked: 1 },
    refused: {},
    told: [{ level: "Info", outcome: "kicked", member: 1, nick: "ada" }]
  },
  {
    how: "by the operator's ban, before and after it came again,",
    act: Effect.gen(function* () {
      yield* Effect.scoped(
        Effect.gen(function* () {
          const raw = yield* RawClient.joined("ada")
          yield* Effect.flatMap(Server.Server, ({ ban }) => ban("ada"))
          yield* RawClient.untilEnd(raw)
        })
      )
      yield* Room.connections(0)
      yield* Effect.flip(Effect.scoped(RawClient.joined("ada")))
    }),
    ended: { banned: 2 },
    refused: { banned: 1 },
    told: [
      { level: "Info", outcome: "banned", member: 1, nick: "ada" },
      { level: "Debug", outcome: "banned" }
    ]
  },
  {
    how: "as a stranger",
    act: Effect.scoped(
      Effect.gen(function* () {
        const stranger = yield* RawClient.connect
        stranger.write("hello?\n")
        yield* Effect.flatMap(stranger.line, (line) => (Option.isNone(line) ? Effect.void : Effect.dieMessage("heard")))
      })
    ),
    ended: { stranger: 1 },
    refused: { "wrong key, or not a chat client": 1 },
    told: []
  },
  {
    how: "as a stranger who says nothing",
    act: Effect.scoped(Effect.zipRight(RawClient.connect, isHalfOpen)),
    ended: { stranger: 1 },
    refused: {},
    told: []
  }
]

describe("a connection that ends", () => {
  for (const { act, ended, how, limits, log, refused, told } of endings) {
    it.scoped(`${how} is counted, and is one line where it was in the room`, () =>
      Effect.gen(function* () {
        const found = yield* Deferred.make<unknown>()
        const lines = yield* logged(
          counted(
            Effect.zipRight(act, Room.connections(0)).pipe(
              Room.within({ limits: limits ?? {}, log: log ?? Log.layerMemory() })
            )
          ).pipe(Effect.flatMap((seen) => Deferred.succeed(found, seen)))
        )
        expect(yield* Deferred.await(found)).toEqual({ ended, refused })
        const ends = lines
          .filter(({ message }) => message === "a connection has ended")
          .toSorted((a, b) => (String(a.outcome) < String(b.outcome) ? -1 : 1))
        expect(ends).toEqual(
          told.map((line) => ({
            message: "a connection has ended",
            from: "memory",
            bytes_in: expect.any(Number),
            bytes_out: expect.any(Number),
            seconds: expect.any(Number),
            ...line
          }))
        )
        for (const { bytes_in, bytes_out } of ends)
          expect([Number(bytes_in) > 50, Number(bytes_out) > 50]).toEqual([true, true])
        // A stranger has no line of its own.
        const rest = lines.filter((line) => !ends.includes(line))
        if (told.length === 0) for (const { message } of rest) expect(message).toMatch(/^refused: /)
      })
    )
  }

  it.scoped("because the server does is counted as that", () =>
    Effect.gen(function* () {
      const found = yield* counted(
        Effect.gen(function* () {
          const scope = yield* Scope.make()
          const server = yield* Layer.buildWithScope(Room.layer(), scope)
          const raw = yield* Effect.provide(RawClient.joined("ada"), server)
          const closing = yield* Effect.fork(Scope.close(scope, Exit.void))
          yield* RawClient.untilEnd(raw)
          raw.transport.stopReading()
          yield* Effect.zipRight(raw.transport.end, closing.await)
        })
      )
      expect(found).toEqual({ ended: { shutdown: 1 }, refused: {} })
    })
  )
})

it("every Bye there is has an outcome of its name", () => {
  expect(Object.keys(Metrics.ended)).toEqual([...Protocol.ByeReason.literals, "lost", "died", "stranger"])
})
