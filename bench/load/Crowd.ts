/**
 * All members in one process, and what they hear: plain listeners and no runtime, because this has to cost less than the
 * server that it loads. Everybody hears the same bytes, so they are understood once, when the first has them, and the
 * bytes of all others are compared with those. A speaker that does not hear itself hears something else than the rest: it
 * understands its own.
 */
import { Buffer } from "node:buffer"
import type { Dialect, Member } from "../peers/Peer.js"
import type { Load } from "./Load.js"
import * as Texts from "./Texts.js"

/** Bytes by which a member may be behind the first. What is in flight is bounded to far less. */
const ringSize = 1 << 22

/** Members whose latency is taken, at most. */
const samples = 32

/** A text that was said and has not come to all who are to hear it. */
interface Said {
  readonly speaker: number
  /** When it was written (ms). */
  readonly at: number
  /** Where it ends in what all hear alike; known when the first has it. */
  end: number
  /** Those who have to hear it still: all who hear alike count as one. */
  left: number
}

/** What those have heard in common who hear the same. */
class Common {
  private readonly ring = Buffer.alloc(ringSize)
  /** Bytes that the first has. */
  head = 0

  constructor(private readonly listen: (bytes: Uint8Array) => void) {}

  /** Takes what has come to somebody who had `position` bytes. */
  take(chunk: Buffer, position: number): void {
    if (this.head - position > ringSize) throw new Error("a member is too far behind")
    const known = Math.min(chunk.length, this.head - position)
    for (let done = 0; done < known; ) {
      const at = (position + done) % ringSize
      const size = Math.min(known - done, ringSize - at)
      if (chunk.compare(this.ring, at, at + size, done, done + size) !== 0) {
        throw new Error("two members have heard different things")
      }
      done += size
    }
    if (known === chunk.length) return
    const fresh = chunk.subarray(known)
    for (let done = 0; done < fresh.length; ) {
      const at = this.head % ringSize
      const size = fresh.copy(this.ring, at, done)
      done += size
      this.head += size
    }
    this.listen(fresh)
  }
}

const texts = (speaker: number, from: number, until: number, size: number): ReadonlyArray<string> =>
  Array.from({ length: until - from }, (_, i) => Texts.make(speaker, from + i, size))

export class Crowd {
  /** Texts that all have. */
  delivered = 0
  /** From saying a text until a member had it (ms). */
  readonly latencies: Array<number> = []
  /** When (ms) something has last come. */
  heardAt = 0
  /** Called at the end of a turn of the event loop in which something has come. */
  onTurn: () => void = () => {}
  onFailure: (error: unknown) => void = () => {}
  /** What was wrong first, whenever that was: nothing can be measured after it. */
  failure: unknown

  private readonly common: Common | undefined
  /** Bytes that each has who hears what all hear. */
  private readonly positions: Float64Array
  /** Of each speaker, the texts that not all have, oldest first; and how many came before those. */
  private readonly flying: Array<Array<Said>> = []
  private readonly landed: Array<number> = []
  private readonly next: Array<number> = []
  private readonly prepared: Array<number> = []
  /** Texts in the order in which all hear them; the first `passed` of them have come to all who hear alike. */
  private order: Array<Said> = []
  private passed = 0
  /** Of those whose latency is taken, how many of `order` they have. */
  private readonly cursors = new Map<number, number>()
  private isTurning = false
  /** Who hears a text, all who hear alike counted once, but for its speaker. */
  private readonly hearers: number

  constructor(
    private readonly members: ReadonlyArray<Member>,
    private readonly dialect: Dialect,
    speakers: number
  ) {
    for (let i = 0; i < speakers; i++) {
      this.flying.push([])
      this.landed.push(0)
      this.next.push(0)
      this.prepared.push(0)
    }
    const alone = dialect.echoes ? 0 : speakers
    const alike = members.slice(alone)
    this.hearers = alone + Math.min(alike.length, 1)
    this.positions = new Float64Array(alike.length)
    for (let i = 0; i < Math.min(samples, alike.length); i++) {
      this.cursors.set(Math.floor((i * alike.length) / Math.min(samples, alike.length)), 0)
    }
    this.common =
      alike.length === 0
        ? undefined
        : new Common(
            dialect.listen(
              members,
              this.hearing((said, end) => {
                said.end = end
                this.order.push(said)
              })
            )
          )
    for (const [i, { hears }] of alike.entries()) {
      const sampled = this.cursors.has(i)
      this.attach(hears, (chunk) => this.hear(i, chunk, sampled))
    }
    for (const { hears } of members.slice(0, alone)) {
      const listen = dialect.listen(
        members,
        this.hearing((said) => this.arrive(said))
      )
      this.attach(hears, listen)
    }
  }

  /** Members that a text of one of them comes to. */
  get audience(): number {
    return this.members.length - (this.dialect.echoes ? 0 : 1)
  }

  /** Bytes that were heard by those who hear alike. */
  get bytes(): number {
    return this.common?.head ?? 0
  }

  /** Texts that not all have. */
  get inFlight(): number {
    return this.flying.reduce((sum, { length }) => sum + length, 0)
  }

  /** Texts that a speaker has said and that not all have. */
  inFlightOf(speaker: number): number {
    return this.flying[speaker]?.length ?? 0
  }

  /** To be called when nothing is in flight. */
  reset(): void {
    this.delivered = 0
    this.latencies.length = 0
    this.order = []
    this.passed = 0
    for (const i of this.cursors.keys()) this.cursors.set(i, 0)
  }

  /** Has a speaker do beforehand what it can for the next `count` texts. */
  prepare(speaker: number, count: number, size: number): void {
    const from = Math.max(this.prepared[speaker] ?? 0, this.next[speaker] ?? 0)
    const until = (this.next[speaker] ?? 0) + count
    if (until <= from) return
    this.members[speaker]?.prepare?.(texts(speaker, from, until, size))
    this.prepared[speaker] = until
  }

  /** Has a speaker say so many texts, in one write. */
  say(speaker: number, count: number, { framing, size }: Pick<Load, "framing" | "size">): void {
    const member = this.members[speaker]
    const flying = this.flying[speaker]
    if (member === undefined || flying === undefined) throw new Error(`member ${speaker} is no speaker`)
    const from = this.next[speaker] ?? 0
    this.next[speaker] = from + count
    const bytes = member.say(texts(speaker, from, from + count, size), framing)
    const at = performance.now()
    const left = this.hearers - (this.dialect.echoes ? 0 : 1)
    for (let i = 0; i < count; i++) flying.push({ speaker, at, end: Number.POSITIVE_INFINITY, left })
    member.speaks.write(bytes)
  }

  private attach(socket: Member["hears"], take: (chunk: Buffer) => void): void {
    socket.on("data", (chunk: Buffer) => {
      try {
        take(chunk)
      } catch (error) {
        this.fail(error)
      }
      if (this.isTurning) return
      this.isTurning = true
      setImmediate(() => this.turn())
    })
    socket.on("close", () => this.fail(new Error("the server has closed a connection")))
    socket.resume()
  }

  private fail(error: unknown): void {
    this.failure ??= error
    this.onFailure(this.failure)
  }

  /** A listener of somebody's own: it knows which text of its speaker each one is. */
  private hearing(each: (said: Said, end: number) => void): (speaker: number, end: number) => void {
    const heard = this.flying.map(() => 0)
    return (speaker, end) => {
      const number = heard[speaker] ?? 0
      const said = this.flying[speaker]?.[number - (this.landed[speaker] ?? 0)]
      if (said === undefined) throw new Error(`a text of speaker ${speaker} was heard that was not said`)
      heard[speaker] = number + 1
      each(said, end)
    }
  }

  private hear(i: number, chunk: Buffer, sampled: boolean): void {
    const position = this.positions[i] ?? 0
    this.common?.take(chunk, position)
    const now = position + chunk.length
    this.positions[i] = now
    if (!sampled) return
    let cursor = this.cursors.get(i) ?? 0
    const time = performance.now()
    for (let said = this.order[cursor]; said !== undefined && said.end <= now; said = this.order[cursor]) {
      this.latencies.push(time - said.at)
      cursor += 1
    }
    this.cursors.set(i, cursor)
  }

  private arrive(said: Said): void {
    said.left -= 1
    if (said.left > 0) return
    // A speaker's texts come in order to everybody, so the oldest is the first that all have.
    this.flying[said.speaker]?.shift()
    this.landed[said.speaker] = (this.landed[said.speaker] ?? 0) + 1
    this.delivered += 1
  }

  private turn(): void {
    this.isTurning = false
    this.heardAt = performance.now()
    let slowest = Number.POSITIVE_INFINITY
    for (const position of this.positions) if (position < slowest) slowest = position
    for (
      let said = this.order[this.passed];
      said !== undefined && said.end <= slowest;
      said = this.order[this.passed]
    ) {
      this.arrive(said)
      this.passed += 1
    }
    this.onTurn()
  }
}
