import * as Net from "node:net"
import { describe, expect, it } from "@effect/vitest"
import * as Arr from "effect/Array"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Client from "../src/client/Client.js"
import * as Transport from "../src/domain/Transport.js"
import * as TransportTcp from "../src/domain/TransportTcp.js"
import * as Server from "../src/server/Server.js"
import * as Loopback from "./utils/Loopback.js"
import * as RawClient from "./utils/RawClient.js"
import * as Room from "./utils/Room.js"

/** Texts of some 22 KB each on the wire: the longest there are. */
const longTexts = (count: number) => Arr.range(1, count).map((i) => `${i} ${"🎈".repeat(3_900)}`)

describe("a client that takes nothing of what waits for it", () => {
  /** One that has joined and reads nothing, while so much is said that the transport cannot hold it. */
  const stalled = Effect.gen(function* () {
    const ada = yield* Room.join("ada")
    const raw = yield* RawClient.joined("eve")
    yield* Effect.forEach(longTexts(4), (text) => ada.say(text))
    yield* Room.settle
    return { ada, raw }
  })

  const { pass } = Room

  it.scoped("gets Bye slow after 30 seconds, and not before", () =>
    Effect.gen(function* () {
      const { raw } = yield* stalled
      yield* pass(29)
      yield* Room.connections(2)
      yield* pass(3)
      const rest = yield* RawClient.untilEnd(raw)
      expect(rest.at(-1)).toEqual({ _tag: "Bye", reason: "slow" })
    }).pipe(Room.within())
  )

  it.scoped("stays for as long as it takes anything at all", () =>
    Effect.gen(function* () {
      const { raw } = yield* stalled
      for (let i = 0; i < 3; i++) {
        yield* pass(29)
        yield* raw.next
        yield* Room.settle
      }
      yield* pass(20)
      expect(yield* Effect.flatMap(Server.Server, ({ connections }) => connections)).toBe(2)
    }).pipe(Room.within({ limits: { silentAfter: "1 hour" } }))
  )
})

/** A way to the server on which what comes back comes in pieces of `size` bytes, `time` ms apart, once it is narrowed. */
const narrowWay = (port: number) =>
  Effect.gen(function* () {
    let narrow: { readonly size: number; readonly time: number } | undefined
    const listener = Net.createServer({ allowHalfOpen: true }, (client) => {
      const server = Net.connect({ host: "127.0.0.1", port, allowHalfOpen: true })
      let timer: NodeJS.Timeout | undefined
      const end = () => {
        clearTimeout(timer)
        client.destroy()
        server.destroy()
      }
      const carry = () => {
        if (narrow === undefined) {
          for (let bytes = server.read(); bytes !== null; bytes = server.read()) client.write(bytes)
          return
        }
        const { size, time } = narrow
        timer ??= setTimeout(() => {
          timer = undefined
          const bytes = server.read(Math.min(size, server.readableLength))
          if (bytes !== null) client.write(bytes)
          carry()
        }, time)
      }
      server.on("readable", carry)
      client.on("data", (bytes) => server.write(bytes))
      for (const socket of [client, server]) socket.on("error", end).on("close", end)
    })
    const way = { host: "127.0.0.1", port: yield* Loopback.listen(listener) }
    const { dial } = yield* Effect.provide(Transport.Dialer, TransportTcp.layerDialer(way))
    return {
      dialer: { address: "a narrow way", dial },
      narrow: (size: number, time: number) => {
        narrow = { size, time }
      }
    }
  })

describe("over TCP, a client on a narrow way", () => {
  const port = Effect.map(Server.Server, ({ address }) => Number(address.split(":").at(-1)))

  it.scopedLive("of a byte a second holds nobody up, and is sent away as slow", () =>
    Effect.gen(function* () {
      const { dialer, narrow } = yield* narrowWay(yield* port)
      const ada = yield* Room.join("ada")
      const bob = yield* Room.join("bob")
      yield* Effect.provideService(RawClient.joined("eve"), Transport.Dialer, dialer)
      narrow(1, 1_000)
      // Far more than the systems on the way hold.
      const texts = longTexts(800)
      const heard = yield* Effect.fork(Room.entries(bob, texts.length, Room.said))
      yield* Effect.forEach(texts, (text) => ada.say(text), { concurrency: 64 })
      expect(new Set(yield* Fiber.join(heard))).toEqual(new Set(texts.map((text) => `ada: ${text}`)))
      yield* Room.connections(2)
    }).pipe(Room.within({ transport: Room.transports.tcp, limits: { slowAfter: "3 seconds" } }))
  )

  it.scopedLive("that is always behind gets all of it from the log, once and in order, for as long as that takes", () =>
    Effect.gen(function* () {
      const { dialer, narrow } = yield* narrowWay(yield* port)
      const ada = yield* Room.join("ada")
      const eve = yield* Effect.provideService(
        Client.make({ keys: Room.roomKeys, nick: "eve" }),
        Transport.Dialer,
        dialer
      )
      narrow(256 * 1024, 50)
      const texts = longTexts(800)
      const heard = yield* Effect.fork(Room.entries(eve, texts.length, Room.said))
      const said = yield* Effect.fork(Room.entries(ada, texts.length, Room.said))
      yield* Effect.forEach(texts, (text) => ada.say(text), { concurrency: 64 })
      expect(yield* Fiber.join(heard)).toEqual(yield* Fiber.join(said))
      expect((yield* eve.status.get)._tag).toBe("Online")
    }).pipe(Room.within({ transport: Room.transports.tcp, limits: { slowAfter: "2 seconds", maxUnsent: 64 * 1024 } }))
  )
})
