/** What it costs to tell everybody: the same texts through every server. */
import * as Idle from "./Idle.js"
import type { Part } from "./Part.js"
import * as Rounds from "./Rounds.js"

const everyone: ReadonlyArray<Rounds.Contender> = [
  Rounds.ours,
  Rounds.bareAlike,
  Rounds.bare,
  Rounds.oursDurable,
  Rounds.bareTls,
  Rounds.redis,
  Rounds.nats,
  Rounds.ngIrcd,
  Rounds.inspIrcd,
  Rounds.original
]

const scenarios: ReadonlyArray<Rounds.Scenario> = [
  { ...Idle.scenario, members: [1000], contenders: everyone.filter((each) => each !== Rounds.bareAlike) },
  {
    name: "fanout",
    title: "full load: 4 members talk, 64 texts of each in flight, several a frame",
    load: { speakers: 4, framing: "packed", pace: { _tag: "Window", texts: 64 }, seconds: 0.4 },
    rounds: 3,
    members: [10, 100, 1000],
    contenders: everyone
  },
  {
    name: "single",
    title: "one text a frame: 64 members talk, one text of each in flight",
    load: { speakers: 64, framing: "single", pace: { _tag: "Window", texts: 1 }, seconds: 0.4 },
    rounds: 3,
    members: [100, 1000],
    contenders: [Rounds.ours, Rounds.bareAlike, Rounds.bare, Rounds.redis, Rounds.ngIrcd]
  },
  {
    name: "rate",
    title: "50 texts a second: 4 members talk by turns",
    load: { speakers: 4, framing: "single", pace: { _tag: "Rate", texts: 50 }, seconds: 1.2 },
    rounds: 3,
    members: [100, 1000],
    contenders: [Rounds.ours, Rounds.bareAlike, Rounds.bare, Rounds.redis]
  }
]

const quick: ReadonlyArray<Rounds.Contender> = [Rounds.ours, Rounds.bareAlike, Rounds.bare]

export const part: Part = {
  scenarios: scenarios.map(({ name }) => name),
  run: ({ installed, isQuick, wants }) => {
    const wanted = scenarios.filter(({ name }) => wants(name))
    if (!isQuick) return Rounds.run(wanted, installed)
    return Rounds.run(
      wanted.map((scenario) => ({
        ...scenario,
        rounds: 1,
        members: scenario.members.filter((members) => members <= 100),
        contenders: quick
      })),
      installed
    )
  }
}
