import { describe, expect, it } from "@effect/vitest"
import * as Arr from "effect/Array"
import * as Either from "effect/Either"
import * as HashMap from "effect/HashMap"
import * as Option from "effect/Option"
import type * as Entry from "../src/client/Entry.js"
import * as Replica from "../src/client/Replica.js"
import * as Seen from "../src/client/Seen.js"
import type { Fault } from "../src/domain/Fault.js"
import * as Protocol from "../src/domain/Protocol.js"
import * as Roster from "../src/domain/Roster.js"
import { ruleOf } from "./utils/Faults.js"
import * as Messages from "./utils/Messages.js"

/** Something the server says: a message, or a frame for all. */
type Said = Protocol.ServerMessage | Protocol.GroupFrame

/** The state after what the server says, its events applied as a client does. */
const hear = (state: Replica.State, said: ReadonlyArray<Said>): Either.Either<Replica.State, Fault> =>
  Either.gen(function* () {
    let next = state
    for (const item of said) {
      next = yield* "_tag" in item ? Replica.message(next, item) : Replica.group(next, item)
      const events = "_tag" in item ? (item._tag === "Events" ? item.events : []) : item.events
      for (const event of events) next = yield* Replica.event(next, event)
    }
    return next
  })

const joining = Replica.joining(Option.none())

const present = (...said: ReadonlyArray<Said>): Replica.Present => {
  const state = Either.getOrThrow(hear(joining, said))
  return state._tag === "Present" ? state : expect.unreachable("Welcome has come")
}

const message = Messages.serverMessage
const log = Messages.base64Url(16)

const welcome = (
  fields?: Partial<Pick<typeof Protocol.Welcome.Encoded, "after" | "head" | "member" | "nick" | "count">>
) => message({ _tag: "Welcome", log, head: 5, after: 3, member: 4, nick: "ada", acked: 0, count: 2, ...fields })
const ada = { member: 4, nick: "ada" }
const bob = { member: 1, nick: "bob" }
const members = (...members: Arr.NonEmptyReadonlyArray<typeof Protocol.Member.Encoded>) =>
  message({ _tag: "Members", members })
const key = Messages.base64Url(32, 1)
const rekey = (epoch: number, text = key) => message({ _tag: "Rekey", epoch, key: text })
const rejected = message({ _tag: "Rejected", reason: "nick-taken", detail: "somebody has it" })
const bye = message({ _tag: "Bye", reason: "quit" })
const ping = (last: number) => message({ _tag: "Ping", at: 1, last })
const pong = (last: number) => message({ _tag: "Pong", at: 1, last })

const chat = (seq: number, n = 1, member = 1) =>
  ({ _tag: "Chat", seq, at: 0, member, nick: "bob", n, sealed: "AAAA" }) as const
const joined = (seq: number, member: number, nick: string) => ({ _tag: "Joined", seq, at: 0, member, nick }) as const
const left = (seq: number, member: number, nick: string) =>
  ({ _tag: "Left", seq, at: 0, member, nick, reason: "quit" }) as const
const renamed = (seq: number, member: number, was: string, nick: string) =>
  ({ _tag: "Renamed", seq, at: 0, member, nick, was }) as const
type EventJson = typeof Protocol.Event.Encoded
const events = (...events: Arr.NonEmptyReadonlyArray<EventJson>) => message({ _tag: "Events", events })
const broadcast = (epoch: number, ...events: Arr.NonEmptyReadonlyArray<EventJson>) =>
  Messages.groupFrame({ epoch, events })

/** From Welcome to the roster; then up to the head; then to the frames for all. */
const seated = [welcome(), members(bob, ada)]
const caughtUp = [...seated, events(joined(4, 4, "ada"), chat(5))]
const live = [...caughtUp, rekey(1)]

const broken: ReadonlyArray<readonly [string, ReadonlyArray<Said>, Fault["rule"]]> = [
  ["Members before Welcome", [members(ada)], "order"],
  ["Events before Welcome", [events(chat(1))], "order"],
  ["a Rekey before Welcome", [rekey(1)], "order"],
  ["a broadcast before Welcome", [broadcast(1, chat(1))], "epoch"],
  ["a second Welcome", [...seated, welcome()], "order"],
  ["a Welcome after a Rejected", [rejected, welcome()], "order"],
  ["a Welcome that starts beyond the head", [welcome({ after: 6 })], "log"],
  ["a Welcome for a member from beyond the head", [welcome({ member: 6 })], "log"],
  ["a Welcome under a nick of 129 bytes", [welcome({ nick: "a".repeat(129) })], "shape"],
  ["more Members than were counted", [welcome(), members(bob, ada, { member: 2, nick: "eve" })], "shape"],
  ["a member twice in one list", [welcome(), members(bob, bob)], "shape"],
  ["a member twice in two lists", [welcome(), members(bob), members(bob)], "shape"],
  ["Members after the last of them", [...seated, members(ada)], "order"],
  ["Events before the roster", [welcome(), events(chat(4))], "order"],
  ["Events before the whole roster", [welcome(), members(bob), events(chat(4))], "order"],
  ["a Rekey before the whole roster", [welcome(), members(bob), rekey(1)], "order"],
  ["events that start too early", [...seated, events(chat(3))], "sequence"],
  ["events that start too late", [...seated, events(chat(5))], "sequence"],
  ["a gap in one list of events", [...seated, events(chat(4), chat(6))], "sequence"],
  ["a repeat in one list of events", [...seated, events(chat(4), chat(4))], "sequence"],
  ["a gap between two lists of events", [...caughtUp, events(chat(7))], "sequence"],
  ["a repeat between two lists of events", [...caughtUp, events(chat(5))], "sequence"],
  ["a gap from Events to a broadcast", [...live, broadcast(1, chat(7))], "sequence"],
  ["a repeated broadcast", [...live, broadcast(1, chat(6)), broadcast(1, chat(6))], "sequence"],
  ["a lost broadcast", [...live, broadcast(1, chat(6)), broadcast(1, chat(8))], "sequence"],
  ["a group key that goes back", [...live, rekey(3), rekey(2)], "epoch"],
  ["a group key that changes within its epoch", [...live, rekey(1, Messages.base64Url(32, 2))], "epoch"],
  ["a broadcast before any Rekey", [...caughtUp, broadcast(1, chat(6))], "epoch"],
  ["a broadcast of an older epoch", [...live, rekey(2), broadcast(1, chat(6))], "epoch"],
  ["a broadcast of an epoch to come", [...live, broadcast(2, chat(6))], "epoch"],
  ["a Rejected that nobody asked for", [...live, rejected], "order"],
  ["a second Rejected for one Nick", [rejected, rejected], "order"],
  ["a Rejected between Welcome and the roster", [welcome(), rejected], "order"],
  ["a Ping that has written before Welcome", [ping(1)], "robbed"],
  ["a Ping that has not written up to Welcome's position", [...seated, ping(0)], "robbed"],
  ["a Ping that has written the head before its events", [...seated, ping(5)], "robbed"],
  ["a Ping that has written less than came", [...caughtUp, ping(4)], "robbed"],
  ["a Pong that has written more than came", [...live, pong(6)], "robbed"],
  ["a Pong that has written less than came", [...live, broadcast(1, chat(6)), pong(5)], "robbed"],
  ["History that nobody asked for", [...live, message({ _tag: "History", events: [chat(1)], oldest: 1 })], "order"],
  ["a rename to a nick of 129 bytes", [...live, broadcast(1, renamed(6, 4, "ada", "a".repeat(129)))], "shape"],
  ["a Ping after Bye", [...live, bye, ping(5)], "order"],
  ["another Bye after Bye", [...live, bye, bye], "order"],
  ["Events after Bye", [...live, bye, events(chat(6))], "order"],
  ["a broadcast after Bye", [...live, bye, broadcast(1, chat(6))], "order"],
  ["a Welcome after a Bye", [bye, welcome()], "order"]
]

const allowed: ReadonlyArray<readonly [string, ReadonlyArray<Said>]> = [
  ["Ping and Pong before Welcome, with nothing written", [ping(0), pong(0), ...live]],
  [
    "Ping and Pong that tell Welcome's position until an event has come",
    [welcome(), ping(3), members(bob, ada), pong(3)]
  ],
  ["Ping and Pong that tell the newest event", [...live, ping(5), broadcast(1, chat(6)), ping(6), pong(6)]],
  ["a roster in pages", [welcome(), members(ada), members(bob), events(chat(4))]],
  ["the same group key told again", [...live, rekey(1), broadcast(1, chat(6))]],
  ["epochs that skip", [...live, rekey(9), broadcast(9, chat(6))]],
  ["a first epoch of 0", [...caughtUp, rekey(0), broadcast(0, chat(6))]],
  [
    "going back to Events after broadcasts",
    [...live, broadcast(1, chat(6)), events(chat(7)), rekey(2), broadcast(2, chat(8))]
  ],
  ["a Welcome that starts at the head", [welcome({ after: 5 }), members(bob, ada), rekey(1), broadcast(1, chat(6))]],
  ["a Rejected for the first Nick", [rejected]],
  ["a Bye before Welcome", [bye]],
  ["a Bye before the whole roster", [welcome(), members(bob), bye]]
]

describe("Replica", () => {
  it.each(broken)("%s is a fault", (_, said, rule) => {
    expect(ruleOf(hear(joining, Arr.dropRight(said, 1)))).toBe("none")
    expect(ruleOf(hear(joining, said))).toBe(rule)
  })

  it.each(allowed)("%s is no fault", (_, said) => {
    expect(ruleOf(hear(joining, said))).toBe("none")
  })

  it("goes from Welcome to live", () => {
    const state = present(...live, broadcast(1, chat(6, 2), chat(7, 1, 4)))
    expect(state).toMatchObject({
      log,
      member: 4,
      nick: "ada",
      head: 5,
      last: 7,
      missing: 0,
      asking: false,
      ended: false
    })
    expect(Option.map(state.group, ({ epoch }) => epoch)).toEqual(Option.some(1))
    expect(HashMap.toEntries(state.said).sort(([a], [b]) => a - b)).toEqual([
      [1, 2],
      [4, 1]
    ])
    expect(present(...live, bye).ended).toBe(true)
  })

  it("whoever comes and goes once live, the roster it was told stays complete", () => {
    for (const change of [joined(6, 6, "eve"), left(6, 1, "bob")]) {
      const busy = [...live, broadcast(1, change)]
      expect(present(...busy, rekey(2), events(chat(7, 2))).last).toBe(7)
      expect(Either.isRight(hear(Replica.ask(present(...busy)), [rejected]))).toBe(true)
      expect(ruleOf(hear(joining, [...busy, members({ member: 9, nick: "mallory" })]))).toBe("order")
    }
  })

  it("a roster without oneself contradicts itself", () => {
    expect(ruleOf(hear(joining, [welcome(), members(bob, { member: 2, nick: "eve" })]))).toBe("shape")
  })

  it("its Nick is answered by the whole roster, and not before", () => {
    expect(joining.asking).toBe(true)
    expect(present(welcome()).asking).toBe(true)
    expect(present(welcome(), members(bob)).asking).toBe(true)
    expect(present(welcome(), members(bob), members(ada)).asking).toBe(false)
  })

  it("after a Rejected another Nick may be sent, and answered", () => {
    const refused = Either.getOrThrow(hear(joining, [rejected]))
    expect(refused.asking).toBe(false)
    expect(ruleOf(hear(Replica.ask(refused), live))).toBe("none")
    expect(ruleOf(hear(Replica.ask(refused), [rejected]))).toBe("none")
  })

  it("a rename is answered by Renamed or Rejected, and both leave the rest as it was", () => {
    const asking = Replica.ask(present(...live))
    expect(asking.asking).toBe(true)
    const refused = Either.getOrThrow(hear(asking, [rejected]))
    expect(refused).toEqual(present(...live))
    const done = Either.getOrThrow(hear(asking, [broadcast(1, renamed(6, 4, "ada", "zoë"))]))
    expect(done).toMatchObject({ nick: "zoë", asking: false, last: 6 })
    const same = Either.getOrThrow(hear(asking, [broadcast(1, renamed(6, 4, "ada", "ada"))]))
    expect(same).toMatchObject({ nick: "ada", asking: false })
  })

  it("another member's rename answers nothing", () => {
    const asking = Replica.ask(present(...live))
    const state = Either.getOrThrow(hear(asking, [broadcast(1, renamed(6, 1, "bob", "eve"))]))
    expect(state).toMatchObject({ nick: "ada", asking: true })
  })

  it("events up to the head change neither roster nor nick, later ones do", () => {
    const past = [
      welcome({ after: 1, head: 5 }),
      members(bob, ada),
      events(joined(2, 2, "eve"), left(3, 1, "bob"), renamed(4, 4, "old", "older"), renamed(5, 1, "bob", "bobby"))
    ]
    const names = (state: Replica.Present) => Roster.members(state.roster).map(({ nick }) => nick)
    expect(present(...past)).toMatchObject({ nick: "ada", last: 5 })
    expect(names(present(...past))).toEqual(["bob", "ada"])
    const then = present(...past, events(left(6, 1, "bob"), joined(7, 7, "eve"), renamed(8, 4, "ada", "zoë")))
    expect(names(then)).toEqual(["zoë", "eve"])
    expect(then.nick).toBe("zoë")
  })

  it("remembers the highest number of each member's texts", () => {
    const state = present(...live, broadcast(1, chat(6, 7), chat(7, 3), chat(8, 9, 4)))
    expect(HashMap.toEntries(state.said).sort(([a], [b]) => a - b)).toEqual([
      [1, 7],
      [4, 9]
    ])
  })
})

describe("a Replica that goes on where it was", () => {
  const seen: Seen.Seen = {
    ...Seen.from(Protocol.LogId.make(log), Protocol.MemberId.make(4), Protocol.Position.make(3)),
    said: HashMap.make([Protocol.MemberId.make(1), Protocol.TextNumber.make(7)])
  }
  const back = (...said: ReadonlyArray<Said>) => hear(Replica.joining(Option.some(seen)), said)

  it("takes the numbers of texts on from there", () => {
    const state = Either.getOrThrow(back(welcome({ after: 3 }), members(bob, ada)))
    expect(state).toMatchObject({ last: 3, member: 4 })
    expect(state._tag === "Present" && HashMap.toEntries(state.said)).toEqual([[1, 7]])
  })

  it("begins anew across a hole, and in another log", () => {
    const other = { ...welcome({ after: 0, member: 1, head: 5 }), log: Protocol.LogId.make(Messages.base64Url(16, 9)) }
    for (const hello of [welcome({ after: 4 }), other]) {
      const state = Either.getOrThrow(back(hello))
      expect(state._tag === "Present" && HashMap.size(state.said)).toBe(0)
    }
    expect(ruleOf(back(other))).toBe("none")
  })

  it.each([
    ["goes back", welcome({ after: 2, head: 2, member: 2 })],
    ["would repeat events", welcome({ after: 2 })],
    ["takes it for another member", welcome({ after: 3, member: 3 })]
  ])("a Welcome that %s is a fault", (_, hello) => {
    expect(ruleOf(back(hello))).toBe("log")
  })
})

describe("a Replica that waits for history", () => {
  const history = (oldest: number, ...events: ReadonlyArray<EventJson>) => message({ _tag: "History", events, oldest })
  const asked = Replica.fetch(present(...live), {
    _tag: "Fetch",
    before: Protocol.Seq.make(5),
    limit: 3
  })

  it.each<readonly [string, ReadonlyArray<Said>]>([
    ["in one part", [history(1, chat(2), chat(3), chat(4))]],
    [
      "in several, with others between them",
      [history(1, chat(2)), broadcast(1, chat(6)), history(1, chat(3), chat(4))]
    ],
    ["with fewer than it asked for", [history(4, chat(4))]],
    ["with nothing, where there is nothing", [history(5)]]
  ])("is answered %s", (_, said) => {
    const whole = Either.getOrThrow(hear(asked, said))
    expect(whole).toMatchObject({ fetch: undefined })
    const before = Either.getOrThrow(
      hear(
        present(...live),
        said.filter((item) => !("_tag" in item))
      )
    )
    expect(whole).toEqual(before)
    expect(ruleOf(hear(whole, [history(5)]))).toBe("order")
  })

  it.each<readonly [string, ReadonlyArray<Said>]>([
    ["older events than it asked for", [history(1, chat(1))]],
    ["newer ones", [history(1, chat(3), chat(4), chat(5))]],
    ["a gap in a part", [history(1, chat(2), chat(4))]],
    ["a gap between parts", [history(1, chat(2)), history(1, chat(4))]],
    ["a repeat", [history(1, chat(2)), history(1, chat(2))]],
    ["no more in the middle", [history(1, chat(2)), history(1)]],
    ["nothing where there is something", [history(4)]]
  ])("takes %s for a fault", (_, said) => {
    expect(ruleOf(hear(asked, said))).toBe("sequence")
  })

  it("waits for none on a new connection", () => {
    expect(ruleOf(hear(joining, [history(5)]))).toBe("order")
    expect(ruleOf(hear(joining, [...live, history(5)]))).toBe("order")
  })
})

describe("what has been seen", () => {
  const place = Seen.from(Protocol.LogId.make(log), Protocol.MemberId.make(4), Protocol.Position.make(3))
  const position = (at: number) => Protocol.Position.make(at)
  const text = (seq: number, n: number): Entry.Entry => ({
    _tag: "Unreadable",
    seq: Protocol.Seq.make(seq),
    at: 0,
    member: Protocol.MemberId.make(1),
    n: Protocol.TextNumber.make(n),
    nick: "bob",
    reason: "key"
  })

  it("is as far as the newest entry, with the highest number of each member", () => {
    const seen = Seen.advance(place, [text(4, 2), text(5, 3), text(6, 1)])
    expect(seen.last).toBe(6)
    expect(HashMap.toEntries(seen.said)).toEqual([[1, 3]])
  })

  it("is nothing more when one is only told to be back", () => {
    const back = { _tag: "Back", after: position(3), head: Protocol.Seq.make(9) } as const
    expect(Seen.advance(place, [back])).toEqual(place)
  })

  it("is forgotten across a hole and in a new log", () => {
    const seen = Seen.advance(place, [text(4, 2)])
    const missing = Seen.advance(seen, [{ _tag: "Missing", after: position(4), to: position(9) }])
    expect(missing).toEqual(Seen.from(place.log, place.member, position(9)))
    const other = Protocol.LogId.make(Messages.base64Url(16, 9))
    const fresh = { log: other, member: Protocol.MemberId.make(2), after: position(0) }
    expect(Seen.advance(seen, [{ _tag: "NewLog", ...fresh }])).toEqual(Seen.from(other, fresh.member, fresh.after))
  })
})
