import { describe, expect, it } from "@effect/vitest"
import * as Arr from "effect/Array"
import * as HashMap from "effect/HashMap"
import * as Protocol from "../src/domain/Protocol.js"
import * as Moderation from "../src/server/Moderation.js"
import * as RoomState from "../src/server/RoomState.js"
import {
  act,
  type Command,
  empty,
  enter,
  type Link,
  leave,
  lost,
  overdue,
  rename,
  run,
  type State,
  say
} from "./utils/Decisions.js"
import { membership } from "./utils/LogSuite.js"

const kick = (who: string) => act(Moderation.kick(who))
const ban = (who: string, ticketOnly = false) => act(Moderation.ban(who, ticketOnly))
const unban = (who: string) => act(Moderation.unban(who))

/** Ada and Bob from one network, Cleo from another. */
const office = { network: "192.0.2.1" }
const three = run(
  empty,
  enter(1, "ada", "ada", office),
  enter(2, "bob", "bob", office),
  enter(3, "cleo", "cleo", { network: "192.0.2.3" })
).state

/** The same room after the server was started again: from what the log keeps. */
const restarted = (state: State): State =>
  RoomState.make<Link>(state.head, Array.from(HashMap.values(state.members)), 2000)

const banned = { _tag: "Banned", others: { members: [], more: 0 } }

describe("a kick", () => {
  it("ends a session behind what it had said: that stays, and what comes after it is dropped", () => {
    const { events, outcomes, short, state, told } = run(three, say(1, 1, 2), kick("ada"), say(1, 3), rename(1, "eve"))
    expect(short).toEqual(["4 ada Chat", "5 ada Chat", "6 ada Left"])
    expect(events.at(-1)).toMatchObject({ _tag: "Left", reason: "kicked", member: 1 })
    expect(told).toEqual(["1 kicked"])
    expect(outcomes).toEqual([{ _tag: "Kicked", member: 1, nick: "ada" }])
    // Its connection ends later, and changes nothing.
    expect(run(state, lost(1)).told).toEqual([])
    // It comes back as the same member, and goes on after what the log has of it.
    const back = run(state, lost(1), enter(4, "ada"), say(4, 2, 3))
    expect(back.short).toEqual(["7 ada Joined", "8 ada Chat"])
    expect(back.told).toEqual(["4 Admitted"])
  })

  it("reaches who is away, whose client is told so when it comes, once", () => {
    const { short, state, told } = run(three, lost(1), kick("ada"), overdue(1))
    expect(short).toEqual(["4 ada Left"])
    expect(told).toEqual(["1 Away"])
    // It has seen the log up to 3, and would be back by itself.
    const first = run(state, enter(4, "ada", "ada", { after: 3 }), say(4, 1))
    expect({ short: first.short, told: first.told, members: first.members }).toEqual({
      short: [],
      told: ["4 kicked"],
      members: [1]
    })
    const second = run(first.state, lost(4), enter(5, "ada", "ada", { after: 3 }))
    expect(second.told).toEqual(["5 Admitted"])
    expect(run(restarted(state), enter(4, "ada", "ada", { after: 3 })).told).toEqual(["4 kicked"])
    expect(run(restarted(first.state), enter(5, "ada", "ada", { after: 3 })).told).toEqual(["5 Admitted"])
  })

  it("is no reason to turn away who has seen it, or begins anew", () => {
    const { state } = run(three, kick("ada"), lost(1))
    expect(run(state, enter(4, "ada", "ada", { after: 4 })).told).toEqual(["4 Admitted"])
    expect(run(state, enter(4, "ada")).told).toEqual(["4 Admitted"])
    // It was in again since then, and away for another reason.
    const again = run(state, enter(4, "ada"), leave(4)).state
    expect(run(again, enter(5, "ada", "ada", { after: 1 })).told).toEqual(["5 Admitted"])
  })

  it("of who is not here says who is, and that it can be banned who has left", () => {
    const { reasons, short, state } = run(three, kick("eve"), leave(2), kick("bob"))
    expect(short).toEqual(["4 bob Left"])
    expect(reasons).toEqual([
      'unknown: nobody here is called "eve"; here are: ada, bob, cleo',
      'absent: "bob" is not here any more, and can only be banned; here are: ada, cleo'
    ])
    expect(run(state, leave(1), leave(3), kick("ada")).reasons).toEqual([
      'absent: "ada" is not here any more, and can only be banned; nobody is here'
    ])
    const crowd = run(empty, ...Arr.makeBy(25, (i) => enter(i, `member-${i}`))).state
    expect(run(crowd, kick("eve")).reasons[0]).toMatch(/ member-0, .* member-19 and 5 more$/)
  })
})

describe("who is meant", () => {
  const kicked = (state: State, who: string) => {
    const { outcomes, reasons } = run(state, kick(who))
    return outcomes[0] ?? reasons[0]
  }

  it.each([
    ["ada", "ada"],
    ["ADA", "ada"],
    ["ａｄａ", "ada"],
    // Cyrillic letters that look the same.
    ["аdа", "ada"],
    ["@1", "ada"],
    ["ZOE\u0308", "zoë"]
  ])("by %s is %s", (who, nick) => {
    const { state } = run(three, enter(4, "zoe", "zoë"))
    expect(kicked(state, who)).toMatchObject({ _tag: "Kicked", nick })
  })

  it("is the one that looks like it who is here, and that one exactly before any other", () => {
    expect(kicked(run(empty, enter(1, "a", "аdа")).state, "ada")).toMatchObject({ nick: "аdа" })
    const twice = run(empty, enter(1, "a", "ada"), leave(1), enter(2, "b", "Ada")).state
    expect(kicked(twice, "ada")).toMatchObject({ member: 3 })
  })

  it("is asked for where it may be two", () => {
    // `I` looks like `l` as it stands, and like `i` in another case.
    const { state } = run(empty, enter(1, "a", "l"), enter(2, "b", "i"))
    expect(kicked(state, "I")).toMatchObject({ nick: "i" })
    const gone = run(three, leave(1), enter(4, "eve", "ada"), leave(4)).state
    expect(run(gone, ban("ada")).reasons).toEqual([
      'ambiguous: "ada" may be ada (@1), ada (@5): name one by its number, as in @1'
    ])
    expect(run(gone, ban("@5")).outcomes).toMatchObject([{ member: 5 }])
    // Who is here looks like it, who has left was called just that.
    const both = run(three, leave(1), enter(4, "eve", "Ada")).state
    expect(run(both, ban("ada")).reasons[0]).toContain("Ada (@5), ada (@1)")
    expect(run(both, ban("Ada")).outcomes).toMatchObject([{ member: 5 }])
    expect(run(both, ban("ADA")).outcomes).toMatchObject([{ member: 5 }])
  })

  it("is nobody by a number that no member has", () => {
    for (const who of ["@9", "@0", `@${"9".repeat(40)}`, "@", "@1x", ""]) {
      expect(run(three, kick(who), ban(who)).reasons.map((reason) => reason.split(":")[0])).toEqual([
        "unknown",
        "unknown"
      ])
    }
  })
})

describe("a ban", () => {
  it("puts out, and bars the ticket under any nick, and the network with any ticket", () => {
    const { events, outcomes, state, told } = run(three, ban("cleo"), say(3, 1))
    expect(events).toMatchObject([{ _tag: "Left", reason: "kicked", member: 3, seq: 4 }])
    expect(told).toEqual(["3 banned"])
    expect(outcomes).toEqual([{ ...banned, member: 3, nick: "cleo", network: "192.0.2.3" }])
    const attempts: ReadonlyArray<Command> = [
      enter(4, "cleo", "eve", { network: "198.51.100.1" }),
      enter(5, "eve", "eve", { network: "192.0.2.3" }),
      // Not even told that its nick is none.
      enter(6, "cleo", "no nick", { network: "192.0.2.3" })
    ]
    for (const from of [state, restarted(state)]) {
      const { events, members, state: after, told } = run(from, lost(3), ...attempts)
      expect(told).toEqual(["4 banned", "5 banned", "6 banned"])
      expect({ events, members }).toEqual({ events: [], members: [] })
      // What it goes on to say is dropped.
      expect(run(after, say(4, 1), enter(4, "dora"), leave(5)).told).toEqual([])
      expect(run(after, enter(7, "dora", "dora", { network: "192.0.2.4" })).told).toEqual(["7 Admitted"])
    }
  })

  it("names who else is here from that network: they stay, and are not let in again", () => {
    const { outcomes, state } = run(three, ban("ada"))
    expect(outcomes).toEqual([
      { _tag: "Banned", member: 1, nick: "ada", ...office, others: { members: [{ member: 2, nick: "bob" }], more: 0 } }
    ])
    const stays = run(state, say(2, 1), rename(2, "bea"))
    expect(stays.short).toEqual(["5 bob Chat", "6 bea Renamed"])
    expect(run(stays.state, lost(2), enter(4, "bob", "bob", office)).told).toEqual(["2 Away", "4 banned"])
    // From elsewhere it is, and its older session is only then taken over.
    expect(run(state, enter(4, "bob", "bob", office), say(2, 1)).short).toEqual(["5 bob Chat"])
    expect(run(state, enter(4, "bob")).told).toEqual(["2 taken-over", "4 Admitted"])
  })

  it("of the ticket alone lets others in from there, and takes the network out again", () => {
    const { outcomes, state } = run(three, ban("ada", true))
    expect(outcomes).toEqual([{ ...banned, member: 1, nick: "ada" }])
    expect(run(state, lost(1), enter(4, "ada", "ada", office)).told).toEqual(["4 banned"])
    expect(run(state, enter(4, "eve", "eve", office)).told).toEqual(["4 Admitted"])
    const less = run(three, ban("ada"), ban("ada", true)).state
    expect(run(less, enter(4, "eve", "eve", office)).told).toEqual(["4 Admitted"])
  })

  it("of who is away or has left: by where it came from last, where that is known", () => {
    const away = run(three, lost(3), ban("cleo"))
    expect(away.short).toEqual(["4 cleo Left"])
    expect(away.outcomes).toEqual([{ ...banned, member: 3, nick: "cleo", network: "192.0.2.3" }])
    const gone = run(three, leave(3), ban("cleo"))
    expect(gone.short).toEqual(["4 cleo Left"])
    expect({ members: gone.members, outcomes: gone.outcomes }).toEqual({
      members: [3],
      outcomes: [{ ...banned, member: 3, nick: "cleo", network: "192.0.2.3" }]
    })
    // Nothing is stored of where members come from: since the start it has not been here.
    expect(run(restarted(three), ban("cleo")).outcomes).toEqual([{ ...banned, member: 3, nick: "cleo" }])
    // Who was barred with its network stays so, said again.
    expect(run(restarted(away.state), ban("cleo")).outcomes).toMatchObject([{ network: "192.0.2.3" }])
  })

  it("is lifted by the nick it was given under, for its network too unless another ban bars that", () => {
    const { state } = run(three, ban("ada"), ban("bob"), lost(1), lost(2))
    expect(Moderation.bans(state)).toEqual([
      { member: 1, nick: "ada", at: 1000, ...office },
      { member: 2, nick: "bob", at: 1000, ...office }
    ])
    const one = run(state, unban("ADA"), unban("ada"))
    expect(one.outcomes).toEqual([
      {
        _tag: "Unbanned",
        member: 1,
        nick: "ada",
        ...office,
        others: { members: [{ member: 2, nick: "bob" }], more: 0 }
      }
    ])
    expect(one.reasons).toEqual(['not-banned: nobody who is banned was called "ada"; banned are: bob'])
    expect(one.members).toEqual([1])
    expect(run(one.state, enter(4, "ada", "ada", office), enter(5, "ada")).told).toEqual(["4 banned", "5 Admitted"])
    const both = run(one.state, unban("@2"), unban("bob"))
    expect(both.reasons).toEqual(["not-banned: nobody is banned"])
    expect(run(both.state, enter(4, "ada", "ada", office)).told).toEqual(["4 Admitted"])
    expect(Moderation.bans(both.state)).toEqual([])
  })

  it("that is lifted is no kick that is still to be told", () => {
    const { state } = run(three, lost(3), ban("cleo"), unban("cleo"))
    expect(run(state, enter(4, "cleo", "cleo", { after: 1 })).told).toEqual(["4 Admitted"])
  })

  it("can be named by what it looks like, and where two were called the same, by number", () => {
    const { state } = run(three, ban("ada", true), enter(4, "eve", "ada"), ban("ada", true))
    expect(run(state, unban("ada")).reasons[0]).toContain("ada (@1), ada (@5)")
    expect(run(state, unban("@5"), unban("аdа")).outcomes).toMatchObject([{ member: 5 }, { member: 1 }])
  })
})

describe("among very many who ever were here", () => {
  /** A thousand who have left before ada came, and how often anybody looks at one of them. */
  const crowd = () => {
    let looks = 0
    const members = Arr.makeBy(
      1000,
      (i) =>
        new Proxy(membership(i + 1, 0, false), {
          get: (target, name) => {
            looks += 1
            return Reflect.get(target, name)
          }
        })
    )
    const state = run(
      RoomState.make<Link>(Protocol.Position.make(1000), members, 0),
      enter(1, "ada"),
      enter(2, "bob")
    ).state
    looks = 0
    return { state, looks: () => looks }
  }

  it("a kick, a ban of who is here, its end and the list of bans look at none of them", () => {
    const { looks, state } = crowd()
    const { outcomes, state: after } = run(state, kick("ada"), ban("bob"))
    expect(outcomes.map(({ _tag }) => _tag)).toEqual(["Kicked", "Banned"])
    expect(Moderation.bans(after).map(({ nick }) => nick)).toEqual(["bob"])
    expect(run(after, unban("bob")).outcomes.map(({ _tag }) => _tag)).toEqual(["Unbanned"])
    expect(looks()).toBe(0)
    // Who has left has to be looked for.
    expect(run(after, ban("member-7")).outcomes.map(({ _tag }) => _tag)).toEqual(["Banned"])
    expect(looks()).toBeGreaterThan(0)
  })
})
