import { describe, expect, it } from "@effect/vitest"
import * as Arr from "effect/Array"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Scope from "effect/Scope"
import * as TestClock from "effect/TestClock"
import * as Protocol from "../src/domain/Protocol.js"
import * as Log from "../src/server/Log.js"
import * as RawClient from "./utils/RawClient.js"
import * as Room from "./utils/Room.js"

const { ticket } = RawClient
const nick = { _tag: "Nick", nick: "eve", ticket }
const sealed = "AAAA"
const say = (n: number) => ({ _tag: "Say", n, sealed })

/** Runs a test against a server with one quiet member, and checks that it noticed nothing but `expected`. */
const besideAda = <A, E, R>(expected: ReadonlyArray<string>, effect: Effect.Effect<A, E, R>) =>
  Effect.gen(function* () {
    const ada = yield* Room.join("ada")
    yield* Effect.scoped(effect)
    yield* Room.connections(1)
    yield* Room.entries(ada, expected.length + 1, Room.short)
    yield* ada.say("still here")
    expect(yield* Room.entries(ada, expected.length + 2, Room.short)).toEqual([
      "ada Joined",
      ...expected,
      "ada: still here"
    ])
  }).pipe(Room.within({ limits: { grace: 0 } }))

describe("until the first frame opens, every fault is answered by closing without a word", () => {
  const silent: Record<string, string> = {
    "no base64url": "hello?\n",
    "base64url that is no handshake": `${"A".repeat(128)}\n`,
    "padding left out": `${"A".repeat(130)}\n`,
    "a line longer than 1 KiB": `${"A".repeat(1028)}\n`,
    "a line longer than 1 KiB without an end": "A".repeat(1028),
    "an empty line": "\n",
    "a carriage return": `${"A".repeat(128)}\r\n`,
    "a request of the web": "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"
  }
  for (const [what, bytes] of Object.entries(silent)) {
    it.scoped(what, () =>
      besideAda(
        [],
        Effect.gen(function* () {
          const raw = yield* RawClient.connect
          raw.write(bytes)
          expect(yield* raw.line).toEqual(Option.none())
        })
      )
    )
  }

  const noFrames: Record<string, (raw: Effect.Effect.Success<typeof RawClient.open>) => void> = {
    "a first frame that is no token": (raw) => raw.write("AAAA\n"),
    "a first frame under another key": (raw) =>
      raw.sendText(JSON.stringify({ frame: 0, messages: [nick] }), raw.keys.down),
    "a first frame longer than 1 KiB": (raw) => raw.send({ ...nick, nick: "x".repeat(1000) })
  }
  for (const [what, act] of Object.entries(noFrames)) {
    it.scoped(what, () =>
      besideAda(
        [],
        Effect.gen(function* () {
          const raw = yield* RawClient.open
          act(raw)
          expect(yield* raw.next).toEqual(Option.none())
        })
      )
    )
  }

  /** All that a client wrote in a session of its own. */
  const recording = Effect.gen(function* () {
    const eve = yield* RawClient.open
    const frames: Array<string> = []
    const write = eve.transport.write.bind(eve.transport)
    Object.assign(eve.transport, {
      write: (bytes: Uint8Array) => {
        frames.push(new TextDecoder().decode(bytes))
        return write(bytes)
      }
    })
    eve.send(nick)
    eve.send({ _tag: "Leave" })
    yield* RawClient.untilEnd(eve)
    return [`${eve.hello}\n`, ...frames].join("")
  })

  it.scoped("a session replayed from its first byte", () =>
    besideAda(
      ["eve Joined", "eve left (quit)"],
      Effect.gen(function* () {
        const recorded = yield* recording
        const replayed = yield* RawClient.connect
        replayed.write(recorded)
        expect(yield* replayed.line).toEqual(Option.none())
      })
    )
  )

  it.scoped("a session replayed at a server that has not seen it, which answers its first line and no more", () =>
    besideAda(
      [],
      Effect.gen(function* () {
        const recorded = yield* Room.within()(recording)
        const replayed = yield* RawClient.connect
        replayed.write(recorded)
        expect(Option.isSome(yield* replayed.line)).toBe(true)
        expect(yield* replayed.line).toEqual(Option.none())
      })
    )
  )
})

describe("after it, every fault is answered by Bye protocol, and costs nobody else anything", () => {
  const frame = (value: unknown) => JSON.stringify(value)
  type Raw = Effect.Effect.Success<typeof RawClient.open>
  const beforeWelcome: Record<string, (raw: Raw) => void> = {
    "a first frame without Nick": (raw) => raw.send({ _tag: "Ping", at: 1 }),
    "a first frame with Nick and more": (raw) => raw.send(nick, { _tag: "Ping", at: 1 }),
    "a first Nick without a ticket": (raw) => raw.send({ _tag: "Nick", nick: "eve" }),
    "a first frame that is not number 0": (raw) => raw.sendText(frame({ frame: 1, messages: [nick] })),
    "a first frame that is not JSON": (raw) => raw.sendText("{"),
    "a first frame with a tag that has no text": (raw) => raw.send({ ...nick, _tag: { toString: 1 } }),
    "a first frame that is not UTF-8": (raw) => raw.sendText(Uint8Array.of(0x22, 0xff, 0x22)),
    "a text before Welcome": (raw) => {
      raw.send({ ...nick, nick: "ada" })
      raw.send(say(1))
    },
    "a request for history": (raw) => {
      raw.send({ ...nick, nick: "ada" })
      raw.send({ _tag: "Fetch", before: 1, limit: 1 })
    }
  }
  for (const [what, act] of Object.entries(beforeWelcome)) {
    it.scoped(what, () =>
      besideAda(
        [],
        Effect.gen(function* () {
          const raw = yield* RawClient.open
          act(raw)
          expect((yield* RawClient.untilEnd(raw)).at(-1)).toEqual({ _tag: "Bye", reason: "protocol" })
        })
      )
    )
  }

  it.scoped("a text right behind the Nick, before its Welcome", () =>
    besideAda(
      ["eve Joined", "eve left (timeout)"],
      Effect.gen(function* () {
        const raw = yield* RawClient.open
        raw.send(nick)
        raw.send(say(1))
        expect((yield* RawClient.untilEnd(raw)).at(-1)).toEqual({ _tag: "Bye", reason: "protocol" })
      })
    )
  )

  const afterWelcome: Record<string, (raw: Raw) => void> = {
    "a frame left out": (raw) => raw.sendText(frame({ frame: 2, messages: [say(1)] })),
    "a frame repeated": (raw) => raw.sendText(frame({ frame: 0, messages: [say(1)] })),
    "an unknown message": (raw) => raw.send({ _tag: "Shout", n: 1 }),
    "a server's message": (raw) => raw.send({ _tag: "Bye", reason: "quit" }),
    "a key too many": (raw) => raw.send({ ...say(1), loud: true }),
    "a frame with a key too many": (raw) => raw.sendText(frame({ frame: 1, messages: [say(1)], epoch: 1 })),
    "a frame without messages": (raw) => raw.send(),
    "65 messages": (raw) => raw.send(...Arr.replicate({ _tag: "Ping", at: 1 }, 65)),
    "a good message before a bad one": (raw) => raw.send(say(1), { _tag: "Say", n: 0, sealed }),
    "a text number left out": (raw) => raw.send(say(2)),
    "a text that is not canonical base64url": (raw) => raw.send({ ...say(1), sealed: "AAAB==" }),
    "a text of more than 32,768 characters": (raw) => raw.send({ ...say(1), sealed: "A".repeat(32_772) }),
    "a Nick with a ticket": (raw) => raw.send(nick),
    "a frame under the other direction's key": (raw) =>
      raw.sendText(frame({ frame: 1, messages: [say(1)] }), raw.keys.down),
    "a line that is no token": (raw) => raw.write("AAAA\n"),
    "an empty line": (raw) => raw.write("\n"),
    "a line longer than 64 KiB": (raw) => raw.write(`${"A".repeat(65_540)}\n`),
    "49,001 bytes in a frame": (raw) =>
      raw.sendText(frame({ frame: 1, messages: [{ _tag: "Ping", at: 1 }] }).padEnd(49_001))
  }
  for (const [what, act] of Object.entries(afterWelcome)) {
    it.scoped(what, () =>
      besideAda(
        ["eve Joined", "eve left (timeout)"],
        Effect.gen(function* () {
          const raw = yield* RawClient.joined("eve")
          act(raw)
          expect((yield* RawClient.untilEnd(raw)).at(-1)).toEqual({ _tag: "Bye", reason: "protocol" })
        })
      )
    )
  }
})

describe("a session", () => {
  it.scoped("is told Welcome, Members, Events and the group key, in this order, then what happens", () =>
    Effect.gen(function* () {
      const ada = yield* Room.join("ada")
      yield* ada.say("one")
      const raw = yield* RawClient.open
      raw.send(nick)
      const { id } = yield* Log.Log
      const start = yield* RawClient.until(raw, "Rekey")
      expect(start.map(({ _tag }) => _tag)).toEqual(["Welcome", "Members", "Events", "Rekey"])
      expect(start[0]).toEqual({
        _tag: "Welcome",
        log: id,
        head: 3,
        after: 0,
        member: 3,
        nick: "eve",
        acked: 0,
        count: 2
      })
      expect(start[1]).toEqual({
        _tag: "Members",
        members: [
          { member: 1, nick: "ada" },
          { member: 3, nick: "eve" }
        ]
      })
      expect(start[2]).toMatchObject({
        events: [
          { seq: 1, _tag: "Joined" },
          { seq: 2, _tag: "Chat" },
          { seq: 3, nick: "eve" }
        ]
      })
      yield* ada.say("two")
      raw.send({ _tag: "Leave" })
      const rest = yield* RawClient.untilEnd(raw)
      expect(rest.map(({ _tag }) => _tag)).toEqual(["Chat", "Left", "Bye"])
      expect(rest.at(-1)).toEqual({ _tag: "Bye", reason: "quit" })
    }).pipe(Room.within())
  )

  it.scoped("may be told from where it was, in the same log only", () =>
    Effect.gen(function* () {
      const ada = yield* Room.join("ada")
      yield* Effect.forEach(Arr.range(1, 150), (i) => ada.say(`${i}`), { concurrency: "unbounded" })
      const { id } = yield* Log.Log
      const afterOf = (more: object, name: string) =>
        Effect.scoped(
          Effect.gen(function* () {
            const raw = yield* RawClient.open
            raw.send({ ...nick, ...more, nick: name })
            const [welcome] = yield* RawClient.until(raw, "Rekey")
            return welcome?._tag === "Welcome"
              ? { after: welcome.after, past: welcome.head - welcome.after }
              : undefined
          })
        )
      expect(yield* afterOf({ log: id, after: 20 }, "a")).toMatchObject({ after: 20 })
      expect(yield* afterOf({ log: ticket, after: 20 }, "b")).toMatchObject({ past: 100 })
      expect(yield* afterOf({ log: id, after: 10_000 }, "c")).toMatchObject({ past: 0 })
    }).pipe(Room.within())
  )

  it.scoped("is answered Pong with the last seq written to it: 0, then Welcome's after, then events", () =>
    Effect.gen(function* () {
      const ada = yield* Room.join("ada")
      const raw = yield* RawClient.open
      const ping = (at: number) =>
        Effect.gen(function* () {
          raw.send({ _tag: "Ping", at })
          return (yield* RawClient.until(raw, "Pong")).at(-1)
        })
      raw.send({ ...nick, nick: "ada" })
      yield* RawClient.until(raw, "Rejected")
      expect(yield* ping(7)).toEqual({ _tag: "Pong", at: 7, last: 0 })
      raw.send(nick)
      yield* RawClient.until(raw, "Rekey")
      expect(yield* ping(8)).toEqual({ _tag: "Pong", at: 8, last: 2 })
      yield* ada.say("one")
      expect(yield* ping(9)).toEqual({ _tag: "Pong", at: 9, last: 3 })
    }).pipe(Room.within())
  )

  it.scoped("that repeats what is in the log is not heard twice", () =>
    besideAda(
      ["eve Joined", "eve Unreadable", "eve Unreadable", "eve left (quit)"],
      Effect.gen(function* () {
        const raw = yield* RawClient.joined("eve")
        raw.send(say(1), say(1), say(2))
        raw.send(say(1), { _tag: "Leave" })
        const chats = (yield* RawClient.untilEnd(raw)).filter(({ _tag }) => _tag === "Chat")
        expect(chats).toMatchObject([{ n: 1 }, { n: 2 }])
      })
    )
  )

  it.scoped("that asks, does not read the answers and is taken over is let go", () =>
    Effect.gen(function* () {
      const stuck = yield* RawClient.joined("eve")
      for (let i = 0; i < 500; i++) stuck.send({ _tag: "Ping", at: i })
      yield* Room.settle
      yield* RawClient.joined("eve")
      yield* Room.settle
      yield* TestClock.adjust("5 seconds")
      yield* Room.connections(1)
    }).pipe(Room.within())
  )

  it.scoped("that is lost without a word has left by timeout", () =>
    besideAda(["eve Joined", "eve left (timeout)"], RawClient.joined("eve"))
  )

  it.scoped("that leaves before its Welcome is told Bye, and was never here", () =>
    besideAda(
      [],
      Effect.gen(function* () {
        const raw = yield* RawClient.open
        raw.send({ ...nick, nick: "ada" })
        raw.send({ _tag: "Leave" })
        expect((yield* RawClient.untilEnd(raw)).map(({ _tag }) => _tag)).toEqual(["Rejected", "Bye"])
      })
    )
  )

  it.scoped("that leaves right behind its Nick has left, and its nick is free at once", () =>
    Effect.gen(function* () {
      const ada = yield* Room.join("ada")
      const raw = yield* RawClient.open
      raw.send(nick)
      raw.send({ _tag: "Leave" })
      expect((yield* RawClient.untilEnd(raw)).at(-1)).toEqual({ _tag: "Bye", reason: "quit" })
      yield* Room.join("eve")
      expect(yield* Room.entries(ada, 4, Room.short)).toEqual([
        "ada Joined",
        "eve Joined",
        "eve left (quit)",
        "eve Joined"
      ])
    }).pipe(Room.within())
  )

  it.scoped("that asks and asks and never reads is read no further", () =>
    Effect.gen(function* () {
      const raw = yield* RawClient.joined("eve")
      const pings = Arr.replicate({ _tag: "Ping", at: Protocol.start }, 64)
      let unsent = 0
      for (let i = 0; i < 200; i++) {
        unsent = raw.send(...pings)
        yield* Effect.yieldNow()
      }
      expect(unsent).toBeGreaterThan(100 * 1024)
      yield* Effect.replicateEffect(RawClient.until(raw, "Pong"), 200)
    }).pipe(Room.within())
  )

  it.scoped("that says something and leaves before it has caught up still sees it in the log", () =>
    Effect.gen(function* () {
      const ada = yield* Room.join("ada")
      yield* Effect.forEach(Arr.range(1, 99), (i) => ada.say(`${i}`), { concurrency: "unbounded" })
      const raw = yield* RawClient.open
      raw.send(nick)
      yield* RawClient.until(raw, "Members")
      raw.send(say(1), { _tag: "Leave" })
      const rest = yield* RawClient.untilEnd(raw)
      const events = rest.flatMap((message) => (message._tag === "Events" ? message.events : [message]))
      expect(events.filter((event) => event._tag === "Chat" && event.member !== 1)).toMatchObject([{ n: 1, sealed }])
      expect(rest.at(-1)).toEqual({ _tag: "Bye", reason: "quit" })
    }).pipe(Room.within())
  )
})

describe("a shutdown", () => {
  // On the test's clock: were anybody waited for by time, these would never end.
  it.scoped("waits for no one who has not shown who it is", () =>
    Effect.gen(function* () {
      const scope = yield* Scope.make()
      const services = yield* Layer.buildWithScope(Room.layer(), scope)
      const silent = yield* Effect.provide(RawClient.connect, services)
      const shaken = yield* Effect.provide(RawClient.open, services)
      yield* Effect.provide(Room.connections(2), services)
      yield* Scope.close(scope, Exit.void)
      expect(yield* silent.line).toEqual(Option.none())
      expect(yield* shaken.next).toEqual(Option.none())
    })
  )

  it.scoped("lets nobody in any more, who is told that nobody is there", () =>
    Effect.gen(function* () {
      const scope = yield* Scope.make()
      const services = yield* Layer.buildWithScope(Room.layer(), scope)
      yield* Scope.close(scope, Exit.void)
      const error = yield* Effect.flip(Effect.provide(Room.join("ada"), services))
      expect(error.reason).toBe("unreachable")
    })
  )
})
