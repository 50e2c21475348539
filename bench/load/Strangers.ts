/**
 * Two thousand who hold no key and misbehave, a process of its own that gives way to others: each has a connection, and
 * another one as soon as the server has closed that, as far as the bound on connects a second allows.
 */
import { setPriority } from "node:os"
import * as Effect from "effect/Effect"
import * as Queue from "effect/Queue"
import { Entropy } from "../../src/domain/Entropy.js"
import * as Handshake from "../../src/domain/Handshake.js"
import * as TransportTcp from "../../src/domain/TransportTcp.js"
import * as Child from "../utils/Child.js"
import * as Newcomers from "../utils/Newcomers.js"
import * as Process from "../utils/Process.js"
import { host, serverKeys } from "../utils/Setting.js"
import * as Stranger from "./Stranger.js"

export type Request =
  /** They come from now on. */
  | {
      readonly _tag: "Begin"
      readonly port: number
      readonly strangers: number
      /** Most connects a second, all together. */
      readonly rate: number
    }
  /** They go, and it is told what they have done; done when all of their connections are closed. */
  | { readonly _tag: "End" }

/** What strangers of one kind have done, and what has become of it. */
export interface Tally {
  readonly kind: Stranger.Kind
  opened: number
  closedByServer: number
  /** Flooders do, and all others at the end. */
  closedByThemselves: number
  /** Connections that were not open yet at the end, or that the system did not open. */
  neverOpen: number
  /** Handshakes that were answered. */
  answered: number
  /** Lines that nobody should say to them. */
  others: number
  /** How long (ms) the server has let one of them stay at most. */
  longest: number
}

export interface Report {
  readonly seconds: number
  /** CPU time (µs) that this process has had in that time. */
  readonly cpu: number
  /** Addresses they have come from. */
  readonly addresses: number
  /** Most that were open at once. */
  readonly most: number
  readonly tallies: ReadonlyArray<Tally>
}

/** Addresses of loopback that end in .1 to .250. */
const perNetwork = 250

/** Only Linux has all of 127.0.0.0/8 without being told. */
export const hasAddresses = process.platform === "linux"

const addressOf = (i: number) =>
  hasAddresses ? `127.1.${1 + Math.floor(i / perNetwork)}.${1 + (i % perNetwork)}` : undefined

/** How often (ms) those who wait are let connect. */
const pumpTime = 10
/** What may be made up for (ms) when this process had to wait. */
const arrears = 100

interface Place {
  readonly from: string | undefined
  readonly tally: Tally
}

/** The strangers of one attack. */
class Strangers {
  private readonly tallies: ReadonlyArray<Tally>
  private readonly waiting: Array<Place>
  private readonly open = new Map<Place, () => void>()
  private readonly begin = performance.now()
  private readonly pumping: NodeJS.Timeout
  private before = this.begin
  private readonly cpuBefore = Process.cpu(process.pid)
  private budget = 0
  private most = 0
  private isOver = false
  private onGone: () => void = () => {}

  constructor(
    private readonly port: number,
    private readonly strangers: number,
    private readonly rate: number,
    private readonly recorded: string,
    private readonly fresh: () => string
  ) {
    this.tallies = Stranger.kinds.map((kind) => ({
      kind,
      opened: 0,
      closedByServer: 0,
      closedByThemselves: 0,
      neverOpen: 0,
      answered: 0,
      others: 0,
      longest: 0
    }))
    this.waiting = Array.from({ length: strangers }, (_, i) => i).flatMap((i) => {
      const tally = this.tallies[i % this.tallies.length]
      return tally === undefined ? [] : [{ from: addressOf(i), tally }]
    })
    this.pumping = setInterval(() => this.pump(), pumpTime)
  }

  private pump(): void {
    const now = performance.now()
    this.budget = Math.min(this.budget + ((now - this.before) * this.rate) / 1000, (arrears * this.rate) / 1000)
    this.before = now
    for (const place of this.waiting.splice(0, Math.floor(this.budget))) {
      this.budget -= 1
      this.connect(place)
    }
  }

  private connect(place: Place): void {
    const { tally } = place
    let since = Number.NaN
    let lines = 0
    const isGreeting = tally.kind === "replay" || tally.kind === "junk"
    const stop = Stranger.connect({
      kind: tally.kind,
      port: this.port,
      from: place.from,
      hello: tally.kind === "replay" ? () => this.recorded : this.fresh,
      onOpen: () => {
        since = performance.now()
        tally.opened += 1
      },
      onLine: () => {
        lines += 1
        if (isGreeting && lines === 1) tally.answered += 1
        else tally.others += 1
      },
      onEnd: (end) => {
        this.open.delete(place)
        if (end === "never") tally.neverOpen += 1
        else if (end === "own") tally.closedByThemselves += 1
        else tally.closedByServer += 1
        if (end !== "never") tally.longest = Math.max(tally.longest, performance.now() - since)
        if (!this.isOver) this.waiting.push(place)
        else if (this.open.size === 0) this.onGone()
      }
    })
    this.open.set(place, stop)
    this.most = Math.max(this.most, this.open.size)
  }

  /** Has all of them go; done when they are gone. */
  readonly end: Effect.Effect<Report> = Effect.async((resume) => {
    const seconds = (performance.now() - this.begin) / 1000
    this.isOver = true
    clearInterval(this.pumping)
    const cpu = Process.cpu(process.pid) - this.cpuBefore
    const addresses = hasAddresses ? this.strangers : 1
    this.onGone = () => resume(Effect.succeed({ seconds, cpu, addresses, most: this.most, tallies: this.tallies }))
    if (this.open.size === 0) return this.onGone()
    for (const stop of this.open.values()) stop()
  })
}

/** What a holder of the key says first when it joins, as somebody on the way hears it. */
const record = (port: number) =>
  Effect.gen(function* () {
    const session = yield* Newcomers.join("recorded")
    yield* Newcomers.leave(session)
    return session.hello
  }).pipe(Effect.scoped, Effect.provide(TransportTcp.layerDialer({ host, port })))

/** Comes and goes for as long as the parent wants it. */
export const run = Effect.gen(function* () {
  setPriority(19)
  const parent = yield* Child.parent<Request, Report>()
  const entropy = yield* Entropy
  // Those who hold no key can have it from somebody whose connection they have cut: the server has not heard it yet.
  const fresh = () => Handshake.initiate(serverKeys[0], entropy.bytes(32)).line
  let recorded: string | undefined
  let strangers: Strangers | undefined
  const answer = (request: Request) =>
    Effect.gen(function* () {
      if (request._tag === "Begin") {
        recorded ??= yield* record(request.port)
        strangers = new Strangers(request.port, request.strangers, request.rate, recorded, fresh)
      } else if (strangers !== undefined) yield* parent.report(yield* strangers.end)
    })
  yield* Effect.raceFirst(Effect.forever(Effect.flatMap(Queue.take(parent.requests), answer)), parent.gone)
})
