import { describe, expect, it } from "@effect/vitest"
import * as Either from "effect/Either"
import * as FastCheck from "effect/FastCheck"
import * as HashMap from "effect/HashMap"
import * as HashSet from "effect/HashSet"
import * as Option from "effect/Option"
import * as Nickname from "../src/domain/Nickname.js"
import * as Protocol from "../src/domain/Protocol.js"
import * as Roster from "../src/domain/Roster.js"
import * as Skeleton from "../src/domain/Skeleton.js"
import * as Membership from "../src/server/Membership.js"
import * as Moderation from "../src/server/Moderation.js"
import * as RoomState from "../src/server/RoomState.js"
import {
  type Act,
  act,
  type Command,
  empty,
  enter,
  type Link,
  leave,
  lost,
  overdue,
  ready,
  rename,
  run,
  type State,
  say,
  ticketOf
} from "./utils/Decisions.js"

describe("a room decides", () => {
  it("that who shows a new ticket is a new member, whose id is its Joined's place", () => {
    const { short, state, told } = run(empty, enter(1, "ada"), enter(2, "bob"))
    expect(short).toEqual(["1 ada Joined", "2 bob Joined"])
    expect(told).toEqual(["1 Admitted", "2 Admitted"])
    expect(Option.map(RoomState.memberOf(state, 2), ({ member }) => member)).toEqual(Option.some(2))
  })

  it("that a nick may be had only where it is judged so, and who has one keeps it until the next connection", () => {
    const judge: Nickname.Judge = (text) =>
      Either.filterOrLeft(
        Nickname.parse(text),
        (nick) => nick !== "root",
        () => "not that one"
      )
    const judged = { ...empty, judge }
    const refused = run(judged, enter(1, "root"), enter(1, "no nick"), enter(1, "root", "ada"), rename(1, "root"))
    expect(refused.short).toEqual(["1 ada Joined"])
    expect(refused.told).toEqual(["1 nick-invalid", "1 nick-invalid", "1 Admitted", "1 nick-invalid"])
    expect(refused.replies).toContainEqual({
      _tag: "Rejected",
      link: 1,
      reason: "nick-invalid",
      detail: "not that one"
    })
    const { members } = run(empty, enter(1, "root")).state
    const kept = RoomState.make<Link>(Protocol.Seq.make(1), Array.from(HashMap.values(members)), 5, judge)
    const back = run(kept, enter(1, "root"), enter(1, "root", "ada"))
    expect(back.told).toEqual(["1 nick-invalid", "1 Admitted"])
    expect(back.short).toEqual(["2 ada Renamed"])
  })

  it("that who is lost is away, keeps its nick, and has left only when it is overdue", () => {
    const away = run(empty, enter(1, "ada"), say(1, 1), lost(1))
    expect(away.told).toEqual(["1 Admitted", "1 Away"])
    expect(run(away.state, enter(2, "bob", "ada")).told).toEqual(["2 nick-taken"])
    expect(run(away.state, overdue(1, 999)).short).toEqual([])
    expect(run(away.state, overdue(1), overdue(1)).short).toEqual(["3 ada Left"])
    expect(run(away.state, overdue(1), enter(2, "bob", "ada")).short).toEqual(["3 ada Left", "4 ada Joined"])
  })

  it("that who comes back in time changes nothing, and nobody is told", () => {
    const back = run(empty, enter(1, "ada"), say(1, 1), lost(1), enter(2, "ada"), overdue(1), say(2, 2))
    expect(back.short).toEqual(["1 ada Joined", "2 ada Chat", "3 ada Chat"])
    expect(back.told).toEqual(["1 Admitted", "1 Away", "2 Admitted"])
  })

  it("that who comes back under another nick is Renamed, and later Joined again, as the same member", () => {
    const renamed = run(empty, enter(1, "ada"), lost(1), enter(2, "ada", "bea"))
    expect(renamed.short).toEqual(["1 ada Joined", "2 bea Renamed"])
    const again = run(renamed.state, say(2, 1), leave(2), lost(2), enter(3, "ada", "cleo"), say(3, 1), say(3, 2))
    expect(again.short).toEqual(["3 bea Chat", "4 bea Left", "5 cleo Joined", "6 cleo Chat"])
    expect(new Set(again.events.map((event) => "member" in event && event.member))).toEqual(new Set([1]))
  })

  it("that a newer session takes over, and what the older one had queued is dropped", () => {
    const { short, state, told } = run(empty, enter(1, "ada"), enter(2, "ada"), say(1, 1), ready(1), say(2, 1), lost(1))
    expect(short).toEqual(["1 ada Joined", "2 ada Chat"])
    expect(told).toEqual(["1 Admitted", "1 taken-over", "2 Admitted"])
    expect(HashMap.size(state.away)).toBe(0)
    expect(run(state, lost(2)).told).toEqual(["1 Away"])
  })

  it("nothing at all for who comes back with a nick that is refused: the older session stays", () => {
    const before = run(empty, enter(1, "ada"), enter(2, "bob")).state
    const refused = run(before, enter(3, "ada", "bob"))
    expect(refused.told).toEqual(["3 nick-taken"])
    expect(run(refused.state, say(1, 1)).short).toEqual(["3 ada Chat"])
    expect(run(refused.state, enter(3, "ada")).told).toEqual(["1 taken-over", "3 Admitted"])
  })

  it("that a text is taken once and in its turn, and one too far ends the session and nothing else", () => {
    const { state } = run(empty, enter(1, "ada"))
    expect(run(state, say(1, 1), say(1, 1), say(1, 2), say(1, 1)).short).toEqual(["2 ada Chat", "3 ada Chat"])
    const fault = run(state, say(1, 2), say(1, 1))
    expect(fault.short).toEqual([])
    expect(fault.told).toEqual(["1 Away", "1 protocol"])
  })

  it("what a log remembers: who was here is away at the start, who had left is known by its ticket", () => {
    const first = run(empty, enter(1, "ada"), enter(2, "bob"), say(1, 1), leave(2)).state
    const again = RoomState.make<Link>(first.head, Array.from(HashMap.values(first.members)), 5)
    expect(HashMap.toEntries(again.away)).toEqual([[1, 5]])
    expect(Roster.members(again.roster)).toEqual([{ member: 1, nick: "ada" }])
    expect(run(again, enter(1, "ada"), say(1, 1), say(1, 2)).short).toEqual(["5 ada Chat"])
    expect(run(again, enter(1, "bob"), overdue(1, 5)).short).toEqual(["5 bob Joined", "6 ada Left"])
    expect(run(again, enter(1, "eve", "ADA")).told).toEqual(["1 nick-taken"])
  })
})

const people = ["ada", "bob", "eve", "Ada"]
const links = [1, 2, 3, 4, 5, 6]
const person = FastCheck.constantFrom(...people)
const link = FastCheck.constantFrom(...links)

const texts = FastCheck.array(FastCheck.integer({ min: 1, max: 4 }), { minLength: 1, maxLength: 3 })
const networks = FastCheck.constantFrom("192.0.2.1", "192.0.2.2", "2001:db8:0:1::/64")
const after = FastCheck.option(FastCheck.integer({ min: 0, max: 30 }), { nil: undefined })
const commands: FastCheck.Arbitrary<Command> = FastCheck.oneof(
  {
    weight: 4,
    arbitrary: FastCheck.tuple(link, person, person, networks, after).map(([of, who, nick, network, place]) =>
      enter(of, who, nick, place === undefined ? { network } : { network, after: place })
    )
  },
  { weight: 1, arbitrary: FastCheck.tuple(link, person).map((args) => rename(...args)) },
  { weight: 6, arbitrary: FastCheck.tuple(link, texts).map(([of, numbers]) => say(of, ...numbers)) },
  { weight: 1, arbitrary: link.map(leave) },
  { weight: 2, arbitrary: link.map(ready) },
  { weight: 3, arbitrary: link.map(lost) },
  { weight: 2, arbitrary: FastCheck.integer({ min: 1, max: 12 }).map((member) => overdue(member)) }
)

const whom = FastCheck.oneof(person, FastCheck.constantFrom("@1", "@2", "nobody", "EVE"))
const acts: FastCheck.Arbitrary<Act> = FastCheck.oneof(
  { weight: 3, arbitrary: whom.map((who) => act(Moderation.kick(who))) },
  { weight: 2, arbitrary: FastCheck.tuple(whom, FastCheck.boolean()).map((args) => act(Moderation.ban(...args))) },
  { weight: 2, arbitrary: whom.map((who) => act(Moderation.unban(who))) }
)

it.prop(
  "texts said in a row are what they are one by one",
  { numbers: FastCheck.array(FastCheck.integer({ min: 1, max: 6 }), { minLength: 1, maxLength: 8 }) },
  ({ numbers }) => {
    const seated = run(empty, enter(1, "ada"), enter(2, "bob"), say(1, 1, 2)).state
    const [row, each] = [run(seated, say(1, ...numbers)), run(seated, ...numbers.map((n) => say(1, n)))]
    expect(row.events).toEqual(each.events)
    expect(row.told).toEqual(each.told)
    expect(row.state).toEqual(each.state)
  }
)

it.prop(
  "whatever comes, the log is in order, and the state is what the log and the sessions make it",
  {
    steps: FastCheck.array(FastCheck.oneof({ weight: 10, arbitrary: commands }, { weight: 1, arbitrary: acts }), {
      maxLength: 60,
      size: "max"
    })
  },
  ({ steps }) => {
    const { events, state } = run(empty, ...steps)
    expect(events.map(({ seq }) => seq)).toEqual(events.map((_, index) => index + 1))
    expect(state.head).toBe(events.length)
    // Derived by folding over the log alone.
    expect(Roster.members(state.roster)).toEqual(Roster.members(events.reduce(Roster.apply, Roster.empty)))
    const here = Array.from(HashMap.values(state.members)).filter((membership) => membership.here)
    expect(here.map(({ member, nick }) => ({ member, nick })).sort((a, b) => a.member - b.member)).toEqual(
      Roster.members(state.roster)
    )
    // Each member's numbers follow without a gap.
    for (const { acked, member, ticket } of HashMap.values(state.members)) {
      const said = events.flatMap((event) => (event._tag === "Chat" && event.member === member ? event.n : []))
      expect(said).toEqual(said.map((_, index) => index + 1))
      expect(acked).toBe(said.length)
      expect(HashMap.get(state.tickets, ticket)).toEqual(Option.some(member))
    }
    // Nobody looks like another who is here.
    const skeletons = here.flatMap(({ nick }) => Skeleton.skeletons(nick))
    expect(HashMap.size(state.names)).toBe(skeletons.length)
    // Who is here has one session or none; without one it is away.
    for (const { member } of HashMap.values(state.members)) {
      const session = HashMap.get(state.links, member)
      const isHere = here.some((membership) => membership.member === member)
      expect(Option.isSome(session) || HashMap.has(state.away, member)).toBe(isHere)
      if (Option.isSome(session)) {
        expect(HashMap.has(state.away, member)).toBe(false)
        expect(Option.flatten(HashMap.get(state.seats, session.value))).toEqual(Option.some(member))
      }
    }
    const seated = Array.from(HashMap.values(state.seats)).flatMap(Option.toArray)
    expect(HashSet.size(HashSet.fromIterable(seated))).toBe(seated.length)
  }
)

it("a ticket's hash says nothing of it, and always the same", () => {
  const ticket = ticketOf("ada")
  expect(Membership.hash(ticket)).toBe(Membership.hash(ticket))
  expect(Membership.hash(ticket)).not.toContain(ticket.slice(0, 8))
})

it.prop(
  "whatever comes, who is barred is not let in, and nothing but that is stored of where members come from",
  {
    steps: FastCheck.array(FastCheck.oneof({ weight: 5, arbitrary: commands }, { weight: 2, arbitrary: acts }), {
      maxLength: 60,
      size: "max"
    })
  },
  ({ steps }) => {
    let state: State = empty
    /** Who is barred, and from where, by a model that does not know how the room does it. */
    const bans = new Map<number, string | undefined>()
    for (const step of steps) {
      const { events, members, outcomes, replies, state: next } = run(state, step)
      for (const event of events) {
        if (event._tag === "Joined" || event._tag === "Renamed") expect(bans.has(event.member)).toBe(false)
      }
      for (const reply of replies) {
        if (reply._tag !== "Admitted" || step._tag !== "Nick") continue
        expect(Array.from(bans.values())).not.toContain(step.network)
        expect(Option.exists(RoomState.memberOf(next, reply.link), ({ member }) => bans.has(member))).toBe(false)
      }
      for (const outcome of outcomes) {
        if (!("member" in outcome && typeof outcome.member === "number")) continue
        const network = "network" in outcome && typeof outcome.network === "string" ? outcome.network : undefined
        if (outcome._tag === "Banned") bans.set(outcome.member, network)
        if (outcome._tag === "Unbanned") bans.delete(outcome.member)
      }
      // What a log has to keep of this step, and no more.
      const kept = RoomState.changed(
        next,
        events,
        members.map((member) => Protocol.MemberId.make(member))
      )
      for (const membership of HashMap.values(next.members)) {
        const isKept =
          kept.includes(membership) ||
          HashMap.get(state.members, membership.member).pipe(Option.exists((before) => before === membership))
        expect(isKept).toBe(true)
        const { banned, ...rest } = membership
        expect(banned?.network).toBe(bans.get(membership.member))
        expect(banned !== undefined).toBe(bans.has(membership.member))
        expect(JSON.stringify(rest)).not.toMatch(/192\.0|2001:/)
        if (banned !== undefined) expect(membership.here).toBe(false)
        if (membership.here) expect(membership.kicked).toBeUndefined()
      }
      for (const member of HashMap.keys(next.networks)) expect(HashMap.has(next.members, member)).toBe(true)
      state = next
    }
    const again = RoomState.make<Link>(state.head, Array.from(HashMap.values(state.members)), 2000)
    expect(Array.from(again.barred).sort()).toEqual(Array.from(state.barred).sort())
    expect(Moderation.bans(again).map(({ member, network }) => [member, network])).toEqual(
      Array.from(bans).sort(([a], [b]) => a - b)
    )
  }
)
