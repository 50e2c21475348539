import { Buffer } from "node:buffer"
import { describe, expect, it } from "@effect/vitest"
import * as Arr from "effect/Array"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import * as TestClock from "effect/TestClock"
import * as Fernet from "../src/domain/Fernet.js"
import * as Handshake from "../src/domain/Handshake.js"
import * as Noise from "../src/domain/Noise.js"
import type * as Protocol from "../src/domain/Protocol.js"
import * as Transport from "../src/domain/Transport.js"
import * as TransportMemory from "../src/domain/TransportMemory.js"
import * as RawServer from "./utils/RawServer.js"
import * as Room from "./utils/Room.js"

const layer = Layer.merge(TransportMemory.layer, Fernet.layer)

/** A client in the hands of a test's server. */
const pair = Effect.gen(function* () {
  const joining = yield* Effect.fork(Room.join("ada"))
  const server = yield* RawServer.accept
  yield* server.next
  server.welcome()
  const client = yield* Fiber.join(joining)
  yield* RawServer.goodbye(server)
  return { server, client }
})

type Pair = Effect.Effect.Success<typeof pair>

const provided = <A, E>(effect: Effect.Effect<A, E, Effect.Effect.Context<typeof pair>>) =>
  effect.pipe(Effect.scoped, Effect.provide(layer))

const { chat } = RawServer

const joined = (seq: number) => ({ _tag: "Joined", seq, at: 0, member: seq, nick: `m${seq}` })

describe("a server that breaks a rule loses its client, which says so", () => {
  const breaches: Record<string, (server: Pair["server"]) => void> = {
    "an unknown message": (server) => server.send({ _tag: "Shout" }),
    "a second Welcome": (server) => server.welcome(),
    "a broadcast with a gap": (server) => server.broadcast(joined(3)),
    "a broadcast that repeats": (server) => server.broadcast(joined(1)),
    "a Ping that shows that frames were taken": (server) => server.send({ _tag: "Ping", at: 1, last: 2 }),
    "a text of ours that was never said": (server) =>
      server.broadcast({ ...joined(2), _tag: "Chat", member: 1, n: Number.MAX_SAFE_INTEGER, sealed: "AAAA" }),
    "history that nobody asked for": (server) => server.send({ _tag: "History", events: [joined(1)], oldest: 1 }),
    "a line that is no token": (server) => server.transport.write(Buffer.from("AAAA\n")),
    "a line longer than 64 KiB": (server) => server.transport.write(Buffer.from(`${"A".repeat(65_540)}\n`)),
    "an older group key": (server) => server.send({ _tag: "Rekey", epoch: 0, key: `${"A".repeat(43)}=` })
  }
  for (const [what, breach] of Object.entries(breaches)) {
    it.effect(what, () =>
      provided(
        Effect.gen(function* () {
          const { client, server } = yield* pair
          const saying = yield* Effect.fork(Effect.flip(client.say("hello")))
          yield* server.next
          breach(server)
          expect(yield* Effect.flip(Stream.runDrain(client.events))).toMatchObject({
            _tag: "Disconnected",
            reason: "fault"
          })
          expect(yield* Fiber.join(saying)).toMatchObject({ _tag: "SayError", reason: "closed" })
          expect((yield* Effect.flip(client.rename("bea"))).reason).toBe("closed")
          expect(yield* client.status.get).toEqual({ _tag: "Closed", reason: "fault" })
          expect(yield* server.next).toEqual(Option.none())
        })
      )
    )
  }
})

describe("a server that tampers with texts is found out", () => {
  const shows = (server: Pair["server"], client: Pair["client"], events: ReadonlyArray<unknown>) => {
    server.broadcast(...events)
    return Room.entries(client, events.length, (entry) =>
      entry._tag === "Unreadable" ? entry.reason : entry._tag === "Said" ? entry.text : undefined
    )
  }

  it.effect("by a repeat, by leaving one out, in another's name, and under another key", () =>
    provided(
      Effect.gen(function* () {
        const { client, server } = yield* pair
        const one = yield* chat(2, 1, "one")
        const events = [
          one,
          { ...one, seq: 3 },
          { ...one, seq: 4, n: 2 },
          { ...one, seq: 5, member: 7, nick: "eve" },
          yield* chat(6, 3, "in another log", { log: RawServer.log.replace("Q", "R") as Protocol.LogId }),
          yield* chat(7, 4, "of another nick", { nick: "eve" }),
          yield* chat(8, 6, "five is missing"),
          yield* chat(9, 7, "seven"),
          { ...one, seq: 10, n: 8, sealed: "AAAA" }
        ]
        expect(yield* shows(server, client, events)).toEqual([
          "one",
          "number",
          "mismatch",
          "mismatch",
          "mismatch",
          "mismatch",
          "number",
          "seven",
          "key"
        ])
      })
    )
  )

  it.effect("by something else in place of what was said", () =>
    provided(
      Effect.gen(function* () {
        const { client, server } = yield* pair
        const saying = yield* Effect.fork(Effect.flip(client.say("hello")))
        yield* server.next
        server.broadcast({ ...(yield* chat(2, 1, "hello")), member: 1, nick: "ada" })
        expect(yield* Fiber.join(saying)).toMatchObject({ reason: "altered" })
      })
    )
  )
})

describe("joining fails with a reason that tells what to do", () => {
  const joinAgainst = (serve: Effect.Effect<unknown, unknown, Effect.Effect.Context<typeof pair>>) =>
    Effect.gen(function* () {
      const joining = yield* Effect.fork(Effect.flip(Effect.scoped(Room.join("ada"))))
      yield* serve
      yield* TestClock.adjust("15 seconds")
      return yield* Fiber.join(joining)
    })

  it.effect("where nobody answers, after 10 seconds", () =>
    provided(
      Effect.gen(function* () {
        const error = yield* joinAgainst(Effect.flatMap(Transport.Listener, ({ accept }) => accept))
        expect(error).toMatchObject({ reason: "silent", message: expect.stringContaining("does not answer as a chat") })
      })
    )
  )

  it.effect("where the handshake is answered, and nothing more, after 10 seconds", () =>
    provided(Effect.map(joinAgainst(RawServer.accept), (error) => expect(error.reason).toBe("silent")))
  )

  it.effect("where the server has another version", () =>
    provided(
      Effect.gen(function* () {
        const error = yield* joinAgainst(
          Effect.gen(function* () {
            const transport = yield* Effect.flatMap(Transport.Listener, ({ accept }) => accept)
            const [hello = ""] = yield* Stream.runCollect(Stream.take(transport.lines, 1))
            const start = Noise.begin({ psk: Room.serverKeys[0], prologue: Buffer.from("fernet-chat/1") })
            const accepted = yield* Noise.accept(start, Buffer.from(hello, "base64url"))
            const payload = Buffer.from('{"versions":[2,3]}')
            const { message } = yield* Noise.respond(accepted, new Uint8Array(32).fill(1), payload)
            const padding = "=".repeat((3 - (message.length % 3)) % 3)
            transport.write(Buffer.from(`${Buffer.from(message).toString("base64url")}${padding}\n`))
          })
        )
        expect(error).toMatchObject({ reason: "version", message: expect.stringContaining("here 1, there 2, 3") })
        expect(Handshake.versions).toEqual([1])
      })
    )
  )

  it.effect("where the server says Bye", () =>
    provided(
      Effect.gen(function* () {
        const error = yield* joinAgainst(
          Effect.map(RawServer.accept, (server) => server.send({ _tag: "Bye", reason: "full" }))
        )
        expect(error).toMatchObject({ reason: "full", message: "the server is full: try again later" })
      })
    )
  )

  it.effect("where the server closes without a word", () =>
    provided(
      Effect.gen(function* () {
        const closing = Effect.scoped(Effect.flatMap(RawServer.accept, (server) => server.next))
        expect((yield* joinAgainst(closing)).reason).toBe("wrong-key")
      })
    )
  )

  it.effect("where the server breaks a rule", () =>
    provided(
      Effect.gen(function* () {
        const error = yield* joinAgainst(Effect.map(RawServer.accept, (server) => server.broadcast(joined(1))))
        expect(error).toMatchObject({ reason: "fault", message: expect.stringContaining("broke the protocol (token)") })
      })
    )
  )

  it.effect("where the nick would not fit the first line, before anything is sent", () =>
    provided(
      Effect.gen(function* () {
        for (const nick of ["é".repeat(65), "\u0001".repeat(22)]) {
          const error = yield* Effect.flip(Room.join(nick))
          expect(error).toMatchObject({ reason: "nick-invalid", message: "a nick has at most 128 bytes" })
        }
      })
    )
  )
})

describe("a client", () => {
  it.effect("answers a Ping, and takes the roster of many pages", () =>
    provided(
      Effect.gen(function* () {
        const joining = yield* Effect.fork(Room.join("ada"))
        const server = yield* RawServer.accept
        yield* server.next
        server.send({
          _tag: "Welcome",
          log: RawServer.log,
          head: 3,
          after: 3,
          member: 3,
          nick: "ada",
          acked: 0,
          count: 3
        })
        server.send({ _tag: "Ping", at: 42, last: 3 })
        expect(yield* server.next).toEqual(Option.some([{ _tag: "Pong", at: 42 }]))
        expect(yield* Fiber.poll(joining)).toEqual(Option.none())
        server.send({ _tag: "Members", members: [{ member: 2, nick: "bob" }] })
        server.send({
          _tag: "Members",
          members: [
            { member: 1, nick: "eve" },
            { member: 3, nick: "ada" }
          ]
        })
        const client = yield* Fiber.join(joining)
        yield* RawServer.goodbye(server)
        expect((yield* client.members).map(({ nick }) => nick)).toEqual(["eve", "bob", "ada"])
      })
    )
  )

  it.effect("settles what it says though nobody watches, and tells a watcher that falls behind", () =>
    Effect.gen(function* () {
      const ada = yield* Room.join("ada")
      const slow = yield* Stream.toPull(ada.events)
      yield* slow
      // More than twice what is kept; said by hundreds, so that batches stay small.
      for (const batch of Arr.chunksOf(Arr.range(1, 21_000), 500)) {
        yield* Effect.forEach(batch, (i) => ada.say(`${i}`), { concurrency: "unbounded" })
      }
      expect(Option.getOrThrow(yield* Effect.flip(slow))).toMatchObject({ _tag: "Lagged" })
      const [oldest] = yield* Room.entries(ada, 1, (entry) => ("seq" in entry ? entry.seq : undefined))
      expect(oldest).toBeGreaterThan(1)
    }).pipe(Room.within())
  )

  /** The connection is lost, and the client is back at the door: what it says there. */
  const again = Effect.fnUntraced(function* (server: Pair["server"]) {
    yield* Effect.forkDaemon(server.transport.end)
    const accepting = yield* Effect.fork(RawServer.accept)
    yield* Room.settle
    yield* TestClock.adjust("1 second")
    const next = yield* Fiber.join(accepting)
    return { next, nick: Option.getOrThrow(yield* next.next)[0] }
  })
  const back = { _tag: "Welcome", log: RawServer.log, head: 2, after: 2, member: 1, nick: "ada", acked: 1, count: 1 }

  it.effect("asks to go on where it was, and sends again only what is not in the log", () =>
    provided(
      Effect.gen(function* () {
        const { client, server } = yield* pair
        const one = yield* Effect.fork(client.say("one"))
        const [first] = Option.getOrThrow(yield* server.next)
        const two = yield* Effect.fork(client.say("two"))
        yield* server.next
        server.broadcast({ ...first, _tag: "Chat", seq: 2, at: 0, member: 1, nick: "ada" })
        expect(Option.map(yield* Fiber.join(one), ({ seq }) => seq)).toEqual(Option.some(2))
        const { next, nick } = yield* again(server)
        yield* RawServer.goodbye(next)
        expect(nick).toMatchObject({ _tag: "Nick", nick: "ada", log: RawServer.log, after: 2 })
        next.send(back, { _tag: "Members", members: [{ member: 1, nick: "ada" }] })
        const [second] = Option.getOrThrow(yield* next.next)
        expect(second).toMatchObject({ _tag: "Say", n: 2 })
        next.send({ _tag: "Events", events: [{ ...second, _tag: "Chat", seq: 3, at: 0, member: 1, nick: "ada" }] })
        expect(Option.map(yield* Fiber.join(two), ({ n, text }) => `${n} ${text}`)).toEqual(Option.some("2 two"))
      })
    )
  )

  it.effect("comes back when the server was cut off within a line", () =>
    provided(
      Effect.gen(function* () {
        const { client, server } = yield* pair
        server.transport.write(Buffer.from("gAAA"))
        const { next, nick } = yield* again(server)
        yield* RawServer.goodbye(next)
        expect(nick).toMatchObject({ _tag: "Nick", after: 1 })
        next.send({ ...back, head: 1, after: 1, acked: 0 }, { _tag: "Members", members: [{ member: 1, nick: "ada" }] })
        yield* Room.settle
        expect(yield* client.status.get).toEqual({ _tag: "Online" })
      })
    )
  )

  it.effect("takes the Welcome's word for a text that the log has and no longer shows", () =>
    provided(
      Effect.gen(function* () {
        const { client, server } = yield* pair
        const one = yield* Effect.fork(client.say("one"))
        yield* server.next
        const { next } = yield* again(server)
        yield* RawServer.goodbye(next)
        next.send({ ...back, head: 9, after: 9 }, { _tag: "Members", members: [{ member: 1, nick: "ada" }] })
        expect(yield* Fiber.join(one)).toEqual(Option.none())
        expect(yield* Room.entries(client, 2, Room.short)).toEqual(["ada Joined", "2 to 9 missing"])
      })
    )
  )

  it.effect("leaves a server that has forgotten what it had acknowledged", () =>
    provided(
      Effect.gen(function* () {
        const { client, server } = yield* pair
        const one = yield* Effect.fork(client.say("one"))
        const [first] = Option.getOrThrow(yield* server.next)
        server.broadcast({ ...first, _tag: "Chat", seq: 2, at: 0, member: 1, nick: "ada" })
        yield* Fiber.join(one)
        const { next } = yield* again(server)
        next.send({ ...back, acked: 0 })
        expect(yield* Effect.flip(Stream.runDrain(client.events))).toMatchObject({ reason: "fault" })
      })
    )
  )

  it.effect("tells what it has yet to see in the log", () =>
    provided(
      Effect.gen(function* () {
        const { client, server } = yield* pair
        yield* Effect.fork(client.say("one"))
        const two = yield* Effect.fork(client.say("two", { me: true }))
        const says = [...Option.getOrThrow(yield* server.next)]
        if (says.length < 2) says.push(...Option.getOrThrow(yield* server.next))
        expect(yield* client.pending).toEqual([
          { id: 0, text: "one", me: false },
          { id: 1, text: "two", me: true }
        ])
        const event = { _tag: "Chat", at: 0, member: 1, nick: "ada" }
        server.broadcast({ ...says[0], ...event, seq: 2 })
        yield* Room.settle
        expect((yield* client.pending).map(({ text }) => text)).toEqual(["two"])
        server.broadcast({ ...says[1], ...event, seq: 3 })
        yield* Fiber.join(two)
        expect(yield* client.pending).toEqual([])
      })
    )
  )

  it.effect("that is told to leave before it was let in says Leave, and ends its side after the Bye", () =>
    provided(
      Effect.gen(function* () {
        const joining = yield* Effect.fork(Effect.scoped(Room.join("ada")))
        const server = yield* RawServer.accept
        yield* server.next
        const interrupting = yield* Effect.fork(Fiber.interrupt(joining))
        expect(yield* server.next).toEqual(Option.some([{ _tag: "Leave" }]))
        server.send({ _tag: "Bye", reason: "quit" })
        expect(yield* server.next).toEqual(Option.none())
        yield* server.transport.end
        yield* Fiber.join(interrupting)
      })
    )
  )

  it.effect("that is told to leave before it was let in waits a second for the answer to it, and no longer", () =>
    provided(
      Effect.gen(function* () {
        const joining = yield* Effect.fork(Effect.scoped(Room.join("ada")))
        const server = yield* RawServer.accept
        yield* server.next
        const interrupting = yield* Effect.fork(Fiber.interrupt(joining))
        expect(yield* server.next).toEqual(Option.some([{ _tag: "Leave" }]))
        yield* TestClock.adjust("1 second")
        yield* Fiber.join(interrupting)
        expect(yield* server.next).toEqual(Option.none())
      })
    )
  )

  it.effect("that leaves while it comes back says so at the door, and what it owes", () =>
    provided(
      Effect.gen(function* () {
        const { client, server } = yield* pair
        const { next } = yield* again(server)
        const saying = yield* Effect.fork(Effect.flip(client.say("too late")))
        yield* Room.settle
        const leaving = yield* Effect.fork(client.leave)
        expect(yield* next.next).toEqual(Option.some([{ _tag: "Leave" }]))
        next.send({ _tag: "Bye", reason: "quit" })
        yield* Effect.forkDaemon(next.transport.end)
        yield* Fiber.join(leaving)
        expect((yield* Fiber.join(saying)).reason).toBe("closed")
        expect(yield* Effect.flip(Stream.runDrain(client.events))).toMatchObject({
          reason: "lost",
          message: expect.stringContaining("1 text was not sent")
        })
      })
    )
  )

  it.effect("gives up on a server that does not answer its Leave, after 5 seconds", () =>
    provided(
      Effect.gen(function* () {
        const { client } = yield* pair
        const leaving = yield* Effect.fork(client.leave)
        const saying = yield* Effect.fork(Effect.flip(client.say("hello")))
        yield* TestClock.adjust("5 seconds")
        yield* Fiber.join(leaving)
        expect((yield* Fiber.join(saying)).reason).toBe("closed")
        expect(yield* Effect.flip(Stream.runDrain(client.events))).toMatchObject({ reason: "silent" })
      })
    )
  )

  it.effect("waits for no answer to a new nick once it is interrupted, and asks for the next only after it", () =>
    provided(
      Effect.gen(function* () {
        const { client, server } = yield* pair
        const renamed = { _tag: "Renamed", at: 0, member: 1 }
        const first = yield* Effect.fork(client.rename("bea"))
        expect(yield* server.next).toEqual(Option.some([{ _tag: "Nick", nick: "bea" }]))
        yield* Fiber.interrupt(first)
        const second = yield* Effect.fork(client.rename("cleo"))
        server.broadcast({ ...renamed, seq: 2, nick: "bea", was: "ada" })
        expect(yield* server.next).toEqual(Option.some([{ _tag: "Nick", nick: "cleo" }]))
        server.broadcast({ ...renamed, seq: 3, nick: "cleo", was: "bea" })
        expect(yield* Fiber.join(second)).toBe("cleo")
      })
    )
  )

  it.effect("says what was said before a new nick before it, and what was said after it before it leaves", () =>
    Effect.gen(function* () {
      const ada = yield* Room.join("ada")
      yield* Effect.fork(ada.say("one"))
      yield* Effect.fork(ada.rename("bea"))
      yield* Effect.fork(ada.say("two"))
      yield* Effect.repeat(Effect.yieldNow(), { times: 20 })
      yield* ada.leave
      expect(yield* Room.entries(ada, 5, Room.short)).toEqual([
        "ada Joined",
        "ada: one",
        "ada is bea",
        "bea: two",
        "bea left (quit)"
      ])
    }).pipe(Room.within())
  )

  it.effect("answers a server that pings and does not read with one Pong, not with its memory", () =>
    provided(
      Effect.gen(function* () {
        const { server } = yield* pair
        for (let at = 1; at <= 5_000; at++) server.send({ _tag: "Ping", at, last: 1 })
        yield* Room.settle
        let pongs = 0
        let newest = 0
        while (newest < 5_000) {
          for (const message of Option.getOrThrow(yield* server.next)) {
            pongs += 1
            newest = message._tag === "Pong" ? message.at : newest
          }
        }
        expect(pongs).toBeLessThan(1_250)
      })
    )
  )
})
