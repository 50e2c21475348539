import { Buffer } from "node:buffer"
import { describe, expect, it } from "@effect/vitest"
import * as Arr from "effect/Array"
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import * as Base64Url from "../src/domain/Base64Url.js"
import { EventLoop } from "../src/domain/EventLoop.js"
import * as Fernet from "../src/domain/Fernet.js"
import * as Keys from "../src/domain/Keys.js"
import * as Protocol from "../src/domain/Protocol.js"
import type { Transport } from "../src/domain/Transport.js"
import * as Wire from "../src/domain/Wire.js"
import * as CatchUp from "../src/server/CatchUp.js"
import { Downlink } from "../src/server/Downlink.js"
import * as Log from "../src/server/Log.js"
import { Room } from "../src/server/Room.js"
import * as CountedLog from "./utils/CountedLog.js"

const member = Protocol.MemberId.make(1)

/** A log whose texts have so many bytes, and to which more can be added. */
const growing = (bytes: number) =>
  Effect.gen(function* () {
    const log = yield* Log.Log
    const sealed = Protocol.Sealed.make(Base64Url.encode(Buffer.alloc(bytes)))
    const grow = (count: number) =>
      Effect.gen(function* () {
        const head = yield* log.head
        const chats = Arr.makeBy(count, (i): Protocol.Chat => {
          const seq = Protocol.Seq.make(head + i + 1)
          return { _tag: "Chat", seq, at: 0, member, nick: "ada", n: Protocol.TextNumber.make(seq), sealed }
        })
        yield* Effect.orDie(log.append(chats, []))
      })
    return { log, grow }
  }).pipe(Effect.provide(Log.layerMemory()))

/** Has a session catch up from the beginning of `log`; done when it asks to be live. */
const caughtUp = (log: Log.Log["Type"], aside: Effect.Effect<void>, transport: Partial<Transport>) =>
  Effect.gen(function* () {
    const fernet = yield* Fernet.Fernet
    const ready = yield* Deferred.make<void>()
    const room = Room.of({
      submit: ([command]) =>
        Effect.asVoid(Effect.when(Deferred.succeed(ready, undefined), () => command?._tag === "Ready")),
      ask: () => Effect.void,
      isTaking: () => true,
      flush: Effect.void,
      operate: () => Effect.never,
      bans: Effect.succeed([]),
      names: Effect.succeed([]),
      overview: Effect.never,
      count: Effect.succeed(1),
      nick: () => Option.none(),
      join: Effect.never
    })
    const { start } = yield* CatchUp.make.pipe(
      Effect.provide(Context.make(Room, room).pipe(Context.add(Log.Log, log))),
      Effect.provideService(EventLoop, { turn: Effect.void, aside })
    )
    const writer = new Wire.Writer<Protocol.ServerMessage>(fernet, Keys.fromBytes<"down">(new Uint8Array(Keys.length)))
    const sink: Transport = {
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
      write: () => 0,
      drained: Effect.void,
      end: Effect.void,
      ...transport
    }
    const link = new Downlink(sink, writer, start)
    const head = Protocol.Seq.make(yield* log.head)
    const welcome = { log: log.id, head, after: Protocol.start, member, nick: "ada", acked: 0, count: 1 }
    link.admit({ welcome: { _tag: "Welcome", ...welcome }, roster: [] }, 0)
    yield* Deferred.await(ready)
    return link
  }).pipe(Effect.scoped, Effect.provide(Fernet.layer))

describe("who catches up", () => {
  it.live("comes to the head though more is said in every turn that it waits for", () =>
    Effect.gen(function* () {
      const { grow, log } = yield* growing(30)
      yield* grow(1000)
      let turns = 0
      const aside = Effect.suspend(() => {
        turns += 1
        return Effect.zipRight(grow(100), Effect.yieldNow())
      })
      const link = yield* caughtUp(log, aside, {})
      // What it was written last was the head.
      expect(link.last).toBe(yield* log.head)
      // It gains 156 events a turn on those who talk.
      expect(turns).toBeLessThan(10)
    })
  )

  it.live("holds no more of it than is unsent, and takes no longer than a few frames in a turn", () =>
    Effect.gen(function* () {
      const { grow, log } = yield* growing(20_000)
      yield* grow(100)
      let unsent = 0
      let most = 0
      let frames = 0
      const turns: Array<number> = []
      const aside = Effect.suspend(() => {
        turns.push(frames)
        frames = 0
        return Effect.yieldNow()
      })
      const write = (bytes: Uint8Array) => {
        unsent += bytes.length
        most = Math.max(most, unsent)
        frames += 1
        return unsent
      }
      const drained = Effect.sync(() => {
        unsent = 0
      })
      const link = yield* caughtUp(log, aside, { write, drained })
      expect(link.last).toBe(100)
      // A frame more than is enough, at most.
      expect(most).toBeLessThan(192 * 1024)

      const fast: Array<number> = []
      yield* caughtUp(
        log,
        Effect.sync(() => void fast.push(0)),
        {
          write: () => {
            fast[fast.length - 1] = (fast.at(-1) ?? 0) + 1
            return 0
          }
        }
      )
      // Welcome goes with the first of them.
      expect(Math.max(...fast)).toBeLessThanOrEqual(5)
      expect(fast.length).toBeGreaterThan(20)
    })
  )

  it.live("has no more read for it than it is written, roughly, however long the texts are", () =>
    Effect.gen(function* () {
      const { grow, log } = yield* growing(20_000)
      yield* grow(300)
      const counted = CountedLog.make(log)
      const link = yield* caughtUp(counted.log, Effect.yieldNow(), {})
      expect(link.last).toBe(300)
      expect(counted.read()).toBeLessThan(600)
    })
  )
})
