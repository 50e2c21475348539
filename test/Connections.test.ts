import { describe, expect, it } from "@effect/vitest"
import * as Arr from "effect/Array"
import * as Effect from "effect/Effect"
import * as FastCheck from "effect/FastCheck"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import * as Fernet from "../src/domain/Fernet.js"
import * as Keys from "../src/domain/Keys.js"
import type * as Protocol from "../src/domain/Protocol.js"
import type { Transport } from "../src/domain/Transport.js"
import * as Wire from "../src/domain/Wire.js"
import { Connections } from "../src/server/Connections.js"
import { Downlink } from "../src/server/Downlink.js"
import * as Limits from "../src/server/Limits.js"
import { Refusals } from "../src/server/Refusals.js"
import { Replays } from "../src/server/Replays.js"

/** A connection from a network, which notes whether it is still read. */
const from = (network: string | undefined) => {
  let isRead = true
  const transport: Transport = {
    address: `${network}:1`,
    network,
    stalledAt: undefined,
    isGone: false,
    unsent: 0,
    traffic: { received: 0, written: 0 },
    lines: Stream.never,
    next: Effect.never,
    stopReading: () => {
      isRead = false
    },
    trust: () => {},
    write: () => 0,
    drained: Effect.void,
    end: Effect.void
  }
  return { transport, isRead: () => isRead }
}

type Connection = ReturnType<typeof from>

/** The downlink of a connection, and what is written there. */
const sessionOf = Effect.map(Fernet.Fernet, (fernet) => ({ transport }: Connection) => {
  const said: Array<Protocol.ServerMessage> = []
  const writer = new Wire.Writer<Protocol.ServerMessage>(fernet, Keys.fromBytes<"down">(new Uint8Array(Keys.length)))
  const lines = writer.lines.bind(writer)
  const noting: Pick<typeof writer, "lines"> = {
    lines: (messages) => {
      said.push(...messages)
      return lines(messages)
    }
  }
  const link = new Downlink(transport, Object.assign(writer, noting), () => {})
  return { link, said }
})

const limits = { ...Limits.standard, halfOpen: 10, halfOpenPerAddress: 3, connections: 6, connectionsPerAddress: 2 }

describe("connections that have not shown that they hold a key", () => {
  it("are as many as there may be from one address; for one more the oldest of that address goes", () => {
    const connections = new Connections(limits)
    const other = from("192.0.2.9")
    connections.add(other.transport)
    const all = Arr.makeBy(4, () => from("192.0.2.1"))
    for (const { transport } of all.slice(0, 3)) connections.add(transport)
    expect(all.slice(0, 3).map(({ isRead }) => isRead())).toEqual([true, true, true])
    for (const { transport } of all.slice(3)) connections.add(transport)
    expect(all.map(({ isRead }) => isRead())).toEqual([false, true, true, true])
    expect(other.isRead()).toBe(true)
  })

  it("are as many as there may be in all; for one more the oldest of all goes", () => {
    const connections = new Connections(limits)
    const all = Arr.makeBy(11, (i) => from(`192.0.2.${i}`))
    for (const { transport } of all) connections.add(transport)
    expect(all.filter(({ isRead }) => !isRead())).toEqual([all[0]])
  })

  it("make place when they end", () => {
    const connections = new Connections(limits)
    const all = Arr.makeBy(10, (i) => from(`192.0.2.${i}`))
    for (const { transport } of all) connections.add(transport)
    for (const { transport } of all.slice(5)) connections.remove(transport)
    for (const { transport } of Arr.makeBy(5, (i) => from(`192.0.2.${100 + i}`))) connections.add(transport)
    expect(all.every(({ isRead }) => isRead())).toBe(true)
  })

  it("have no address in memory, and are not counted by it", () => {
    const connections = new Connections(limits)
    const all = Arr.makeBy(10, () => from(undefined))
    for (const { transport } of all) connections.add(transport)
    expect(all.every(({ isRead }) => isRead())).toBe(true)
  })

  it.effect("are counted no more when they have shown it; who was sent away meanwhile is not let in", () =>
    Effect.gen(function* () {
      const session = yield* sessionOf
      const connections = new Connections(limits)
      const [first, second] = [from("192.0.2.1"), from("192.0.2.1")]
      connections.add(first.transport)
      connections.add(second.transport)
      expect(connections.identify(first.transport, session(first).link)).toBe(true)
      for (const { transport } of Arr.makeBy(3, () => from("192.0.2.1"))) connections.add(transport)
      expect([first.isRead(), second.isRead()]).toEqual([true, false])
      expect(connections.identify(second.transport, session(second).link)).toBe(false)
    }).pipe(Effect.provide(Fernet.layer))
  )
})

describe("places for those who hold a key", () => {
  /** A server on which one connection after the other shows its key; what it is told. */
  const opened = Effect.map(sessionOf, (session) => {
    const connections = new Connections(limits)
    return {
      connections,
      open: (network: string) => {
        const connection = from(network)
        const { link, said } = session(connection)
        connections.add(connection.transport)
        connections.identify(connection.transport, link)
        return { connection, said }
      }
    }
  })
  const full: ReadonlyArray<Protocol.ServerMessage> = [{ _tag: "Bye", reason: "full" }]

  it.effect("are limited for each address: one more is told that the server is full", () =>
    Effect.gen(function* () {
      const { connections, open } = yield* opened
      const [first] = [open("192.0.2.1"), open("192.0.2.1")]
      expect(first.said).toEqual([])
      expect(open("192.0.2.2").said).toEqual([])
      const more = open("192.0.2.1")
      expect(more.said).toEqual(full)
      connections.remove(more.connection.transport)
      connections.remove(first.connection.transport)
      expect(open("192.0.2.1").said).toEqual([])
      expect(open("192.0.2.1").said).toEqual(full)
    }).pipe(Effect.provide(Fernet.layer))
  )

  it.effect("are not taken by those who are told that there is none, however long they stay", () =>
    Effect.gen(function* () {
      const { open } = yield* opened
      const all = Arr.makeBy(20, () => open("192.0.2.1"))
      expect(all.filter(({ said }) => said.length === 0).length).toBe(2)
      expect(open("192.0.2.2").said).toEqual([])
    }).pipe(Effect.provide(Fernet.layer))
  )

  it.effect("are limited in all", () =>
    Effect.gen(function* () {
      const { connections, open } = yield* opened
      const all = Arr.makeBy(6, (i) => open(`192.0.2.${i}`))
      expect(all.flatMap(({ said }) => said)).toEqual([])
      const more = open("192.0.2.100")
      expect(more.said).toEqual(full)
      connections.remove(more.connection.transport)
      if (all[0] !== undefined) connections.remove(all[0].connection.transport)
      expect(open("192.0.2.100").said).toEqual([])
    }).pipe(Effect.provide(Fernet.layer))
  )

  it.effect("are as many after any coming and going", () =>
    Effect.map(sessionOf, (session) => {
      const acts = FastCheck.array(FastCheck.tuple(FastCheck.nat(3), FastCheck.nat(8)), { maxLength: 80 })
      FastCheck.assert(
        FastCheck.property(acts, (all) => {
          const connections = new Connections(limits)
          const open: Array<Connection> = []
          for (const [host, leaver] of all) {
            const [gone] = open.splice(leaver, 1)
            if (gone !== undefined) connections.remove(gone.transport)
            const connection = from(`192.0.2.${host}`)
            const { link, said } = session(connection)
            const neighbours = open.filter(({ transport }) => transport.network === connection.transport.network).length
            connections.add(connection.transport)
            connections.identify(connection.transport, link)
            const isFull = open.length >= limits.connections || neighbours >= limits.connectionsPerAddress
            expect(said).toEqual(isFull ? full : [])
            if (isFull) connections.remove(connection.transport)
            else open.push(connection)
          }
        })
      )
    }).pipe(Effect.provide(Fernet.layer))
  )
})

describe("a recording", () => {
  it("is known, the newest 4,096 of them", () => {
    const replays = new Replays()
    for (let i = 0; i < 4_097; i++) replays.add(`${i}`)
    expect(replays.has("0")).toBe(false)
    expect(replays.has("1")).toBe(true)
    expect(replays.has("4096")).toBe(true)
    expect(replays.has("4097")).toBe(false)
  })
})

describe("the operator is told of refusals", () => {
  const line = (refusals: Refusals, seconds: number) => {
    const lines = Arr.makeBy(seconds, () => refusals.pass(1_000))
    return Arr.getSomes(lines)
  }

  it("at once of the first, then once a minute of all that came, with the newest of each kind", () => {
    const refusals = new Refusals()
    expect(line(refusals, 10)).toEqual([])
    refusals.add("too slow", "192.0.2.1:1")
    expect(line(refusals, 1)).toEqual(["refused: too slow (192.0.2.1:1)"])
    for (let i = 0; i < 1_000; i++) refusals.add("wrong key, or not a chat client", `192.0.2.${i % 250}:${i}`)
    refusals.add("broke a rule", "192.0.2.2:2", "a line is empty")
    expect(line(refusals, 59)).toEqual([])
    expect(line(refusals, 1)).toEqual([
      "refused: 1000 times wrong key, or not a chat client (at last 192.0.2.249:999); broke a rule (192.0.2.2:2, a line is empty)"
    ])
    expect(line(refusals, 200)).toEqual([])
    refusals.add("full", "192.0.2.1:1")
    expect(Option.isSome(refusals.pass(1_000))).toBe(true)
  })
})
