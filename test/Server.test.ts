import * as Net from "node:net"
import { join } from "node:path"
import * as KeyValueStore from "@effect/platform/KeyValueStore"
import * as NodeContext from "@effect/platform-node/NodeContext"
import { describe, expect, it } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as HashMap from "effect/HashMap"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as Option from "effect/Option"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import * as TestClock from "effect/TestClock"
import type * as Client from "../src/client/Client.js"
import * as Fernet from "../src/domain/Fernet.js"
import * as Protocol from "../src/domain/Protocol.js"
import type * as Transport from "../src/domain/Transport.js"
import * as TransportTcp from "../src/domain/TransportTcp.js"
import * as Log from "../src/server/Log.js"
import * as SealedLog from "../src/server/SealedLog.js"
import * as Server from "../src/server/Server.js"
import * as SqlStore from "../src/server/SqlStore.js"
import { directory } from "./utils/Command.js"
import * as Loopback from "./utils/Loopback.js"
import { Network, layer as networkLayer } from "./utils/Network.js"
import * as RawClient from "./utils/RawClient.js"
import * as Room from "./utils/Room.js"

/** Two addresses of this machine. */
const here = "127.0.0.1"
const there = "127.0.0.2"

/** A way to the server on `port` that comes from another address of this machine. */
const from = (address: string, port: number) =>
  Layer.unwrapScoped(
    Effect.suspend(() => {
      const relay = Net.createServer({ allowHalfOpen: true }, (client) => {
        const server = Net.connect({ host: here, port, localAddress: address, allowHalfOpen: true })
        for (const [one, other] of [
          [client, server],
          [server, client]
        ] as const) {
          one.pipe(other)
          one.on("error", () => other.destroy())
          one.on("close", () => other.destroy())
        }
      })
      return Effect.map(Loopback.listen(relay), (bound) => TransportTcp.layerDialer({ host: here, port: bound }))
    })
  )

/** A server over TCP on the log in `file`, for the life of the Scope, and the ways to it. */
const serve = Effect.fnUntraced(function* (file: string) {
  const log = SealedLog.layer({ keys: Room.serverKeys }).pipe(
    Layer.provide(SqlStore.layer({ file })),
    Layer.provide(NodeContext.layer)
  )
  const context = yield* Layer.build(
    Server.layer({ keys: Room.serverKeys }).pipe(
      Layer.provideMerge(Layer.merge(TransportTcp.layerListener({ host: here, port: 0 }), log)),
      Layer.provideMerge(Fernet.layer)
    )
  )
  const server = Context.get(context, Server.Server)
  const port = Number(server.address.split(":").at(-1))
  const dialer = (address: string) =>
    address === here ? TransportTcp.layerDialer({ host: here, port }) : from(address, port)
  /** Somebody who comes from `address` and asks to be let in: what it is told. */
  const knock = (nick: string, ticket: string, address: string) =>
    Effect.gen(function* () {
      const raw = yield* RawClient.open
      raw.send({ _tag: "Nick", nick, ticket })
      const received = yield* Effect.flatten(raw.next)
      const first = received._tag === "Down" ? received.messages[0] : undefined
      return first?._tag === "Bye" ? first.reason : first?._tag
    }).pipe(Effect.scoped, Effect.provide(dialer(address)), Effect.provide(context))
  const member = (nick: string, address = here) =>
    Room.join(nick).pipe(Effect.provide(dialer(address)), Effect.provide(context))
  return { server, log: Context.get(context, Log.Log), knock, member }
})

const ticketOf = (byte: number) => Protocol.Ticket.make(Buffer.alloc(16, byte).toString("base64url").padEnd(24, "="))
const [bobs, eves, doras] = [ticketOf(1), ticketOf(2), ticketOf(3)]

/** All that a client shows until it ends, and why it did. */
const toTheEnd = (client: Client.Shape) =>
  Effect.gen(function* () {
    const seen: Array<string> = []
    const ending = yield* Effect.exit(
      Stream.runForEach(client.events, (entry) => Effect.sync(() => seen.push(Room.short(entry) ?? "")))
    )
    return { seen, error: Exit.isFailure(ending) ? yield* Effect.flip(ending) : undefined }
  })

const provided = <A, E>(
  effect: Effect.Effect<A, E, Network | Fernet.Fernet | Transport.Dialer | Scope.Scope | KeyValueStore.KeyValueStore>
) => effect.pipe(Effect.scoped, Effect.provide([networkLayer, Fernet.layer, KeyValueStore.layerMemory]))

/** A test in real time, without what a server tells its operator. */
const live = <A, E>(name: string, test: Effect.Effect<A, E, Scope.Scope>) =>
  it.scopedLive(name, () => Effect.provide(test, Logger.remove(Logger.defaultLogger)))

describe("the operator of a server over TCP", () => {
  live(
    "kicks: all see it at the same place, the member itself too, whose client ends",
    Effect.gen(function* () {
      const { log, member, server } = yield* serve(join(yield* directory, "log"))
      const ada = yield* member("ada")
      const bob = yield* member("bob")
      const cleo = yield* member("cleo")
      yield* bob.say("I know better")
      const ending = yield* Effect.fork(toTheEnd(bob))
      expect(yield* server.kick("Bob")).toEqual({ _tag: "Kicked", member: 2, nick: "bob" })
      yield* ada.say("so much for that")
      const all = ["ada Joined", "bob Joined", "cleo Joined", "bob: I know better", "bob left (kicked)"]
      const { error, seen } = yield* Fiber.join(ending)
      expect(seen).toEqual(all.slice(0, 5))
      expect(error).toMatchObject({ _tag: "Disconnected", reason: "kicked" })
      expect(yield* bob.status.get).toEqual({ _tag: "Closed", reason: "kicked" })
      expect(yield* Effect.flip(bob.say("wait"))).toMatchObject({ reason: "closed" })
      expect(yield* Room.entries(ada, 6, Room.short)).toEqual([...all, "ada: so much for that"])
      expect(yield* Room.entries(cleo, 6, Room.short)).toEqual([...all, "ada: so much for that"])
      expect((yield* ada.members).map(({ nick }) => nick)).toEqual(["ada", "cleo"])
      expect(yield* server.members).toBe(2)
      expect(yield* log.head).toBe(6)
      yield* Room.eventually(server.connections, (open) => open === 2)
    })
  )

  live(
    "bans: it holds over restarts, under any nick, for the address too, until it is lifted",
    Effect.gen(function* () {
      const file = join(yield* directory, "log")
      yield* Effect.scoped(
        Effect.gen(function* () {
          const { knock, member, server } = yield* serve(file)
          const ada = yield* member("ada")
          // Its Welcome is not waited for by anybody else.
          expect(yield* knock("bob", bobs, there)).toBe("Welcome")
          expect(yield* server.ban("bob")).toEqual({
            _tag: "Banned",
            member: 2,
            nick: "bob",
            network: there,
            others: { members: [], more: 0 }
          })
          expect(yield* Room.entries(ada, 3, Room.short)).toEqual(["ada Joined", "bob Joined", "bob left (kicked)"])
        })
      )
      for (const _ of [1, 2]) {
        yield* Effect.scoped(
          Effect.gen(function* () {
            const { knock, log, server } = yield* serve(file)
            expect(yield* server.bans).toMatchObject([{ member: 2, nick: "bob", network: there }])
            const head = yield* log.head
            const count = (yield* log.members).length
            expect(yield* knock("rob", bobs, here)).toBe("banned")
            expect(yield* knock("eve", eves, there)).toBe("banned")
            // Nothing of that is in the log, nor is anybody known by it.
            expect(yield* log.head).toBe(head)
            expect((yield* log.members).length).toBe(count)
            // Only a new key shuts out who holds the key.
            expect(yield* knock("dora", doras, here)).toBe("Welcome")
          })
        )
      }
      yield* Effect.scoped(
        Effect.gen(function* () {
          const { server } = yield* serve(file)
          expect(yield* server.unban("bob")).toMatchObject({ member: 2, network: there })
        })
      )
      const { knock, server } = yield* serve(file)
      expect(yield* server.bans).toEqual([])
      expect(yield* knock("bob", bobs, there)).toBe("Welcome")
      expect(yield* knock("eve", eves, there)).toBe("Welcome")
    })
  )

  live(
    "bans the ticket alone: the address lets others in, and the same one with a new ticket",
    Effect.gen(function* () {
      const { knock, server } = yield* serve(join(yield* directory, "log"))
      expect(yield* knock("bob", bobs, here)).toBe("Welcome")
      expect(yield* server.ban("bob", { ticketOnly: true })).not.toHaveProperty("network")
      expect(yield* knock("bob", bobs, there)).toBe("banned")
      expect(yield* knock("bob", eves, here)).toBe("Welcome")
    })
  )

  live(
    "says Bye banned to nobody before its first frame has opened, and reads no more after it",
    Effect.gen(function* () {
      const { knock, server } = yield* serve(join(yield* directory, "log"))
      expect(yield* knock("bob", bobs, here)).toBe("Welcome")
      yield* server.ban("bob")
      const port = Number(server.address.split(":").at(-1))
      const raw = yield* RawClient.open.pipe(
        Effect.provide([TransportTcp.layerDialer({ host: here, port }), Fernet.layer])
      )
      const next = yield* Effect.fork(RawClient.untilEnd(raw))
      // It has shaken hands; nothing comes until it has shown that it can frame.
      expect(yield* server.connections).toBe(1)
      expect(yield* Fiber.poll(next)).toEqual(Option.none())
      raw.send({ _tag: "Nick", nick: "eve", ticket: eves })
      raw.send({ _tag: "Nick", nick: "eve", ticket: doras })
      expect(yield* Fiber.join(next)).toEqual([{ _tag: "Bye", reason: "banned" }])
      const stranger = yield* RawClient.open.pipe(
        Effect.provide([TransportTcp.layerDialer({ host: here, port }), Fernet.layer])
      )
      stranger.write("AAAA\n")
      expect(yield* RawClient.untilEnd(stranger)).toEqual([])
    })
  )
})

describe("a member who is kicked", () => {
  it.scoped("while its connection is lost is told when its client is back, and may come back by itself", () =>
    provided(
      Effect.gen(function* () {
        const network = yield* Network
        const log = yield* Effect.provide(Log.Log, Log.layerMemory())
        yield* network.serve(log)
        const ada = yield* Room.join("ada")
        yield* ada.say("one")
        yield* network.setReachable(false)
        yield* network.cut
        const said = yield* Effect.fork(Effect.either(ada.say("two")))
        yield* Room.settle
        expect(yield* (yield* network.server).kick("ada")).toMatchObject({ nick: "ada" })
        yield* network.setReachable(true)
        const ending = yield* Effect.fork(toTheEnd(ada))
        for (let seconds = 0; seconds < 60 && Option.isNone(yield* Fiber.poll(ending)); seconds++) {
          yield* Room.settle
          yield* TestClock.adjust("1 second")
        }
        const { error, seen } = yield* Fiber.join(ending)
        expect(seen).toEqual(["ada Joined", "ada: one"])
        expect(error).toMatchObject({ reason: "kicked", message: expect.stringContaining("1 text was not sent") })
        expect(yield* Fiber.join(said)).toMatchObject({ left: { reason: "closed" } })
        expect(yield* (yield* network.server).members).toBe(0)
        const bob = yield* Room.join("bob")
        expect(yield* Room.entries(bob, 4, Room.short)).toEqual([
          "ada Joined",
          "ada: one",
          "ada left (kicked)",
          "bob Joined"
        ])
      })
    )
  )

  it.scoped("loses nothing that was acknowledged, and says the rest when it comes back, once", () =>
    provided(
      Effect.gen(function* () {
        const network = yield* Network
        const memory = yield* Effect.provide(Log.Log, Log.layerMemory())
        const gate = yield* Effect.makeLatch(true)
        const log: Log.Log["Type"] = {
          ...memory,
          append: (events, members) => Effect.zipRight(gate.await, memory.append(events, members))
        }
        yield* network.serve(log)
        const bob = yield* Room.join("bob")
        const texts = Array.from({ length: 300 }, (_, i) => `text ${i}`)
        const outcomes = yield* Effect.scoped(
          Effect.gen(function* () {
            const ada = yield* Room.joinKept("ada")
            // Who has been shown that it was kicked is let in again at once.
            const ending = yield* Effect.fork(toTheEnd(ada))
            const say = (from: number, to: number) =>
              Effect.fork(
                Effect.forEach(texts.slice(from, to), (text) => Effect.either(ada.say(text)), {
                  concurrency: "unbounded"
                })
              )
            // The log keeps some while others wait, then comes the kick, and then more.
            yield* gate.close
            const first = yield* say(0, 200)
            yield* Room.settle
            const kicking = yield* Effect.fork((yield* network.server).kick("ada"))
            yield* Room.settle
            const second = yield* say(200, 300)
            yield* Room.settle
            yield* gate.open
            yield* Fiber.join(kicking)
            yield* Fiber.join(ending)
            return [...(yield* Fiber.join(first)), ...(yield* Fiber.join(second))]
          })
        )
        const acknowledged = texts.filter((_, i) => outcomes[i]?._tag === "Right")
        expect(acknowledged).toEqual(texts.slice(0, 200))
        const again = yield* Room.joinKept("ada")
        expect(yield* again.member).toBe(2)
        expect(yield* again.say("that is all")).toMatchObject({ _tag: "Some" })
        const seen = yield* Room.entries(bob, texts.length + 5, Room.short)
        const kicked = seen.indexOf("ada left (kicked)")
        expect(seen.filter((short) => short.startsWith("ada: text"))).toEqual(texts.map((text) => `ada: ${text}`))
        expect(seen.slice(0, kicked)).toEqual(expect.arrayContaining(acknowledged.map((text) => `ada: ${text}`)))
        expect(seen[kicked + 1]).toBe("ada Joined")
      })
    )
  )
})

describe("what an operator does", () => {
  /** A log in memory that takes nothing while `disk` is full. */
  const fillable = Effect.map(Effect.provide(Log.Log, Log.layerMemory()), (log) => {
    const disk = { full: false }
    const append: Log.Log["Type"]["append"] = (events, members) =>
      disk.full
        ? new Log.LogError({ reason: "full", message: "there is no room for more" })
        : log.append(events, members)
    return { disk, log: { ...log, append } }
  })

  it.scoped("is not done where the log takes nothing, now or before, and says so at once", () =>
    provided(
      Effect.gen(function* () {
        const network = yield* Network
        const { disk, log } = yield* fillable
        yield* network.serve(log)
        const server = yield* network.server
        const ada = yield* Room.join("ada")
        const bob = yield* Room.join("bob")
        disk.full = true
        for (const act of [Effect.asVoid(server.kick("ada")), Effect.asVoid(server.ban("bob"))]) {
          expect(yield* Effect.flip(act)).toMatchObject({
            reason: "log",
            message: expect.stringContaining("no room for more")
          })
        }
        // With something that waits for the log.
        const saying = yield* Effect.fork(ada.say("one"))
        yield* Room.settle
        expect(yield* Effect.flip(server.kick("ada"))).toMatchObject({ reason: "log" })
        expect(yield* Effect.flip(server.kick("eve"))).toMatchObject({ reason: "unknown" })
        expect(yield* server.bans).toEqual([])
        expect(yield* server.members).toBe(2)
        disk.full = false
        yield* TestClock.adjust("1 second")
        yield* Fiber.join(saying)
        const shown = ["ada Joined", "bob Joined", "ada: one"]
        expect(yield* Room.entries(bob, 3, Room.short)).toEqual(shown)
        yield* server.ban("ada")
        expect(yield* Room.entries(bob, 4, Room.short)).toEqual([...shown, "ada left (kicked)"])
      })
    )
  )

  it.scoped("is refused by a server that has ended", () =>
    provided(
      Effect.gen(function* () {
        const network = yield* Network
        const scope = yield* network.serve(yield* Effect.provide(Log.Log, Log.layerMemory()))
        const server = yield* network.server
        yield* Scope.close(scope, Exit.void)
        expect(yield* Effect.flip(server.kick("ada"))).toMatchObject({ reason: "closed" })
      })
    )
  )

  it.scoped("is a line of its log; those who were refused are one line together, however often they come", () => {
    const lines: Array<string> = []
    const logger = Logger.make<unknown, void>(({ annotations, logLevel, message }) => {
      const outcome = Option.getOrElse(HashMap.get(annotations, "outcome"), () => "")
      if (logLevel._tag === "Info") lines.push(`${message} ${outcome}`.trim())
    })
    return provided(
      Effect.gen(function* () {
        const network = yield* Network
        yield* network.serve(yield* Effect.provide(Log.Log, Log.layerMemory()))
        const server = yield* network.server
        yield* Room.join("ada")
        yield* server.kick("ada")
        yield* Effect.flip(server.kick("ada"))
        yield* Room.eventually(server.connections, (open) => open === 0)
        yield* Effect.scoped(Effect.zipRight(RawClient.joined("bob"), server.ban("bob")))
        yield* Room.eventually(server.connections, (open) => open === 0)
        for (const nick of ["bob", "rob", "dan"]) yield* Effect.flip(Effect.scoped(RawClient.joined(nick)))
        yield* Room.eventually(server.connections, (open) => open === 0)
        yield* TestClock.adjust("1 second")
        yield* Room.settle
        yield* server.unban("bob")
        yield* Effect.scoped(RawClient.joined("bob"))
        yield* Room.eventually(server.connections, (open) => open === 0)
        expect(lines).toEqual([
          "kicked ada (member 1)",
          "a connection has ended kicked",
          "banned bob (member 3)",
          "a connection has ended banned",
          "refused: 3 times banned (at last memory)",
          "unbanned bob (member 3)",
          "a connection has ended lost"
        ])
      })
    ).pipe(Effect.provide(Logger.add(logger)))
  })
})
