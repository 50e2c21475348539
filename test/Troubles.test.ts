import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import * as Subscribable from "effect/Subscribable"
import * as TestClock from "effect/TestClock"
import type * as Presence from "../src/client/Presence.js"
import * as Troubles from "../src/client/terminal/Troubles.js"
import * as Fernet from "../src/domain/Fernet.js"
import * as Keys from "../src/domain/Keys.js"
import * as Log from "../src/server/Log.js"
import { Network, layer as networkLayer } from "./utils/Network.js"
import * as Room from "./utils/Room.js"

type Reconnecting = Extract<Presence.Status, { readonly _tag: "Reconnecting" }>

const online: Presence.Status = { _tag: "Online" }
const connecting: Presence.Status = { _tag: "Connecting" }
const failed = (reason: Reconnecting["reason"], message: string = reason): Presence.Status => ({
  _tag: "Reconnecting",
  next: 0,
  reason,
  message
})

describe("what a user is told of the connection", () => {
  /** What is told while a client is in one state after the other, trying again in between. */
  const told = (...statuses: ReadonlyArray<Presence.Status>) => {
    const all = statuses.flatMap((status) => [connecting, status])
    const status = Subscribable.make({ get: Effect.succeed(online), changes: Stream.fromIterable(all) })
    return Effect.map(Stream.runCollect(Troubles.of({ status })), (troubles) =>
      Array.from(troubles, (trouble) => (trouble._tag === "Lost" ? "lost" : trouble.message))
    )
  }

  it.effect("is a loss, once until it is online again", () =>
    Effect.gen(function* () {
      expect(yield* told(online)).toEqual([])
      expect(yield* told(online, failed("lost"), failed("unreachable"), failed("unreachable"))).toEqual(["lost"])
      expect(yield* told(online, failed("shutdown"), online, failed("lost"), failed("lost"))).toEqual(["lost", "lost"])
    })
  )

  it.effect("is nothing before it was let in", () =>
    Effect.gen(function* () {
      expect(yield* told(failed("wrong-key"), failed("wrong-key"), failed("wrong-key"))).toEqual([])
    })
  )

  it.effect("is why it is turned away, once it goes on, and once until it is online again", () =>
    Effect.gen(function* () {
      const [lost, away] = [failed("lost"), failed("wrong-key", "compare your key file")]
      expect(yield* told(online, lost, away)).toEqual(["lost"])
      expect(yield* told(online, lost, away, away)).toEqual(["lost", "compare your key file"])
      expect(yield* told(online, lost, away, away, away, failed("unreachable"), away, away)).toEqual([
        "lost",
        "compare your key file"
      ])
      expect(yield* told(online, lost, away, failed("unreachable"), away, lost, away)).toEqual(["lost"])
      expect(yield* told(online, lost, away, failed("full"), failed("full"))).toEqual(["lost", "full"])
      expect(yield* told(online, lost, away, away, online, lost, away, away)).toEqual([
        "lost",
        "compare your key file",
        "lost",
        "compare your key file"
      ])
    })
  )
})

describe("a client whose key the server does not take any more", () => {
  it.scoped("says what may be the reason, goes on trying, and comes back when it is taken again", () =>
    Effect.gen(function* () {
      const network = yield* Network
      const log = yield* Effect.provide(Log.Log, Log.layerMemory())
      const first = yield* network.serve(log)
      const ada = yield* Room.join("ada")
      const troubles: Array<Troubles.Trouble> = []
      yield* Effect.fork(Stream.runForEach(Troubles.of(ada), (trouble) => Effect.sync(() => troubles.push(trouble))))
      const until = (isSo: (status: Presence.Status) => boolean): Effect.Effect<Presence.Status> =>
        Effect.gen(function* () {
          yield* Room.settle
          const status = yield* ada.status.get
          if (isSo(status)) return status
          yield* TestClock.adjust("1 second")
          return yield* until(isSo)
        })
      const isTurnedAway = (status: Presence.Status) => status._tag === "Reconnecting" && status.reason === "wrong-key"
      yield* Room.settle
      // A server takes its time to end.
      const closing = yield* Effect.fork(Scope.close(first, Exit.void))
      yield* until(({ _tag }) => _tag === "Reconnecting")
      yield* TestClock.adjust("5 seconds")
      yield* Fiber.join(closing)
      const other = yield* network.serve(log, { keys: [Keys.fromBytes<"server">(new Uint8Array(32).fill(3))] })
      const away = yield* until(isTurnedAway)
      const message = away._tag === "Reconnecting" ? away.message : ""
      expect(message).toMatch(/^memory closes the connection before it lets you in: .* the key may have been changed$/)
      yield* until(() => troubles.length === 2)
      expect(troubles).toEqual([{ _tag: "Lost" }, { _tag: "TurnedAway", message }])
      yield* TestClock.adjust("2 minutes")
      yield* Room.settle
      expect(troubles).toHaveLength(2)
      const ending = yield* Effect.fork(Scope.close(other, Exit.void))
      yield* TestClock.adjust("5 seconds")
      yield* Fiber.join(ending)
      yield* network.serve(log)
      yield* until(({ _tag }) => _tag === "Online")
      yield* ada.say("in again")
    }).pipe(Effect.scoped, Effect.provide([networkLayer, Fernet.layer]))
  )
})
