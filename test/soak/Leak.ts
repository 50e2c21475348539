/** What a server may leak with each connection, on purpose: to see that it is found. */
import { EventEmitter } from "node:events"
import { closeSync, openSync } from "node:fs"
import { devNull } from "node:os"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import * as Scope from "effect/Scope"
import { Listener, type Transport } from "../../src/domain/Transport.js"

/** As long as a timer can be. */
const longest = 2 ** 31 - 1

const emitter = new EventEmitter()

const leaks = {
  timer: () =>
    Effect.acquireRelease(
      Effect.sync(() => setTimeout(() => {}, longest)),
      (timer) => Effect.sync(() => clearTimeout(timer))
    ),
  fiber: () => Effect.forkScoped(Effect.never),
  descriptor: () =>
    Effect.acquireRelease(
      Effect.sync(() => openSync(devNull, "r")),
      (descriptor) => Effect.sync(() => closeSync(descriptor))
    ),
  /** One that holds the connection. */
  listener: (transport: Transport) => Effect.sync(() => emitter.on("never", () => transport.write(new Uint8Array(0)))),
  memory: () =>
    Effect.acquireRelease(
      Effect.sync(() => new Array(16_384).fill(0.5)),
      (kept) => Effect.sync(() => kept.fill(0))
    )
}

export const Leak = Schema.Literal("timer", "fiber", "descriptor", "listener", "memory")
export type Leak = typeof Leak.Type

/** A Listener whose every connection leaks, until the server ends. */
export const layer = (which: ReadonlyArray<Leak>): Layer.Layer<Listener, never, Listener> =>
  Layer.scoped(
    Listener,
    Effect.gen(function* () {
      const listener = yield* Listener
      const scope = yield* Effect.scope
      const leak = (transport: Transport) =>
        Effect.forEach(which, (each): Effect.Effect<unknown, never, Scope.Scope> => leaks[each](transport), {
          discard: true
        }).pipe(Effect.provideService(Scope.Scope, scope))
      return { ...listener, accept: Effect.tap(listener.accept, leak) }
    })
  )
