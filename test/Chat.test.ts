import { describe, expect, it } from "@effect/vitest"
import * as Arr from "effect/Array"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import type * as Client from "../src/client/Client.js"
import * as Fernet from "../src/domain/Fernet.js"
import * as Keys from "../src/domain/Keys.js"
import * as Log from "../src/server/Log.js"
import * as Server from "../src/server/Server.js"
import * as Room from "./utils/Room.js"

/** Why a client has lost its connection, once it has. */
const shutdown = (client: Client.Shape) =>
  client.status.changes.pipe(
    Stream.filterMap((status) => (status._tag === "Reconnecting" ? Option.some(status.message) : Option.none())),
    Stream.runHead,
    Effect.map(Option.getOrThrow)
  )

const suite = (name: string, transport: (typeof Room.transports)[keyof typeof Room.transports]) =>
  describe(name, () => {
    const layer = Room.layer({ transport })

    it.scopedLive("who is new is told the newest, and can look at all that was before", () =>
      Effect.gen(function* () {
        const ada = yield* Room.join("ada")
        const texts = Arr.range(1, 1300).map((i) => (i % 100 === 0 ? `${i} ${"long ".repeat(700)}` : `${i}`))
        yield* Effect.forEach(texts, (text) => ada.say(text), { concurrency: "unbounded" })
        const eve = yield* Room.join("eve")
        expect(yield* Room.entries(eve, 10, Room.short)).toHaveLength(10)
        const [first] = yield* Room.entries(eve, 1, (entry) => ("seq" in entry ? entry.seq : undefined))
        const before = first ?? expect.unreachable("it has been told something")
        expect(before).toBe(1293)
        const { events, oldest } = yield* eve.history({ before, limit: Number.POSITIVE_INFINITY })
        expect(oldest).toBe(1)
        expect(events.map((entry) => entry.seq)).toEqual(Arr.range(1, 1292))
        expect(events.flatMap((entry) => (entry._tag === "Said" ? [entry.text] : []))).toEqual(texts.slice(0, 1291))
        expect(events.every((entry) => entry._tag !== "Said" || entry.past)).toBe(true)
        const few = yield* eve.history({ before, limit: 3 })
        expect(few.events).toEqual(events.slice(-3))
        expect(yield* eve.pending).toEqual([])
        expect(yield* eve.count).toBe(2)
        // Nothing has moved: what comes is told as before.
        yield* ada.say("next")
        expect((yield* Room.entries(eve, 11, Room.short)).at(-1)).toBe("ada: next")
      }).pipe(Room.within({ transport, limits: { history: 10 } }))
    )

    it.scopedLive("three people see what each says, in one order, and who comes and goes", () =>
      Effect.gen(function* () {
        const ada = yield* Room.join("ada")
        const bob = yield* Room.join("bob")
        const scope = yield* Scope.make()
        const eve = yield* Scope.extend(Room.join("eve"), scope)
        yield* ada.say("one")
        yield* bob.say("two", { me: true })
        yield* eve.say("three")
        expect(yield* bob.rename("Robert")).toBe("Robert")
        yield* bob.say("four")
        yield* Scope.close(scope, Exit.void)
        yield* ada.say("five")
        const seen = [
          "ada Joined",
          "bob Joined",
          "eve Joined",
          "ada: one",
          "bob: two",
          "eve: three",
          "bob is Robert",
          "Robert: four",
          "eve left (quit)",
          "ada: five"
        ]
        expect(yield* Room.entries(ada, 10, Room.short)).toEqual(seen)
        expect(yield* Room.entries(bob, 10, Room.short)).toEqual(seen)
        expect(yield* Room.entries(eve, 9, Room.short)).toEqual(seen.slice(0, 9))
        expect((yield* ada.members).map(({ nick }) => nick)).toEqual(["ada", "Robert"])
        expect(yield* bob.nick).toBe("Robert")
      }).pipe(Room.within({ transport }))
    )

    it.scopedLive("a newcomer is told the last 100 events, and which texts are from before it joined", () =>
      Effect.gen(function* () {
        const ada = yield* Room.join("ada")
        yield* Effect.forEach(Arr.range(1, 150), (i) => ada.say(`text ${i}`), { concurrency: "unbounded" })
        const bob = yield* Room.join("bob")
        yield* ada.say("hello bob")
        const told = yield* Room.entries(bob, 101, (entry) => ({
          short: Room.short(entry),
          past: entry._tag === "Said" && entry.past
        }))
        // Bob's own Joined is the hundredth.
        expect(told.map(({ short }) => short)).toEqual([
          ...Arr.range(52, 150).map((i) => `ada: text ${i}`),
          "bob Joined",
          "ada: hello bob"
        ])
        expect(told.filter(({ past }) => past).length).toBe(99)
      }).pipe(Room.within({ transport }))
    )

    it.scopedLive("a text that cannot be said is refused before it is sent, and the next one goes", () =>
      Effect.gen(function* () {
        const ada = yield* Room.join("ada")
        for (const text of ["", "x".repeat(4001), "\ud800"]) {
          const refused = yield* Effect.either(ada.say(text))
          expect(Either.isLeft(refused) && refused.left.reason).toBe("text")
        }
        expect((yield* Room.say(ada, "😀".repeat(4000))).n).toBe(1)
        expect((yield* Room.say(ada, "\u0000\n".repeat(2000))).n).toBe(2)
      }).pipe(Room.within({ transport }))
    )

    it.scopedLive("a nick that is taken, looks taken or is none is refused, at the door and later", () =>
      Effect.gen(function* () {
        const ada = yield* Room.join("ada")
        const reasons = yield* Effect.forEach(
          ["ADA", "аdа", "a b", "", "😀", "x".repeat(33), "x".repeat(200)],
          (nick) => Effect.map(Effect.flip(Effect.scoped(Room.join(nick))), ({ reason }) => reason)
        )
        expect(reasons).toEqual(["nick-taken", "nick-taken", ...Arr.replicate("nick-invalid", 5)])
        const bob = yield* Room.join("bob")
        expect((yield* Effect.flip(bob.rename("Ada"))).reason).toBe("nick-taken")
        expect((yield* Effect.flip(bob.rename("b b"))).reason).toBe("nick-invalid")
        expect(yield* bob.rename("BOB")).toBe("BOB")
        expect(yield* ada.rename("ada")).toBe("ada")
        expect((yield* Room.say(ada, "still here")).nick).toBe("ada")
        yield* ada.leave
        expect(yield* bob.rename("ada")).toBe("ada")
      }).pipe(Room.within({ transport }))
    )

    it.scopedLive("who has another key does not get in, and nobody notices", () =>
      Effect.gen(function* () {
        const ada = yield* Room.join("ada")
        const other = yield* Room.otherKeys
        const error = yield* Effect.flip(Effect.scoped(Room.join("eve", other)))
        expect(error.reason).toBe("wrong-key")
        yield* ada.say("alone")
        expect(yield* Room.entries(ada, 2, Room.short)).toEqual(["ada Joined", "ada: alone"])
      }).pipe(Room.within({ transport }))
    )

    it.scopedLive("texts said while a nick is asked for are sealed under the one that comes of it", () =>
      Effect.gen(function* () {
        const ada = yield* Room.join("ada")
        yield* Effect.all(
          [
            ada.say("before"),
            ada.rename("bea"),
            ...Arr.range(1, 100).map((i) => ada.say(`text ${i}`)),
            ada.rename("cleo"),
            ada.say("after")
          ],
          { concurrency: "unbounded" }
        )
        const entries = yield* Room.entries(ada, 105, (entry) => entry._tag)
        expect(entries.filter((tag) => tag === "Said").length).toBe(102)
        expect(entries).not.toContain("Unreadable")
        expect(yield* ada.nick).toBe("cleo")
      }).pipe(Room.within({ transport }))
    )

    it.scopedLive("a shutdown tells every member why, within 5 seconds, and what was said before is in", () =>
      Effect.gen(function* () {
        const scope = yield* Scope.make()
        const server = yield* Layer.buildWithScope(layer, scope)
        const [ada, bob] = yield* Effect.all([Room.join("ada"), Room.join("bob")]).pipe(Effect.provide(server))
        yield* ada.say("last words")
        // Whoever is still catching up reads the rest when it comes back.
        yield* Room.entries(bob, 1, Room.said)
        yield* Scope.close(scope, Exit.void).pipe(
          Effect.timeoutFail({ duration: "5 seconds", onTimeout: () => "late" })
        )
        for (const client of [ada, bob]) {
          expect(yield* Room.entries(client, 1, Room.said)).toEqual(["ada: last words"])
          expect(yield* shutdown(client)).toBe("the server was shut down")
        }
      })
    )

    it.scopedLive("when connections end, however they end, nothing of them stays at the server", () =>
      Effect.gen(function* () {
        const server = yield* Server.Server
        const ada = yield* Room.join("ada")
        const scope = yield* Scope.make()
        yield* Effect.forEach(Arr.range(1, 20), (i) => Scope.extend(Room.join(`m${i}`), scope))
        expect(yield* server.members).toBe(21)
        yield* Scope.close(scope, Exit.void)
        yield* Room.entries(ada, 20, (entry) => (entry._tag === "Left" ? entry.nick : undefined))
        expect(yield* server.members).toBe(1)
        yield* Room.connections(1)
      }).pipe(Room.within({ transport }))
    )
  })

suite("in memory", Room.transports.memory)
suite("over TCP", Room.transports.tcp)

it.scopedLive("Server.run serves until it is interrupted, and then says why", () =>
  Effect.gen(function* () {
    const serving = yield* Effect.fork(Server.run({ keys: Room.serverKeys }))
    const ada = yield* Room.join("ada")
    yield* ada.say("hello")
    yield* Fiber.interrupt(serving)
    expect(yield* shutdown(ada)).toBe("the server was shut down")
  }).pipe(Effect.provide([Room.transports.tcp, Log.layerMemory(), Fernet.layer]))
)

it.effect("a room moves to a new key: holders of either are let in, and who has both reads all", () => {
  const fresh = Keys.fromBytes<"room">(new Uint8Array(32).fill(8))
  const [old] = Room.roomKeys
  return Effect.gen(function* () {
    const ada = yield* Room.join("ada", [old])
    const bob = yield* Room.join("bob", [fresh, old])
    yield* ada.say("under the old key")
    yield* bob.say("under the new key")
    const texts = (client: typeof ada) =>
      Room.entries(client, 2, (entry) =>
        entry._tag === "Unreadable" ? `${entry.nick}: ${entry.reason}` : Room.said(entry)
      )
    expect(yield* texts(bob)).toEqual(["ada: under the old key", "bob: under the new key"])
    expect(yield* texts(ada)).toEqual(["ada: under the old key", "bob: key"])
  }).pipe(Room.within({ keys: [Keys.serverKey(fresh), Keys.serverKey(old)] }))
})
