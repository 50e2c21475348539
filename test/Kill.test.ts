import * as NodeContext from "@effect/platform-node/NodeContext"
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Random from "effect/Random"
import type * as Entry from "../src/client/Entry.js"
import * as Protocol from "../src/domain/Protocol.js"
import * as Seal from "../src/domain/Seal.js"
import * as Judge from "./kill/Judge.js"
import * as Run from "./kill/Run.js"
import type { Written } from "./kill/Written.js"
import type { Rule } from "./simulation/Checker.js"

it.live("whoever is killed, no acknowledged text is lost, doubled or out of order", () =>
  Effect.gen(function* () {
    const seed = yield* Random.nextIntBetween(1, 1_000_000)
    const { acknowledged, directory, kills, violations } = yield* Run.run({ kills: 12, seed, limit: "55 seconds" })
    expect({ violations, directory }, `npm run kill -- --kills 12 --seed ${seed}`).toEqual({
      violations: [],
      directory: undefined
    })
    expect(kills.server + kills.clients).toBe(12)
    expect(acknowledged).toBeGreaterThanOrEqual(5)
  }).pipe(Effect.provide(NodeContext.layer))
)

describe("the judge of a run", () => {
  const place = (nick: string, seq: number, member = nick === "ada" ? 1 : 2) => ({
    seq: Protocol.Seq.make(seq),
    at: 0,
    member: Protocol.MemberId.make(member),
    nick
  })
  const joined = (nick: string, seq: number, member?: number): Entry.Logged => ({
    _tag: "Joined",
    ...place(nick, seq, member)
  })
  const left = (nick: string, seq: number): Entry.Logged => ({ _tag: "Left", reason: "quit", ...place(nick, seq) })
  const said = (nick: string, n: number, seq: number, text = `${nick} ${n}`): Entry.Logged => ({
    _tag: "Said",
    ...place(nick, seq),
    n: Protocol.TextNumber.make(n),
    text: Seal.Text.make(text),
    me: false,
    own: false,
    past: false
  })
  const entries = [
    joined("ada", 1),
    joined("bob", 2),
    said("ada", 1, 3),
    said("ada", 2, 4),
    said("bob", 1, 5),
    left("bob", 6),
    left("ada", 7)
  ]

  const start = ["-- ada joined", "-- bob joined", "<ada> ada 1"]
  const end = ["<ada> ada 2", "<bob> bob 1", "-- bob left"]
  const show = (...shown: ReadonlyArray<string>) => shown.map((line) => `${line}\n`).join("")
  const killed: Judge.ClientLife = {
    client: "ada",
    stdout: `${show(...start)}<ada> a`,
    stderr: "chat: reconnecting …\n",
    exit: "SIGKILL",
    wasServed: false
  }
  const unserved: Judge.ClientLife = {
    client: "ada",
    stdout: "",
    stderr: "chat: nobody answers at 127.0.0.1:1: is the server running\n",
    exit: 1,
    wasServed: false
  }
  const ada: Judge.ClientLife = {
    client: "ada",
    stdout: show("-- bob joined", "<ada> ada 1", ...end, "-- ada left"),
    stderr: "",
    exit: 0,
    wasServed: true
  }
  const bob: Judge.ClientLife = { ...ada, client: "bob", stdout: show(...start, ...end) }
  const server: Judge.Remains = { stdout: "", stderr: "", exit: 0 }
  const text = (text: string, life: number, claim?: Written["claim"]): Written => ({
    client: text.slice(0, 3),
    life,
    text,
    at: 0,
    claim
  })

  /** All is well, though ada was killed: of what she was to say then, a part was kept. */
  const good: Judge.Observations = {
    log: { id: "log", entries },
    texts: [text("ada 1", 0), text("ada 2", 0, "kept"), text("ada 3", 0), text("ada 4", 1), text("bob 1", 0)],
    clients: [killed, unserved, ada, bob],
    servers: [{ ...server, exit: "SIGKILL" }, server],
    problems: []
  }

  it("finds nothing where all is well, and counts", () => {
    expect(Judge.judge(good)).toEqual({
      violations: [],
      acknowledged: 3,
      logged: 3,
      unkept: 1,
      unread: 1,
      survived: 1,
      again: 2
    })
  })

  type Lives = Record<"killed" | "unserved" | "ada" | "bob", Partial<Judge.ClientLife>>
  const lives = (change: Partial<Lives>): Partial<Judge.Observations> => ({
    clients: [
      { ...killed, ...change.killed },
      { ...unserved, ...change.unserved },
      { ...ada, ...change.ada },
      { ...bob, ...change.bob }
    ]
  })
  const shownToBob = (...shown: ReadonlyArray<string>) => lives({ bob: { stdout: show(...shown) } })
  const texts = (...more: ReadonlyArray<Written>) => ({ texts: [...good.texts, ...more] })
  const log = (...entries: ReadonlyArray<Entry.Logged>) => ({ log: { id: "log", entries } })

  const cases: ReadonlyArray<readonly [string, Partial<Judge.Observations>, ReadonlyArray<Rule>]> = [
    [
      "a text that was shown and is not in the log",
      { ...texts(text("bob 2", 0)), ...shownToBob(...start, ...end.slice(0, 2), "<bob> bob 2", "-- bob left") },
      ["lost", "shown"]
    ],
    ["a text that was kept and is not in the log", texts(text("ada 5", 0, "kept")), ["forgotten"]],
    ["a text that should have been kept, and was not", texts(text("ada 5", 0, "due")), ["forgotten"]],
    ["a text of a client that was not killed, and is not in the log", texts(text("bob 2", 0)), ["forgotten"]],
    [
      "a text that is in the log twice",
      {
        ...log(...entries.slice(0, 5), said("bob", 2, 6, "bob 1"), left("bob", 7), left("ada", 8)),
        ...lives({
          ada: { stdout: show("-- bob joined", "<ada> ada 1", ...end.slice(0, 2), ...end.slice(1), "-- ada left") },
          bob: { stdout: show(...start, ...end.slice(0, 2), ...end.slice(1)) }
        })
      },
      ["doubled"]
    ],
    [
      "texts in another order than they were written",
      { texts: [text("ada 2", 0), text("ada 1", 0), text("bob 1", 0)] },
      ["order"]
    ],
    ["numbers with a hole", log(...entries.slice(0, 3), said("ada", 3, 4, "ada 2"), ...entries.slice(4)), ["numbers"]],
    ["a text that a life has not shown", shownToBob(...start, ...end.slice(1)), ["shown"]],
    ["a text that a life has shown twice", shownToBob(...start, "<ada> ada 1", ...end), ["shown"]],
    ["a text that no life has shown", lives({ ada: { stdout: show(...end.slice(1), "-- ada left") } }), ["skipped"]],
    [
      "a text that is not shown as such",
      shownToBob(...start, "-- a text in the name of ada is not shown: it was sealed", ...end.slice(1)),
      ["shown"]
    ],
    [
      "events that are said to be missing, and are not",
      lives({
        killed: { stdout: show("-- ada joined") },
        ada: { stdout: show("-- 2 events are missing here: the server", ...end, "-- ada left") }
      }),
      ["missing"]
    ],
    ["a client that was not shown its own beginning", shownToBob(...end), ["problem"]],
    ["a client that was not shown its own end", shownToBob(...start, ...end.slice(0, -1)), ["problem"]],
    ["a client that complains", lives({ bob: { stderr: "chat: it has broken the protocol\n" } }), ["problem"]],
    ["a client that has ended by itself though it was served", lives({ unserved: { wasServed: true } }), ["problem"]],
    ["a client that was not killed, and has ended otherwise", lives({ killed: { exit: "SIGSEGV" } }), ["problem"]],
    ["a client that has ended in the middle of a line", lives({ bob: { stdout: `${bob.stdout}--` } }), ["problem"]],
    ["a server that complains", { servers: [{ ...server, stderr: "ERROR the room has died\n" }] }, ["problem"]],
    ["a server that has ended by itself", { servers: [{ ...server, exit: 1 }, server] }, ["problem"]],
    [
      "a client that has become another member",
      {
        ...log(...entries.slice(0, 5), joined("bob", 6, 6), left("bob", 7), left("ada", 8)),
        ...lives({
          ada: {
            stdout: show(
              "-- bob joined",
              "<ada> ada 1",
              ...end.slice(0, 2),
              ...start.slice(1, 2),
              "-- bob left",
              "-- ada left"
            )
          },
          bob: { stdout: show(...start, ...end.slice(0, 2), ...start.slice(1, 2), "-- bob left") }
        })
      },
      ["problem"]
    ]
  ]
  for (const [name, change, rules] of cases) {
    it(`finds ${name}`, () => {
      const found = Judge.judge({ ...good, ...change }).violations.map(({ rule }) => rule)
      expect(Array.from(new Set(found)).sort()).toEqual(rules)
    })
  }
})
