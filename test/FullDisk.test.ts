import { join } from "node:path"
import { expect, it } from "@effect/vitest"
import * as Arr from "effect/Array"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import type * as Client from "../src/client/Client.js"
import * as Fernet from "../src/domain/Fernet.js"
import type * as Protocol from "../src/domain/Protocol.js"
import { Log } from "../src/server/Log.js"
import * as LogSql from "../src/server/LogSql.js"
import { directory } from "./utils/Command.js"
import { readAll, storeWorker } from "./utils/LogSuite.js"
import { Network, layer as networkLayer } from "./utils/Network.js"
import * as Room from "./utils/Room.js"

/** Waits until a client has its connection back. */
const online = ({ status }: Client.Shape) =>
  status.changes.pipe(
    Stream.dropUntil(({ _tag }) => _tag === "Reconnecting"),
    Stream.takeUntil(({ _tag }) => _tag === "Online"),
    Stream.runDrain
  )

/** The texts of a log, as their member's number and their own. */
const textsOf = (events: ReadonlyArray<Protocol.Event>) =>
  events.flatMap((event) => (event._tag === "Chat" ? `${event.member}/${event.n}` : []))

it.scopedLive(
  "a server whose disk is full acknowledges nothing that it has not stored, goes on with who reads, and goes on when there is room",
  () =>
    Effect.gen(function* () {
      const file = join(yield* directory, "chat.db")
      const log = yield* Layer.build(
        LogSql.layer({ file, keys: Room.serverKeys, maxBytes: 400 * 1024, worker: storeWorker })
      ).pipe(Effect.map(Context.get(Log)))
      const network = yield* Network
      yield* network.serve(log)
      const ada = yield* Room.join("ada")
      const bob = yield* Room.join("bob")
      const text = "x".repeat(3_000)
      const acknowledged: Array<Protocol.TextNumber> = []
      // Some 4 KB each, so that they do not all fit.
      const saying = yield* Effect.fork(
        Effect.forEach(Arr.range(1, 100), () =>
          Effect.map(ada.say(text), (said) => acknowledged.push(Option.getOrThrow(said).n))
        )
      )
      yield* Room.eventually(log.head, (head) => head > 30)
      // Nothing is added for a while: it is full.
      const isFull: Effect.Effect<Protocol.Position> = Effect.gen(function* () {
        const before = yield* log.head
        yield* Effect.sleep("400 millis")
        return (yield* log.head) === before ? before : yield* isFull
      })
      const head = yield* isFull
      expect(yield* Fiber.poll(saying)).toEqual(Option.none())
      expect(acknowledged.length).toBeLessThan(100)
      const stored = textsOf(yield* readAll(log))
      expect(stored).toEqual(acknowledged.map((n) => `1/${n}`))

      // Whoever reads comes back, and sees all there is.
      const back = yield* Effect.fork(online(bob))
      yield* network.cut
      yield* Fiber.join(back)
      const seen = yield* Room.entries(bob, acknowledged.length, Room.said)
      expect(seen.length).toBe(acknowledged.length)
      expect(yield* log.head).toBe(head)

      // Room again, as after the oldest have gone.
      yield* log.trim(Date.now())
      yield* Fiber.join(saying)
      expect(acknowledged).toEqual(Arr.range(1, 100))
      const numbers = yield* Room.entries(bob, 100, (entry) => (entry._tag === "Said" ? entry.n : undefined))
      expect(numbers).toEqual(Arr.range(1, 100))
    }).pipe(Effect.provide([networkLayer, Fernet.layer]))
)
