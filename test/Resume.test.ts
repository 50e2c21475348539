import { SystemError } from "@effect/platform/Error"
import * as KeyValueStore from "@effect/platform/KeyValueStore"
import { describe, expect, it } from "@effect/vitest"
import * as Arr from "effect/Array"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Logger from "effect/Logger"
import * as Option from "effect/Option"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import * as TestClock from "effect/TestClock"
import type * as Client from "../src/client/Client.js"
import type * as Presence from "../src/client/Presence.js"
import * as Fernet from "../src/domain/Fernet.js"
import * as Protocol from "../src/domain/Protocol.js"
import * as Log from "../src/server/Log.js"
import { Network, layer as networkLayer } from "./utils/Network.js"
import * as Room from "./utils/Room.js"

const provided = <A, E>(
  effect: Effect.Effect<A, E, Network | Fernet.Fernet | Effect.Effect.Context<ReturnType<typeof Room.join>>>
) => effect.pipe(Effect.scoped, Effect.provide([networkLayer, Fernet.layer]))

const newLog = Effect.provide(Log.Log, Log.layerMemory())

/** Lets everybody do what there is to do now, whatever the clock says. */
const { settle } = Room

/** Waits until a client is in that state, while time goes on. */
const until = (client: Client.Shape, tag: Presence.Status["_tag"]): Effect.Effect<Presence.Status> =>
  Effect.gen(function* () {
    const status = yield* client.status.get
    if (status._tag === tag) return status
    yield* settle
    if ((yield* client.status.get)._tag !== tag) yield* TestClock.adjust("1 second")
    return yield* until(client, tag)
  })

/** All connections are lost, and there is no way to the server; a client has noticed. */
const lose = (client: Client.Shape) =>
  Effect.gen(function* () {
    const network = yield* Network
    yield* network.setReachable(false)
    yield* network.cut
    yield* until(client, "Reconnecting")
  })

const shorts = (client: Client.Shape, count: number) => Room.entries(client, count, Room.short)

describe("a lost connection", () => {
  it.scoped("comes back as the same member, and nobody else notices; nothing is missed, nothing is said twice", () =>
    provided(
      Effect.gen(function* () {
        const network = yield* Network
        yield* network.serve(yield* newLog)
        const ada = yield* Room.join("ada")
        const bob = yield* Room.join("bob")
        yield* ada.say("one")
        yield* network.setReachable(false)
        yield* network.cut
        const two = yield* Effect.fork(ada.say("two"))
        const three = yield* Effect.fork(bob.say("three"))
        expect(yield* until(ada, "Reconnecting")).toMatchObject({ _tag: "Reconnecting" })
        yield* network.setReachable(true)
        yield* until(ada, "Online")
        yield* until(bob, "Online")
        yield* Fiber.join(two)
        yield* Fiber.join(three)
        const seen = yield* shorts(bob, 5)
        expect(seen.slice(0, 3)).toEqual(["ada Joined", "bob Joined", "ada: one"])
        expect(new Set(seen.slice(3))).toEqual(new Set(["ada: two", "bob: three"]))
        expect(yield* shorts(ada, 5)).toEqual(seen)
        expect(yield* ada.member).toBe(1)
      })
    )
  )

  it.scoped("tells who comes back of what is new before it comes, and says nothing where nothing is", () =>
    provided(
      Effect.gen(function* () {
        const network = yield* Network
        yield* network.serve(yield* newLog)
        const ada = yield* Room.join("ada")
        yield* ada.say("one")
        yield* lose(ada)
        yield* network.setReachable(true)
        yield* until(ada, "Online")
        yield* lose(ada)
        yield* network.setReachable(true)
        const bob = yield* Room.join("bob")
        yield* bob.say("two")
        yield* until(ada, "Online")
        expect(yield* Room.entries(ada, 5, (entry) => (entry._tag === "Back" ? entry : Room.short(entry)))).toEqual([
          "ada Joined",
          "ada: one",
          { _tag: "Back", after: 2, head: 4 },
          "bob Joined",
          "bob: two"
        ])
        expect(yield* ada.count).toBe(2)
      })
    )
  )

  it.scoped("holds up a look at what was before until there is a connection again", () =>
    provided(
      Effect.gen(function* () {
        const network = yield* Network
        yield* network.serve(yield* newLog, { history: 5 })
        const bob = yield* Room.join("bob")
        for (const i of Arr.range(1, 20)) yield* bob.say(`${i}`)
        const ada = yield* Room.join("ada")
        yield* lose(ada)
        const looking = yield* Effect.fork(ada.history({ before: Protocol.Seq.make(4), limit: 2 }))
        yield* settle
        expect(yield* Fiber.poll(looking)).toEqual(Option.none())
        yield* network.setReachable(true)
        yield* until(ada, "Online")
        const { events, oldest } = yield* Fiber.join(looking)
        expect(events.map(Room.short)).toEqual(["bob: 1", "bob: 2"])
        expect(oldest).toBe(1)
      })
    )
  )

  it.scoped("tells when the next try comes, and the waits grow", () =>
    provided(
      Effect.gen(function* () {
        const network = yield* Network
        yield* network.serve(yield* newLog)
        const ada = yield* Room.join("ada")
        yield* network.setReachable(false)
        yield* network.cut
        const waits: Array<number> = []
        for (let i = 0; i < 12; i++) {
          const status = yield* until(ada, "Reconnecting")
          const now = yield* TestClock.currentTimeMillis
          if (status._tag === "Reconnecting") {
            expect(status.next).toBeGreaterThan(now)
            waits.push(status.next - now)
            yield* TestClock.setTime(status.next)
          }
        }
        expect(waits[0]).toBeLessThanOrEqual(1000)
        expect(Math.max(...waits)).toBeLessThanOrEqual(30_000)
        expect(waits.at(-1)).toBeGreaterThanOrEqual(15_000)
      })
    )
  )

  it.scoped("keeps nick and place for the grace time; after it the member has left, and comes back as itself", () =>
    provided(
      Effect.gen(function* () {
        const network = yield* Network
        yield* network.serve(yield* newLog)
        const ada = yield* Room.join("ada")
        yield* ada.say("one")
        yield* lose(ada)
        yield* network.setReachable(true)
        const bob = yield* Room.join("bob")
        expect((yield* Effect.flip(Effect.scoped(Room.join("ada")))).reason).toBe("nick-taken")
        yield* network.setReachable(false)
        yield* TestClock.adjust("31 seconds")
        yield* settle
        expect(yield* shorts(bob, 4)).toEqual(["ada Joined", "ada: one", "bob Joined", "ada left (timeout)"])
        yield* network.setReachable(true)
        yield* until(ada, "Online")
        yield* ada.say("two")
        expect(yield* shorts(bob, 6)).toEqual([
          "ada Joined",
          "ada: one",
          "bob Joined",
          "ada left (timeout)",
          "ada Joined",
          "ada: two"
        ])
        expect(yield* ada.member).toBe(1)
      })
    )
  )

  it.scoped("whose nick was given to another meanwhile ends the client, which says so", () =>
    provided(
      Effect.gen(function* () {
        const network = yield* Network
        yield* network.serve(yield* newLog)
        const ada = yield* Room.join("ada")
        yield* lose(ada)
        yield* TestClock.adjust("31 seconds")
        yield* network.setReachable(true)
        // Before ada's next try.
        yield* Room.join("ADA")
        expect(yield* until(ada, "Closed")).toEqual({ _tag: "Closed", reason: "nick-taken" })
        const error = yield* Effect.flip(Stream.runDrain(ada.events))
        expect(error.message).toContain("while you were away")
      })
    )
  )

  it.scoped("does not lose a new nick that was asked for", () =>
    provided(
      Effect.gen(function* () {
        const network = yield* Network
        yield* network.serve(yield* newLog)
        const ada = yield* Room.join("ada")
        const bob = yield* Room.join("bob")
        yield* network.setReachable(false)
        yield* network.cut
        const renaming = yield* Effect.fork(ada.rename("Bea"))
        const taken = yield* Effect.fork(Effect.flip(bob.rename("ADA")))
        yield* until(ada, "Reconnecting")
        yield* network.setReachable(true)
        yield* until(ada, "Online")
        expect(yield* Fiber.join(renaming)).toBe("Bea")
        yield* until(bob, "Online")
        expect([...(yield* ada.members)].map(({ nick }) => nick)).toEqual(["Bea", yield* bob.nick])
        yield* Fiber.interrupt(taken)
      })
    )
  )

  it.scoped("is no reason to wait for who leaves: at once, and with what it owes", () =>
    provided(
      Effect.gen(function* () {
        const network = yield* Network
        yield* network.serve(yield* newLog)
        const [ada, bob] = yield* Effect.all([Room.join("ada"), Room.join("bob")])
        yield* lose(ada)
        yield* until(bob, "Reconnecting")
        yield* ada.leave
        expect(yield* ada.status.get).toEqual({ _tag: "Closed", reason: "quit" })
        yield* Stream.runDrain(ada.events)
        const owed = yield* Effect.fork(Effect.flip(bob.say("too late")))
        yield* settle
        yield* bob.leave
        expect((yield* Fiber.join(owed)).reason).toBe("closed")
        expect(yield* Effect.flip(Stream.runDrain(bob.events))).toMatchObject({ reason: "lost" })
      })
    )
  )
})

describe("a server that is started again", () => {
  it.scoped("on its log goes on where it was, and its members with it", () =>
    provided(
      Effect.gen(function* () {
        const network = yield* Network
        const log = yield* newLog
        const first = yield* network.serve(log)
        const [ada, bob] = yield* Effect.all([Room.join("ada"), Room.join("bob")])
        yield* ada.say("one")
        yield* Scope.close(first, Exit.void)
        expect(yield* until(ada, "Reconnecting")).toMatchObject({ message: "the server was shut down" })
        const two = yield* Effect.fork(ada.say("two"))
        yield* network.serve(log)
        yield* until(ada, "Online")
        yield* Fiber.join(two)
        yield* until(bob, "Online")
        yield* bob.say("three")
        // Nobody has left or joined: they came back within the grace time.
        const seen = ["ada Joined", "bob Joined", "ada: one", "ada: two", "bob: three"]
        expect(yield* shorts(ada, 5)).toEqual(seen)
        expect(yield* shorts(bob, 5)).toEqual(seen)
      })
    )
  )

  it.scoped("gives those who were here the grace time anew, and then they have left", () =>
    provided(
      Effect.gen(function* () {
        const network = yield* Network
        const log = yield* newLog
        const first = yield* network.serve(log)
        const scope = yield* Scope.make()
        const ada = yield* Scope.extend(Room.join("ada"), scope)
        yield* Scope.close(first, Exit.void)
        yield* until(ada, "Reconnecting")
        yield* Scope.close(scope, Exit.void)
        yield* network.serve(log)
        const bob = yield* Room.join("bob")
        expect((yield* bob.members).map(({ nick }) => nick)).toEqual(["ada", "bob"])
        yield* TestClock.adjust("30 seconds")
        yield* settle
        expect(yield* shorts(bob, 3)).toEqual(["ada Joined", "bob Joined", "ada left (timeout)"])
      })
    )
  )

  it.scoped("with a new log is told of, and what waits is said there, once", () =>
    provided(
      Effect.gen(function* () {
        const network = yield* Network
        const first = yield* network.serve(yield* newLog)
        const ada = yield* Room.join("ada")
        yield* ada.say("one")
        yield* ada.say("two")
        yield* Scope.close(first, Exit.void)
        yield* until(ada, "Reconnecting")
        const three = yield* Effect.fork(ada.say("three"))
        const fresh = yield* newLog
        yield* network.serve(fresh)
        yield* until(ada, "Online")
        expect(Option.getOrThrow(yield* Fiber.join(three)).n).toBe(1)
        expect(yield* shorts(ada, 6)).toEqual([
          "ada Joined",
          "ada: one",
          "ada: two",
          "a new log",
          "ada Joined",
          "ada: three"
        ])
        expect(yield* ada.log).toBe(fresh.id)
      })
    )
  )

  it.scoped("whose log went back is left, with a word on how to start it", () =>
    provided(
      Effect.gen(function* () {
        const network = yield* Network
        const log = yield* newLog
        const first = yield* network.serve(log)
        const ada = yield* Room.join("ada")
        for (const text of ["one", "two", "three"]) yield* ada.say(text)
        yield* Scope.close(first, Exit.void)
        yield* until(ada, "Reconnecting")
        yield* network.serve({ ...(yield* newLog), id: log.id })
        yield* until(ada, "Closed")
        const error = yield* Effect.flip(Stream.runDrain(ada.events))
        expect(error).toMatchObject({ reason: "fault", message: expect.stringContaining("--new-log") })
      })
    )
  )

  it.scoped("and no longer has what a member has missed tells how much that is", () =>
    provided(
      Effect.gen(function* () {
        const network = yield* Network
        const log = yield* Effect.provide(Log.Log, Log.layerMemory({ capacity: 10 }))
        yield* network.serve(log)
        const ada = yield* Room.join("ada")
        yield* shorts(ada, 1)
        yield* lose(ada)
        yield* network.setReachable(true)
        const bob = yield* Room.join("bob")
        // One at a time, so that the log drops what is too old for it.
        for (const i of Arr.range(1, 50)) yield* bob.say(`${i}`)
        yield* until(ada, "Online")
        const { seq } = Option.getOrThrow(yield* ada.say("back"))
        const [missing] = yield* Room.entries(ada, 1, (entry) => (entry._tag === "Missing" ? entry : undefined))
        const to = missing?.to ?? 0
        expect(missing?.after).toBe(1)
        expect(to).toBeGreaterThan(10)
        const all = yield* Room.entries(ada, 2 + seq - to, (entry) => (entry._tag === "Back" ? undefined : entry))
        expect(all.flatMap((entry) => ("seq" in entry ? entry.seq : []))).toEqual([1, ...Arr.range(to + 1, seq)])
        expect(all.slice(2).every((entry) => entry._tag === "Said")).toBe(true)
      })
    )
  )
})

describe("a client that is started again on what it has kept", () => {
  const kept = KeyValueStore.layerMemory

  it.scoped("is the same member, goes on where it was, and says what it owed", () =>
    provided(
      Effect.gen(function* () {
        const network = yield* Network
        yield* network.serve(yield* newLog)
        const store = yield* KeyValueStore.KeyValueStore
        const bob = yield* Room.join("bob")
        const life = yield* Scope.make()
        const ada = yield* Scope.extend(Room.joinKept("ada"), life)
        yield* ada.say("one")
        yield* Effect.fork(Stream.runDrain(ada.events))
        yield* settle
        yield* lose(ada)
        yield* Effect.fork(Effect.either(ada.say("two")))
        yield* settle
        yield* Scope.close(life, Exit.void)
        yield* network.setReachable(true)
        yield* until(bob, "Online")
        yield* bob.say("meanwhile")
        const again = yield* Room.joinKept("ada").pipe(Effect.provideService(KeyValueStore.KeyValueStore, store))
        expect(yield* again.member).toBe(2)
        expect((yield* Room.entries(again, 2, Room.short)).sort()).toEqual(["ada: two", "bob: meanwhile"])
        expect((yield* shorts(bob, 5)).slice(2).sort()).toEqual(["ada: one", "ada: two", "bob: meanwhile"])
      }).pipe(Effect.provide(kept))
    )
  )

  it.scoped("misses nothing even when it ended as soon as it was let in", () =>
    provided(
      Effect.gen(function* () {
        const network = yield* Network
        yield* network.serve(yield* newLog, { history: 2 })
        const store = yield* KeyValueStore.KeyValueStore
        const bob = yield* Room.join("bob")
        yield* Room.joinKept("ada")
        // What a crash at this moment leaves behind.
        const [ticket, seen] = yield* Effect.all([store.get("ticket"), store.get("seen")])
        for (const i of Arr.range(1, 10)) yield* bob.say(`${i}`)
        yield* store.clear
        yield* store.set("ticket", Option.getOrThrow(ticket))
        yield* store.set("seen", Option.getOrThrow(seen))
        const again = yield* Room.joinKept("ada")
        const texts = yield* Room.entries(again, 10, Room.said)
        expect(texts).toEqual(Arr.range(1, 10).map((i) => `bob: ${i}`))
      }).pipe(Effect.provide(kept))
    )
  )

  it.scoped("while another runs, it takes over, and the other is told", () =>
    provided(
      Effect.gen(function* () {
        const network = yield* Network
        yield* network.serve(yield* newLog)
        const older = yield* Room.joinKept("ada")
        const newer = yield* Room.joinKept("ada")
        expect(yield* until(older, "Closed")).toEqual({ _tag: "Closed", reason: "taken-over" })
        expect(yield* older.member).toBe(yield* newer.member)
        yield* newer.say("it is me")
        expect((yield* newer.members).length).toBe(1)
      }).pipe(Effect.provide(kept))
    )
  )

  it.scoped("ends with a word on it when it cannot keep where it is", () =>
    provided(
      Effect.gen(function* () {
        const network = yield* Network
        yield* network.serve(yield* newLog)
        const store = yield* KeyValueStore.KeyValueStore
        const full = new SystemError({
          reason: "WriteZero",
          module: "KeyValueStore",
          method: "set",
          description: "full"
        })
        const failing = KeyValueStore.make({
          ...store,
          set: (key, value) => (key === "seen" ? Effect.fail(full) : store.set(key, value))
        })
        const joining = Room.joinKept("ada").pipe(Effect.provideService(KeyValueStore.KeyValueStore, failing))
        expect(yield* Effect.flip(joining)).toMatchObject({ _tag: "JoinError", reason: "state" })
      }).pipe(Effect.provide(kept))
    )
  )

  it.scoped("on what is damaged ends with a word on what to do, and changes nothing", () =>
    provided(
      Effect.gen(function* () {
        const store = yield* KeyValueStore.KeyValueStore
        yield* store.set("outbox", "not a token")
        expect(yield* Effect.flip(Room.joinKept("ada"))).toMatchObject({
          reason: "state",
          message: expect.stringContaining("--profile")
        })
        expect(yield* store.get("outbox")).toEqual(Option.some("not a token"))
      }).pipe(Effect.provide(kept))
    )
  )
})

describe("a log that takes nothing", () => {
  /** A log in memory that can be full, and how often it was asked to take something. */
  const fillable = Effect.map(newLog, (log) => {
    const disk = { full: false, asked: 0 }
    const append: Log.Log["Type"]["append"] = (events, members) =>
      Effect.suspend(() => {
        disk.asked += 1
        return disk.full
          ? new Log.LogError({ reason: "full", message: "there is no room for more" })
          : log.append(events, members)
      })
    return { disk, log: { ...log, append } }
  })

  it.scoped("acknowledges nothing and goes on with those who read; when there is room again, all is said once", () =>
    provided(
      Effect.gen(function* () {
        const network = yield* Network
        const { disk, log } = yield* fillable
        yield* network.serve(log, { history: 2 })
        const ada = yield* Room.join("ada")
        const bob = yield* Room.join("bob")
        for (const text of ["one", "two"]) yield* ada.say(text)
        disk.full = true
        const said = yield* Effect.fork(
          Effect.forEach(["three", "four"], (text) => ada.say(text), { concurrency: "unbounded" })
        )
        yield* settle
        expect(disk.asked).toBeGreaterThan(4)
        expect(yield* Fiber.poll(said)).toEqual(Option.none())
        // Whoever is a member comes back, and reads.
        yield* network.cut
        yield* until(ada, "Online")
        yield* until(bob, "Online")
        expect((yield* bob.members).length).toBe(2)
        // Who is none yet waits for its place in the log.
        const joining = yield* Effect.fork(Room.join("eve"))
        yield* settle
        expect(yield* Fiber.poll(joining)).toEqual(Option.none())
        expect(yield* shorts(bob, 4)).toEqual(["ada Joined", "bob Joined", "ada: one", "ada: two"])
        disk.full = false
        yield* TestClock.adjust("1 second")
        yield* Fiber.join(said)
        const eve = yield* Fiber.join(joining)
        yield* eve.say("five")
        const seen = yield* shorts(bob, 8)
        expect(seen.filter((short) => short.startsWith("ada: "))).toEqual([
          "ada: one",
          "ada: two",
          "ada: three",
          "ada: four"
        ])
        expect(seen.at(-1)).toBe("eve: five")
      })
    )
  )

  it.scoped("does not keep a server from saying Bye when it is shut down", () =>
    provided(
      Effect.gen(function* () {
        const network = yield* Network
        const { disk, log } = yield* fillable
        const server = yield* network.serve(log)
        const ada = yield* Room.join("ada")
        disk.full = true
        yield* Effect.fork(ada.say("one"))
        yield* settle
        const closing = yield* Effect.fork(Scope.close(server, Exit.void))
        yield* settle
        yield* TestClock.adjust("2 seconds")
        yield* Fiber.join(closing)
        expect(yield* until(ada, "Reconnecting")).toMatchObject({ message: "the server was shut down" })
      })
    )
  )

  it.scoped("forgets who came and went while it took nothing", () =>
    provided(
      Effect.gen(function* () {
        const network = yield* Network
        const { disk, log } = yield* fillable
        yield* network.serve(log)
        const ada = yield* Room.join("ada")
        disk.full = true
        const joining = yield* Effect.fork(Effect.either(Effect.scoped(Room.join("eve"))))
        yield* settle
        // It says Leave, and need not wait until there is room for that.
        yield* Fiber.interrupt(joining)
        yield* settle
        disk.full = false
        yield* TestClock.adjust("1 second")
        yield* ada.say("one")
        expect(yield* shorts(ada, 2)).toEqual(["ada Joined", "ada: one"])
      })
    )
  )

  it.scoped("tells the operator once, and once that it takes events again", () => {
    const lines: Array<string> = []
    const logger = Logger.make<unknown, void>(({ logLevel, message }) => {
      if (logLevel._tag !== "Debug") lines.push(`${logLevel.label} ${String(message)}`)
    })
    return provided(
      Effect.gen(function* () {
        const network = yield* Network
        const { disk, log } = yield* fillable
        yield* network.serve(log)
        const ada = yield* Room.join("ada")
        disk.full = true
        const saying = yield* Effect.fork(ada.say("one"))
        yield* settle
        for (let i = 0; i < 5; i++) yield* Effect.zipRight(TestClock.adjust("1 second"), settle)
        disk.full = false
        yield* TestClock.adjust("1 second")
        yield* Fiber.join(saying)
        expect(lines).toEqual([
          "ERROR nothing said is acknowledged, trying again: there is no room for more",
          "INFO the log takes events again"
        ])
      })
    ).pipe(Effect.provide(Logger.add(logger)))
  })
})
