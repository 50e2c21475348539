/**
 * Cuts a byte stream into lines, bounded. Nothing is kept beyond the limit, and a byte is copied at most twice however
 * small the pieces it came in. Mutable, because it runs for every byte a stranger sends.
 */
import { Buffer } from "node:buffer"
import * as Either from "effect/Either"
import { Fault } from "./Fault.js"

/** Longest line (without its newline) before the first frame has opened, and of the handshake, in bytes. */
export const handshakeLimit = 1024
/** Longest line afterwards, in bytes. */
export const lineLimit = 64 * 1024

const newline = 0x0a
const empty = Buffer.alloc(0)

const fault = (detail: string, rule: Fault["rule"] = "line") => Either.left(new Fault({ rule, detail }))

export class Framer {
  /** The longest line accepted from here on. It counts for lines not yet taken, whether or not their bytes are here. */
  limit = handshakeLimit
  /** What came and was not taken yet. */
  private chunk: Buffer = empty
  private at = 0
  /** The beginning of a line whose end has not come. */
  private partial: Buffer = empty
  private size = 0

  /** Adds bytes. To be called only when {@link next} has no line left, so that what waits stays bounded. */
  push(bytes: Uint8Array): void {
    this.chunk = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    this.at = 0
  }

  /** The next line without its newline, or nothing when more bytes are needed. */
  next(): Either.Either<string | undefined, Fault> {
    const end = this.chunk.indexOf(newline, this.at)
    const until = end === -1 ? this.chunk.length : end
    // A fault takes nothing: whoever asks again is told again.
    if (end === this.at && this.size === 0) return fault("a line is empty")
    if (this.size + until - this.at > this.limit) return fault(`a line is longer than ${this.limit} bytes`)
    if (end === -1) {
      this.keep(this.chunk.subarray(this.at))
      this.chunk = empty
      this.at = 0
      return Either.right(undefined)
    }
    const line = this.partial.toString("latin1", 0, this.size) + this.chunk.toString("latin1", this.at, until)
    this.partial = empty
    this.size = 0
    this.at = end + 1
    return Either.right(line)
  }

  /** What the end of the stream means here: a partial line is a fault. */
  end(): Either.Either<void, Fault> {
    return this.size === 0 ? Either.right(undefined) : fault("the last line has no end", "truncated")
  }

  private keep(tail: Buffer): void {
    const needed = this.size + tail.length
    if (needed > this.partial.length) {
      const grown = Buffer.alloc(Math.min(Math.max(needed, this.partial.length * 2, 64), Math.max(this.limit, needed)))
      this.partial.copy(grown, 0, 0, this.size)
      this.partial = grown
    }
    tail.copy(this.partial, this.size)
    this.size = needed
  }
}
