/** How fast members may ask for things: so many in a row, then a steady rate. Who is faster is read later, not refused. */
import type * as Protocol from "../domain/Protocol.js"
import type { Downlink } from "./Downlink.js"

/** Whose asking is counted: a member on whatever connection, and before it is one its connection. */
type Asker = Protocol.MemberId | Downlink

export class Rates {
  /** When (ms) what each has asked for would have been asked at the steady rate; only for who was faster. */
  private readonly due = new Map<Asker, number>()
  private readonly interval: number
  private readonly ahead: number

  /** `burst` in a row, then `rate` a second; both may be infinite. */
  constructor({ burst, rate }: { readonly burst: number; readonly rate: number }) {
    this.interval = 1_000 / rate
    // Infinitely many at no distance are no time ahead of anything.
    this.ahead = this.interval === 0 ? 0 : burst * this.interval
  }

  /** Counts `count` messages at `now` (ms): how long (ms) to read nothing more from there. */
  charge(asker: Asker, count: number, now: number): number {
    if (this.interval === 0 || count === 0) return 0
    const due = Math.max(this.due.get(asker) ?? now, now) + count * this.interval
    // A clock that was set back by hours keeps nobody waiting for as long.
    const bounded = Math.min(due, now + this.ahead + count * this.interval)
    this.due.set(asker, bounded)
    return Math.max(bounded - this.ahead - now, 0)
  }

  /** Forgets those who are within the steady rate at `now` (ms). */
  sweep(now: number): void {
    for (const [asker, due] of this.due) if (due <= now) this.due.delete(asker)
  }
}
