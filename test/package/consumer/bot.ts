/** A server with a log on disk, and a bot that joins it, in the room of ./secret.key: as somebody would write them who has installed the package. */
import { NodeContext, NodeRuntime } from "@effect/platform-node"
import { Console, Effect, Layer, Metric, Stream } from "effect"
import { Client, Entry, Fernet, KeyFile, Keys, LogSql, Metrics, Prometheus, Server, TransportTcp } from "fernet-chat"

const host = "127.0.0.1"

const server = Effect.gen(function* () {
  const keys = Keys.serverKeys(yield* KeyFile.load("secret.key"))
  return Server.layer({ keys }).pipe(
    Layer.provide([LogSql.layer({ file: "bot.db", keys }), TransportTcp.layerListener({ host, port: 0 })])
  )
})

const member = Effect.gen(function* () {
  const { address } = yield* Server.Server
  yield* Console.log(`serving on ${address}`)
  const port = Number(address.split(":").at(-1))
  const keys = yield* KeyFile.roomKeys("secret.key")
  return Client.layer({ keys, nick: "echo" }).pipe(Layer.provide(TransportTcp.layerDialer({ host, port })))
})

const bot = Effect.gen(function* () {
  const client = yield* Client.Client
  const show = Effect.flatMap(Metric.snapshot, (snapshot) => Console.log(Prometheus.format(snapshot)))
  const echo = ({ nick, text }: Entry.Said) => Effect.zipRight(Effect.ignore(client.say(`${nick} said: ${text}`)), show)
  const { count } = yield* Metric.value(Metrics.texts)
  yield* Console.log(`${count} texts since the start`)
  yield* Stream.runForEach(Stream.filter(client.events, Entry.isHeard), echo)
})

const layer = Layer.unwrapEffect(member).pipe(
  Layer.provide(Layer.unwrapEffect(server)),
  Layer.provide([Fernet.layer, NodeContext.layer])
)

NodeRuntime.runMain(Effect.provide(bot, layer))
