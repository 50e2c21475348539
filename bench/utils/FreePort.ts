/** A port of loopback that is free now, for what cannot tell which one it was given. Whoever wants it has to be quick. */
import * as Net from "node:net"
import * as Effect from "effect/Effect"
import { host } from "./Setting.js"

export const find = Effect.async<number>((resume) => {
  const server = Net.createServer().listen(0, host, () => {
    const address = server.address()
    const port = typeof address === "object" ? address?.port : undefined
    server.close(() => resume(port === undefined ? Effect.dieMessage("it has no port") : Effect.succeed(port)))
  })
})
