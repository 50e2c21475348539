import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import * as TestClock from "effect/TestClock"
import * as Client from "../src/client/Client.js"
import * as Fernet from "../src/domain/Fernet.js"
import type * as Protocol from "../src/domain/Protocol.js"
import * as TransportMemory from "../src/domain/TransportMemory.js"
import * as Log from "../src/server/Log.js"
import * as RawClient from "./utils/RawClient.js"
import * as RawServer from "./utils/RawServer.js"
import * as Room from "./utils/Room.js"

/** Lets so many seconds pass, and all happen that they bring. */
const pass = (seconds: number) =>
  Effect.all([Room.settle, TestClock.adjust(seconds * 1_000), Room.settle], { discard: true })

/** What comes to somebody who reads on and on, by tag; it never ends. */
const listen = <A extends { readonly _tag: string }, E, R>(next: Effect.Effect<ReadonlyArray<A>, E, R>) =>
  Effect.gen(function* () {
    const heard: Array<A> = []
    const reading = Effect.forever(Effect.tap(next, (messages) => Effect.sync(() => heard.push(...messages))))
    yield* Effect.forkScoped(reading)
    return { heard, of: (tag: string) => heard.filter(({ _tag }) => _tag === tag) }
  })

type Raw = Effect.Effect.Success<typeof RawClient.open>

/** What a server sends to a client that reads, and answers nothing by itself. */
const listenRaw = (raw: Raw) =>
  listen(
    Effect.map(
      Effect.flatten(raw.next),
      (received): ReadonlyArray<Protocol.ServerMessage | Protocol.Event> =>
        received._tag === "Down" ? received.messages : received.frame.events
    )
  )

/** Whether the server has not ended a connection within so many seconds. */
const isOpenAfter = (seconds: number, { line }: { readonly line: Effect.Effect<Option.Option<string>> }) =>
  Effect.gen(function* () {
    const ending = yield* Effect.fork(line)
    yield* pass(seconds)
    const end = yield* Fiber.poll(ending)
    expect(Option.getOrUndefined(end) ?? Exit.succeed(Option.none())).toEqual(Exit.succeed(Option.none()))
    return Option.isNone(end)
  })

describe("a stranger", () => {
  const strangers = {
    "that says nothing": RawClient.connect,
    "that has shaken hands, as one who replays does": Effect.map(RawClient.open, (raw) => ({
      line: Effect.option(Effect.flatMap(raw.next, (received) => Effect.map(received, ({ _tag }) => _tag)))
    }))
  }
  for (const [what, connect] of Object.entries(strangers)) {
    for (const [seconds, stays] of [
      [9, true],
      [11, false]
    ] as const) {
      it.scoped(`${what} is ${stays ? "there" : "sent away without a word"} after ${seconds} seconds`, () =>
        Effect.gen(function* () {
          const raw = yield* connect
          yield* Room.connections(1)
          expect(yield* isOpenAfter(seconds, raw)).toBe(stays)
          yield* Room.connections(stays ? 1 : 0)
        }).pipe(Room.within())
      )
    }
  }

  it.scoped("that drips is sent away all the same", () =>
    Effect.gen(function* () {
      const raw = yield* RawClient.connect
      yield* Effect.forkScoped(
        Effect.forever(
          Effect.zipRight(
            Effect.sync(() => raw.write("A")),
            Effect.sleep("1 second")
          )
        )
      )
      expect(yield* isOpenAfter(11, raw)).toBe(false)
    }).pipe(Room.within())
  )

  it.scoped("that has shown who it is, is none, whether or not it has a nick", () =>
    Effect.gen(function* () {
      yield* Room.join("ada")
      const raw = yield* RawClient.open
      raw.send({ _tag: "Nick", nick: "ada", ticket: RawClient.ticket })
      yield* RawClient.until(raw, "Rejected")
      yield* pass(11)
      raw.send({ _tag: "Ping", at: 1 })
      expect((yield* RawClient.until(raw, "Pong")).at(-1)).toEqual({ _tag: "Pong", at: 1, last: 0 })
    }).pipe(Room.within())
  )
})

describe("a server that hears nothing from a client", () => {
  it.scoped("asks after 30 seconds, with the last seq it has written", () =>
    Effect.gen(function* () {
      const raw = yield* listenRaw(yield* RawClient.joined("eve"))
      yield* pass(29)
      expect(raw.of("Ping")).toEqual([])
      yield* pass(2)
      expect(raw.of("Ping")).toEqual([{ _tag: "Ping", at: 30_000, last: 1 }])
    }).pipe(Room.within())
  )

  it.scoped("says Bye after 75 seconds, and keeps its member for the grace time", () =>
    Effect.gen(function* () {
      const ada = yield* Room.join("ada")
      const raw = yield* listenRaw(yield* RawClient.joined("eve"))
      yield* pass(74)
      expect(raw.of("Bye")).toEqual([])
      yield* pass(2)
      expect(raw.heard.at(-1)).toEqual({ _tag: "Bye", reason: "silent" })
      expect(yield* ada.count).toBe(2)
      yield* pass(28)
      expect(yield* ada.count).toBe(2)
      yield* pass(3)
      expect(yield* Room.entries(ada, 3, Room.short)).toEqual(["ada Joined", "eve Joined", "eve left (timeout)"])
      yield* Room.connections(1)
    }).pipe(Room.within())
  )

  it.scoped("takes any frame as a sign of life", () =>
    Effect.gen(function* () {
      const raw = yield* RawClient.joined("eve")
      const server = yield* listenRaw(raw)
      for (let i = 0; i < 3; i++) {
        yield* pass(29)
        raw.send({ _tag: "Pong", at: 0 })
      }
      yield* pass(29)
      expect(server.of("Ping").length + server.of("Bye").length).toBe(0)
    }).pipe(Room.within())
  )

  it.scoped("may have other limits", () =>
    Effect.gen(function* () {
      const raw = yield* listenRaw(yield* RawClient.joined("eve"))
      yield* pass(4)
      expect(raw.of("Bye")).toEqual([])
      yield* pass(2)
      expect(raw.heard.slice(-3)).toMatchObject([{ _tag: "Ping" }, { _tag: "Ping" }, { _tag: "Bye" }])
    }).pipe(Room.within({ limits: { pingAfter: "2 seconds", silentAfter: "5 seconds" } }))
  )

  it.scoped("does not blame one that it does not read, and tells it that it is there", () =>
    Effect.gen(function* () {
      const raw = yield* RawClient.joined("eve")
      // More answers than are taken: it is read no further until it takes them.
      for (let i = 0; i < 10; i++) raw.send(...Array.from({ length: 64 }, () => ({ _tag: "Ping", at: 7 })))
      yield* pass(200)
      yield* Room.connections(1)
      const server = yield* listenRaw(raw)
      yield* Room.settle
      expect(server.of("Bye")).toEqual([])
      expect(server.of("Pong").length).toBe(640)
      expect(server.of("Ping").length).toBe(6)
      yield* pass(74)
      expect(server.of("Bye")).toEqual([])
      yield* pass(2)
      expect(server.of("Bye").length).toBe(1)
    }).pipe(Room.within({ limits: { slowAfter: "1 hour" } }))
  )
})

describe("a client that hears nothing from its server", () => {
  const services = Layer.mergeAll(TransportMemory.layer, Fernet.layer)

  /** A client in the room of a server that answers nothing, and what that server hears of it. */
  const joined = Effect.gen(function* () {
    const joining = yield* Effect.fork(Room.join("ada"))
    const server = yield* RawServer.accept
    yield* server.next
    server.welcome()
    const client = yield* Fiber.join(joining)
    const { heard, of } = yield* listen(Effect.flatten(server.next))
    return { client, server, heard, of }
  })

  it.scoped("asks after 30 seconds", () =>
    Effect.gen(function* () {
      const { of } = yield* joined
      yield* pass(29)
      expect(of("Ping")).toEqual([])
      yield* pass(2)
      expect(of("Ping")).toEqual([{ _tag: "Ping", at: 30_000 }])
    }).pipe(Effect.scoped, Effect.provide(services))
  )

  it.scoped("takes the connection for lost after 75 seconds, and comes back", () =>
    Effect.gen(function* () {
      const { client } = yield* joined
      yield* pass(74)
      expect((yield* client.status.get)._tag).toBe("Online")
      yield* pass(1)
      expect(yield* client.status.get).toMatchObject({
        _tag: "Reconnecting",
        message: "nothing was heard from the server for too long"
      })
      const accepting = yield* Effect.fork(RawServer.accept)
      yield* pass(1)
      const again = yield* Fiber.join(accepting)
      expect(Option.getOrThrow(yield* again.next)).toMatchObject([{ _tag: "Nick", log: RawServer.log, after: 1 }])
    }).pipe(Effect.scoped, Effect.provide(services))
  )

  it.scoped("takes any frame as a sign of life, and shows now and then that it is here itself", () =>
    Effect.gen(function* () {
      const { client, heard, server } = yield* joined
      for (let seq = 2; seq < 5; seq++) {
        yield* pass(29)
        server.broadcast(yield* RawServer.chat(seq, seq - 1, "hello"))
      }
      yield* pass(29)
      expect(heard).toEqual([38_000, 76_000, 114_000].map((at) => ({ _tag: "Ping", at })))
      expect((yield* client.status.get)._tag).toBe("Online")
    }).pipe(Effect.scoped, Effect.provide(services))
  )

  it.scoped("may have other limits", () =>
    Effect.gen(function* () {
      const joining = yield* Effect.fork(
        Client.make({ keys: Room.roomKeys, nick: "ada", pingAfter: "2 seconds", silentAfter: "5 seconds" })
      )
      const server = yield* RawServer.accept
      server.welcome()
      const client = yield* Fiber.join(joining)
      yield* pass(4)
      expect((yield* client.status.get)._tag).toBe("Online")
      yield* pass(1)
      expect((yield* client.status.get)._tag).toBe("Reconnecting")
    }).pipe(Effect.scoped, Effect.provide(services))
  )
})

describe("both", () => {
  it.scoped("stay together for as long as neither has anything to say", () =>
    Effect.gen(function* () {
      const ada = yield* Room.join("ada")
      yield* pass(300)
      expect((yield* ada.status.get)._tag).toBe("Online")
      yield* ada.say("still here")
      expect(yield* Room.entries(ada, 2, Room.short)).toEqual(["ada Joined", "ada: still here"])
    }).pipe(Room.within())
  )

  it.scoped("stay together while the log takes nothing, and the server reads no further", () =>
    Effect.gen(function* () {
      const log = yield* Log.Log
      let isFull = false
      const full = Effect.fail(new Log.LogError({ reason: "unavailable", message: "no room" }))
      const stubborn = Layer.succeed(Log.Log, {
        ...log,
        append: (events, members) => (isFull ? full : log.append(events, members))
      })
      yield* Effect.gen(function* () {
        const ada = yield* Room.join("ada")
        let losses = 0
        yield* Stream.runForEach(ada.status.changes, ({ _tag }) =>
          Effect.sync(() => {
            if (_tag !== "Online") losses += 1
          })
        ).pipe(Effect.forkScoped)
        isFull = true
        const saying = yield* Effect.fork(Effect.all([ada.say("one"), ada.say("two")]))
        yield* pass(1)
        const more = yield* Effect.fork(ada.say("three"))
        yield* pass(200)
        isFull = false
        yield* pass(2)
        yield* Fiber.join(saying)
        yield* Fiber.join(more)
        expect(losses).toBe(0)
      }).pipe(Room.within({ log: stubborn }))
    }).pipe(Effect.provide(Log.layerMemory()))
  )
})
