/** Servers of a test's own, each on a free port of this machine. */
import type * as Net from "node:net"
import * as Effect from "effect/Effect"

/** Has a server listen for the life of the Scope; gives the port. */
export const listen = (server: Net.Server) =>
  Effect.acquireRelease(
    Effect.async<number>((resume) => {
      server.listen(0, "127.0.0.1", () => {
        const address = server.address()
        const port = typeof address === "object" ? address?.port : undefined
        resume(port === undefined ? Effect.dieMessage("it has no port") : Effect.succeed(port))
      })
    }),
    () => Effect.sync(() => server.close())
  )
