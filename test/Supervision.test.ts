import * as Net from "node:net"
import * as V8 from "node:v8"
import { describe, expect, it } from "@effect/vitest"
import * as Arr from "effect/Array"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Scope from "effect/Scope"
import * as Supervisor from "effect/Supervisor"
import * as TestClock from "effect/TestClock"
import { Downlink } from "../src/server/Downlink.js"
import * as Server from "../src/server/Server.js"
import * as Messages from "./utils/Messages.js"
import * as RawClient from "./utils/RawClient.js"
import * as Room from "./utils/Room.js"

const transport = Room.transports.tcp

describe("a hundred clients over TCP", () => {
  it.scopedLive("each see every text once, in one order", () =>
    Effect.gen(function* () {
      const clients = yield* Effect.forEach(Arr.range(1, 100), (i) => Room.join(`m${i}`), { concurrency: 10 })
      yield* Effect.forEach(
        clients,
        (client, i) => Effect.all([client.say(`first of ${i}`), client.say(`second of ${i}`)]),
        {
          concurrency: "unbounded"
        }
      )
      const orders = yield* Effect.forEach(clients, (client) =>
        Room.entries(client, 200, (entry) => (entry._tag === "Said" ? `${entry.seq} ${entry.text}` : undefined))
      )
      const [order] = orders
      expect(new Set(order).size).toBe(200)
      expect(new Set(orders.map((each) => each.join("\n"))).size).toBe(1)
    }).pipe(Room.within({ transport }))
  )
})

describe("when a connection ends, its fibers and its socket do too", () => {
  /** Waits until this process has no TCP connection left, at either end: server and clients live in it. */
  const noSockets = Room.eventually(
    Effect.sync(() => process.getActiveResourcesInfo().filter((name) => name === "TCPSocketWrap").length),
    (count) => count === 0
  )

  /** A socket to the server, held open by the test until `end` is called with it. */
  const socket = (address: string) =>
    Effect.async<Net.Socket>((resume) => {
      const opened = Net.connect({ host: "127.0.0.1", port: Number(address.split(":").at(-1)), allowHalfOpen: true })
      opened.on("error", () => {})
      opened.on("data", () => {})
      opened.on("connect", () => resume(Effect.succeed(opened)))
    })
  const closed = (opened: Net.Socket) =>
    Effect.async<void>((resume) => {
      if (opened.destroyed) return resume(Effect.void)
      opened.on("close", () => resume(Effect.void))
    })

  /** Waits for the server to close a socket, then closes this end of it. */
  const closedByServer = (opened: Net.Socket) =>
    Effect.zipRight(
      Effect.async<void>((resume) => {
        opened.on("end", () => resume(Effect.void))
      }),
      Effect.sync(() => opened.destroy())
    )

  const endings: Record<string, Effect.Effect<unknown, unknown, Room.Services>> = {
    "by leaving": Effect.scoped(Room.join("eve")),
    "without a word, as a member": Effect.scoped(RawClient.joined("eve")),
    "without a word, before the handshake": Effect.gen(function* () {
      const opened = yield* Effect.flatMap(Server.Server, ({ address }) => socket(address))
      opened.destroy()
      yield* closed(opened)
    }),
    "by a reset": Effect.gen(function* () {
      const opened = yield* Effect.flatMap(Server.Server, ({ address }) => socket(address))
      opened.write("AAAA")
      opened.resetAndDestroy()
      yield* closed(opened)
    }),
    "half-closed in the middle of a line": Effect.gen(function* () {
      const opened = yield* Effect.flatMap(Server.Server, ({ address }) => socket(address))
      opened.end("AAAA")
      yield* closedByServer(opened)
    }),
    "by a fault before the handshake": Effect.gen(function* () {
      const opened = yield* Effect.flatMap(Server.Server, ({ address }) => socket(address))
      opened.write("hello?\n")
      yield* closedByServer(opened)
    }),
    "by a fault of a member": Effect.scoped(
      Effect.gen(function* () {
        const raw = yield* RawClient.joined("eve")
        raw.send({ _tag: "Shout" })
        yield* RawClient.untilEnd(raw)
      })
    ),
    "by a wrong key": Effect.flatMap(Room.otherKeys, (keys) => Effect.flip(Effect.scoped(Room.join("eve", keys))))
  }

  for (const [how, ending] of Object.entries(endings)) {
    it.scopedLive(how, () =>
      Effect.gen(function* () {
        const supervisor = yield* Supervisor.track
        const scope = yield* Scope.make()
        const services = yield* Layer.buildWithScope(Room.layer({ transport, limits: { grace: 0 } }), scope).pipe(
          Effect.supervised(supervisor)
        )
        yield* Effect.gen(function* () {
          // The first connection may leave something behind that all share; what counts is that no further one does.
          yield* ending
          yield* Room.connections(0)
          yield* noSockets
          const fibers = (yield* supervisor.value).length
          for (let i = 0; i < 5; i++) yield* ending
          yield* Room.connections(0)
          yield* noSockets
          // One that is just ending may still be there for a moment, before and after.
          yield* Room.eventually(supervisor.value, ({ length }) => length <= fibers)
        }).pipe(Effect.provide(services))
        yield* Scope.close(scope, Exit.void)
        expect((yield* supervisor.value).length).toBe(0)
      })
    )
  }
})

describe("when a crowd has gone", () => {
  // Node has it from 20.13 on.
  it.scoped.skipIf(V8.queryObjects === undefined)("nobody holds its sessions while nothing more comes", () =>
    Effect.gen(function* () {
      const join = Effect.fnUntraced(function* (i: number) {
        const raw = yield* RawClient.open
        const ticket = Messages.base64Url(16, i)
        // The first has it, and what the others ask for until they have a nick is counted for their connections.
        raw.send({ _tag: "Nick", nick: "m1", ticket })
        if (i > 1) raw.send({ _tag: "Nick", nick: `m${i}`, ticket })
        yield* RawClient.until(raw, "Rekey")
      })
      // They are there for long enough to be looked at, and to be given a new key.
      const stay = Effect.all([Room.settle, TestClock.adjust("11 seconds"), Room.settle])
      yield* Effect.scoped(Effect.zipRight(Effect.forEach(Arr.range(1, 30), join, { discard: true }), stay))
      yield* Room.connections(0)
      yield* Effect.all([Room.settle, TestClock.adjust("2 seconds"), Room.settle])
      expect(V8.queryObjects(Downlink, { format: "count" })).toBe(0)
    }).pipe(Room.within({ limits: { epoch: "10 seconds", rate: 20 } }))
  )
})
