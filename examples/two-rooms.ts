/** Two rooms in one process: each has a key file, a port and a log of its own, and knows nothing of the other. */
import { NodeContext, NodeRuntime } from "@effect/platform-node"
import { Config, Console, Effect, Layer } from "effect"
import { Fernet, KeyFile, Keys, LogSql, Server, TransportTcp } from "fernet-chat"

const room = (name: string, variable: string, defaultPort: number) =>
  Effect.gen(function* () {
    const keys = Keys.serverKeys(yield* KeyFile.load(`${name}.key`))
    const port = yield* Config.withDefault(Config.integer(variable), defaultPort)
    const listener = TransportTcp.layerListener({ host: "127.0.0.1", port })
    const server = Server.layer({ keys }).pipe(Layer.provide([listener, LogSql.layer({ file: `${name}.db`, keys })]))
    return yield* Effect.gen(function* () {
      const { address, join } = yield* Server.Server
      yield* Console.log(`${name}: serving on ${address}`)
      return yield* join
    }).pipe(Effect.provide(server))
  }).pipe(Effect.annotateLogs({ room: name }))

Effect.all([room("red", "RED_PORT", 55555), room("blue", "BLUE_PORT", 55556)], { concurrency: 2 }).pipe(
  Effect.provide([Fernet.layer, NodeContext.layer]),
  NodeRuntime.runMain
)
