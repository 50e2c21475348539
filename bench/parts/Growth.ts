/** What a delivery costs when there are many to tell. */
import type { Part } from "./Part.js"
import * as Rounds from "./Rounds.js"

const scenario: Rounds.Scenario = {
  name: "growth",
  title: "full load, as above, on a large room",
  load: { speakers: 4, framing: "packed", pace: { _tag: "Window", texts: 64 }, seconds: 1 },
  rounds: 3,
  members: [5000],
  contenders: [Rounds.ours, Rounds.bareAlike]
}

export const part: Part = {
  scenarios: [scenario.name],
  run: ({ installed }) => Rounds.run([scenario], installed)
}
