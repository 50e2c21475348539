/**
 * What a member has said and not yet seen in the log: a pure state machine. Texts are numbered by their place, so a new
 * log numbers them afresh. Nothing is sent before it is kept: what was sent is never said again under another number.
 */
import * as Chunk from "effect/Chunk"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as Protocol from "../domain/Protocol.js"
import * as Seal from "../domain/Seal.js"

/** Most texts that may wait. */
export const capacity = 10_000

/** A text that waits. */
export interface Item {
  /** Rises with each text of this run of the client; not the number the text has in the log. */
  readonly id: number
  readonly text: Seal.Text
  readonly me: boolean
}

export interface Outbox {
  /** The log that the numbers count in; none before the first Welcome. */
  readonly log: Option.Option<Protocol.LogId>
  /** The highest number that is done with. The first item's is the next. */
  readonly acked: number
  /** The highest number that the log held at the last Welcome. */
  readonly logged: number
  readonly items: Chunk.Chunk<Item>
  /** The highest number that is kept, so that it may be sent. */
  readonly kept: number
  /** The highest number sent on this connection. */
  readonly sent: number
  /** The id of the next text. */
  readonly next: number
}

/** What is kept of an outbox between runs. */
export const Stored = Schema.Struct({
  log: Schema.optionalWith(Protocol.LogId, { exact: true, as: "Option" }),
  acked: Schema.NonNegativeInt,
  texts: Schema.Array(Schema.Struct({ text: Seal.Text, me: Schema.Boolean }))
})
export type Stored = typeof Stored.Type

export const store = ({ acked, items, log }: Outbox): Stored => ({
  log,
  acked,
  texts: Chunk.toReadonlyArray(items).map(({ me, text }) => ({ text, me }))
})

/** The outbox that was stored: it has sent nothing on any connection, and is kept. */
export const restore = ({ acked, log, texts }: Stored): Outbox => ({
  log,
  acked,
  items: Chunk.fromIterable(texts.map(({ me, text }, id) => ({ id, text, me }))),
  logged: acked,
  kept: acked + texts.length,
  sent: acked,
  next: texts.length
})

export const empty: Outbox = restore({ log: Option.none(), acked: 0, texts: [] })

/** The highest number given to a text. */
export const last = (outbox: Outbox): number => outbox.acked + outbox.items.length

/** Adds a text at the end. */
export const add = (outbox: Outbox, text: Seal.Text, me: boolean): readonly [Outbox, Item] => {
  const item: Item = { id: outbox.next, text, me }
  return [{ ...outbox, items: Chunk.append(outbox.items, item), next: outbox.next + 1 }, item]
}

/** The outbox once `stored`, an earlier state of it, is kept. */
export const keep = (outbox: Outbox, stored: Outbox): Outbox =>
  Option.getOrNull(outbox.log) === Option.getOrNull(stored.log)
    ? { ...outbox, kept: Math.max(outbox.kept, last(stored)) }
    : outbox

/** Whether a text that was not sent on this connection has an id below `before`. */
export const isUnsent = (outbox: Outbox, before = Number.POSITIVE_INFINITY): boolean =>
  Option.exists(Chunk.get(outbox.items, outbox.sent - outbox.acked), ({ id }) => id < before)

/** An item with the number it has in this log. */
export interface Numbered extends Item {
  readonly n: Protocol.TextNumber
}

/**
 * Takes up to `most` texts that are kept and were not sent on this connection, with ids below `before`; they stay until
 * they are in the log.
 */
export const take = (
  outbox: Outbox,
  most: number,
  before = Number.POSITIVE_INFINITY
): readonly [Outbox, ReadonlyArray<Numbered>] => {
  const count = Math.min(most, Math.max(outbox.kept - outbox.sent, 0))
  const items = Chunk.toReadonlyArray(Chunk.take(Chunk.drop(outbox.items, outbox.sent - outbox.acked), count))
    .filter(({ id }) => id < before)
    .map((item, index): Numbered => ({ ...item, n: Protocol.TextNumber.make(outbox.sent + 1 + index) }))
  return [{ ...outbox, sent: outbox.sent + items.length }, items]
}

/** Drops what the log holds, everything up to number `n`, which was sent; gives back what was dropped. */
export const settle = (outbox: Outbox, n: number): readonly [Outbox, ReadonlyArray<Item>] => {
  if (n <= outbox.acked) return [outbox, []]
  const [dropped, items] = Chunk.splitAt(outbox.items, n - outbox.acked)
  return [{ ...outbox, items, acked: n, kept: Math.max(outbox.kept, n) }, Chunk.toReadonlyArray(dropped)]
}

/**
 * The outbox on a new connection, whose log holds this member's texts up to `logged`. In the log it knows, those need
 * sending no more. In another log all that waits is numbered afresh, and has to be kept before it is sent.
 */
export const welcome = (outbox: Outbox, log: Protocol.LogId, logged: number): Outbox =>
  Option.exists(outbox.log, (known) => known === log)
    ? { ...outbox, logged, kept: Math.max(outbox.kept, logged), sent: logged }
    : { ...outbox, log: Option.some(log), acked: logged, logged, kept: logged, sent: logged }
