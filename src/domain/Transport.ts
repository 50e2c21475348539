/**
 * What both sides speak over: lines in, bytes out. One file implements it on a `node:net` socket, one in memory; neither
 * server nor client knows which.
 */
import * as Chunk from "effect/Chunk"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import type { Fault } from "./Fault.js"
import { Framer, lineLimit } from "./Framer.js"

/**
 * The network's own failures: `refused` (nobody listens there), `unreachable` (no way or no such host), `lost` (an
 * established connection broke), `in-use` (the port to listen on is taken), `denied` (not allowed to listen there).
 */
export class TransportError extends Schema.TaggedError<TransportError>()("TransportError", {
  reason: Schema.Literal("refused", "unreachable", "lost", "in-use", "denied"),
  message: Schema.String
}) {}

/** Bytes that have gone over a connection, either way; what was written and not yet sent counts as well. */
export interface Traffic {
  readonly received: number
  readonly written: number
}

/** A connection. It lives in the Scope it was made in, which destroys it. */
export interface Transport {
  /** The other side's address, for log lines. */
  readonly address: string
  /**
   * Its host, as limits count it: one address of IPv4, a /64 of IPv6, which is what one customer of a network gets. None
   * where there are no addresses.
   */
  readonly network: string | undefined
  /** A number that stays the same for as long as bytes wait and the other side takes none; none when nothing waits. */
  readonly stalledAt: number | undefined
  /** Bytes that wait to be sent, as the last {@link write} returned them, less what was sent since. Cheap to ask. */
  readonly unsent: number
  /** Whether it has ended, as far as is known here: nothing that is written reaches the other side any more. */
  readonly isGone: boolean
  /** What has gone over it so far, also when it has ended. To be asked seldom. */
  readonly traffic: Traffic
  /**
   * Lines without their newline, to be run once. Bounded: nothing is read ahead of who takes. It ends when the other
   * side has ended in good order; a partial line at the end, an empty and a long one are faults.
   */
  readonly lines: Stream.Stream<string, TransportError | Fault>
  /** The same without a Stream around it: the next lines, at least one; none at the end. One at a time may ask. */
  readonly next: Effect.Effect<ReadonlyArray<string>, TransportError | Fault>
  /** Reads no more: to whoever asks for lines, and to who waits for them, the other side has ended. */
  readonly stopReading: () => void
  /** From now on lines may be 64 KiB long; until then 1 KiB. Also for what has come and was not taken yet. */
  readonly trust: () => void
  /** Sends bytes, at once and in the order of the calls; returns how many bytes wait to be sent. A no-op once ended. */
  readonly write: (bytes: Uint8Array) => number
  /**
   * Waits until writing makes sense again (on TCP all bytes are with the system, in memory at most 16 KiB are on the
   * way), or the connection has ended.
   */
  readonly drained: Effect.Effect<void>
  /** Ends this side after what was written, then reads off what still comes until the other side has ended as well. */
  readonly end: Effect.Effect<void>
}

/** Where clients come from. */
export class Listener extends Context.Tag("fernet-chat/Listener")<
  Listener,
  {
    /** Where it listens, as `host:port`, or the path of a socket. */
    readonly address: string
    /** The next connection, which lives in the Scope it is accepted in. None comes once the listener is closed. */
    readonly accept: Effect.Effect<Transport, never, Scope.Scope>
    /** Listens no more. Who waits to be accepted is sent away; accepted connections live on. */
    readonly close: Effect.Effect<void>
  }
>() {}

/** The way to a server. */
export class Dialer extends Context.Tag("fernet-chat/Dialer")<
  Dialer,
  {
    /** Whom it calls, as `host:port`, or the path of a socket. */
    readonly address: string
    /** A new connection, which lives in the Scope it is made in. */
    readonly dial: Effect.Effect<Transport, TransportError, Scope.Scope>
  }
>() {}

/** What an implementation brings; framing is common to all. */
export interface Pipe
  extends Pick<
    Transport,
    "address" | "network" | "stalledAt" | "unsent" | "isGone" | "traffic" | "write" | "drained" | "end" | "stopReading"
  > {
  /** The next bytes that came; none at the end of the stream. */
  readonly read: Effect.Effect<Uint8Array | undefined, TransportError>
}

const noLines: ReadonlyArray<string> = []

/** A class, because ten thousand of them may be idle: what it computes it need not hold. */
class Framed implements Transport {
  private readonly framer = new Framer()
  private isStopped = false
  constructor(private readonly pipe: Pipe) {}

  get address(): string {
    return this.pipe.address
  }

  get network(): string | undefined {
    return this.pipe.network
  }

  get stalledAt(): number | undefined {
    return this.pipe.stalledAt
  }

  get unsent(): number {
    return this.pipe.unsent
  }

  get isGone(): boolean {
    return this.pipe.isGone
  }

  get traffic(): Traffic {
    return this.pipe.traffic
  }

  /** One line at a time until the limit is final, because taking a line may raise the limit of the next; then all. */
  private take(): Either.Either<ReadonlyArray<string>, Fault> {
    const lines: Array<string> = []
    for (;;) {
      const line = this.framer.next()
      // A fault behind good lines comes again when those have been taken.
      if (Either.isLeft(line)) return lines.length > 0 ? Either.right(lines) : Either.left(line.left)
      if (line.right === undefined) return Either.right(lines)
      lines.push(line.right)
      if (this.framer.limit < lineLimit) return Either.right(lines)
    }
  }

  get next(): Effect.Effect<ReadonlyArray<string>, TransportError | Fault> {
    return Effect.suspend(() => {
      if (this.isStopped) return Effect.succeed(noLines)
      const taken = this.take()
      if (Either.isLeft(taken) || taken.right.length > 0) return taken
      return Effect.flatMap(this.pipe.read, (bytes) => {
        if (this.isStopped) return Effect.succeed(noLines)
        if (bytes === undefined) return Either.map(this.framer.end(), () => noLines)
        this.framer.push(bytes)
        return this.next
      })
    })
  }

  get lines(): Stream.Stream<string, TransportError | Fault> {
    const chunk = Effect.flatMap(Effect.mapError(this.next, Option.some), (lines) =>
      lines.length === 0 ? Effect.fail(Option.none()) : Effect.succeed(Chunk.unsafeFromArray(lines))
    )
    return Stream.repeatEffectChunkOption(chunk)
  }

  trust(): void {
    this.framer.limit = lineLimit
  }

  write(bytes: Uint8Array): number {
    return this.pipe.write(bytes)
  }

  get drained(): Effect.Effect<void> {
    return this.pipe.drained
  }

  stopReading(): void {
    this.isStopped = true
    this.pipe.stopReading()
  }

  get end(): Effect.Effect<void> {
    return this.pipe.end
  }
}

/** A Transport over a pipe of bytes. */
export const make = (pipe: Pipe): Transport => new Framed(pipe)
