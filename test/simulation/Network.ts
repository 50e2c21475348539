/**
 * A simulated network of one server and many clients, as TCP shows it to a process: bytes take their time, come in other
 * pieces than they were written in, fill bounded buffers, and break off; who is told of the break, and when, is chance.
 */
import { Buffer } from "node:buffer"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { Signal } from "../../src/domain/Signal.js"
import * as Transport from "../../src/domain/Transport.js"
import type { Dice } from "./Dice.js"
import type { Process } from "./Process.js"
import type { World } from "./World.js"

/** The way from a client's machine to the server's: what faults act on. It outlives connections and processes. */
export interface Road {
  readonly client: string
  /** How long bytes travel, in ms. */
  latency: readonly [min: number, max: number]
  /** Bytes in a ms. */
  rate: number
  /** Most bytes that arrive together. */
  chunk: number
  /** Nothing arrives until then. */
  blockedUntil: number
}

const lost = new Transport.TransportError({ reason: "lost", message: "the connection was lost (simulated)" })
const refused = new Transport.TransportError({ reason: "refused", message: "nobody listens (simulated)" })
const unreachable = new Transport.TransportError({ reason: "unreachable", message: "no way there (simulated)" })

/** Bytes in order, taken in other pieces than they were added in. */
class Bytes {
  private parts: Array<Uint8Array> = []
  size = 0

  push(bytes: Uint8Array): void {
    if (bytes.length === 0) return
    this.parts.push(bytes)
    this.size += bytes.length
  }

  /** The first `most` bytes, or all there are. */
  take(most: number): Uint8Array {
    const taken: Array<Uint8Array> = []
    let size = 0
    while (size < most) {
      const part = this.parts[0]
      if (part === undefined) break
      const fits = part.subarray(0, most - size)
      taken.push(fits)
      size += fits.length
      if (fits.length < part.length) this.parts[0] = part.subarray(fits.length)
      else this.parts.shift()
    }
    this.size -= size
    return taken.length === 1 && taken[0] !== undefined ? taken[0] : Buffer.concat(taken)
  }

  clear(): void {
    this.parts = []
    this.size = 0
  }
}

/** One direction of a connection: what was written waits unsent, then is with the systems, and is read at the end. */
class Way {
  private readonly unsent = new Bytes()
  /** With the sender's system. */
  private readonly sending = new Bytes()
  /** On the way; `undefined` is the end of the stream. */
  private readonly flying: Array<Uint8Array | undefined> = []
  private readonly received = new Bytes()
  /** Bytes that the two systems hold, which is bounded. */
  private held = 0
  /** Bytes that its system has taken from the writer. */
  private moved = 0
  /** Bytes in all that were written, and that were read. */
  written = 0
  taken = 0
  private pumping = false
  private arrived = 0
  /** What the writer may still do: `ended` it will write no more, `broken` nobody will take what it writes. */
  private writer: "open" | "ended" | "broken" = "open"
  private finished = false
  /** How it is for the reader once it has read what was received. */
  private reader: "open" | "ended" | "lost" = "open"
  private reading: "wanted" | "discarded" | "refused" = "wanted"
  private isDead = false
  private readonly changed = new Signal()

  constructor(
    private readonly world: World,
    private readonly dice: Dice,
    private readonly road: Road,
    /** Most bytes that the two systems hold. */
    private readonly window: number,
    /** Bytes have come to a reader who is gone: the writer's system is told so. */
    private readonly onRefused: () => void
  ) {}

  write(bytes: Uint8Array): number {
    if (this.writer === "open") {
      this.unsent.push(bytes)
      this.written += bytes.length
      this.fill()
    }
    return this.waiting
  }

  /** Bytes that its system has not taken yet. */
  get waiting(): number {
    return this.unsent.size
  }

  get stalledAt(): number | undefined {
    return this.unsent.size > 0 ? this.moved : undefined
  }

  get isBroken(): boolean {
    return this.writer === "broken"
  }

  /** Nothing more will be written; the end follows what was. */
  finish(): void {
    if (this.writer === "open") this.writer = "ended"
    this.fill()
    this.pump()
  }

  /** The writer is gone: what it had handed to its system still travels, the rest is dropped. */
  abandon(): void {
    this.unsent.clear()
    this.finish()
  }

  /** Nobody takes what is written any more. */
  break(): void {
    this.writer = "broken"
    this.unsent.clear()
    this.sending.clear()
    this.changed.notify()
  }

  /** The reader is told that the connection is lost; what it has not read may be gone as well. */
  lose(withUnread: boolean): void {
    if (this.reader !== "open") return
    this.reader = "lost"
    if (withUnread) this.received.clear()
    this.changed.notify()
  }

  /** Nothing arrives any more, and nobody is told. */
  die(): void {
    this.isDead = true
  }

  /** The reader wants nothing any more: it reads it off, or is gone; false if something was there that it never read. */
  discard(reading: "discarded" | "refused"): boolean {
    const clean = this.received.size === 0
    this.reading = reading
    this.release(this.received.size)
    this.received.clear()
    return clean
  }

  private isReaderDone = false

  /** The reader asks for no more, and is given none; what comes is kept all the same. */
  stopReading(): void {
    this.isReaderDone = true
    this.changed.notify()
  }

  readonly read: Transport.Pipe["read"] = Effect.zipRight(
    Effect.suspend(() =>
      this.changed.wait(() => this.received.size > 0 || this.reader !== "open" || this.isReaderDone)
    ),
    Effect.suspend(() => {
      if (this.isReaderDone) return Effect.succeed(undefined)
      if (this.received.size === 0) return this.reader === "lost" ? Effect.fail(lost) : Effect.succeed(undefined)
      const bytes = this.received.take(this.dice.chance(0.8) ? this.received.size : this.dice.scale(1, 65_536))
      this.taken += bytes.length
      this.release(bytes.length)
      return Effect.succeed(bytes)
    })
  )

  /** Waits until all bytes are with the system, or will never be. */
  readonly flushed: Effect.Effect<void> = Effect.suspend(() => this.changed.wait(() => this.unsent.size === 0))

  /** Waits until the reader has seen the end. */
  readonly over: Effect.Effect<void> = Effect.suspend(() => this.changed.wait(() => this.reader !== "open"))

  /** Room for `size` more bytes, which the writer's system learns a little later. */
  private release(size: number): void {
    if (size === 0) return
    this.world.after(this.latency(), () => {
      this.held -= size
      this.fill()
    })
  }

  private latency(): number {
    return this.dice.between(...this.road.latency)
  }

  /** Hands to the system what it has room for. */
  private fill(): void {
    if (this.writer === "broken") return
    const bytes = this.unsent.take(Math.max(this.window - this.held, 0))
    if (bytes.length > 0) {
      this.sending.push(bytes)
      this.held += bytes.length
      this.moved += bytes.length
    }
    if (this.unsent.size === 0) this.changed.notify()
    this.pump()
  }

  /** Sends what the system has, piece by piece, as fast as the road takes it. */
  private pump(): void {
    if (this.pumping || this.isDead || this.writer === "broken") return
    if (this.sending.size > 0) {
      const bytes = this.sending.take(this.dice.scale(1, this.road.chunk))
      this.pumping = true
      this.world.after(bytes.length / this.road.rate, () => {
        this.pumping = false
        this.fly(bytes)
        this.pump()
      })
    } else if (this.writer === "ended" && this.unsent.size === 0 && !this.finished) {
      this.finished = true
      this.fly(undefined)
    }
  }

  private fly(bytes: Uint8Array | undefined): void {
    this.flying.push(bytes)
    this.arrived = Math.max(this.arrived, this.world.now + this.latency())
    this.land(this.arrived)
  }

  private land(at: number): void {
    this.world.after(at - this.world.now, () => {
      if (this.isDead) return
      const { blockedUntil } = this.road
      // Whichever comes first, it takes the first of those on the way: they never overtake each other.
      if (blockedUntil > this.world.now) return this.land(blockedUntil + this.latency())
      this.arrive(this.flying.shift())
    })
  }

  private arrive(bytes: Uint8Array | undefined): void {
    if (this.reader === "lost") return
    if (bytes === undefined) {
      this.reader = "ended"
    } else if (this.reading === "refused") {
      this.onRefused()
    } else if (this.reading === "discarded") {
      this.release(bytes.length)
    } else {
      this.received.push(bytes)
    }
    this.changed.notify()
  }
}

/** One side of a connection, as its process has it. */
class End {
  isGone = false

  constructor(
    private readonly incoming: Way,
    private readonly outgoing: Way,
    private readonly reset: () => void,
    private readonly onGone: () => void
  ) {}

  /** Each client's machine is in a network of its own. */
  transport(address: string): Transport.Transport {
    const { incoming, outgoing } = this
    return Transport.make({
      address,
      network: undefined,
      get stalledAt() {
        return outgoing.stalledAt
      },
      get unsent() {
        return outgoing.waiting
      },
      get isGone() {
        return outgoing.isBroken
      },
      get traffic() {
        return { received: incoming.taken, written: outgoing.written }
      },
      read: this.incoming.read,
      stopReading: () => this.incoming.stopReading(),
      write: (bytes) => this.outgoing.write(bytes),
      drained: this.outgoing.flushed,
      end: Effect.suspend(() => {
        this.incoming.discard("discarded")
        this.outgoing.finish()
        return Effect.zipRight(this.outgoing.flushed, this.incoming.over)
      })
    })
  }

  /** As a system does when a process closes a socket, or dies. */
  destroy(): void {
    if (this.isGone) return
    this.isGone = true
    // Closing with something unread tells the other side so, by a reset.
    if (!this.incoming.discard("refused")) this.reset()
    this.outgoing.abandon()
    this.onGone()
  }

  /** The process is told that the connection is lost. */
  lose(withUnread: boolean): void {
    this.incoming.lose(withUnread)
    this.outgoing.break()
  }
}

export class Connection {
  readonly client: End
  readonly server: End
  private readonly up: Way
  private readonly down: Way
  private state: "open" | "cut" = "open"

  constructor(
    private readonly network: Network,
    readonly road: Road
  ) {
    const { dice, world } = network
    const way = (onRefused: () => void) => new Way(world, dice, road, network.window, onRefused)
    this.up = way(() => this.tell(this.client))
    this.down = way(() => this.tell(this.server))
    const gone = () => {
      if (this.client.isGone && this.server.isGone) network.connections.delete(this)
    }
    this.client = new End(this.down, this.up, () => this.tell(this.server), gone)
    this.server = new End(this.up, this.down, () => this.tell(this.client), gone)
  }

  /** Breaks it: each side is told within `patience` ms, and bytes on the way are gone. */
  cut(patience: number): void {
    if (this.state === "cut") return
    this.state = "cut"
    const { dice, world } = this.network
    for (const way of [this.up, this.down]) world.after(dice.between(0, Math.min(patience, 100)), () => way.die())
    for (const end of [this.client, this.server]) world.after(dice.between(0, patience), () => end.lose(false))
    this.network.connections.delete(this)
  }

  /** Goes dead: nothing arrives any more, at either end, and nobody is told. */
  vanish(): void {
    this.state = "cut"
    this.up.die()
    this.down.die()
    this.network.connections.delete(this)
  }

  /** Tells a side by a reset that the other is gone. */
  private tell(end: End): void {
    const { dice, world } = this.network
    world.after(dice.between(...this.road.latency), () => {
      if (this.state === "open") end.lose(dice.chance(0.5))
    })
  }
}

/** Who waits to be accepted. */
interface Listening {
  readonly arrived: Array<Connection>
  readonly changed: Signal
  isOpen: boolean
}

const address = "simulated:1"

export class Network {
  readonly dice: Dice
  /** Those that are not known to be over. */
  readonly connections = new Set<Connection>()
  /** The server's machine is off: who calls it hears nothing at all. */
  isDark = false
  private listening: Listening | undefined

  constructor(
    readonly world: World,
    /** Most bytes that the systems at both ends of a connection hold in one direction. */
    readonly window: number
  ) {
    this.dice = world.dice.fork()
  }

  /** Listens in `process`, until its Scope closes or it is killed. */
  layerListener(process: Process): Layer.Layer<Transport.Listener> {
    const close = (listening: Listening) => {
      listening.isOpen = false
      if (this.listening === listening) this.listening = undefined
      for (const connection of listening.arrived.splice(0)) connection.server.destroy()
    }
    return Layer.scoped(
      Transport.Listener,
      Effect.gen(this, function* () {
        const listening = yield* Effect.acquireRelease(
          Effect.sync(() => {
            const listening: Listening = { arrived: [], changed: new Signal(), isOpen: true }
            this.listening = listening
            process.onKill(() => close(listening))
            return listening
          }),
          (listening) => Effect.sync(() => close(listening))
        )
        const next = Effect.zipRight(
          listening.changed.wait(() => listening.arrived.length > 0),
          Effect.suspend(() => {
            const connection = listening.arrived.shift()
            return connection === undefined ? Effect.dieMessage("two accept at once") : Effect.succeed(connection)
          })
        )
        return {
          address,
          accept: Effect.uninterruptibleMask((restore) =>
            Effect.flatMap(restore(next), ({ road, server }) => {
              const forget = process.onKill(() => server.destroy())
              return Effect.acquireRelease(Effect.succeed(server.transport(road.client)), () =>
                Effect.sync(() => {
                  forget()
                  server.destroy()
                })
              )
            })
          ),
          close: Effect.sync(() => close(listening))
        }
      })
    )
  }

  /** Dials from `process`, over `road`. */
  layerDialer(process: Process, road: Road): Layer.Layer<Transport.Dialer> {
    return Layer.succeed(Transport.Dialer, {
      address,
      dial: Effect.gen(this, function* () {
        const call = yield* Effect.acquireRelease(
          Effect.sync(() => this.call(process, road)),
          (call) => Effect.sync(call.hangUp)
        )
        const connection = yield* call.answer
        return connection.client.transport(address)
      })
    })
  }

  /** A call that is under way; whoever hangs up closes the connection it may have come to. */
  private call(process: Process, road: Road) {
    const { dice, world } = this
    const changed = new Signal()
    let outcome: Connection | Transport.TransportError | undefined
    let isOver = false
    const settle = (result: Connection | Transport.TransportError) => {
      if (outcome !== undefined) return
      outcome = result
      if (isOver && result instanceof Connection) result.client.destroy()
      changed.notify()
    }
    const hangUp = () => {
      isOver = true
      forget()
      if (outcome instanceof Connection) outcome.client.destroy()
    }
    const forget = process.onKill(hangUp)
    const latency = () => dice.between(...road.latency)
    const arrive = () => {
      if (this.isDark) return
      if (road.blockedUntil > world.now) {
        world.after(road.blockedUntil - world.now + latency(), arrive)
        return
      }
      const { listening } = this
      if (listening === undefined || !listening.isOpen) {
        world.after(latency(), () => settle(refused))
        return
      }
      const connection = new Connection(this, road)
      this.connections.add(connection)
      listening.arrived.push(connection)
      listening.changed.notify()
      world.after(latency(), () => settle(connection))
    }
    world.after(latency(), arrive)
    world.after(dice.between(5_000, 30_000), () => settle(unreachable))
    return {
      hangUp,
      answer: Effect.zipRight(
        changed.wait(() => outcome !== undefined),
        Effect.suspend((): Effect.Effect<Connection, Transport.TransportError> => {
          if (outcome === undefined) return Effect.dieMessage("no answer")
          return outcome instanceof Connection ? Effect.succeed(outcome) : Effect.fail(outcome)
        })
      )
    }
  }
}
