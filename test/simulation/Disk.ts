/**
 * Simulated disks. What is on one outlives the process that put it there; work on it takes time, is done at some moment
 * within that time, whole, and is not done at all when the process is killed before.
 */
import * as PlatformError from "@effect/platform/Error"
import * as KeyValueStore from "@effect/platform/KeyValueStore"
import * as Arr from "effect/Array"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Base64Url from "../../src/domain/Base64Url.js"
import * as Protocol from "../../src/domain/Protocol.js"
import { LogError } from "../../src/server/Log.js"
import { type MemberRow, type Resealed, type Row, Store } from "../../src/server/Store.js"
import { Dice } from "./Dice.js"

/** Whoever works on a disk: when it is killed, its tasks are not done any more. */
export interface Worker {
  /** Has `task` done after `delay` ms, and those with the same delay in the order of the calls. */
  readonly after: (delay: number, task: () => void) => unknown
}

/** Does everything at once. */
export const atOnce: Worker = { after: (_, task) => task() }

/** How long work takes, in ms: anything between. */
export type Latency = readonly [min: number, max: number]

/** What is wrong with a disk: nothing, it takes no more, or all work on it fails. */
export type Trouble = "none" | "full" | "failing"

/** How a disk is, which changes. */
export class Medium {
  trouble: Trouble = "none"
  /** Hears of each piece of work the moment it is done, before whoever ordered it does. */
  onDone: () => void = () => {}
  private busyUntil = 0

  constructor(
    readonly dice: Dice,
    private readonly clock: { readonly now: number },
    public latency: Latency
  ) {}

  /** Does `work` for `worker`, one after the other. Whoever is interrupted waits no more; the work is done all the same. */
  work<A, E = never>(worker: Worker, work: () => Either.Either<A, E>): Effect.Effect<A, E> {
    return Effect.async((resume) => {
      const { now } = this.clock
      const begin = Math.max(now, this.busyUntil) - now
      const time = this.dice.between(...this.latency)
      this.busyUntil = now + begin + time
      let outcome: Effect.Effect<A, E> = Effect.dieMessage("the work was not done")
      worker.after(begin + this.dice.between(0, time), () => {
        outcome = work()
        this.onDone()
      })
      worker.after(begin + time, () => resume(outcome))
    })
  }
}

/** A disk that takes no time, to look at what another holds. */
const still = () => new Medium(new Dice(0), { now: 0 }, [0, 0])

const full = new LogError({ reason: "full", message: "the disk is full (simulated)" })
const failing = new LogError({ reason: "unavailable", message: "the disk fails (simulated)" })

/** A server's disk: what a {@link Store} keeps. */
export class ServerDisk {
  private rows: ReadonlyArray<Row> = []
  private members: ReadonlyMap<string, MemberRow> = new Map()
  /** Rows that were dropped: only to judge a run by. */
  private dropped: ReadonlyArray<Row> = []

  constructor(
    readonly medium: Medium,
    readonly id: Protocol.LogId = Protocol.LogId.make(Base64Url.encode(medium.dice.bytes(16)))
  ) {}

  /** The newest `seq` that is kept. */
  get head(): number {
    return this.rows.at(-1)?.last ?? 0
  }

  /** The oldest `seq` that is kept; in an empty store the one that comes next. */
  get oldest(): number {
    return this.rows[0]?.first ?? 1
  }

  /** The store as `worker` has it. */
  layer(worker: Worker): Layer.Layer<Store> {
    const work = <A>(f: () => Either.Either<A, LogError>) =>
      this.medium.work(worker, () => (this.medium.trouble === "failing" ? Either.left(failing) : f()))
    return Layer.succeed(Store, {
      id: this.id,
      bounds: work(() =>
        Either.right(
          Option.zipWith(Arr.head(this.rows), Arr.last(this.rows), ({ first }, { last }) => [first, last] as const)
        )
      ),
      members: work(() => Either.right(Array.from(this.members.values()))),
      commit: (rows, members) => work(() => this.commit(rows, members)),
      reseal: (rows, members) => work(() => this.reseal(rows, members)),
      rows: (after, limit) => work(() => Either.right(this.read(after, limit))),
      drop: (last) => work(() => this.drop(last))
    })
  }

  /** All that was ever kept here, dropped or not, as a disk to read from. */
  get archive(): ServerDisk {
    const archive = new ServerDisk(still(), this.id)
    archive.rows = [...this.dropped, ...this.rows]
    archive.members = this.members
    return archive
  }

  private commit(rows: ReadonlyArray<Row>, members: ReadonlyArray<MemberRow>): Either.Either<void, LogError> {
    if (this.medium.trouble === "full") return Either.left(full)
    const first = rows[0]?.first ?? Number.POSITIVE_INFINITY
    if (first <= this.head) {
      return Either.left(new LogError({ reason: "damaged", message: `there is a row with event ${first}` }))
    }
    this.rows = [...this.rows, ...rows]
    this.members = new Map([...this.members, ...members.map((member) => [member.ticket, member] as const)])
    return Either.void
  }

  private reseal(
    rows: ReadonlyArray<Resealed<Row>>,
    members: ReadonlyArray<Resealed<MemberRow>>
  ): Either.Either<void, LogError> {
    if (this.medium.trouble === "full") return Either.left(full)
    const tokens = new Map([...rows, ...members].map(({ token, was }) => [was, token]))
    const anew = <A extends MemberRow | Row>(sealed: A): A => ({
      ...sealed,
      token: tokens.get(sealed.token) ?? sealed.token
    })
    this.rows = this.rows.map(anew)
    this.members = new Map(Array.from(this.members, ([ticket, member]) => [ticket, anew(member)] as const))
    return Either.void
  }

  private read(after: Protocol.Position, limit: number): ReadonlyArray<Row> {
    const from = this.rows.findIndex(({ last }) => last > after)
    return from < 0 ? [] : this.rows.slice(from, from + limit)
  }

  private drop(last: Protocol.Position): Either.Either<void, LogError> {
    const newest = this.rows.at(-1)
    const isKept = (row: Row) => row === newest || row.last > last
    this.dropped = [...this.dropped, ...this.rows.filter((row) => !isKept(row))]
    this.rows = this.rows.filter(isKept)
    return Either.void
  }
}

const unwritten = (method: string) =>
  new PlatformError.SystemError({
    module: "KeyValueStore",
    method,
    reason: "Unknown",
    description: "the disk fails (simulated)"
  })

/** A client's disk: the values that it keeps, each replaced whole. */
export class ClientDisk {
  private readonly values: Map<string, string>

  constructor(
    readonly medium: Medium,
    values?: ReadonlyMap<string, string>
  ) {
    this.values = new Map(values)
  }

  layer(worker: Worker): Layer.Layer<KeyValueStore.KeyValueStore> {
    const { medium, values } = this
    const work = <A>(method: string, f: () => A) =>
      medium.work(worker, () => (medium.trouble === "none" ? Either.right(f()) : Either.left(unwritten(method))))
    return Layer.succeed(
      KeyValueStore.KeyValueStore,
      KeyValueStore.makeStringOnly({
        get: (key) => work("get", () => Option.fromNullable(values.get(key))),
        set: (key, value) => work("set", () => void values.set(key, value)),
        remove: (key) => work("remove", () => void values.delete(key)),
        clear: work("clear", () => values.clear()),
        size: work("size", () => values.size)
      })
    )
  }

  /** A disk with the same on it, to look at. */
  get copy(): ClientDisk {
    return new ClientDisk(still(), this.values)
  }
}
