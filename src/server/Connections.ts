/**
 * The connections of a server: how many there may be, so that strangers hold little and only for a while, and one look a
 * second at all of them for those that say nothing or take nothing.
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { EventLoop } from "../domain/EventLoop.js"
import type { Transport } from "../domain/Transport.js"
import type { Downlink } from "./Downlink.js"
import * as Instrument from "./Instrument.js"
import type { Limits } from "./Limits.js"
import * as Metrics from "./Metrics.js"
import { type Refusal, Refusals } from "./Refusals.js"

/** How often (ms) connections are looked through, and how many of them are written to in a row. */
const lookTime = 1_000
const writesAtOnce = 32

/** A session to which bytes wait to be sent: where they stood at the last look, and for how long (ms) they have. */
interface Stall {
  readonly at: number
  readonly time: number
}

export class Connections {
  /** Those that have not shown that they hold a key, oldest first, each with the time (ms) that it has been here. */
  private readonly halfOpen = new Map<Transport, number>()
  private readonly sessions = new Map<Transport, Downlink>()
  /** The same of each network that has any: those, oldest first, and how many sessions. */
  private readonly halfOpenOf = new Map<string, Set<Transport>>()
  private readonly sessionsOf = new Map<string, number>()
  /** Those who were told that there is no place, until they have gone. */
  private readonly placeless = new Map<Transport, Downlink>()
  private readonly stalls = new Map<Transport, Stall>()
  private readonly refusals = new Refusals()
  private readonly shares = {
    halfOpen: new Instrument.Share(Metrics.halfOpen),
    identified: new Instrument.Share(Metrics.identified),
    unsent: new Instrument.Share(Metrics.unsent)
  }
  private isClosing = false

  constructor(private readonly limits: Limits) {}

  /** A connection that has not shown that it holds a key. Where there are too many of those, the oldest goes. */
  add(transport: Transport): void {
    const { network } = transport
    const neighbours = network === undefined ? undefined : this.halfOpenOf.get(network)
    const isCrowd = neighbours !== undefined && neighbours.size >= this.limits.halfOpenPerAddress
    if (isCrowd || this.halfOpen.size >= this.limits.halfOpen) {
      const [oldest] = isCrowd ? neighbours : this.halfOpen.keys()
      if (oldest !== undefined) this.turnAway(oldest, "too many at once")
    }
    this.halfOpen.set(transport, 0)
    this.shares.halfOpen.set(this.halfOpen.size)
    if (network !== undefined) this.halfOpenOf.set(network, (this.halfOpenOf.get(network) ?? new Set()).add(transport))
    if (this.isClosing) transport.stopReading()
  }

  /** Sends a stranger away without a word. */
  private turnAway(transport: Transport, refusal: Refusal): void {
    this.refuse(refusal, transport)
    this.close(transport)
    transport.stopReading()
  }

  /** It is half-open no more; whether it was. */
  private close(transport: Transport): boolean {
    const { network } = transport
    const neighbours = network === undefined ? undefined : this.halfOpenOf.get(network)
    neighbours?.delete(transport)
    if (network !== undefined && neighbours?.size === 0) this.halfOpenOf.delete(network)
    const was = this.halfOpen.delete(transport)
    this.shares.halfOpen.set(this.halfOpen.size)
    return was
  }

  /** Has the operator told that a connection was refused. */
  refuse(refusal: Refusal, { address }: Transport, detail?: string): void {
    this.refusals.add(refusal, address, detail)
    Instrument.update(Metrics.refusals[refusal], 1)
  }

  /** It has shown that it holds a key; false for one that was sent away meanwhile. There may be no place for its session. */
  identify(transport: Transport, link: Downlink): boolean {
    if (!this.close(transport)) return false
    const { connections, connectionsPerAddress } = this.limits
    const { network } = transport
    const neighbours = network === undefined ? 0 : (this.sessionsOf.get(network) ?? 0)
    // Who gets no place takes none from others until it has gone.
    if (this.sessions.size >= connections || neighbours >= connectionsPerAddress) {
      this.refuse("full", transport)
      link.bye("full")
      this.placeless.set(transport, link)
      return true
    }
    this.sessions.set(transport, link)
    this.shares.identified.set(this.sessions.size)
    if (network !== undefined) this.sessionsOf.set(network, neighbours + 1)
    if (this.isClosing) link.bye("shutdown")
    return true
  }

  /** How many have not shown that they hold a key, and how many have, and have a place. */
  get counts(): { readonly halfOpen: number; readonly sessions: number } {
    return { halfOpen: this.halfOpen.size, sessions: this.sessions.size }
  }

  /** The downlink of one that has shown that it holds a key, and has a place. */
  find(transport: Transport): Downlink | undefined {
    return this.sessions.get(transport)
  }

  /** The same, also of one that there was no place for. */
  findAny(transport: Transport): Downlink | undefined {
    return this.sessions.get(transport) ?? this.placeless.get(transport)
  }

  /** It has ended. */
  remove(transport: Transport): void {
    const { network } = transport
    this.close(transport)
    this.stalls.delete(transport)
    this.placeless.delete(transport)
    const isSession = this.sessions.delete(transport)
    this.shares.identified.set(this.sessions.size)
    if (!isSession || network === undefined) return
    const left = (this.sessionsOf.get(network) ?? 1) - 1
    if (left > 0) this.sessionsOf.set(network, left)
    else this.sessionsOf.delete(network)
  }

  /** Says Bye to all, now and later; whoever has not shown who it is is closed without a word. */
  shutDown(): void {
    this.isClosing = true
    for (const transport of this.halfOpen.keys()) transport.stopReading()
    for (const link of this.sessions.values()) link.bye("shutdown")
  }

  /** Looks at a session that has waited `lookTime` more, for bytes that do not move. */
  private lookForStall(transport: Transport, link: Downlink, slowAfter: number): void {
    const { stalledAt: at } = transport
    if (at === undefined) return void this.stalls.delete(transport)
    const before = this.stalls.get(transport)
    const time = before?.at === at ? before.time + lookTime : 0
    this.stalls.set(transport, { at, time })
    if (time >= slowAfter) link.bye("slow")
  }

  /**
   * Looks after those that say nothing or take nothing, for ever. One fiber counts for all, so that ten thousand who are
   * idle cost a loop over them and no timers; it counts its own turns, so that nobody is to blame for time in which the
   * server stood still.
   */
  get watch(): Effect.Effect<never> {
    return Effect.gen(this, function* () {
      const { turn } = yield* EventLoop
      const opening = Duration.toMillis(this.limits.opening)
      const slowAfter = Duration.toMillis(this.limits.slowAfter)
      const patience = {
        pingAfter: Duration.toMillis(this.limits.pingAfter),
        silentAfter: Duration.toMillis(this.limits.silentAfter)
      }
      // A step of its own, so that no connection is held from one look to the next.
      const look = Effect.gen(this, function* () {
        const at = yield* Effect.clockWith((clock) => clock.currentTimeMillis)
        for (const [transport, time] of this.halfOpen) {
          this.halfOpen.set(transport, time + lookTime)
          if (time + lookTime >= opening) this.turnAway(transport, "too slow")
        }
        let writes = 0
        let unsent = 0
        for (const [transport, link] of this.sessions) {
          unsent += transport.unsent
          this.lookForStall(transport, link, slowAfter)
          if (!link.wait(lookTime, at, patience)) continue
          writes += 1
          // Those who talk do not wait for a crowd that does not.
          if (writes % writesAtOnce === 0) yield* turn
        }
        this.shares.unsent.set(unsent)
        yield* this.tellRefusals(lookTime)
      })
      while (true) yield* Effect.zipRight(Effect.sleep(lookTime), look)
    }).pipe(
      Effect.ensuring(
        Effect.suspend(() => {
          this.shares.unsent.set(0)
          // Whatever is yet to be told is told now or never.
          return this.tellRefusals(Number.POSITIVE_INFINITY)
        })
      )
    )
  }

  private tellRefusals(time: number): Effect.Effect<void> {
    return Effect.suspend(() =>
      Option.match(this.refusals.pass(time), { onNone: () => Effect.void, onSome: (line) => Effect.logInfo(line) })
    )
  }
}
