import { describe, expect, it } from "@effect/vitest"
import * as Protocol from "../src/domain/Protocol.js"
import * as Overview from "../src/server/Overview.js"
import * as RoomState from "../src/server/RoomState.js"
import { ticketOf } from "./utils/Decisions.js"

interface Link {
  readonly since: number
  readonly address: string
}

const link = (since: number): Link => ({ since, address: `192.0.2.${since}:5000` })
const enter = (link: Link, nick: string, network: string | undefined): RoomState.Command<Link> => ({
  _tag: "Nick",
  link,
  message: { _tag: "Nick", nick, ticket: ticketOf(nick) },
  network
})
const decide = (commands: ReadonlyArray<RoomState.Command<Link>>, at: number, state: RoomState.State<Link>) =>
  commands.reduce((state, command) => RoomState.decide(state, command, at).state, state)

const [a, b, c, d] = [link(1), link(2), link(3), link(4)]
const empty = RoomState.make<Link>(Protocol.start, [], 0)
const here = decide(
  [
    enter(a, "ada", "192.0.2.1"),
    enter(b, "bob", "192.0.2.2"),
    enter(c, "cleo", "192.0.2.3"),
    enter(d, "dora", undefined)
  ],
  10,
  empty
)
const live = new Set([a])

describe("who is here", () => {
  it("is live, catches up, or is away: since when, and from where", () => {
    const state = decide(
      [
        { _tag: "Lost", link: c },
        { _tag: "Lost", link: d }
      ],
      20,
      here
    )
    expect(Overview.names(state, live)).toEqual([
      { member: 1, nick: "ada", connection: "live", since: 1, from: "192.0.2.1:5000" },
      { member: 2, nick: "bob", connection: "catching-up", since: 2, from: "192.0.2.2:5000" },
      { member: 3, nick: "cleo", connection: "away", since: 20, from: "192.0.2.3" },
      { member: 4, nick: "dora", connection: "away", since: 20 }
    ])
  })

  it("is away from where nobody knows, after the server was started again", () => {
    const state = RoomState.make<Link>(
      here.head,
      Array.from(here.members, ([, member]) => member),
      30
    )
    expect(Overview.names(state, live)[0]).toEqual({ member: 1, nick: "ada", connection: "away", since: 30 })
  })

  it("is not who has left", () => {
    expect(Overview.names(decide([{ _tag: "Leave", link: a }], 20, here), live).map(({ nick }) => nick)).toEqual([
      "bob",
      "cleo",
      "dora"
    ])
  })
})
