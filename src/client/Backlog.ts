/**
 * What has happened, kept once for all who watch: each subscriber reads at its own pace from the same bounded list, and
 * the writer never waits. Whoever falls behind by more than the list holds is told so, and loses nothing unnoticed.
 */
import * as Chunk from "effect/Chunk"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import { Signal } from "../domain/Signal.js"

/** A subscriber was too slow: `missed` entries had to be dropped before it took them. */
export class Lagged extends Schema.TaggedError<Lagged>()("Lagged", { missed: Schema.Number }) {
  override get message(): string {
    return `${this.missed} entries came faster than they were taken, and are gone: subscribe again, and read faster`
  }
}

/** Where a subscriber stands: it has dealt with every item before `next`. */
interface Cursor {
  next: number
}

export class Backlog<A, E> {
  private readonly items: Array<A> = []
  private dropped = 0
  private readonly cursors = new Set<Cursor>()
  private done = 0
  private isWatched = false
  private ended: Effect.Effect<never, Option.Option<E>> | undefined
  private readonly changed = new Signal()

  /** Keeps at least the newest `capacity` items, at most twice as many. */
  constructor(private readonly capacity: number) {}

  push(item: A): void {
    this.items.push(item)
    // Dropped in bulk, so that an item is moved once in a while and not at every push.
    if (this.items.length > 2 * this.capacity) {
      this.dropped += this.items.splice(0, this.items.length - this.capacity).length
    }
    this.changed.notify()
  }

  /** Nothing more will come. Subscribers end, or fail with `error`, once they have read what there is. */
  end(error: Option.Option<E>): void {
    this.ended ??= Effect.fail(error)
    this.changed.notify()
  }

  /**
   * How many items all subscribers have dealt with: a subscriber has when it asks for the next ones. Where there never
   * was any, how many were dropped.
   */
  get taken(): number {
    return this.isWatched ? this.done : this.dropped
  }

  /** To be called before a subscriber goes, and after it has moved. */
  private count(): void {
    let slowest = Number.POSITIVE_INFINITY
    for (const { next } of this.cursors) slowest = Math.min(slowest, next)
    this.done = Math.max(this.done, slowest)
  }

  /** The items from number `from` up to `to` (exclusive, from 0), and whether all of them are still there. */
  between(from: number, to: number): { readonly items: ReadonlyArray<A>; readonly isWhole: boolean } {
    const items = this.items.slice(Math.max(from - this.dropped, 0), Math.max(to - this.dropped, 0))
    return { items, isWhole: from >= this.dropped }
  }

  /** All items from the oldest still kept, and what will come. */
  readonly stream: Stream.Stream<A, E | Lagged> = this.subscribe(Number.POSITIVE_INFINITY)

  /** The same one by one: who takes an item has dealt with those before it, and with no other. */
  readonly singly: Stream.Stream<A, E | Lagged> = this.subscribe(1)

  /** What a subscriber takes, at most `most` items at once. */
  private subscribe(most: number): Stream.Stream<A, E | Lagged> {
    return Stream.unwrapScoped(
      Effect.map(
        Effect.acquireRelease(
          Effect.sync((): Cursor => {
            const cursor = { next: this.dropped }
            this.cursors.add(cursor)
            this.isWatched = true
            return cursor
          }),
          (cursor) =>
            Effect.sync(() => {
              this.count()
              this.cursors.delete(cursor)
            })
        ),
        (cursor) => this.from(cursor, most)
      )
    )
  }

  private from(cursor: Cursor, most: number): Stream.Stream<A, E | Lagged> {
    let next = cursor.next
    const ready = () => next < this.dropped + this.items.length || this.ended !== undefined
    const pull: Effect.Effect<Chunk.Chunk<A>, Option.Option<E | Lagged>> = Effect.suspend(() => {
      if (next < this.dropped) return Effect.fail(Option.some(new Lagged({ missed: this.dropped - next })))
      cursor.next = next
      this.count()
      const items = this.items.slice(next - this.dropped, next - this.dropped + most)
      next += items.length
      if (items.length > 0) return Effect.succeed(Chunk.unsafeFromArray(items))
      return this.ended ?? Effect.zipRight(this.changed.wait(ready), pull)
    })
    return Stream.repeatEffectChunkOption(pull)
  }
}
