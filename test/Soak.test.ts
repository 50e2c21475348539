import { fileURLToPath } from "node:url"
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Random from "effect/Random"
import type { Inventory } from "./soak/Inventory.js"
import * as Limits from "./soak/Limits.js"
import * as Verdict from "./soak/Verdict.js"
import * as Command from "./utils/Command.js"

const cwd = fileURLToPath(new URL("..", import.meta.url))

/** Runs `npm run soak` as it is, small; what it exits with, what it shows, and which of its rows are not right. */
const soak = Effect.fnUntraced(function* (...args: ReadonlyArray<string>) {
  const seed = yield* Random.nextIntBetween(1, 1_000_000)
  const small = ["--members", "30", "--minutes", "0.1", "--seed", String(seed), ...args]
  const program = ["--expose-gc", "scripts/run.mjs", "test/soak/main.ts"]
  const running = yield* Command.start(process.execPath, [...program, ...small], { cwd })
  const code = yield* running.exit
  const shown = running.stdout() + running.stderr()
  return { code, shown, wrong: Array.from(shown.matchAll(/^ {2}(\S.*?) {2}.*NOT OK$/gm), ([, what]) => what) }
}, Effect.scoped)

// A slow machine takes longer; nothing is decided by how long it takes.
const time = 90_000

describe.concurrent("members come, talk and go in every way there is", () => {
  it.live(
    "and the server is back where it was",
    () =>
      Effect.gen(function* () {
        const { code, shown, wrong } = yield* soak()
        expect({ code, wrong }, shown).toEqual({ code: 0, wrong: [] })
        const acts = Number(/^(\d+) acts in /m.exec(shown)?.[1])
        expect(acts).toBeGreaterThan(50)
      }),
    time
  )

  it.live(
    "and a server that keeps a little of each is found",
    () =>
      Effect.gen(function* () {
        const { code, shown, wrong } = yield* soak("--leak", "timer,fiber,descriptor,listener,memory")
        expect({ code, wrong }, shown).toEqual({
          code: 1,
          wrong: [
            "heap",
            "file descriptors",
            "fibers",
            "handles: Timeout",
            "objects held: sockets",
            // Node counts the listeners of an emitter by itself.
            "complaints in the server's log"
          ]
        })
      }),
    time
  )
})

describe("the verdict", () => {
  const before: Inventory = {
    heap: 30_000_000,
    outside: 2_000_000,
    rss: 100_000_000,
    descriptors: 30,
    fibers: 11,
    handles: { TCPServerWrap: 1, Timeout: 3 },
    objects: { sessions: 0, sockets: 2 },
    connections: 0,
    members: 0
  }
  const findings: Verdict.Findings = { violations: [], acknowledged: 1, complaints: [], crashes: 0 }
  const wrong = (after: Partial<Inventory>, more: Partial<Verdict.Findings> = {}) => {
    const rows = Verdict.rows({ before, after: { ...before, ...after } }, { ...findings, ...more })
    const found = rows.filter(({ isOk }) => isOk === false).map(({ what }) => what)
    expect(Verdict.isAllRight(rows)).toBe(found.length === 0)
    return found
  }

  const grown = (bytes: number) => bytes + Limits.growth

  it("lets pass what is within its bounds", () => {
    expect(
      wrong({
        heap: grown(before.heap),
        outside: grown(before.outside),
        rss: 2 * before.rss,
        handles: { Timeout: 2 },
        objects: { sessions: 0, sockets: 1 }
      })
    ).toEqual([])
  })

  it("says nothing of what cannot be seen on a machine", () => {
    const rows = Verdict.left({ ...before, descriptors: undefined, objects: undefined }, before)
    expect(rows.filter(({ isOk }) => isOk === undefined).map(({ what }) => what)).toEqual([
      "resident memory",
      "file descriptors",
      "objects held: sessions",
      "objects held: sockets"
    ])
  })

  const left: ReadonlyArray<readonly [string, Partial<Inventory>]> = [
    ["heap", { heap: grown(before.heap) + 1 }],
    ["memory outside of the heap", { outside: grown(before.outside) + 1 }],
    ["file descriptors", { descriptors: 31 }],
    ["fibers", { fibers: 12 }],
    ["handles: Timeout", { handles: { ...before.handles, Timeout: 4 } }],
    ["handles: TCPSocketWrap", { handles: { ...before.handles, TCPSocketWrap: 1 } }],
    ["objects held: sessions", { objects: { sessions: 1, sockets: 2 } }],
    ["objects held: sockets", { objects: { sessions: 0, sockets: 3 } }],
    ["connections", { connections: 1 }],
    ["members", { members: 1 }]
  ]
  for (const [what, after] of left) {
    it(`finds more than there was: ${what}`, () => expect(wrong(after)).toEqual([what]))
  }

  const found: ReadonlyArray<readonly [string, Partial<Verdict.Findings>]> = [
    ["texts acknowledged", { acknowledged: 0 }],
    ["acknowledged texts lost", { violations: [{ rule: "lost", detail: "" }] }],
    ["texts doubled", { violations: [{ rule: "doubled", detail: "" }] }],
    ["texts or events out of order", { violations: [{ rule: "order", detail: "" }] }],
    ["other surprises to members", { violations: [{ rule: "problem", detail: "" }] }],
    ["complaints in the server's log", { complaints: ["ERROR a session has died"] }],
    ["crashes of the server", { crashes: 1 }]
  ]
  for (const [what, more] of found) {
    it(`finds what has gone wrong: ${what}`, () => expect(wrong({}, more)).toEqual([what]))
  }
})
