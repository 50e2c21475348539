/** What a member costs who says nothing; and one text that comes to all of them. */
import type { Part } from "./Part.js"
import * as Rounds from "./Rounds.js"

export const scenario: Rounds.Scenario = {
  name: "idle",
  title: "idle: all have joined, and then one says one text",
  load: { speakers: 1, framing: "single", pace: { _tag: "Window", texts: 1 }, seconds: 0 },
  rounds: 1,
  isIdle: true,
  members: [10_000],
  contenders: [Rounds.ours, Rounds.bare, Rounds.bareTls]
}

export const part: Part = {
  scenarios: [scenario.name],
  run: ({ installed }) => Rounds.run([scenario], installed)
}
