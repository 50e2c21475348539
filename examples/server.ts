/** A server in a program of one's own, in the room of ./secret.key, on the port of this machine that CHAT_PORT names. */
import { NodeContext, NodeRuntime } from "@effect/platform-node"
import { Config, Effect, Layer } from "effect"
import { Fernet, KeyFile, Keys, Log, Server, TransportTcp } from "fernet-chat"

const server = Effect.gen(function* () {
  const keys = Keys.serverKeys(yield* KeyFile.load("secret.key"))
  const port = yield* Config.withDefault(Config.integer("CHAT_PORT"), 55555)
  return Server.layer({ keys }).pipe(Layer.provide(TransportTcp.layerListener({ host: "127.0.0.1", port })))
})

Layer.unwrapEffect(server).pipe(
  Layer.provide([Log.layerMemory(), Fernet.layer, NodeContext.layer]),
  Layer.launch,
  NodeRuntime.runMain
)
