/**
 * The machine of a client, and the user before it, who says texts, takes other nicks, leaves and comes back; what the
 * user sees is written down.
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import type * as Backlog from "../../src/client/Backlog.js"
import * as Client from "../../src/client/Client.js"
import * as Kept from "../../src/client/Kept.js"
import type * as Presence from "../../src/client/Presence.js"
import { Entropy } from "../../src/domain/Entropy.js"
import * as Fernet from "../../src/domain/Fernet.js"
import * as Keys from "../../src/domain/Keys.js"
import * as Protocol from "../../src/domain/Protocol.js"
import { atOnce, type ClientDisk, type ServerDisk } from "./Disk.js"
import * as History from "./History.js"
import type { Network, Road } from "./Network.js"
import { Process } from "./Process.js"
import type { World } from "./World.js"

export interface Options {
  readonly keys: Keys.Ring<Keys.RoomKey>
  /** Most operations that a fiber makes at a time. */
  readonly maxBudget: number
  /** Longest time, in ms, that the user takes for an event it is shown. */
  readonly maxReading: number
}

/** A client that has been let in. */
interface Session {
  readonly client: Client.Shape
  readonly life: History.Life
  status: Presence.Status["_tag"]
  /** The newest event that the user was shown in this life. */
  readonly newest: { log: string; seq: number }
}

/** Why a client may end, or not get in, where everybody keeps the rules; anything else is a problem of the run. */
const innocent = new Set([
  "unreachable",
  "lost",
  "wrong-key",
  "silent",
  "full",
  "slow",
  "shutdown",
  "kicked",
  "banned",
  "nick-taken",
  "quit",
  "state"
])

/** How long a client may take until it has noted that a text need not be said again, in ms. */
const forgetTime = 10_000

/** How long it takes until the user starts a client again that has ended, in ms. */
const retryTime = [200, 5_000] as const

export class ClientHost {
  process: Process | undefined
  session: Session | undefined
  private fiber: Fiber.RuntimeFiber<unknown, unknown> | undefined
  private starts = 0
  private texts = 0
  /** The newest event that the user was shown. */
  private reached = { log: "", seq: 0 }
  /** What it asks to be called. */
  nick: string
  /** What was said in the life there is. */
  private sayings: Array<History.Saying> = []
  /** Calls of `history` that have not come to an end. */
  private looking = 0
  private readonly skew: number

  constructor(
    private readonly world: World,
    private readonly network: Network,
    private readonly history: History.History,
    readonly name: string,
    readonly road: Road,
    readonly disk: ClientDisk,
    private readonly options: Options
  ) {
    this.nick = name
    this.skew = world.dice.chance(0.5) ? 0 : world.dice.between(-2, 2) * 86_400_000
  }

  /** Whether it is in the room, has been shown all that the log on `disk` holds, and the user waits for nothing. */
  isSettled({ head, id }: ServerDisk): boolean {
    return (
      this.session?.status === "Online" &&
      this.looking === 0 &&
      this.reached.log === id &&
      this.reached.seq === head &&
      this.sayings.every(({ outcome }) => outcome._tag !== "Waiting")
    )
  }

  start(): void {
    if (this.process !== undefined) return
    const { network, options, road, world } = this
    const process = new Process(world, `${this.name} ${++this.starts}`, {
      skew: this.skew,
      maxBudget: options.maxBudget
    })
    world.note(`${process.name} starts as ${this.nick}`)
    this.process = process
    this.sayings = []
    this.looking = 0
    const services = Layer.mergeAll(network.layerDialer(process, road), this.disk.layer(process), Fernet.layer)
    const main = Effect.scoped(
      Effect.gen(this, function* () {
        const client = yield* Client.makeKept({ keys: options.keys, nick: this.nick })
        const life: History.Life = {
          client: this.name,
          log: yield* client.log,
          member: yield* client.member,
          shown: [],
          end: "present"
        }
        this.history.lives.push(life)
        if (this.reached.log !== life.log) this.reached = { log: life.log, seq: 0 }
        const session: Session = { client, life, status: "Online", newest: { log: life.log, seq: 0 } }
        this.session = session
        world.note(`${process.name} is in`)
        yield* Stream.runForEach(client.status.changes, ({ _tag }) =>
          Effect.sync(() => {
            session.status = _tag
            world.note(`${process.name} is ${_tag}`)
          })
        ).pipe(Effect.forkScoped)
        yield* this.watch(session)
      })
    )
    this.fiber = process.run(Effect.provide(main, services), (exit) => this.ended(process, exit))
    process.onKill(() => this.killed())
  }

  /** Shows the user all that happens, until the client has ended. */
  private watch({ client, life, newest }: Session) {
    const { world } = this
    return Stream.runForEach(client.events, (entry) =>
      Effect.suspend(() => {
        const item = History.shown(entry)
        life.shown.push(item)
        if (item._tag === "Event") this.reached.seq = newest.seq = item.seq
        if (item._tag === "NewLog") {
          this.reached = { log: item.log, seq: item.after }
          Object.assign(newest, this.reached)
        }
        world.note(`${this.name} sees ${item._tag === "Event" ? `${item.seq} ${item.what}` : JSON.stringify(item)}`)
        return world.dice.chance(0.1) ? Effect.sleep(world.dice.between(0, this.options.maxReading)) : Effect.void
      })
    )
  }

  /** Says something. */
  say(): void {
    const { process, session, world } = this
    if (process === undefined || session === undefined) return
    const padding = world.dice.chance(0.1) ? "x".repeat(world.dice.scale(1, 3_000)) : ""
    const text = `${this.name} says ${++this.texts} ${padding}`.trimEnd()
    const saying: History.Saying = {
      client: this.name,
      text,
      owed: true,
      mayRepeat: false,
      outcome: { _tag: "Waiting" }
    }
    world.note(`${process.name} says ${this.texts}`)
    this.history.sayings.push(saying)
    this.sayings.push(saying)
    const said = Effect.flatMap(session.client.say(text, { me: world.dice.chance(0.1) }), (entry) =>
      Effect.map(session.client.log, (log) => ({ entry, log }))
    )
    process.run(said, (exit) => {
      if (Exit.isSuccess(exit)) {
        const { entry, log } = exit.value
        saying.outcome = { _tag: "Acknowledged", log, seq: Option.getOrUndefined(entry)?.seq, at: world.now }
      } else {
        const failure = Cause.failureOption(exit.cause)
        saying.outcome = { _tag: "Failed", reason: Option.isSome(failure) ? failure.value.reason : String(exit.cause) }
      }
      world.note(`${saying.text.slice(0, 20)} of ${process.name}: ${JSON.stringify(saying.outcome)}`)
    })
  }

  /** Takes another nick, which may be somebody else's. */
  rename(nick: string): void {
    const { process, session, world } = this
    if (process === undefined || session === undefined) return
    world.note(`${process.name} asks to be ${nick}`)
    process.run(session.client.rename(nick), (exit) => {
      world.note(`${process.name} asked to be ${nick}: ${exit._tag}`)
      if (Exit.isSuccess(exit)) this.nick = exit.value
    })
  }

  /** Looks at what was before something it was shown. */
  lookBack(): void {
    const { process, session, world } = this
    if (process === undefined || session === undefined || session.newest.seq === 0) return
    const { log, seq } = session.newest
    const before = Protocol.Seq.make(world.dice.whole(1, seq + 1))
    const limit = world.dice.scale(1, 2_000)
    world.note(`${process.name} asks for ${limit} before ${before}`)
    const { client } = session
    const found = Effect.flatMap(client.log, (now) =>
      now === log ? Effect.asSome(client.history({ before, limit })) : Effect.succeedNone
    )
    this.looking += 1
    process.run(found, (exit) => {
      if (this.process === process) this.looking -= 1
      world.note(`${process.name} asked for ${limit} before ${before}: ${exit._tag}`)
      if (Exit.isFailure(exit)) {
        const isExpected = Exit.isInterrupted(exit) || Option.isSome(Cause.failureOption(exit.cause))
        if (!isExpected) world.problem(`${process.name} could not look back: ${Cause.pretty(exit.cause)}`)
      } else if (Option.isSome(exit.value)) {
        const { events, oldest } = exit.value.value
        this.history.pieces.push({ client: this.name, log, before, limit, events: events.map(History.event), oldest })
      }
    })
  }

  /** Leaves the room; comes back after a while. */
  leave(): void {
    const { process, session, world } = this
    if (process === undefined || session === undefined) return
    world.note(`${process.name} leaves`)
    process.run(session.client.leave)
  }

  /** Ends the program as its user would. */
  stop(): void {
    if (this.process === undefined || this.fiber === undefined) return
    this.world.note(`${this.process.name} is asked to stop`)
    this.process.interrupt(this.fiber)
  }

  /** Switches the machine off: nobody is told. */
  switchOff(): void {
    this.world.note(`the machine of ${this.name} is off`)
    for (const connection of this.network.connections) {
      if (connection.road === this.road) connection.cut(this.world.dice.scale(1_000, 60_000))
    }
    this.process?.kill()
  }

  private ended(process: Process, exit: Exit.Exit<void, { readonly reason: string } | Backlog.Lagged>): void {
    const { session, world } = this
    world.note(`${process.name} has ended: ${exit._tag === "Success" ? "in good order" : Cause.pretty(exit.cause)}`)
    if (session !== undefined) session.life.end = Exit.isSuccess(exit) || Exit.isInterrupted(exit) ? "closed" : "failed"
    const error = Exit.isFailure(exit) ? Option.getOrUndefined(Cause.failureOption(exit.cause)) : undefined
    if (error !== undefined) {
      const reason = "reason" in error ? error.reason : "lagged"
      if (!innocent.has(reason) || String(error).includes("damaged"))
        world.problem(`${process.name} has ended by itself: ${reason} (${String(error)})`)
      if (reason === "nick-taken") this.nick = `${this.name}-${this.starts}`
    }
    process.kill()
  }

  private killed(): void {
    const { session, world } = this
    if (session?.life.end === "present") session.life.end = "killed"
    this.session = undefined
    this.process = undefined
    this.fiber = undefined
    this.note()
    world.after(world.dice.between(...retryTime), () => this.start())
  }

  /** Notes which of its texts the client has written down, and so has to see to when it is started again. */
  private note(): void {
    const kept = new Set(this.kept())
    for (const saying of this.sayings) {
      const { outcome } = saying
      if (outcome._tag === "Acknowledged") {
        saying.mayRepeat = kept.has(saying.text) && outcome.at > this.world.now - forgetTime
      } else {
        saying.owed = kept.has(saying.text)
      }
    }
  }

  /** The texts that wait on the disk, read from a copy. */
  private kept(): ReadonlyArray<string> {
    const opened = Kept.open([Keys.stateKey(this.options.keys[0])]).pipe(
      Effect.provide(Layer.merge(this.disk.copy.layer(atOnce), Fernet.layer)),
      Effect.provideService(Entropy, { bytes: (length) => new Uint8Array(length) })
    )
    return Array.from(Effect.runSync(opened).outbox.items, ({ text }) => text)
  }
}
