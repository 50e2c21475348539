import { beforeEach, describe, expect, it } from "@effect/vitest"
import * as Arr from "effect/Array"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Queue from "effect/Queue"
import * as Random from "effect/Random"
import * as Stream from "effect/Stream"
import { Entropy } from "../src/domain/Entropy.js"
import * as Fernet from "../src/domain/Fernet.js"
import * as Transport from "../src/domain/Transport.js"
import * as SealedLog from "../src/server/SealedLog.js"
import * as Checker from "./simulation/Checker.js"
import { Dice } from "./simulation/Dice.js"
import { Medium, ServerDisk, type Worker } from "./simulation/Disk.js"
import * as Faults from "./simulation/Faults.js"
import * as History from "./simulation/History.js"
import * as Mutants from "./simulation/Mutants.js"
import { Network, type Road } from "./simulation/Network.js"
import { Process } from "./simulation/Process.js"
import * as Run from "./simulation/Run.js"
import { World } from "./simulation/World.js"
import { logSuite } from "./utils/LogSuite.js"
import { serverKeys } from "./utils/Room.js"

// A run is one long step: between two of them whoever waits for the event loop gets his turn.
beforeEach(() => new Promise((resolve) => setImmediate(resolve)))

describe("the promises hold", () => {
  it.each(Arr.range(1, 30))("with seed %i", (seed) => {
    expect(Run.run({ seed }).violations).toEqual([])
  })
})

describe("a seed", () => {
  it("replays exactly", () => {
    const tell = (seed: number) => {
      const lines: Array<string> = []
      const { hash } = Run.run({ seed, listen: (line) => lines.push(line) })
      return { hash, lines }
    }
    const first = tell(100)
    expect(tell(100)).toEqual(first)
    expect(tell(101).hash).not.toBe(first.hash)
  })
})

describe("what is wrong is found", () => {
  /** Which rules the first seed breaks that breaks any. */
  const found = (mutant: Mutants.Mutant, seeds: number): ReadonlySet<Checker.Rule> => {
    for (let seed = 1; seed <= seeds; seed++) {
      const { violations } = Run.run({ seed, mutant })
      if (violations.length > 0) return new Set(violations.map(({ rule }) => rule))
    }
    return new Set()
  }

  it("a store that says a batch is kept before it is", () => {
    expect(found(Mutants.tellsBeforeCommit, 20).size).toBeGreaterThan(0)
  })

  it("a log that forgets how many texts it has of whom", () => {
    expect(found(Mutants.forgetsAcked, 10).size).toBeGreaterThan(0)
  })

  it("a store that keeps members later than their events", () => {
    expect(found(Mutants.keepsMembersLate, 10).size).toBeGreaterThan(0)
  })

  it("a session that becomes live an event early", () => {
    expect(found(Mutants.livesEarly, 40).size).toBeGreaterThan(0)
  })
})

describe("the checker", () => {
  const text = (seq: number, member: number, n: number, text: string): History.Event => ({
    seq,
    what: `Said ${n} by ${member}: ${text}`,
    said: { member, n, text }
  })
  const shown = (events: ReadonlyArray<History.Event>): Array<History.Shown> =>
    events.map((event) => ({ _tag: "Event", ...event }))
  const joined = (seq: number): History.Event => ({ seq, what: `Joined ${seq}` })
  const said = (client: string, text: string, seq?: number): History.Saying => ({
    client,
    text,
    owed: true,
    mayRepeat: false,
    outcome: seq === undefined ? { _tag: "Waiting" } : { _tag: "Acknowledged", log: "L", seq, at: 0 }
  })
  const life = (client: string, member: number, events: ReadonlyArray<History.Event>): History.Life => ({
    client,
    log: "L",
    member,
    shown: shown(events),
    end: "present"
  })

  /** Ada and Bob talk, and all is well. */
  const events = [joined(1), joined(2), text(3, 1, 1, "a"), text(4, 2, 1, "b"), text(5, 1, 2, "c"), joined(6)] as const
  const right = (): History.History => ({
    logs: [{ id: "L", oldest: 1, events: [...events] }],
    sayings: [said("ada", "a", 3), said("bob", "b", 4), said("ada", "c", 5)],
    lives: [life("ada", 1, events), life("bob", 2, events.slice(1))],
    ...pieces({}),
    problems: []
  })
  const log = (...changed: ReadonlyArray<History.Event>) => [{ id: "L", oldest: 1, events: changed }]
  const pieces = (fields: Partial<History.Piece>) => ({
    pieces: [{ client: "bob", log: "L", before: 4, limit: 2, events: [e2, e3], oldest: 1, ...fields }]
  })
  const rules = (history: Partial<History.History>) =>
    Array.from(new Set(Checker.check({ ...right(), ...history }).map(({ rule }) => rule)))
  const [e1, e2, e3, e4, e5, e6] = events

  it("finds nothing where nothing is wrong", () => {
    expect(Checker.check(right())).toEqual([])
    expect(Checker.check(History.make())).toEqual([])
  })

  it("lets a client be shown events again when it is started again, and told what the log no longer has", () => {
    const again = [life("ada", 1, [e1, e2, e3, e4]), life("ada", 1, [e4, e5, e6])] as const
    expect(rules({ lives: [{ ...again[0], end: "killed" }, again[1]] })).toEqual([])
    const missing: Array<History.Shown> = [{ _tag: "Missing", after: 4, to: 5 }, ...shown([e6])]
    const logs = [{ id: "L", oldest: 6, events: [...events] }]
    expect(
      rules({
        logs,
        lives: [
          { ...again[0], end: "killed" },
          { ...again[1], shown: missing }
        ]
      })
    ).toEqual([])
  })

  it("lets a text be in two logs that was not acknowledged in the first, or not long before its client was killed", () => {
    const next: History.Log = { id: "M", oldest: 1, events: [joined(1), text(2, 1, 1, "c")] }
    const moved: History.Life = {
      ...life("ada", 1, events),
      shown: [
        ...shown(events),
        { _tag: "NewLog", log: "M", member: 1, after: 0 },
        ...shown([joined(1), text(2, 1, 1, "c")])
      ]
    }
    const [a, b, c] = [said("ada", "a", 3), said("bob", "b", 4), said("ada", "c", 5)]
    const common = { logs: [...log(...events), next], lives: [moved] }
    expect(rules(common)).toEqual(["doubled"])
    expect(rules({ ...common, sayings: [a, b, { ...c, mayRepeat: true }] })).toEqual([])
    expect(rules({ ...common, sayings: [a, b, said("ada", "c")] })).toEqual([])
  })

  const cases: ReadonlyArray<readonly [Checker.Rule, string, Partial<History.History>]> = [
    ["lost", "an acknowledged text that is not in the log", { sayings: [...right().sayings, said("ada", "d", 7)] }],
    ["lost", "a text in another place than was said", { sayings: [said("ada", "a", 2), ...right().sayings.slice(1)] }],
    ["forgotten", "a text that was owed", { sayings: [...right().sayings, said("ada", "d")] }],
    ["doubled", "a text that is there twice", { logs: log(...events, text(7, 1, 3, "c")) }],
    ["invented", "a text that nobody said", { logs: log(...events, text(7, 1, 3, "d")) }],
    ["invented", "a text in another's mouth", { logs: log(e1, e2, e3, text(4, 1, 2, "b"), text(5, 1, 3, "c"), e6) }],
    ["numbers", "a gap in the log", { logs: log(e1, e2, e3, e5) }],
    ["numbers", "a gap among the texts of a member", { logs: log(e1, e2, e3, e4, text(5, 1, 3, "c"), e6) }],
    ["order", "texts of one member the wrong way round", { logs: log(e1, text(2, 1, 1, "c"), text(3, 1, 2, "a")) }],
    ["shown", "a gap in what a client was shown", { lives: [life("ada", 1, [e1, e2, e3, e5, e6])] }],
    ["shown", "an event shown twice", { lives: [life("ada", 1, [e1, e2, e3, e3, e4, e5, e6])] }],
    ["shown", "another event than the log's", { lives: [life("ada", 1, [e1, e2, e3, text(4, 2, 1, "x"), e5, e6])] }],
    [
      "shown",
      "an order that the log does not have",
      { lives: [life("ada", 1, [e1, e2, e3, { ...e5, seq: 4 }, { ...e4, seq: 5 }, e6])] }
    ],
    [
      "skipped",
      "an event that no life of a client was shown",
      { lives: [{ ...life("ada", 1, [e1, e2]), end: "killed" }, life("ada", 1, [e4, e5, e6])] }
    ],
    [
      "missing",
      "an event said to be missing that is there",
      {
        lives: [
          { ...life("ada", 1, []), shown: [...shown([e1, e2]), { _tag: "Missing", after: 2, to: 5 }, ...shown([e6])] }
        ]
      }
    ],
    ["behind", "a client that was not shown the end", { lives: [life("ada", 1, events.slice(0, 5))] }],
    ["fetched", "another event than the log's", pieces({ events: [e2, { ...e3, what: "other" }] })],
    ["fetched", "a gap in what was fetched", pieces({ events: [e1, e3], limit: 5 })],
    ["fetched", "what does not come up to where it was asked for", pieces({ events: [e1, e2], limit: 5 })],
    ["fetched", "less than there is", pieces({ events: [e3] })],
    ["fetched", "nothing, where there is something", pieces({ events: [] })],
    ["fetched", "more than was asked for", pieces({ events: [e1, e2, e3] })],
    ["fetched", "a log that is said to begin later than it does", pieces({ events: [e3], oldest: 3 })],
    [
      "unreadable",
      "a text that does not open",
      {
        logs: log(e1, { seq: 2, what: "Unreadable 1 by 1" }),
        lives: [life("ada", 1, [e1, { seq: 2, what: "Unreadable 1 by 1" }])]
      }
    ],
    ["problem", "what the run itself noticed", { problems: ["a defect"] }]
  ]
  it.each(cases)("finds %s: %s", (rule, _, history) => {
    expect(rules(history)).toContain(rule)
  })
})

/** Runs `body` in a process of a world of its own until nothing happens any more; what it came to, if it ended. */
const within = <A, E>(seed: number, body: (world: World, process: Process) => Effect.Effect<A, E>) => {
  const world = new World(seed)
  const process = new Process(world, "it", { maxBudget: 20 })
  let exit: Exit.Exit<A, E> | undefined
  process.run(body(world, process), (ended) => {
    exit = ended
  })
  world.run(() => exit !== undefined, 1_000_000)
  return { exit, world }
}

describe("a process", () => {
  const busy = (world: World) =>
    Effect.gen(function* () {
      const queue = yield* Queue.bounded<number>(3)
      const talk = Effect.gen(function* () {
        for (const n of Arr.range(1, 10)) {
          yield* Effect.sleep(yield* Random.nextIntBetween(0, 50))
          yield* Queue.offer(queue, n)
        }
      })
      yield* Effect.fork(Effect.all([talk, talk, talk], { concurrency: "unbounded" }))
      yield* Stream.fromQueue(queue).pipe(
        Stream.take(30),
        Stream.groupedWithin(4, "10 millis"),
        Stream.runForEach((some) => Effect.sync(() => world.note(Array.from(some).join(" "))))
      )
      yield* Effect.race(Effect.sleep("1 second"), Effect.sleep("1 minute"))
      return yield* Effect.timeoutOption(Effect.never, "1 minute")
    })

  it("runs fibers, queues, streams and clocks as any does, and the same each time", () => {
    const [first, again, other] = [1, 1, 2].map((seed) => within(seed, busy))
    expect(first?.exit).toEqual(Exit.succeed(expect.objectContaining({ _tag: "None" })))
    expect(again?.world.trace.hash).toBe(first?.world.trace.hash)
    expect(other?.world.trace.hash).not.toBe(first?.world.trace.hash)
    expect(first?.world.now).toBeGreaterThan(61_000)
  })

  it("that is killed runs no finalizer", () => {
    const told: Array<string> = []
    const tell = (word: string) => Effect.sync(() => told.push(word))
    const { exit } = within(1, (world, process) => {
      world.after(500, () => process.kill())
      return Effect.gen(function* () {
        yield* Effect.addFinalizer(() => tell("closed"))
        yield* Effect.forkScoped(Effect.ensuring(Effect.never, tell("interrupted")))
        yield* tell("began")
        yield* Effect.sleep("1 second")
        yield* tell("woke")
      }).pipe(Effect.scoped, Effect.ensuring(tell("ended")))
    })
    expect(exit).toBeUndefined()
    expect(told).toEqual(["began"])
  })

  it("that asks the real event loop for anything is found", () => {
    const { exit, world } = within(1, () =>
      Effect.async<void>((resume) => void setTimeout(() => resume(Effect.void), 1))
    )
    expect(exit === undefined || Exit.isFailure(exit)).toBe(true)
    expect(world.problems.join()).toContain("no event loop")
  })

  it("draws from its own entropy", () => {
    const draw = Effect.map(Entropy, (entropy) => Array.from(entropy.bytes(8)))
    expect(within(1, () => draw).exit).toEqual(within(1, () => draw).exit)
    expect(within(1, () => draw).exit).not.toEqual(within(2, () => draw).exit)
  })
})

describe("the network", () => {
  /** A client writes lines of all lengths, and then whatever `then` does happens; the lines that the server has read. */
  const lines = Arr.makeBy(300, (n) => `line ${n} ${"x".repeat((n * 37) % 900)}`)
  const carried = (seed: number, then: (transport: Transport.Transport, network: Network) => Effect.Effect<void>) => {
    const world = new World(seed)
    const network = new Network(world, world.dice.scale(500, 20_000))
    const road: Road = { client: "client", ...Faults.good, chunk: world.dice.scale(1, 5_000) }
    const [server, client] = [new Process(world, "server"), new Process(world, "client")]
    const read: Array<string> = []
    let ending: string | undefined
    server.run(
      Effect.flatMap(Transport.Listener, ({ accept }) =>
        Effect.flatMap(accept, (transport) => {
          transport.trust()
          return Stream.runForEach(transport.lines, (line) => Effect.sync(() => read.push(line)))
        })
      ).pipe(Effect.scoped, Effect.provide(network.layerListener(server))),
      (exit) => {
        ending = exit._tag
      }
    )
    client.run(
      Effect.flatMap(Transport.Dialer, ({ dial }) =>
        Effect.flatMap(dial, (transport) =>
          Effect.gen(function* () {
            for (const line of lines) {
              transport.write(Buffer.from(`${line}\n`))
              yield* transport.drained
            }
            yield* then(transport, network)
          })
        )
      ).pipe(Effect.scoped, Effect.provide(network.layerDialer(client, road)))
    )
    world.run(() => ending !== undefined, 100_000)
    expect(world.problems).toEqual([])
    return { ending, read }
  }

  it.each(Arr.range(1, 5))("brings all that was written, in order, in whatever pieces (seed %i)", (seed) => {
    expect(carried(seed, (transport) => transport.end)).toEqual({ ending: "Success", read: lines })
  })

  it.each(Arr.range(1, 5))("that is cut brings the beginning, and tells of it (seed %i)", (seed) => {
    const { ending, read } = carried(seed, (_, network) =>
      Effect.sync(() => {
        for (const connection of network.connections) connection.cut(5_000)
      }).pipe(Effect.zipRight(Effect.never))
    )
    expect(ending).toBe("Failure")
    expect(read).toEqual(lines.slice(0, read.length))
  })

  it("refuses who calls where nobody listens", () => {
    const { exit } = within(1, (world, process) => {
      const network = new Network(world, 1_000)
      return Effect.flatMap(Transport.Dialer, ({ dial }) => Effect.flip(dial)).pipe(
        Effect.scoped,
        Effect.provide(network.layerDialer(process, { client: "client", ...Faults.good }))
      )
    })
    expect(exit).toEqual(Exit.succeed(expect.objectContaining({ reason: "refused" })))
  })
})

describe("a disk", () => {
  const disks = new Dice(1)
  /** Works for a test that runs in the real world. */
  const worker: Worker = { after: (_, task) => setImmediate(task) }

  logSuite(
    "sealed, on a simulated disk",
    Effect.sync(() =>
      SealedLog.layer({ keys: serverKeys }).pipe(
        Layer.provide(new ServerDisk(new Medium(disks.fork(), { now: 0 }, [0, 1])).layer(worker)),
        Layer.provide(Fernet.layer)
      )
    ),
    { durable: true, runs: 10 }
  )

  it("does all of a piece of work or nothing when its process is killed in the middle, and tells nobody", () => {
    const outcomes = Arr.range(1, 40).map((seed) => {
      const world = new World(seed)
      const process = new Process(world, "it")
      const medium = new Medium(world.dice.fork(), world, [10, 20])
      let done = 0
      let told = false
      const work = medium.work(process, () => Either.right(++done))
      process.run(Effect.zipRight(work, work), () => {
        told = true
      })
      world.after(world.dice.between(5, 20), () => process.kill())
      world.run(() => false, 1_000)
      expect(told).toBe(false)
      return done
    })
    expect(new Set(outcomes)).toEqual(new Set([0, 1, 2]))
  })
})
