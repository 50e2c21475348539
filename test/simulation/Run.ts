/** A run: a server and its clients through bad times, from a seed, and what the checker says of it. */
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Layer from "effect/Layer"
import * as Fernet from "../../src/domain/Fernet.js"
import * as Keys from "../../src/domain/Keys.js"
import * as Protocol from "../../src/domain/Protocol.js"
import * as Seal from "../../src/domain/Seal.js"
import { Log, type LogError } from "../../src/server/Log.js"
import * as SealedLog from "../../src/server/SealedLog.js"
import * as Checker from "./Checker.js"
import { ClientHost } from "./ClientHost.js"
import { Dice } from "./Dice.js"
import { atOnce, ClientDisk, Medium, type ServerDisk } from "./Disk.js"
import * as Faults from "./Faults.js"
import * as History from "./History.js"
import type { Mutant } from "./Mutants.js"
import { Network, type Road } from "./Network.js"
import { ServerHost } from "./ServerHost.js"
import { World } from "./World.js"

const roomKeys: Keys.Ring<Keys.RoomKey> = [Keys.fromBytes<"room">(new Uint8Array(32).fill(7))]
const serverKey = Keys.serverKey(roomKeys[0])
/** One that nobody joins with; the server has it beside the other where its key changes. */
const secondKey = Keys.serverKey(Keys.fromBytes<"room">(new Uint8Array(32).fill(8)))
const serverKeys: Keys.Ring<Keys.ServerKey> = [serverKey, secondKey]

/**
 * The keys of each start of a server. In one run of four they change places every time, so that a log that is being
 * brought under one of them meets all that may happen to a server. Decided by dice of their own: the other runs are as
 * they would be without it.
 */
const keysOf = (seed: number): (() => Keys.Ring<Keys.ServerKey>) => {
  if (new Dice(2 ** 40 + seed).chance(0.75)) return () => [serverKey]
  let starts = 0
  return () => (starts++ % 2 === 0 ? [serverKey, secondKey] : [secondKey, serverKey])
}

/** No two of them look alike. */
const names = ["ada", "bob", "cleo", "dora", "emil"]

export interface Options {
  readonly seed: number
  /** What is wrong on purpose; nothing unless it is given. */
  readonly mutant?: Mutant
  /** Hears what happens, line by line. */
  readonly listen?: (line: string) => void
}

export interface Result {
  readonly seed: number
  readonly violations: ReadonlyArray<Checker.Violation>
  readonly history: History.History
  /** How often each fault was injected. */
  readonly faults: ReadonlyMap<string, number>
  /** The same for the same seed, whatever happens. */
  readonly hash: string
  /** Virtual time, in ms. */
  readonly time: number
  readonly steps: number
}

/** How long the bad times last, and how long it may take until all is well again after them, in ms. */
const active = [5_000, 25_000] as const
const patience = 300_000
/** How long nothing may have changed for a run to be over. */
const calm = 3_000

/** An event as it is for whoever has the room key. */
const open = (fernet: Fernet.Shape, log: Protocol.LogId, event: Protocol.Event): History.Event => {
  if (event._tag !== "Chat") return History.event(event)
  return Either.match(Seal.open(fernet, [Keys.messageKey(roomKeys[0])], log, event), {
    onLeft: (reason) => History.event({ ...event, _tag: "Unreadable", reason }),
    onRight: ({ me = false, nick, text }) =>
      History.event({ ...event, _tag: "Said", nick, text, me, own: false, past: false })
  })
}

/** What a log on a disk has ever held, opened by the code that wrote it. */
const readLog = (disk: ServerDisk): Either.Either<History.Log, LogError> => {
  const events = Effect.gen(function* () {
    const log = yield* Log
    const fernet = yield* Fernet.Fernet
    const found: Array<Protocol.Event> = []
    let last = Protocol.start
    for (;;) {
      const page = yield* log.read(last, 500)
      const newest = page.at(-1)
      if (newest === undefined) return found.map((event) => open(fernet, log.id, event))
      found.push(...page)
      last = newest.seq
    }
  })
  const services = SealedLog.layer({ keys: serverKeys }).pipe(
    Layer.provide(disk.archive.layer(atOnce)),
    Layer.provideMerge(Fernet.layer)
  )
  return Effect.provide(events, services).pipe(
    Effect.map((events) => ({ id: disk.id, events, oldest: disk.oldest })),
    Effect.either,
    Effect.runSync
  )
}

/** What a user does now: most often says something, or some things. */
const act = ({ dice }: World, client: ClientHost, clients: ReadonlyArray<ClientHost>) => {
  const what = dice.fraction()
  if (what < 0.05) client.rename(dice.chance(0.7) ? `${client.name}-${dice.whole(1, 3)}` : dice.pick(clients).name)
  else if (what < 0.12) client.lookBack()
  else for (let count = dice.chance(0.7) ? 1 : dice.scale(2, 10); count > 0; count--) client.say()
}

/** Runs a seed from its first start to the judgement. */
export const run = ({ listen, mutant = {}, seed }: Options): Result => {
  const world = new World(seed, listen)
  const { dice } = world
  const history = History.make()
  const network = new Network(world, dice.scale(2_048, 65_536))
  const maxBudget = dice.pick([20, 200, 2048, 2048])
  const medium = () => new Medium(world.dice.fork(), world, Faults.goodDisk.latency)
  const server = new ServerHost(world, network, medium(), {
    mutant,
    recent: dice.scale(1, 1_000),
    maxBudget,
    keys: keysOf(seed),
    server: {
      history: dice.scale(5, 100),
      maxUnsent: dice.scale(500, 50_000),
      queue: dice.scale(4, 1_024),
      grace: dice.scale(500, 30_000),
      epoch: dice.scale(500, 60_000),
      burst: dice.scale(5, 200),
      rate: dice.scale(2, 200),
      slowAfter: dice.scale(2_000, 30_000),
      ...(dice.chance(0.2) ? { retain: dice.scale(5_000, 60_000) } : {})
    }
  })
  const clients = names.slice(0, dice.whole(2, names.length)).map((name) => {
    const road: Road = { client: name, ...Faults.good }
    const maxReading = dice.scale(10, 3_000)
    return new ClientHost(world, network, history, name, road, new ClientDisk(medium()), {
      keys: roomKeys,
      maxBudget,
      maxReading
    })
  })
  const stage: Faults.Stage = { world, network, server, clients }

  server.start()
  for (const client of clients) world.after(dice.scale(1, 5_000), () => client.start())

  const end = dice.between(...active)
  for (const client of clients) {
    // Some say little: then what one says does not depend on what another said before.
    const pause = dice.scale(1_000, 20_000)
    const next = () => {
      if (world.now > end) return
      act(world, client, clients)
      world.after(dice.scale(pause / 20, pause * 2), next)
    }
    world.after(dice.between(0, pause), next)
  }

  const injected = new Map<string, number>()
  const inject = (name: string, on: Faults.Stage) => {
    world.note(`fault: ${name}`)
    injected.set(name, (injected.get(name) ?? 0) + 1)
    Faults.faults[name]?.(on)
  }
  const kinds = Faults.kinds(dice)
  // Some alone, and some together, on one and the same client.
  for (let count = dice.whole(0, 8); count > 0; count--) {
    const at = dice.between(0, end)
    const on = { ...stage, clients: dice.chance(0.5) ? clients : [dice.pick(clients)] }
    for (let more = dice.chance(0.5) ? 1 : dice.whole(2, 4); more > 0; more--) {
      world.after(at + dice.scale(1, 3_000), () => inject(dice.pick(kinds), on))
    }
  }
  world.run(() => false, end)

  world.note("all is well from here on")
  Faults.heal(stage)
  server.start()
  let calmSince: number | undefined
  let head = 0
  const look = () => {
    const settled = clients.every((client) => client.isSettled(server.disk))
    if (!settled || server.disk.head !== head) calmSince = undefined
    else calmSince ??= world.now
    head = server.disk.head
    world.after(500, look)
  }
  look()
  if (!world.run(() => calmSince !== undefined && world.now - calmSince >= calm, patience)) {
    const late = clients.filter((client) => !client.isSettled(server.disk)).map(({ name }) => name)
    world.problem(`${late.join(", ") || "nobody"} did not come to rest`)
  }

  const unread = server.disks.map(readLog).filter((log) => {
    if (Either.isRight(log)) history.logs.push(log.right)
    else world.problem(`a log cannot be read: ${log.left.message}`)
    return Either.isLeft(log)
  })
  history.problems.push(...world.problems)
  return {
    seed,
    // Without its log there is nothing to hold it against.
    violations: Checker.check(unread.length === 0 ? history : { ...history, sayings: [], lives: [], pieces: [] }),
    history,
    faults: injected,
    hash: world.trace.hash,
    time: world.now,
    steps: world.steps
  }
}
