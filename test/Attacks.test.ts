import * as KeyValueStore from "@effect/platform/KeyValueStore"
import { describe, expect, it } from "@effect/vitest"
import * as Arr from "effect/Array"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Exit from "effect/Exit"
import * as Logger from "effect/Logger"
import * as LogLevel from "effect/LogLevel"
import * as Scope from "effect/Scope"
import type * as Client from "../src/client/Client.js"
import * as Fernet from "../src/domain/Fernet.js"
import * as Keys from "../src/domain/Keys.js"
import * as Protocol from "../src/domain/Protocol.js"
import * as Seal from "../src/domain/Seal.js"
import * as TransportTcp from "../src/domain/TransportTcp.js"
import * as Log from "../src/server/Log.js"
import * as Server from "../src/server/Server.js"
import * as Proxy from "./utils/Proxy.js"
import * as Room from "./utils/Room.js"

const transport = Room.transports.tcp

const proxied = Effect.gen(function* () {
  const { address } = yield* Server.Server
  const proxy = yield* Proxy.make(Number(address.split(":").at(-1)))
  return { proxy, dialer: TransportTcp.layerDialer({ host: "127.0.0.1", port: proxy.port }) }
})

/** Looks again and again until `done`, at leisure: a few of these tests wait side by side. */
const eventually = <A, E, R>(look: Effect.Effect<A, E, R>, done: (seen: A) => boolean): Effect.Effect<A, E, R> =>
  Effect.flatMap(look, (seen) => (done(seen) ? Effect.succeed(seen) : Effect.delay(eventually(look, done), "3 millis")))

/** Waits until something holds that no Effect tells. */
const until = (holds: () => boolean) => eventually(Effect.sync(holds), (now) => now)

/** All that is seen of a room with these keys, on another server: other sessions, another group key. */
const elsewhere = (keys: Keys.Ring<Keys.RoomKey>) =>
  Effect.gen(function* () {
    const { dialer, proxy } = yield* proxied
    const eve = yield* Effect.provide(Room.join("eve", keys), dialer)
    yield* eve.say("of another room")
    return proxy.newest.sent
  }).pipe(Room.within({ transport, keys: Arr.map(keys, Keys.serverKey) }))

/**
 * A room with bob, who is beyond reach, and ada, whose every line passes the proxy. She has been connected before, and
 * that is recorded.
 */
const stage = Effect.gen(function* () {
  const { dialer, proxy } = yield* proxied
  const store = yield* KeyValueStore.KeyValueStore
  const said = { ada: Arr.empty<string>(), bob: Arr.empty<string>() }
  const bob = yield* Room.join("bob")
  let life = yield* Scope.make()
  const enter = Effect.suspend(() =>
    Scope.extend(Room.joinKept("ada"), life).pipe(
      Effect.provide(dialer),
      Effect.provideService(KeyValueStore.KeyValueStore, store)
    )
  )
  let ada: Client.Shape = yield* enter
  yield* Effect.addFinalizer(() => Scope.close(life, Exit.void))

  /** Says a text that is in the log now or later, whatever is done to it on the way. */
  const say = (who: "ada" | "bob", text: string) => {
    said[who].push(text)
    return Effect.zipRight(Effect.fork(Effect.either((who === "ada" ? ada : bob).say(text))), Effect.yieldNow())
  }
  /** Waits until as many texts are in the log as were said, and nobody has another to send. */
  const settled = eventually(
    Effect.gen(function* () {
      const log = yield* Log.Log
      const events = yield* log.read(Protocol.start, 1_000)
      const count = events.filter(({ _tag }) => _tag === "Chat").length
      const isDone = (yield* ada.pending).length === 0 && (yield* bob.pending).length === 0
      return isDone && count >= said.ada.length + said.bob.length
    }),
    (now) => now
  )

  /** Waits until ada has another connection than `old`, started again if need be: what has become of her. */
  const back = (old: Proxy.Connection) =>
    Effect.gen(function* () {
      const isBack = (status: { readonly _tag: string }) =>
        status._tag === "Closed" || (status._tag === "Online" && proxy.newest.number > old.number)
      const status = yield* eventually(ada.status.get, isBack)
      if (status._tag !== "Closed") return "comes back"
      yield* Scope.close(life, Exit.void)
      life = yield* Scope.make()
      ada = yield* enter
      return status.reason
    })

  yield* say("ada", "at first")
  yield* say("bob", "hello")
  yield* settled
  const recorded = proxy.newest
  recorded.cut()
  yield* back(recorded)
  yield* say("ada", "again")
  yield* say("bob", "hello again")
  yield* settled

  /** Checks that the log is what ada and bob have said, each text once, in its author's order, and nothing else. */
  const judge = Effect.gen(function* () {
    yield* say("ada", "at last")
    yield* say("bob", "at last")
    yield* settled
    const log = yield* Log.Log
    const fernet = yield* Fernet.Fernet
    const events = yield* log.read(Protocol.start, 1_000)
    expect(events.map(({ seq }) => seq)).toEqual(Arr.range(1, events.length))
    const keys = Arr.map(Room.roomKeys, Keys.messageKey)
    const texts = events.flatMap((event) =>
      event._tag === "Chat" ? [Either.getOrThrow(Seal.open(fernet, keys, log.id, event))] : []
    )
    const of = (who: string) => texts.filter(({ nick }) => nick === who).map(({ text }) => text)
    expect({ ada: of("ada"), bob: of("bob") }).toEqual(said)
    expect(texts).toHaveLength(said.ada.length + said.bob.length)
    const others = events.flatMap((event) =>
      event._tag === "Chat" || event._tag === "Notice" ? [] : [`${event.nick} ${event._tag}`]
    )
    expect(others).toEqual(["bob Joined", "ada Joined"])
    // And that is what those see who are in the room.
    const order = texts.map(({ nick, text }) => `${nick}: ${text}`)
    expect(yield* Room.entries(bob, order.length, Room.said)).toEqual(order)
  })

  return { proxy, recorded, say, back, judge }
})

type Stage = Effect.Effect.Success<typeof stage>

const staged = <A, E, R>(attack: (stage: Stage) => Effect.Effect<A, E, R>) =>
  Effect.gen(function* () {
    const set = yield* stage
    yield* attack(set)
    set.proxy.relent()
    yield* set.judge
  }).pipe(
    Effect.provide(KeyValueStore.layerMemory),
    Room.within({ transport }),
    // Each of them is refused, and the operator would be told; a session that dies is told of still.
    Logger.withMinimumLogLevel(LogLevel.Error)
  )

type End = "comes back" | "protocol" | "fault"

/** Lines in place of the next one. */
type Change = (line: string, connection: Proxy.Connection, stage: Stage) => ReadonlyArray<string>

/** Another character of base64url, of which a bit differs: as a rule canonical still, so that only the MAC tells. */
const flipped = (line: string, at: number): string => {
  const index = at < 0 ? line.length + at : at
  const was = line[index] ?? ""
  return line.slice(0, index) + (was === "A" ? "B" : "A") + line.slice(index + 1)
}

const half = (line: string): number => Math.floor(line.length / 8) * 4

const lineOf = (lines: ReadonlyArray<string>, at: number): string => {
  const line = lines.at(at)
  if (line === undefined) throw new RangeError("there is no such line")
  return line
}

/** What can be done to a line that goes either way; `back` is where it would be reflected from. */
const changes = (direction: Proxy.Direction): Record<string, Change> => {
  const other = direction === "up" ? "down" : "up"
  return {
    doubled: (line) => [line, line],
    "replaced by one that came before": (_, { sent }) => [lineOf(sent[direction], 1)],
    "preceded by one that came before": (line, { sent }) => [lineOf(sent[direction], 1), line],
    "replaced by the first of an earlier session": (_, __, { recorded }) => [lineOf(recorded.sent[direction], 1)],
    "replaced by the last of an earlier session": (_, __, { recorded }) => [lineOf(recorded.sent[direction], -1)],
    "replaced by its like of an earlier session": (_, { sent }, { recorded }) => [
      recorded.sent[direction][sent[direction].length - 1] ?? lineOf(recorded.sent[direction], -1)
    ],
    "preceded by the handshake's": (line, { sent }) => [lineOf(sent[direction], 0), line],
    "replaced by the other side's own, reflected": (_, { sent }) => [lineOf(sent[other], -1)],
    "preceded by the other side's own first, reflected": (line, { sent }) => [lineOf(sent[other], 1), line],
    "with another version": (line) => [flipped(line, 0)],
    "with another time": (line) => [flipped(line, 6)],
    "with another IV": (line) => [flipped(line, 20)],
    "with other content": (line) => [flipped(line, 40)],
    "with another MAC": (line) => [flipped(line, -6)],
    "cut short by a block": (line) => [line.slice(0, -64)],
    "cut in two": (line) => [line.slice(0, half(line)), line.slice(half(line))],
    "without its end": (line) => [line.slice(0, half(line))],
    "twice in one": (line) => [line + line],
    "begun as another": (line, { sent }) => [lineOf(sent[direction], 1).slice(0, 48) + line.slice(48)],
    "begun as one of an earlier session": (line, _, { recorded }) => [
      lineOf(recorded.sent[direction], -1).slice(0, half(line)) + line.slice(half(line))
    ],
    "preceded by an empty one": (line) => ["", line],
    "replaced by one of more than 64 KiB": () => ["A".repeat(65_540)]
  }
}

/** Does `change` to the next line of the newest connection, and nothing to those after it. */
const once = (set: Stage, direction: Proxy.Direction, change: Change): Proxy.Connection => {
  const { proxy } = set
  const target = proxy.newest
  let isDone = false
  proxy.tamper = ({ connection, direction: way, line }) => {
    if (isDone || connection !== target || way !== direction) return [line]
    isDone = true
    return change(line, connection, set)
  }
  return target
}

/** Who says what goes that way. */
const speaker = (direction: Proxy.Direction) => (direction === "up" ? "ada" : "bob")

/** Has a text go that way; then the connection must be over. */
const oneText = (set: Stage, direction: Proxy.Direction, target: Proxy.Connection) =>
  Effect.gen(function* () {
    yield* set.say(speaker(direction), "one")
    yield* until(() => target.isOver)
  })

/** Has two texts go that way, each in a line of its own; then the connection must be over. */
const twoTexts = (set: Stage, direction: Proxy.Direction, target: Proxy.Connection) =>
  Effect.gen(function* () {
    const had = target.sent[direction].length
    yield* set.say(speaker(direction), "one")
    yield* until(() => target.sent[direction].length > had)
    yield* set.say(speaker(direction), "two")
    yield* until(() => target.isOver)
  })

const ends = { up: "protocol", down: "fault" } as const

for (const direction of ["up", "down"] as const) {
  describe.concurrent(`a line ${direction === "up" ? "to the server" : "to a client"} ends the connection and changes nothing`, () => {
    for (const [what, change] of Object.entries(changes(direction))) {
      it.scopedLive(what, () =>
        staged((set) =>
          Effect.gen(function* () {
            const target = once(set, direction, change)
            yield* oneText(set, direction, target)
            expect(yield* set.back(target)).toBe(ends[direction])
          })
        )
      )
    }

    const pairs: Record<string, (first: string, second: string) => ReadonlyArray<string>> = {
      "left out": (_, second) => [second],
      "in the wrong order": (first, second) => [second, first],
      "in one with the next": (first, second) => [first + second],
      "spliced with the next": (first, second) => [
        first.slice(0, half(first)) + second.slice(half(first)),
        second.slice(0, half(first)) + first.slice(half(first))
      ],
      "under the MAC of the next": (first, second) => [first.slice(0, -44) + second.slice(-44), second]
    }
    for (const [what, join] of Object.entries(pairs)) {
      it.scopedLive(what, () =>
        staged((set) =>
          Effect.gen(function* () {
            const target = set.proxy.newest
            const held: Array<string> = []
            set.proxy.tamper = ({ connection, direction: way, line }) => {
              if (connection !== target || way !== direction || held.length === 2) return [line]
              held.push(line)
              const [first, second] = held
              return first !== undefined && second !== undefined ? join(first, second) : []
            }
            yield* twoTexts(set, direction, target)
            expect(yield* set.back(target)).toBe(ends[direction])
          })
        )
      )
    }
  })
}

describe.concurrent("a frame for all, of another", () => {
  const others = {
    "epoch of the same room": Effect.succeed(Room.roomKeys),
    room: Room.otherKeys
  }
  for (const [what, keys] of Object.entries(others)) {
    it.scopedLive(what, () =>
      staged((set) =>
        Effect.gen(function* () {
          const seen = yield* elsewhere(yield* keys)
          const target = once(set, "down", (line) => [lineOf(seen.down, -1), line])
          yield* oneText(set, "down", target)
          expect(yield* set.back(target)).toBe("fault")
        })
      )
    )
  }
})

describe.concurrent("a handshake that is tampered with comes to nothing, and the client comes back", () => {
  const handshakes: Record<string, readonly [Proxy.Direction, Change, End]> = {
    "a first message of an earlier connection": [
      "up",
      (_, __, { recorded }) => [lineOf(recorded.sent.up, 0)],
      "comes back"
    ],
    "a first message with another point": ["up", (line) => [flipped(line, 3)], "comes back"],
    "a first message with another MAC": ["up", (line) => [flipped(line, -6)], "comes back"],
    "a first message twice": ["up", (line) => [line, line], "comes back"],
    "a first message, reflected": [
      "up",
      (line, connection) => {
        connection.inject("down", line)
        return []
      },
      "comes back"
    ],
    "an answer of an earlier connection": [
      "down",
      (_, __, { recorded }) => [lineOf(recorded.sent.down, 0)],
      "comes back"
    ],
    "an answer with another point": ["down", (line) => [flipped(line, 3)], "comes back"],
    "an answer with another MAC": ["down", (line) => [flipped(line, -6)], "comes back"],
    "an answer twice": ["down", (line) => [line, line], "fault"]
  }
  for (const [what, [direction, change, end]] of Object.entries(handshakes)) {
    it.scopedLive(what, () =>
      staged((set) =>
        Effect.gen(function* () {
          const { proxy } = set
          const before = proxy.newest
          proxy.tamper = ({ at, connection, direction: way, line }) =>
            at === 0 && connection.number === before.number + 1 && way === direction
              ? change(line, connection, set)
              : [line]
          before.cut()
          // Before she calls again: an attack that ends her client may be over by the time that it is seen here.
          yield* set.say("ada", "meanwhile")
          yield* until(() => proxy.newest !== before)
          const target = proxy.newest
          yield* until(() => target.isOver)
          expect(yield* set.back(target)).toBe(end)
        })
      )
    )
  }
})

describe.concurrent("a recording that is played to the server has no answer, and no effect", () => {
  const recordings: Record<string, (set: Stage) => ReadonlyArray<string>> = {
    "a first message": ({ recorded }) => recorded.sent.up.slice(0, 1),
    "a whole connection": ({ recorded }) => recorded.sent.up,
    "the connection that is open now": ({ proxy }) => proxy.newest.sent.up,
    "a first message, and the frames of now": ({ proxy, recorded }) => [
      ...recorded.sent.up.slice(0, 1),
      ...proxy.newest.sent.up.slice(1)
    ],
    "frames without a handshake": ({ recorded }) => recorded.sent.up.slice(1),
    "what the server itself has said": ({ recorded }) => recorded.sent.down,
    "a first message, and what the server itself has said": ({ recorded }) => [
      ...recorded.sent.up.slice(0, 1),
      ...recorded.sent.down.slice(1)
    ]
  }
  for (const [what, lines] of Object.entries(recordings)) {
    it.scopedLive(what, () =>
      staged((set) =>
        Effect.gen(function* () {
          const { proxy } = set
          const session = proxy.newest
          const played = lines(set)
          expect(yield* proxy.say(played)).toEqual([])
          expect(proxy.newest).toBe(session)
          expect(session.isOver).toBe(false)
        })
      )
    )
  }
})
