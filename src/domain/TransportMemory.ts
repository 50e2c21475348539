/** Transport in memory: server and client in one process without a socket, for tests, bots and simulation. */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
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
  private state: "open" | "ended" | "broken" = "open"
  private readonly changed = new Signal()

  write(bytes: Uint8Array): number {
    if (this.state === "open") {
      this.bytes.push(bytes)
      this.size += bytes.length
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

  /** The next bytes; none once all are read and no more will come. */
  readonly read: Transport.Pipe["read"] = Effect.zipRight(
    this.changed.wait(() => this.bytes.length > 0 || this.state !== "open"),
    Effect.suspend(() => {
      const bytes = this.bytes.shift()
      if (bytes === undefined) return Effect.fail(Option.none())
      this.size -= bytes.length
      this.changed.notify()
      return Effect.succeed(bytes)
    })
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
        read: incoming.read,
        write: (bytes) => outgoing.write(bytes),
        drained: outgoing.below(highWaterMark),
        end: Effect.gen(function* () {
          outgoing.close("ended")
          const discard: Effect.Effect<void> = Effect.matchEffect(incoming.read, {
            onFailure: () => Effect.void,
            onSuccess: () => discard
          })
          yield* discard
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
