/** A port of loopback that is free now, for what cannot tell which one it was given. */
import * as Net from "node:net"
import * as Effect from "effect/Effect"
import { host } from "./Setting.js"

export const find = Effect.async<number>((resume) => {
  const server = Net.createServer().listen(0, host, () => {
    const address = server.address()
    server.close(() => resume(Effect.succeed(typeof address === "object" && address !== null ? address.port : 0)))
  })
})
