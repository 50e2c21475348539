/**
 * A durable log that shows nothing without the key: rows and members are Fernet tokens under the log key, in a Store
 * that need not be trusted. A row holds its log's id and its place, so that what is stored can be neither read nor
 * moved, nor taken from the middle: only the oldest rows can go, and old copies of all of it come back.
 */
import { Buffer } from "node:buffer"
import * as Arr from "effect/Array"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { EventLoop } from "../domain/EventLoop.js"
import { Fernet } from "../domain/Fernet.js"
import * as Json from "../domain/Json.js"
import * as Keys from "../domain/Keys.js"
import * as Protocol from "../domain/Protocol.js"
import * as Wire from "../domain/Wire.js"
import { damaged, Log, LogError, recentBounds } from "./Log.js"
import { Membership, type TicketHash } from "./Membership.js"
import * as Resealing from "./Resealing.js"
import { type MemberRow, type Row, Store } from "./Store.js"
import { type Bounds, sizeOf, Tail } from "./Tail.js"

export interface Options {
  /**
   * The server keys of the room: the log is sealed under the first, and opened under all. What is under another is sealed
   * anew for as long as the log is in use.
   */
  readonly keys: Keys.Ring<Keys.ServerKey>
  /** What errors call the place where it is kept: the path of a file. Without one, "the log". */
  readonly name?: string
  /** How many of the newest events stay in memory: 1,024 or 1 MiB of them, and at most twice as much. */
  readonly recent?: Bounds
}

/** Rows read and opened at a time: at most 0.5 MiB, some milliseconds of work. */
const rowsAtOnce = 8

/** Events opened before the event loop has a turn: who reads a long history does not hold up who talks. */
const eventsAtOnce = 16

/** Bytes of JSON that are one row; what is larger is cut into pages. */
const oneRow = Wire.maxPlaintext - 1024

const SealedRow = Schema.Struct({
  log: Protocol.LogId,
  first: Protocol.Seq,
  events: Schema.NonEmptyArray(Protocol.Event)
})
const SealedMember = Schema.Struct({ log: Protocol.LogId, member: Membership })
const decodeRow = Json.strict(SealedRow)
const decodeMember = Json.strict(SealedMember)

/** Why a token was not taken: it opens under none of the keys (`sealed`), or is not what should be there (`wrong`). */
type Refusal = "sealed" | "wrong"

/** Seals and opens what one log stores. */
class Codec {
  constructor(
    private readonly fernet: Fernet["Type"],
    private readonly keys: Keys.Ring<Keys.LogKey>,
    private readonly log: Protocol.LogId
  ) {}

  // Undated: how old a row is, is nobody's business either.
  private seal(json: string): string {
    return this.fernet.encrypt(this.keys, Buffer.from(json), { undated: true })
  }

  private row(events: Arr.NonEmptyReadonlyArray<Protocol.Event>, json: string): Row {
    const first = Arr.headNonEmpty(events).seq
    // As JSON.stringify would write a SealedRow, without writing the events once more.
    const token = this.seal(`{"log":"${this.log}","first":${first},"events":${json}}`)
    return { first, last: Arr.lastNonEmpty(events).seq, token }
  }

  private open<A extends { readonly log: Protocol.LogId }>(
    token: string,
    decode: (bytes: Uint8Array) => Either.Either<A, unknown>,
    fits: (opened: A) => boolean
  ): Either.Either<A, Refusal> {
    return this.fernet.decrypt(this.keys, token).pipe(
      Either.mapLeft((): Refusal => "sealed"),
      Either.flatMap((bytes) => Either.mapLeft(decode(bytes), (): Refusal => "wrong")),
      Either.filterOrLeft(
        (opened) => opened.log === this.log && fits(opened),
        (): Refusal => "wrong"
      )
    )
  }

  /** One row, or as few as a page each can hold. */
  rows(events: Arr.NonEmptyReadonlyArray<Protocol.Event>): Arr.NonEmptyReadonlyArray<Row> {
    const json = JSON.stringify(events)
    const rows =
      Buffer.byteLength(json) <= oneRow ? [] : Wire.pages(events).map((page) => this.row(page, JSON.stringify(page)))
    return Arr.isNonEmptyArray(rows) ? rows : [this.row(events, json)]
  }

  member(member: Membership): MemberRow {
    const sealed: typeof SealedMember.Type = { log: this.log, member }
    return { ticket: member.ticket, token: this.seal(JSON.stringify(sealed)) }
  }

  /** The events of a row, each in its place. */
  openRow({ first, last, token }: Row): Either.Either<Arr.NonEmptyReadonlyArray<Protocol.Event>, Refusal> {
    return Either.map(
      this.open(
        token,
        decodeRow,
        (row) =>
          row.first === first &&
          row.events.length === last - first + 1 &&
          row.events.every((event, index) => event.seq === first + index)
      ),
      ({ events }) => events
    )
  }

  openMember({ ticket, token }: MemberRow): Either.Either<Membership, Refusal> {
    return Either.map(
      this.open(token, decodeMember, ({ member }) => member.ticket === ticket),
      ({ member }) => member
    )
  }
}

/** Opens the log in the Store: all members, and its newest events, which stay in memory. */
const make = Effect.fn("SealedLog.make")(function* ({ keys, name = "the log", recent = recentBounds }: Options) {
  const store = yield* Store
  const { aside } = yield* EventLoop
  const logKeys = Arr.map(keys, Keys.logKey)
  const codec = new Codec(yield* Fernet, logKeys, store.id)

  const refused = (what: string) => (refusal: Refusal) =>
    damaged(
      name,
      refusal === "sealed"
        ? `${what} opens under none of the keys (it was changed, or a key that still opened it was taken out of the key file: put it back)`
        : `${what} is not what was written there`
    )

  const openRow = (row: Row) =>
    Either.mapLeft(codec.openRow(row), refused(`the row of events ${row.first} to ${row.last}`))

  const bounds = yield* store.bounds
  let oldest = Option.match(bounds, { onNone: () => Protocol.next(Protocol.start), onSome: ([first]) => first })
  const head: Protocol.Position = Option.match(bounds, { onNone: () => Protocol.start, onSome: ([, last]) => last })

  /**
   * Rows in order from the one that holds `after + 1` on, without a hole; what is dropped meanwhile is below the oldest.
   */
  const readRows = Effect.fnUntraced(function* (after: Protocol.Position, limit: number) {
    const rows = yield* store.rows(after, limit)
    let next = Math.max(after + 1, oldest)
    for (const [index, { first, last }] of rows.entries()) {
      if (index === 0 ? first > next : first !== next) {
        return yield* damaged(name, `other events than ${next} are where it should be`)
      }
      next = last + 1
    }
    return rows
  })

  const memberRows = yield* store.members
  const ends = Option.isNone(bounds)
    ? []
    : [...(yield* store.rows(Protocol.start, 1)), ...(yield* store.rows(Protocol.Position.make(head - 1), 1))]
  // One that opens shows that it is the right key. It need not be the first: that may be new.
  const isSealed = Either.match({ onLeft: (refusal: Refusal) => refusal === "sealed", onRight: () => false })
  if (
    ends.length + memberRows.length > 0 &&
    ends.every((row) => isSealed(codec.openRow(row))) &&
    memberRows.every((row) => isSealed(codec.openMember(row)))
  ) {
    return yield* new LogError({
      reason: "foreign",
      message: `${name} was written under another key: give that key, or name another file with --db`
    })
  }
  for (const row of ends) yield* openRow(row)

  const members = new Map<TicketHash, Membership>()
  for (const row of memberRows) {
    const member = yield* Either.mapLeft(codec.openMember(row), refused("a member"))
    members.set(member.ticket, member)
  }

  const tail = new Tail(recent, Protocol.Position.make(Math.max(oldest - 1, head - recent.events)))
  while (tail.head < head) {
    const rows = yield* readRows(tail.head, rowsAtOnce)
    if (rows.length === 0) return yield* damaged(name, `events ${tail.head + 1} to ${head} are missing`)
    for (const row of rows) {
      const events = (yield* openRow(row)).filter(({ seq }) => seq > tail.head)
      if (Arr.isNonEmptyReadonlyArray(events)) tail.push(events)
    }
  }

  yield* Effect.forkScoped(Resealing.run({ keys: logKeys, name }))
  // One at a time: the store does one thing after the other, and what is said does not wait behind a crowd that reads.
  const reading = yield* Effect.makeSemaphore(1)

  return Log.of({
    id: store.id,
    head: Effect.sync(() => tail.head),
    oldest: Effect.sync(() => oldest),
    members: Effect.sync(() => Array.from(members.values())),
    append: (events, changed) =>
      Effect.suspend(() => {
        const members = changed.map((member) => codec.member(member))
        if (!Arr.isNonEmptyReadonlyArray(events)) return store.commit([], members)
        if (events[0].seq !== tail.head + 1) return Effect.dieMessage(`${events[0].seq} does not follow ${tail.head}`)
        return store.commit(codec.rows(events), members)
      }).pipe(
        Effect.tap(() => {
          if (Arr.isNonEmptyReadonlyArray(events)) tail.push(events)
          for (const member of changed) members.set(member.ticket, member)
        }),
        // Whoever is interrupted in between would not know what is kept.
        Effect.uninterruptible
      ),
    read: Effect.fnUntraced(function* (after, limit, bytes = Number.POSITIVE_INFINITY) {
      if (after + 1 >= tail.oldest) return tail.read(after, limit, bytes)
      const found: Array<Protocol.Event> = []
      let size = 0
      let rested = 0
      const isFull = () => found.length >= limit || size >= bytes
      while (!isFull()) {
        const from = found.at(-1)?.seq ?? after
        const rows = yield* reading.withPermits(1)(readRows(from, Math.min(rowsAtOnce, limit - found.length)))
        // None, or what comes next was dropped meanwhile.
        if (rows[0] === undefined || (found.length > 0 && rows[0].first > from + 1)) break
        for (const row of rows) {
          if (isFull()) break
          if (found.length >= rested + eventsAtOnce) {
            rested = found.length
            yield* aside
          }
          for (const event of yield* openRow(row)) {
            if (event.seq <= from || isFull()) continue
            found.push(event)
            size += sizeOf(event)
          }
        }
      }
      return found
    }),
    recent: (after) => tail.since(after),
    trim: Effect.fnUntraced(function* (before) {
      for (;;) {
        // Rows that hold nothing newer, in their order.
        const rows = yield* readRows(Protocol.Position.make(oldest - 1), rowsAtOnce)
        let last: Protocol.Position | undefined
        let more = rows.length === rowsAtOnce
        for (const row of rows) {
          const events = yield* openRow(row)
          if (row.last === tail.head || events.some(({ at }) => at >= before)) {
            more = false
            break
          }
          last = row.last
        }
        if (last !== undefined) {
          // First, for whoever reads meanwhile.
          const was = oldest
          const kept = Protocol.next(last)
          oldest = kept
          tail.forget(({ seq }) => seq < kept)
          yield* Effect.onError(Effect.uninterruptible(store.drop(last)), () =>
            Effect.sync(() => {
              oldest = was
            })
          )
        }
        if (!more) return
      }
    })
  })
})

/** A Log over the Store there is. */
export const layer = (options: Options): Layer.Layer<Log, LogError, Store | Fernet> => Layer.scoped(Log, make(options))
