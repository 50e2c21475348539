import { describe, expect, it } from "@effect/vitest"
import * as FastCheck from "effect/FastCheck"
import type * as Protocol from "../src/domain/Protocol.js"
import * as Roster from "../src/domain/Roster.js"
import { event, member } from "./utils/Messages.js"

const fold = (events: ReadonlyArray<Protocol.Event>) => Roster.members(events.reduce(Roster.apply, Roster.empty))

const who = (seq: number, member: number, nick: string) => ({ seq, at: 0, member, nick })

const joined = event({ _tag: "Joined", ...who(1, 1, "ada") })
const second = event({ _tag: "Joined", ...who(2, 2, "bob") })
const ada = member({ member: 1, nick: "ada" })
const bob = member({ member: 2, nick: "bob" })

const few = FastCheck.integer({ min: 1, max: 6 })
const nick = FastCheck.constantFrom("ada", "bob", "eve", "zoë")

type Change =
  | { readonly _tag: "Joined" | "Left" | "Renamed" | "Chat"; readonly member: number; readonly nick: string }
  | { readonly _tag: "Notice" }

const changes: FastCheck.Arbitrary<Change> = FastCheck.oneof(
  FastCheck.record({
    _tag: FastCheck.constantFrom("Joined" as const, "Left" as const, "Renamed" as const, "Chat" as const),
    member: few,
    nick
  }),
  FastCheck.record({ _tag: FastCheck.constant("Notice" as const) })
)

/** Applies a change to the model, a plain map, and makes the event that tells of it. */
const happen = (model: Map<number, string>, change: Change, seq: number): Protocol.Event => {
  switch (change._tag) {
    case "Joined":
      model.set(change.member, change.nick)
      return event({ ...change, _tag: "Joined", seq, at: 0 })
    case "Renamed":
      model.set(change.member, change.nick)
      return event({ ...change, _tag: "Renamed", seq, at: 0, was: "before" })
    case "Left":
      model.delete(change.member)
      return event({ ...change, _tag: "Left", seq, at: 0, reason: "timeout" })
    case "Chat":
      return event({ ...change, _tag: "Chat", seq, at: 0, n: 1, sealed: "AAAA" })
    case "Notice":
      return event({ _tag: "Notice", seq, at: 0, text: "hello" })
  }
}

describe("Roster", () => {
  it("holds who has joined and not left, under the newest nick", () => {
    expect(fold([joined, second])).toEqual([ada, bob])
    expect(fold([joined, second, event({ _tag: "Left", ...who(3, 1, "ada"), reason: "quit" })])).toEqual([bob])
    expect(fold([joined, event({ _tag: "Renamed", ...who(3, 1, "eve"), was: "ada" })])).toEqual([
      member({ member: 1, nick: "eve" })
    ])
  })

  it("texts and notices change nobody's place", () => {
    const chat = event({ _tag: "Chat", ...who(2, 1, "another"), n: 1, sealed: "AAAA" })
    expect(fold([joined, chat, event({ _tag: "Notice", seq: 3, at: 0, text: "hello" })])).toEqual([ada])
  })

  it("a list of members is added, and each member is in it once", () => {
    expect(Roster.members(Roster.add(Roster.empty, [bob, ada, bob]))).toEqual([ada, bob])
    const later = member({ member: 2, nick: "zoë" })
    expect(Roster.members(Roster.add(Roster.add(Roster.empty, [ada, bob]), [later]))).toEqual([ada, later])
  })

  it("members come in the order of their ids as numbers", () => {
    const ids = [100, 9, 20, 3, 1_000]
    const roster = Roster.add(
      Roster.empty,
      ids.map((id) => member({ member: id, nick: "ada" }))
    )
    expect(Roster.members(roster).map(({ member }) => member)).toEqual([3, 9, 20, 100, 1_000])
  })

  it("what was a roster before an event still is", () => {
    const before = Roster.apply(Roster.empty, joined)
    Roster.apply(before, second)
    expect(Roster.members(before)).toEqual([ada])
  })

  it.prop(
    "is what a plain map makes of the same events",
    { changes: FastCheck.array(changes, { maxLength: 40 }) },
    ({ changes }) => {
      const model = new Map<number, string>()
      const events = changes.map((change, index) => happen(model, change, index + 1))
      const expected = [...model].sort(([a], [b]) => a - b).map(([member, nick]) => ({ member, nick }))
      expect(fold(events)).toEqual(expected)
    }
  )
})
