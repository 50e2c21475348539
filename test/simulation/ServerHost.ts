/** The machine of the server: a disk, a place to listen, and a server that is started, stopped and killed on it. */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import { identity } from "effect/Function"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import type { OperatorError } from "../../src/domain/Admin.js"
import * as Fernet from "../../src/domain/Fernet.js"
import { Log, type LogError } from "../../src/server/Log.js"
import * as SealedLog from "../../src/server/SealedLog.js"
import * as Server from "../../src/server/Server.js"
import { Store } from "../../src/server/Store.js"
import { type Medium, ServerDisk } from "./Disk.js"
import type { Mutant } from "./Mutants.js"
import type { Network } from "./Network.js"
import { Process } from "./Process.js"
import type { World } from "./World.js"

export interface Options {
  readonly server: Omit<Server.Options, "keys">
  /** The keys that the server is started with, each time it is. */
  readonly keys: () => Server.Options["keys"]
  /** How many of the newest events the log has in memory: few, so that sessions have to read them. */
  readonly recent: number
  /** What stands between the right services and those that use them, if anything. */
  readonly mutant: Mutant
  /** Most operations that a fiber makes at a time. */
  readonly maxBudget: number
}

/** How far clocks are off: not at all, or days. */
const skewOf = (world: World) => (world.dice.chance(0.5) ? 0 : world.dice.between(-2, 2) * 86_400_000)

/** How long it takes until somebody starts a server that has ended by itself. */
const restartTime = 2_000

export class ServerHost {
  process: Process | undefined
  /** Those of former logs, and last the one of today. */
  readonly disks: Array<ServerDisk>
  private fiber: Fiber.RuntimeFiber<unknown, unknown> | undefined
  /** What its operator has in hand, once it serves. */
  private server: Server.Shape | undefined
  private starts = 0
  /** Its clock; servers on one machine have one clock, set anew now and then. */
  private skew: number
  private isNew = false

  constructor(
    private readonly world: World,
    private readonly network: Network,
    readonly medium: Medium,
    private readonly options: Options
  ) {
    this.skew = skewOf(world)
    this.disks = [new ServerDisk(medium)]
  }

  get disk(): ServerDisk {
    return this.disks.at(-1) ?? this.renew()
  }

  start(): void {
    if (this.process !== undefined) return
    const { network, options, world } = this
    if (this.isNew) this.renew()
    if (world.dice.chance(0.2)) this.skew = skewOf(world)
    const process = new Process(world, `server ${++this.starts}`, { skew: this.skew, maxBudget: options.maxBudget })
    world.note(`${process.name} starts on log ${this.disk.id}`)
    network.isDark = false
    this.process = process
    const keys = options.keys()
    const services = Layer.mergeAll(
      this.log(keys).pipe(Layer.provide(this.disk.layer(process)), Layer.provideMerge(Fernet.layer)),
      network.layerListener(process)
    )
    process.onKill(() => {
      this.process = undefined
      this.server = undefined
    })
    const main = Effect.flatMap(Server.make({ ...options.server, keys }), (server) => {
      this.server = server
      return server.join
    })
    this.fiber = process.run(Effect.provide(Effect.scoped(main), services), (exit) => this.ended(process, exit))
  }

  /** Has its operator do something, if there is a server; that may come to nothing. */
  private operate<A>(what: string, act: (server: Server.Shape) => Effect.Effect<A, OperatorError>): void {
    const { process, server, world } = this
    if (process === undefined || server === undefined) return
    world.note(`the operator ${what}`)
    process.run(Effect.either(act(server)), (exit) => {
      const failure = exit._tag === "Success" && exit.value._tag === "Left" ? exit.value.left.reason : exit._tag
      world.note(`the operator ${what}: ${failure}`)
    })
  }

  kick(nick: string): void {
    this.operate(`kicks ${nick}`, ({ kick }) => kick(nick))
  }

  ban(nick: string, ticketOnly: boolean): void {
    this.operate(`bans ${nick}`, ({ ban }) => ban(nick, { ticketOnly }))
  }

  /** Lifts all bans there are. */
  pardon(): void {
    this.operate("lifts all bans", ({ bans, unban }) =>
      Effect.flatMap(bans, (all) => Effect.forEach(all, ({ member }) => unban(`@${member}`)))
    )
  }

  /** Asks it to shut down. */
  stop(): void {
    if (this.process === undefined || this.fiber === undefined) return
    this.world.note(`${this.process.name} is asked to stop`)
    this.process.interrupt(this.fiber)
  }

  /** Switches the machine off: nobody is told. */
  switchOff(): void {
    if (this.process === undefined) return
    this.world.note("the server's machine is off")
    this.network.isDark = true
    for (const connection of this.network.connections) connection.cut(this.world.dice.scale(1_000, 60_000))
    this.process.kill()
  }

  /** The next server that is started begins a new log. */
  beginNewLog(): void {
    this.isNew = true
  }

  private renew(): ServerDisk {
    const disk = new ServerDisk(this.medium)
    this.disks.push(disk)
    this.isNew = false
    return disk
  }

  /** A log over the store there is; what it does not have in memory takes its time to read. */
  private log(keys: Server.Options["keys"]): Layer.Layer<Log, LogError, Store | Fernet.Fernet> {
    const { mutant, recent } = this.options
    const { log: change = identity, store = identity } = mutant
    const slow = (log: Log["Type"]): Log["Type"] => ({
      ...log,
      recent: (after) => Option.filter(log.recent(after), ({ length }) => length <= recent),
      read: (after, limit) =>
        Effect.zipRight(Effect.sleep(this.world.dice.between(...this.medium.latency)), log.read(after, limit))
    })
    return Layer.effect(
      Log,
      Effect.map(Log, (log) => change(slow(log)))
    ).pipe(
      Layer.provide(SealedLog.layer({ keys, recent: { events: recent, bytes: 1024 * 1024 } })),
      Layer.provide(Layer.effect(Store, Effect.map(Store, store)))
    )
  }

  private ended(process: Process, exit: Exit.Exit<unknown, LogError>): void {
    const { world } = this
    if (exit._tag === "Failure" && !Cause.isInterruptedOnly(exit.cause) && !Cause.isDie(exit.cause)) {
      const error = Option.getOrUndefined(Cause.failureOption(exit.cause))
      const ending = `${process.name} has ended by itself: ${error?.message ?? Cause.pretty(exit.cause)}`
      // On a disk that fails, a log cannot be opened; nothing else may end a server.
      if (error?.reason === "unavailable") world.note(ending)
      else world.problem(ending)
      world.after(restartTime, () => this.start())
    }
    process.kill()
  }
}
