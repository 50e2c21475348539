/**
 * A log that has a past: what was said in a room before a benchmark begins, in a database, as a server would have left
 * it. One commit for all that the server would have committed bit by bit, each with a sync.
 */
import * as Arr from "effect/Array"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as Base64Url from "../../src/domain/Base64Url.js"
import { Entropy } from "../../src/domain/Entropy.js"
import { Fernet } from "../../src/domain/Fernet.js"
import * as Keys from "../../src/domain/Keys.js"
import * as Protocol from "../../src/domain/Protocol.js"
import * as Seal from "../../src/domain/Seal.js"
import { Log } from "../../src/server/Log.js"
import * as LogSql from "../../src/server/LogSql.js"
import * as Membership from "../../src/server/Membership.js"
import * as SealedLog from "../../src/server/SealedLog.js"
import { type MemberRow, type Row, Store } from "../../src/server/Store.js"

export interface Options {
  readonly file: string
  readonly keys: Keys.Ring<Keys.RoomKey>
  /** Who was there first, and left before anything was said. */
  readonly away: { readonly nick: string; readonly ticket: Protocol.Ticket }
  /** How many others then talked, by turns, and left. */
  readonly authors: number
  readonly texts: number
  readonly text: Seal.Text
  /** Events that were committed together, and are in one row. */
  readonly batch: number
}

export interface Past {
  readonly log: Protocol.LogId
  /** Who was away. */
  readonly member: Protocol.MemberId
  /** The newest `seq`. */
  readonly head: Protocol.Position
}

const membership = Schema.decodeSync(Membership.Membership)

/** All that happened, and who they were. */
const happened = Effect.fnUntraced(function* (log: Protocol.LogId, { authors, away, keys, text, texts }: Options) {
  const fernet = yield* Fernet
  const entropy = yield* Entropy
  const at = yield* Clock.currentTimeMillis
  const messageKeys = Arr.map(keys, Keys.messageKey)

  const events: Array<Protocol.Event> = []
  const add = (make: (seq: Protocol.Seq) => Protocol.Event) => {
    const event = make(Protocol.Seq.make(events.length + 1))
    events.push(event)
    return event.seq
  }
  const join = (nick: string) =>
    Protocol.MemberId.make(add((seq) => ({ _tag: "Joined", seq, at, member: Protocol.MemberId.make(seq), nick })))
  const leave = (member: Protocol.MemberId, nick: string) =>
    add((seq) => ({ _tag: "Left", seq, at, member, nick, reason: "quit" }))

  const member = join(away.nick)
  leave(member, away.nick)
  const others = Arr.makeBy(authors, (i) => {
    const nick = `author-${i + 1}`
    return { nick, member: join(nick), acked: 0 }
  })
  for (let i = 0; i < texts; i++) {
    const author = others[i % authors]
    if (author === undefined) break
    author.acked += 1
    const { member, nick } = author
    const n = Protocol.TextNumber.make(author.acked)
    const sealed = Seal.seal(fernet, messageKeys, { log, member, n, nick, text })
    add((seq) => ({ _tag: "Chat", seq, at, member, nick, n, sealed }))
  }
  for (const { member, nick } of others) leave(member, nick)

  const newTicket = () => Protocol.Ticket.make(Base64Url.encode(entropy.bytes(16)))
  const members = [
    membership({ ticket: Membership.hash(away.ticket), member, nick: away.nick, acked: 0, here: false }),
    ...others.map((other) => membership({ ...other, ticket: Membership.hash(newTicket()), here: false }))
  ]
  return { events, member, members }
})

/** The rows that a log makes of events, committed `batch` by `batch`. */
const toRows = Effect.fnUntraced(function* (
  id: Protocol.LogId,
  { batch, keys }: Options,
  events: ReadonlyArray<Protocol.Event>,
  members: ReadonlyArray<Membership.Membership>
) {
  const written: { readonly rows: Array<Row>; readonly members: Array<MemberRow> } = { rows: [], members: [] }
  const store = Store.of({
    id,
    bounds: Effect.succeedNone,
    members: Effect.succeed([]),
    commit: (rows, members) =>
      Effect.sync(() => {
        written.rows.push(...rows)
        written.members.push(...members)
      }),
    reseal: () => Effect.void,
    rows: () => Effect.succeed([]),
    drop: () => Effect.void
  })
  yield* Effect.gen(function* () {
    const log = yield* Log
    const batches = Arr.chunksOf(events, batch)
    for (const [index, each] of batches.entries()) yield* log.append(each, index === batches.length - 1 ? members : [])
  }).pipe(Effect.provide(SealedLog.layer({ keys: Arr.map(keys, Keys.serverKey) })), Effect.provideService(Store, store))
  return written
})

/** Writes it into a new database. */
export const write = Effect.fn("Past.write")(
  function* (options: Options) {
    const store = yield* Store
    const { events, member, members } = yield* happened(store.id, options)
    const written = yield* toRows(store.id, options, events, members)
    if (Arr.isNonEmptyArray(written.rows)) yield* store.commit(written.rows, written.members)
    const past: Past = { log: store.id, member, head: Protocol.Position.make(events.length) }
    return past
  },
  (effect, { file }) => Effect.provide(effect, LogSql.layerStore({ file }))
)
