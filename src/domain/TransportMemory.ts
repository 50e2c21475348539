/** Transport in memory: server and client in one process without a socket, for tests, bots and simulation. */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Queue from "effect/Queue"
import type * as Scope from "effect/Scope"
import { Signal } from "./Signal.js"
import * as Transport from "./Transport.js"

/** Bytes that may wait on the way before {@link Transport.Transport.drained} holds the writer back: as a socket does. */
const highWaterMark = 16 * 1024

/** One direction: bytes on the way, whether more will come, and who waits for what. */
class Way {
  private readonly bytes: Array<Uint8Array> = []
  private size = 0
  private taken = 0
  private total = 0
  private state: "open" | "ended" | "broken" = "open"
  private isReaderDone = false
  private readonly changed = new Signal()

  write(bytes: Uint8Array): number {
    if (this.state === "open") {
      this.bytes.push(bytes)
      this.size += bytes.length
      this.total += bytes.length
      this.changed.notify()
    }
    return this.size
  }

  /** No more will be written. `broken` also drops what is on the way. */
  close(state: "ended" | "broken"): void {
    if (this.state === "broken") return
    this.state = state
    if (state === "broken") {
      this.bytes.length = 0
      this.size = 0
    }
    this.changed.notify()
  }

  /** Waits until bytes are here, or no more will come; `enough` is another reason to go on. */
  private arrival(enough: () => boolean): Effect.Effect<void> {
    return this.changed.wait(() => this.bytes.length > 0 || this.state !== "open" || enough())
  }

  private take(): Uint8Array | undefined {
    const bytes = this.bytes.shift()
    if (bytes !== undefined) {
      this.size -= bytes.length
      this.taken += bytes.length
      this.changed.notify()
    }
    return bytes
  }

  /** The next bytes; none once all are read and no more will come, or the reader has stopped. */
  readonly read: Transport.Pipe["read"] = Effect.map(
    this.arrival(() => this.isReaderDone),
    () => (this.isReaderDone ? undefined : this.take())
  )

  get stalledAt(): number | undefined {
    return this.size > 0 ? this.taken : undefined
  }

  get unsent(): number {
    return this.size
  }

  /** Whether nobody will take what is written to it. */
  get isBroken(): boolean {
    return this.state === "broken"
  }

  /** What was written to it and what was taken from it, in all. */
  get written(): number {
    return this.total
  }

  get received(): number {
    return this.taken
  }

  stopReading(): void {
    this.isReaderDone = true
    this.changed.notify()
  }

  /** Reads off what comes, up to the end. */
  readonly discard: Effect.Effect<void> = Effect.suspend(() =>
    Effect.flatMap(
      this.arrival(() => false),
      () => (this.take() === undefined ? Effect.void : this.discard)
    )
  )

  /** Waits until at most `size` bytes are on the way, or nobody will take them. */
  below(size: number): Effect.Effect<void> {
    return this.changed.wait(() => this.size <= size || this.state === "broken")
  }
}

const side = (address: string, incoming: Way, outgoing: Way): Effect.Effect<Transport.Transport, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.sync(() =>
      Transport.make({
        address,
        network: undefined,
        get stalledAt() {
          return outgoing.stalledAt
        },
        get unsent() {
          return outgoing.unsent
        },
        get isGone() {
          return outgoing.isBroken
        },
        get traffic() {
          return { received: incoming.received, written: outgoing.written }
        },
        read: incoming.read,
        write: (bytes) => outgoing.write(bytes),
        drained: outgoing.below(highWaterMark),
        stopReading: () => incoming.stopReading(),
        end: Effect.gen(function* () {
          outgoing.close("ended")
          yield* incoming.discard
          yield* outgoing.below(0)
        })
      })
    ),
    // As a socket does when it is destroyed: nothing more goes out, and nobody reads what comes in.
    () =>
      Effect.sync(() => {
        outgoing.close("ended")
        incoming.close("broken")
      })
  )

const refused = () =>
  new Transport.TransportError({ reason: "refused", message: "the server in this process has ended" })

/** A Listener and a Dialer that reach each other and nobody else. */
export const layer: Layer.Layer<Transport.Listener | Transport.Dialer> = Layer.effectContext(
  Effect.gen(function* () {
    const arrived = yield* Queue.unbounded<readonly [Way, Way]>()
    let open = true
    return Context.empty().pipe(
      Context.add(Transport.Listener, {
        address: "memory",
        accept: Effect.uninterruptibleMask((restore) =>
          Effect.flatMap(restore(Queue.take(arrived)), ([up, down]) => side("memory", up, down))
        ),
        close: Effect.gen(function* () {
          open = false
          for (const [up, down] of yield* Queue.takeAll(arrived)) {
            up.close("broken")
            down.close("ended")
          }
        })
      }),
      Context.add(Transport.Dialer, {
        address: "memory",
        dial: Effect.suspend(() => {
          if (!open) return Effect.fail(refused())
          const up = new Way()
          const down = new Way()
          return Effect.zipLeft(side("memory", down, up), Queue.offer(arrived, [up, down]))
        })
      })
    )
  })
)
