/** A bot that repeats what it hears, in the room of ./secret.key, on the server of this machine that CHAT_PORT names. */
import { NodeContext, NodeRuntime } from "@effect/platform-node"
import { Config, Effect, Layer, Stream } from "effect"
import { Client, Entry, Fernet, KeyFile, TransportTcp } from "fernet-chat"

const bot = Effect.gen(function* () {
  const client = yield* Client.Client
  const heard = Stream.filter(client.events, Entry.isHeard)
  const echo = ({ nick, text }: Entry.Said) => Effect.ignore(client.say(`${nick} said: ${text}`.slice(0, 4000)))
  yield* Stream.runForEach(heard, echo)
})

const member = Effect.gen(function* () {
  const keys = yield* KeyFile.roomKeys("secret.key")
  const port = yield* Config.withDefault(Config.integer("CHAT_PORT"), 55555)
  return Client.layer({ keys, nick: "echo" }).pipe(Layer.provide(TransportTcp.layerDialer({ host: "127.0.0.1", port })))
})

bot.pipe(
  Effect.provide(Layer.unwrapEffect(member)),
  Effect.provide([Fernet.layer, NodeContext.layer]),
  NodeRuntime.runMain
)
