import { Buffer } from "node:buffer"
import { describe, expect, it } from "@effect/vitest"
import * as Arr from "effect/Array"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Scope from "effect/Scope"
import * as TestClock from "effect/TestClock"
import * as Admin from "../src/domain/Admin.js"
import * as Protocol from "../src/domain/Protocol.js"
import * as Seal from "../src/domain/Seal.js"
import * as Transport from "../src/domain/Transport.js"
import * as TransportMemory from "../src/domain/TransportMemory.js"
import * as Operator from "../src/server/Operator.js"
import * as RawClient from "./utils/RawClient.js"
import * as Room from "./utils/Room.js"

interface Line {
  readonly transport: Transport.Transport
  /** Writes a line as it is. */
  readonly write: (line: string) => void
  /** The next answer; none where the server has ended. */
  readonly answer: Effect.Effect<Admin.Answer | undefined, unknown>
  readonly ask: (request: Admin.Request) => Effect.Effect<Admin.Answer | undefined, unknown>
}

/** Runs a test beside a server whose operator has a line of its own; `call` is one more connection of it. */
const withOperator = <A, E>(
  test: (
    call: Effect.Effect<Line, unknown, Scope.Scope>,
    /** Ends when the operator has asked for the end. */
    ended: Effect.Effect<void>
  ) => Effect.Effect<A, E, Room.Services | Scope.Scope>
) =>
  Effect.gen(function* () {
    const memory = yield* Layer.build(TransportMemory.layer)
    const process = Effect.succeed<Admin.Process>({ version: "1.2.3", node: "20", memory: 5 })
    const operator = yield* Effect.forkScoped(
      Effect.provideService(Operator.run({ process }), Transport.Listener, Context.get(memory, Transport.Listener))
    )
    const call = Effect.map(Context.get(memory, Transport.Dialer).dial, (transport): Line => {
      transport.trust()
      const write = (line: string) => void transport.write(Buffer.from(`${line}\n`))
      const answer = Effect.flatMap(transport.next, ([line]) =>
        line === undefined ? Effect.succeed(undefined) : Admin.decodeAnswer(line)
      )
      return {
        transport,
        write,
        answer,
        ask: (request) => {
          transport.write(Admin.encodeRequest(request))
          return answer
        }
      }
    })
    return yield* test(call, Fiber.join(operator))
  }).pipe(Room.within())

const kick = (who: string): Admin.Request => ({ _tag: "Kick", who })

describe("an operator's connection", () => {
  it.scoped("has what is asked done, one request after the other", () =>
    withOperator((call) =>
      Effect.gen(function* () {
        const ada = yield* Room.join("ada")
        yield* Room.join("bob")
        yield* Room.join("cleo")
        const { ask } = yield* call
        expect(yield* ask(kick("BOB"))).toEqual({ _tag: "Kicked", member: 2, nick: "bob" })
        expect(yield* ask({ _tag: "Ban", who: "cleo", ticketOnly: true })).toEqual({
          _tag: "Banned",
          member: 3,
          nick: "cleo",
          others: { members: [], more: 0 }
        })
        expect(yield* ask({ _tag: "Ban", who: "bob", ticketOnly: false })).toMatchObject({ _tag: "Banned", member: 2 })
        expect(yield* ask({ _tag: "ListBans", after: Protocol.start })).toEqual({
          _tag: "BanList",
          bans: [
            { member: 2, nick: "bob", at: 0 },
            { member: 3, nick: "cleo", at: 0 }
          ],
          more: false
        })
        expect(yield* ask({ _tag: "ListBans", after: Protocol.Position.make(2) })).toMatchObject({
          bans: [{ member: 3 }]
        })
        expect(yield* ask({ _tag: "Unban", who: "cleo" })).toMatchObject({ _tag: "Unbanned", member: 3 })
        expect(yield* Room.entries(ada, 5, Room.short)).toEqual([
          "ada Joined",
          "bob Joined",
          "cleo Joined",
          "bob left (kicked)",
          "cleo left (kicked)"
        ])
      })
    )
  )

  it.scoped("says something to all, who have it in its place in the log, and those who come later too", () =>
    withOperator((call) =>
      Effect.gen(function* () {
        const ada = yield* Room.join("ada")
        const { ask } = yield* call
        yield* Room.say(ada, "before")
        const said = { _tag: "Notice", seq: 3, at: 0, text: "back at\nnoon" }
        expect(yield* ask({ _tag: "Say", text: Seal.Text.make("back at\nnoon") })).toEqual(said)
        yield* Room.say(ada, "after")
        const bob = yield* Room.join("bob")
        const all = ["ada Joined", "ada: before", "notice: back at\nnoon", "ada: after", "bob Joined"]
        expect(yield* Room.entries(ada, 5, Room.short)).toEqual(all)
        expect(yield* Room.entries(bob, 5, Room.short)).toEqual(all)
      })
    )
  )

  it.scoped("is told who is here, and how the server is", () =>
    withOperator((call) =>
      Effect.gen(function* () {
        const ada = yield* Room.join("ada")
        const { ask } = yield* call
        const names = Effect.suspend(() => ask({ _tag: "ListNames", after: Protocol.start }))
        const live = (count: number) =>
          Room.eventually(
            Effect.suspend(() => ask({ _tag: "AskStats" })),
            (stats) => stats?._tag === "Stats" && stats.live === count
          )
        const before = yield* live(1)
        yield* Room.say(ada, "hello")
        yield* TestClock.adjust("5 seconds")
        const away = yield* Scope.make()
        yield* Scope.extend(RawClient.joined("bob"), away)
        yield* live(2)
        expect(yield* names).toEqual({
          _tag: "NameList",
          names: [
            { member: 1, nick: "ada", connection: "live", since: 0, from: expect.any(String) },
            { member: 3, nick: "bob", connection: "live", since: 5_000, from: expect.any(String) }
          ],
          more: false
        })
        yield* Scope.close(away, Exit.void)
        const after = yield* live(1)
        expect(yield* names).toMatchObject({
          names: [{ nick: "ada" }, { nick: "bob", connection: "away", since: 5_000 }]
        })
        expect(after).toMatchObject({
          since: 0,
          uptime: 5,
          members: 2,
          live: 1,
          catchingUp: 0,
          halfOpen: 0,
          head: 3,
          oldest: 1,
          taking: true,
          epoch: 1,
          process: { version: "1.2.3", node: "20", memory: 5 }
        })
        if (before?._tag !== "Stats" || after?._tag !== "Stats") return expect.unreachable()
        // The process may have had other servers.
        expect([after.texts - before.texts, after.deliveries - before.deliveries]).toEqual([1, 2])
        expect(Object.keys(after.refusals)).toContain("wrong-key")
      })
    )
  )

  it.scoped("that asks for the end has its answer before it comes", () =>
    withOperator((call, ended) =>
      Effect.gen(function* () {
        const { answer, ask, transport } = yield* call
        expect(yield* ask({ _tag: "Stop" })).toEqual({ _tag: "Stopping" })
        expect(yield* answer).toBeUndefined()
        yield* transport.end
        yield* ended
      })
    )
  )

  it.scoped("that asks for the end and then stands still holds it up for a second at most", () =>
    withOperator((call, ended) =>
      Effect.gen(function* () {
        const { ask } = yield* call
        expect(yield* ask({ _tag: "Stop" })).toEqual({ _tag: "Stopping" })
        const waiting = yield* Effect.fork(ended)
        yield* Room.settle
        expect(yield* Fiber.poll(waiting)).toEqual(Option.none())
        yield* TestClock.adjust("1 second")
        yield* Fiber.join(waiting)
      })
    )
  )

  it.scoped("is told why something was not done, and goes on", () =>
    withOperator((call) =>
      Effect.gen(function* () {
        yield* Room.join("ada")
        const { answer, ask, write } = yield* call
        expect(yield* ask(kick("eve"))).toEqual({
          _tag: "Failed",
          reason: "unknown",
          message: 'nobody here is called "eve"; here are: ada'
        })
        for (const line of ["hello", '{"version":1,"request":{"_tag":"Promote"}}', '{"version":7}']) {
          write(line)
          expect(yield* answer).toMatchObject({ _tag: "Failed", reason: "request" })
        }
        expect(yield* ask(kick("ada"))).toMatchObject({ _tag: "Kicked" })
      })
    )
  )

  it.scoped("answers what was asked all at once, in its order", () =>
    withOperator((call) =>
      Effect.gen(function* () {
        const nicks = Arr.makeBy(20, (i) => `member-${i}`)
        yield* Effect.forEach(nicks, (nick) => Room.join(nick))
        const { answer, transport } = yield* call
        for (const nick of nicks) transport.write(Admin.encodeRequest(kick(nick)))
        const answers = yield* Effect.replicateEffect(answer, nicks.length)
        expect(answers).toMatchObject(nicks.map((nick) => ({ _tag: "Kicked", nick })))
      })
    )
  )

  it.scoped("that breaks off or is no such thing costs nobody else theirs", () =>
    withOperator((call) =>
      Effect.gen(function* () {
        const broken = yield* call
        broken.write("x".repeat(70_000))
        expect(yield* broken.answer).toBeUndefined()
        const partial = yield* call
        partial.transport.write(Buffer.from("{"))
        yield* partial.transport.end
        yield* Effect.scoped(Effect.map(call, ({ transport }) => transport.write(Admin.encodeRequest(kick("eve")))))
        const { ask } = yield* call
        expect(yield* ask(kick("eve"))).toMatchObject({ _tag: "Failed", reason: "unknown" })
      })
    )
  )

  it.scoped("that says nothing makes way after a while for those who wait", () =>
    withOperator((call) =>
      Effect.gen(function* () {
        const silent = yield* Effect.replicateEffect(call, 8)
        yield* Room.settle
        const { ask } = yield* call
        const asking = yield* Effect.fork(ask(kick("eve")))
        yield* Room.settle
        expect(yield* Fiber.poll(asking)).toEqual(Option.none())
        yield* TestClock.adjust("30 seconds")
        expect(yield* Effect.forEach(silent, ({ answer }) => answer)).toEqual(Arr.replicate(undefined, 8))
        // Each has now ended its side as well.
        yield* Effect.forEach(silent, ({ transport }) => transport.end, { concurrency: "unbounded" })
        expect(yield* Fiber.join(asking)).toMatchObject({ _tag: "Failed" })
      })
    )
  )
})
