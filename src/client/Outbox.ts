/** What a member has said and not yet seen in the log: a pure state machine. */
import * as Chunk from "effect/Chunk"
import * as Protocol from "../domain/Protocol.js"
import type * as Seal from "../domain/Seal.js"

/** A text in its place among those of its member. */
export interface Item {
  readonly n: Protocol.TextNumber
  readonly text: Seal.Text
  readonly me: boolean
}

export interface Outbox {
  /** In order, without a gap; the first is the oldest that is not in the log. */
  readonly items: Chunk.Chunk<Item>
  /** The highest number given to a text. */
  readonly last: number
  /** The highest number sent on this connection. */
  readonly sent: number
}

/** The outbox of a member whose texts up to `acked` are in the log. */
export const make = (acked: number): Outbox => ({ items: Chunk.empty(), last: acked, sent: acked })

/** Numbers a text and keeps it. */
export const add = (outbox: Outbox, text: Seal.Text, me: boolean): readonly [Outbox, Item] => {
  const item: Item = { n: Protocol.TextNumber.make(outbox.last + 1), text, me }
  return [{ ...outbox, items: Chunk.append(outbox.items, item), last: item.n }, item]
}

/** Takes up to `most` texts that were not sent on this connection; they stay until they are in the log. */
export const take = (outbox: Outbox, most: number): readonly [Outbox, ReadonlyArray<Item>] => {
  const items = Chunk.toReadonlyArray(
    Chunk.take(
      Chunk.dropWhile(outbox.items, (item) => item.n <= outbox.sent),
      most
    )
  )
  return [{ ...outbox, sent: items.at(-1)?.n ?? outbox.sent }, items]
}

/** Drops what the log holds, everything up to `n`: it needs sending no more, and what is added next comes after it. */
export const settle = (outbox: Outbox, n: number): Outbox => ({
  items: Chunk.dropWhile(outbox.items, (item) => item.n <= n),
  last: Math.max(outbox.last, n),
  sent: Math.max(outbox.sent, n)
})
