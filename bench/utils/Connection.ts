/** A member's socket. */
import type { Socket } from "node:net"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"

/** Opens what `dial` makes, for the life of the Scope; done when it has emitted `event`, fails when it cannot. */
export const open = (event: string, dial: () => Socket): Effect.Effect<Socket, Error, Scope.Scope> =>
  Effect.acquireRelease(Effect.sync(dial), (socket) => Effect.sync(() => socket.destroy())).pipe(
    Effect.tap((socket) =>
      Effect.async<void, Error>((resume) => {
        socket.setNoDelay(true)
        // Listens on after it is open: an error that nobody listens to is thrown.
        socket.on("error", (error) => resume(Effect.fail(error)))
        socket.once(event, () => resume(Effect.void))
      })
    )
  )
