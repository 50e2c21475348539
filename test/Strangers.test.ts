import { Buffer } from "node:buffer"
import * as V8 from "node:v8"
import { runInNewContext } from "node:vm"
import { describe, expect, it } from "@effect/vitest"
import * as Arr from "effect/Array"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Logger from "effect/Logger"
import * as LogLevel from "effect/LogLevel"
import * as Protocol from "../src/domain/Protocol.js"
import * as Log from "../src/server/Log.js"
import * as Server from "../src/server/Server.js"
import * as RawClient from "./utils/RawClient.js"
import * as Room from "./utils/Room.js"
import * as Stranger from "./utils/Stranger.js"

const transport = Room.transports.tcp

/** Small, so that few strangers reach them. Where all come from one address, that is not what is tested. */
const limits = {
  opening: "10 seconds",
  halfOpen: 20,
  halfOpenPerAddress: Stranger.hasAddresses ? 4 : 20
} as const

const { pass } = Room

/** Waits until something holds that no Effect tells. */
const until = (holds: () => boolean) => Room.eventually(Effect.sync(holds), (now) => now)

const allOver = (strangers: ReadonlyArray<Stranger.Stranger>) =>
  until(() => strangers.every((stranger) => stranger.isOver()))

/** So many strangers, each from an address of his own, of whom the server knows. */
const come = (count: number) =>
  Effect.gen(function* () {
    const strangers = yield* Effect.forEach(Arr.range(0, count - 1), Stranger.connect)
    yield* Room.connections(count)
    yield* Room.settle
    return strangers
  })

const event = (entry: Protocol.Event) => `${entry.seq} ${entry._tag}`

/** What a room and its log hold. */
const state = Effect.gen(function* () {
  const { members } = yield* Server.Server
  const log = yield* Log.Log
  return { members: yield* members, events: (yield* log.read(Protocol.start, 1_000)).map(event) }
})

describe("strangers who take their time are closed without a word after 10 seconds, and not before", () => {
  const ways: Record<string, (stranger: Stranger.Stranger) => void> = {
    "saying nothing": () => {},
    "dripping a byte each second": (stranger) => stranger.write("A")
  }
  for (const [what, act] of Object.entries(ways)) {
    it.scoped(what, () =>
      Effect.gen(function* () {
        const strangers = yield* come(10)
        for (const _ of Arr.range(1, 9)) {
          for (const stranger of strangers) act(stranger)
          yield* pass(1)
        }
        expect(strangers.filter((stranger) => stranger.isOver())).toEqual([])
        yield* Room.connections(10)
        yield* pass(2)
        yield* allOver(strangers)
        yield* Room.connections(0)
        expect(strangers.map((stranger) => stranger.heard()).join("")).toBe("")
      }).pipe(Room.within({ transport, limits }))
    )
  }
})

describe("a line without an end", () => {
  it.scoped("is waited for up to 1 KiB, and one byte more closes at once and without a word", () =>
    Effect.gen(function* () {
      const [stranger] = yield* come(1)
      stranger?.write(Buffer.alloc(1024, "A"))
      yield* Room.settle
      expect(stranger?.isOver()).toBe(false)
      yield* Room.connections(1)
      stranger?.write("A")
      yield* until(() => stranger?.isOver() === true)
      yield* Room.connections(0)
      expect(stranger?.heard()).toBe("")
    }).pipe(Room.within({ transport, limits }))
  )

  it.scoped("is closed whatever more of it comes", () =>
    Effect.gen(function* () {
      const strangers = yield* come(5)
      for (const stranger of strangers) stranger.write(Buffer.alloc(4 * 1024 * 1024, "A"))
      yield* allOver(strangers)
      yield* Room.connections(0)
      expect(strangers.map((stranger) => stranger.heard()).join("")).toBe("")
    }).pipe(Room.within({ transport, limits }))
  )
})

type Act = (stranger: Stranger.Stranger, hello: string) => void

/** What those do who stay, where it is left to them, and what others do; each in his turn. */
const staying: ReadonlyArray<Act> = [
  () => {},
  (stranger) => stranger.write("A"),
  (stranger, hello) => stranger.write(`${hello}\n`)
]
const acts: ReadonlyArray<Act> = [
  ...staying,
  (stranger) => stranger.leave(),
  (stranger) => stranger.write("hello?\n"),
  (stranger) => stranger.write(Buffer.alloc(2_000, "A"))
]

/** Has so many strangers come from as many addresses, a few at a time. */
const flood = (count: number, hello: string, what = acts) =>
  Effect.forEach(
    Arr.range(0, count - 1),
    (i) => Effect.map(Stranger.connect(i), (stranger) => what[i % what.length]?.(stranger, hello)),
    { concurrency: 16, discard: true }
  )

/** A first line that a holder of the key has said, whose connection is over. */
const recorded = Effect.gen(function* () {
  const hello = yield* Effect.scoped(Effect.map(RawClient.open, (raw) => raw.hello))
  yield* Room.connections(0)
  return hello
})

/** A member who comes behind all who have come: connections are taken in their order, so the server knows of those. */
const behind = (nick: string) => Effect.zipLeft(Room.join(nick), Room.settle)

describe("a flood of strangers", () => {
  it.scoped("keeps nobody from talking, and few of them have a connection at once", () =>
    Effect.gen(function* () {
      const server = yield* Server.Server
      const hello = yield* recorded
      const members = yield* Effect.all([Room.join("ada"), Room.join("bob")])
      yield* Room.connections(2)
      let most = 0
      const watching = yield* Effect.fork(
        Room.eventually(
          Effect.tap(server.connections, (open) => {
            most = Math.max(most, open)
          }),
          () => false
        )
      )
      const texts = Arr.range(1, 30).map(String)
      yield* Effect.all(
        [
          flood(600, hello),
          ...members.map((member) => Effect.forEach(texts, (text) => member.say(text), { discard: true }))
        ],
        { concurrency: "unbounded", discard: true }
      )
      yield* behind("cleo")
      yield* Fiber.interrupt(watching)
      const heard = yield* Effect.forEach(members, (member) => Room.entries(member, 60, Room.said))
      for (const nick of ["ada", "bob"]) {
        for (const each of heard) {
          expect(each.filter((text) => text.startsWith(nick))).toEqual(texts.map((text) => `${nick}: ${text}`))
        }
      }
      expect(yield* server.members).toBe(3)
      expect(most).toBeLessThanOrEqual(limits.halfOpen + 3)
    }).pipe(Room.within({ transport, limits }))
  )

  /** Most memory (bytes) for each stranger while they stay, the test's own included, and for each when they are gone. */
  const mostHeld = 6 * 1024
  const mostLeft = 1536
  const floods = 3
  const strangers = 240

  V8.setFlagsFromString("--expose-gc")
  const collect: () => void = runInNewContext("gc")

  /** Memory in use (bytes) when the garbage is gone. */
  const used = Effect.gen(function* () {
    for (const _ of Arr.range(1, 4)) {
      yield* Room.settle
      yield* Effect.sync(collect)
    }
    const { arrayBuffers, heapUsed } = process.memoryUsage()
    return heapUsed + arrayBuffers
  })

  it.scoped("leaves nothing behind", () =>
    Effect.gen(function* () {
      const hello = yield* recorded
      const round = Effect.zipRight(Effect.scoped(flood(strangers, hello)), Room.connections(0))
      // For warming up: code is compiled, and buffers grow to what they need.
      yield* Effect.replicateEffect(round, floods, { discard: true })
      const before = yield* used
      yield* Effect.replicateEffect(round, floods, { discard: true })
      expect(((yield* used) - before) / (floods * strangers)).toBeLessThan(mostLeft)
    }).pipe(Room.within({ transport, limits }))
  )

  it.scoped("takes no more while it lasts than few of them need", () =>
    Effect.gen(function* () {
      const hello = yield* recorded
      yield* Effect.scoped(Effect.zipRight(flood(2 * strangers, hello, staying), behind("ada")))
      yield* Room.connections(0)
      const before = yield* used
      yield* flood(strangers, hello, staying)
      yield* behind("bob")
      const after = yield* used
      // The other ends of their sockets, which are in this process as well, have been closed with the server's.
      const sockets = process.getActiveResourcesInfo().filter((name) => name === "TCPSocketWrap").length
      expect(sockets).toBeLessThanOrEqual(2 * (limits.halfOpen + 1))
      expect((after - before) / strangers).toBeLessThan(mostHeld)
    }).pipe(Room.within({ transport, limits }))
  )
})

/** First messages that holders of the key have said to this room's server before it was started again. */
const recordings = (count: number) =>
  Effect.replicateEffect(Effect.scoped(Effect.map(RawClient.open, (raw) => raw.hello)), count).pipe(
    Room.within({ transport })
  )

describe("a first message that is replayed", () => {
  /** So many strangers, who have each said what another holder of the key has said first; ada is in the room. */
  const replay = (count: number) =>
    Effect.gen(function* () {
      const hellos = yield* recordings(count)
      yield* Room.join("ada")
      yield* Room.connections(1)
      const before = yield* state
      const strangers = yield* Effect.forEach(hellos, (_, i) => Stranger.connect(i))
      for (const [i, stranger] of strangers.entries()) stranger.write(`${hellos[i]}\n`)
      yield* until(() => strangers.every((stranger) => stranger.heard().endsWith("\n")))
      yield* Room.connections(count + 1)
      return { before, hellos, strangers }
    })

  it.scoped("is answered, and has no effect; and that is all that is said until it is closed after 10 seconds", () =>
    Effect.gen(function* () {
      const { before, strangers } = yield* replay(10)
      yield* pass(9)
      expect(strangers.filter((stranger) => stranger.isOver())).toEqual([])
      expect(yield* state).toEqual(before)
      yield* pass(2)
      yield* allOver(strangers)
      yield* Room.connections(1)
      for (const stranger of strangers) {
        expect(stranger.heard().split("\n")).toEqual([expect.stringMatching(/^[\w-]{80,}=*$/), ""])
      }
      expect(yield* state).toEqual(before)
      expect(before).toEqual({ members: 1, events: ["1 Joined"] })
    }).pipe(Room.within({ transport, limits }))
  )

  it.scoped("holds one of the few places of those who have not shown who they are, and no other", () =>
    Effect.gen(function* () {
      const { strangers } = yield* replay(limits.halfOpen)
      const late = yield* Stranger.connect(limits.halfOpen)
      // The oldest goes for it, whatever it has said.
      yield* until(() => strangers[0]?.isOver() === true)
      yield* Room.settle
      expect(strangers.filter((stranger) => stranger.isOver())).toHaveLength(1)
      expect(late.isOver()).toBe(false)
      yield* Room.connections(limits.halfOpen + 1)
    }).pipe(Room.within({ transport, limits }))
  )

  it.scoped("has no effect when it comes again and again, and gives no two the same answer", () =>
    Effect.gen(function* () {
      const { before, hellos, strangers } = yield* replay(1)
      const more = yield* Effect.forEach(Arr.range(1, 10), Stranger.connect)
      for (const stranger of more) stranger.write(`${hellos[0]}\n`)
      yield* pass(11)
      yield* allOver([...strangers, ...more])
      yield* Room.connections(1)
      expect(yield* state).toEqual(before)
      // One that has come before need not be answered.
      const answers = [...strangers, ...more].map((stranger) => stranger.heard()).filter((heard) => heard !== "")
      for (const answer of answers) expect(answer).toMatch(/^[\w-]{80,}=*\n$/)
      expect(new Set(answers).size).toBe(answers.length)
    }).pipe(Room.within({ transport, limits }))
  )
})

describe("the operator", () => {
  const minute = 60_000

  it.scoped("is told of strangers in one line a minute, however many there are", () => {
    const lines: Array<{ readonly at: number; readonly text: string }> = []
    const listening = Logger.make<unknown, void>(({ date, logLevel, message }) => {
      if (LogLevel.greaterThanEqual(logLevel, LogLevel.Info)) lines.push({ at: date.getTime(), text: String(message) })
    })
    return Effect.gen(function* () {
      const hello = yield* recorded
      for (const _ of Arr.range(1, 3)) {
        for (const __ of Arr.range(1, 6)) {
          yield* Effect.scoped(flood(12, hello))
          yield* pass(10)
        }
      }
      yield* Room.connections(0)
      expect(lines.length).toBeGreaterThan(0)
      expect(lines.length).toBeLessThanOrEqual(4)
      for (const [before, after] of Arr.zip(lines, lines.slice(1))) {
        expect(after.at - before.at).toBeGreaterThanOrEqual(minute)
      }
      // What is owed of them is told, and then there is nothing to tell.
      yield* pass(60)
      const told = lines.length
      yield* pass(300)
      expect(lines.length).toBe(told)
    }).pipe(Room.within({ transport, limits }), Effect.provide(Logger.add(listening)))
  })
})
