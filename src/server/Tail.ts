/** The newest events of a log, in memory. */
import type * as Arr from "effect/Array"
import * as Option from "effect/Option"
import * as Protocol from "../domain/Protocol.js"

/** How much is held: as many of the newest events as are within both bounds, and at most twice as much. */
export interface Bounds {
  readonly events: number
  readonly bytes: number
}

/** Bytes that an event may be taken to hold: its seal or text, and a little for the rest. */
export const sizeOf = (event: Protocol.Event): number => {
  switch (event._tag) {
    case "Chat":
      return 200 + event.sealed.length
    case "Notice":
      return 200 + event.text.length
    default:
      return 200
  }
}

/**
 * A list of contiguous events that forgets the oldest of them, in bulk, so that an event is moved once in a while and
 * not at every push. It never forgets the newest.
 */
export class Tail {
  private readonly events: Array<Protocol.Event> = []
  private bytes = 0

  constructor(
    private readonly bounds: Bounds,
    /** The newest `seq` of the log: the first event pushed follows it. */
    private newest: Protocol.Position = Protocol.start
  ) {}

  /** The newest `seq`, of an event held or of one before them all. */
  get head(): Protocol.Position {
    return this.newest
  }

  /** The oldest `seq` held; with none held, the one that comes next. */
  get oldest(): Protocol.Seq {
    return this.events[0]?.seq ?? Protocol.next(this.newest)
  }

  /** Adds events, the first of which is `head + 1`. */
  push(events: Arr.NonEmptyReadonlyArray<Protocol.Event>): void {
    for (const event of events) {
      this.events.push(event)
      this.bytes += sizeOf(event)
      this.newest = event.seq
    }
    if (this.events.length > 2 * this.bounds.events || this.bytes > 2 * this.bounds.bytes) {
      let bytes = this.bytes
      this.forget((event, left) => {
        if (left <= this.bounds.events && bytes <= this.bounds.bytes) return false
        bytes -= sizeOf(event)
        return true
      })
    }
  }

  /** Forgets the oldest events, one after the other, for as long as `test` says; `left` counts it and those after it. */
  forget(test: (event: Protocol.Event, left: number) => boolean): void {
    let count = 0
    for (const event of this.events) {
      const left = this.events.length - count
      if (left === 1 || !test(event, left)) break
      this.bytes -= sizeOf(event)
      count += 1
    }
    if (count > 0) this.events.splice(0, count)
  }

  /** At most `limit` events from `after + 1` on, or from the oldest held when that is later; up to where they hold `bytes`. */
  read(
    after: Protocol.Position,
    limit = Number.POSITIVE_INFINITY,
    bytes = Number.POSITIVE_INFINITY
  ): ReadonlyArray<Protocol.Event> {
    const from = Math.max(after + 1 - this.oldest, 0)
    const events = this.events.slice(from, from + limit)
    if (bytes === Number.POSITIVE_INFINITY) return events
    let size = 0
    const full = events.findIndex((event) => {
      size += sizeOf(event)
      return size >= bytes
    })
    return full === -1 ? events : events.slice(0, full + 1)
  }

  /** All events from `after + 1` on, where none of them is forgotten. */
  since(after: Protocol.Position): Option.Option<ReadonlyArray<Protocol.Event>> {
    return after + 1 >= this.oldest ? Option.some(this.read(after)) : Option.none()
  }
}
