import { describe, expect, it } from "@effect/vitest"
import * as Either from "effect/Either"
import * as Notice from "../src/server/Notice.js"
import { act, empty, enter, run, say } from "./utils/Decisions.js"

const notice = (text: string) => act(Notice.say(Either.getOrThrow(Notice.check(text))))

describe("a notice", () => {
  it("has the next place in the log, and changes nobody", () => {
    const before = run(empty, enter(1, "ada")).state
    const { events, members, outcomes, replies, state } = run(before, notice("back at noon"), say(1, 1))
    const said = { _tag: "Notice", seq: 2, at: 1000, text: "back at noon" }
    expect(events).toMatchObject([said, { _tag: "Chat", seq: 3 }])
    expect(outcomes).toEqual([said])
    expect({ members, replies }).toEqual({ members: [], replies: [] })
    expect(state.roster).toEqual(before.roster)
  })

  it("is one where nobody is here", () => {
    expect(run(empty, notice("hello?")).events).toMatchObject([{ _tag: "Notice", seq: 1 }])
  })

  it.each(["", "x".repeat(4_001), "half \ud800"])("is none of a text that nobody could say", (text) => {
    expect(Either.flip(Notice.check(text))).toMatchObject({ right: { _tag: "OperatorError", reason: "text" } })
  })

  it("may be as long as a member's text, in characters", () => {
    expect(Either.isRight(Notice.check("𝟘".repeat(4_000)))).toBe(true)
  })
})
