/** What waits to be dealt with, in order: bounded, and taken all at once by the one who deals with it. */
import * as Effect from "effect/Effect"

export class Inbox<A> {
  private waiting: Array<A> = []
  /** The bytes of all that waits. */
  private bytes = 0
  private hasUrgent = false
  private isOver = false
  /** Open while anything waits, while anything urgent does, and while there is place for more. */
  private readonly any = Effect.unsafeMakeLatch(false)
  private readonly urgent = Effect.unsafeMakeLatch(false)
  private readonly place = Effect.unsafeMakeLatch(true)

  constructor(
    /** How many, and how many bytes, may wait before more have to wait outside; what is offered together is let in together. */
    private readonly capacity: { readonly items: number; readonly bytes: number },
    private readonly sizeOf: (item: A) => number,
    /** Whether somebody waits for what comes of it. */
    private readonly isUrgent: (item: A) => boolean
  ) {}

  private get isFull(): boolean {
    return this.waiting.length >= this.capacity.items || this.bytes >= this.capacity.bytes
  }

  /** Puts items in, in their order; waits while there is no place. What is offered after the end is dropped. */
  offer(items: ReadonlyArray<A>): Effect.Effect<void> {
    return Effect.suspend(() => {
      if (this.isOver || items.length === 0) return Effect.void
      if (this.isFull) return Effect.zipRight(this.place.await, this.offer(items))
      for (const item of items) {
        this.waiting.push(item)
        this.bytes += this.sizeOf(item)
      }
      this.hasUrgent ||= items.some(this.isUrgent)
      this.any.unsafeOpen()
      if (this.hasUrgent) this.urgent.unsafeOpen()
      if (this.isFull) this.place.unsafeClose()
      return Effect.void
    })
  }

  /** Waits until anything is there. */
  get arrival(): Effect.Effect<void> {
    return this.any.await
  }

  /** Waits until anything urgent is there, for `time` ms at most. */
  urgency(time: number): Effect.Effect<void> {
    return this.hasUrgent || time <= 0 ? Effect.void : Effect.asVoid(Effect.timeoutOption(this.urgent.await, time))
  }

  /** How many are there. */
  get size(): number {
    return this.waiting.length
  }

  /** Takes all that is there. */
  take(): ReadonlyArray<A> {
    const taken = this.waiting
    this.waiting = []
    this.bytes = 0
    this.hasUrgent = false
    this.any.unsafeClose()
    this.urgent.unsafeClose()
    this.place.unsafeOpen()
    return taken
  }

  /** Nobody deals with anything any more: whoever waits for place goes on. */
  end(): void {
    this.isOver = true
    this.take()
  }
}
