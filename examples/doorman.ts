/** A server that greets who comes and keeps names that look like its staff's, in the room of ./secret.key. */
import { NodeContext, NodeRuntime } from "@effect/platform-node"
import { Config, Console, Effect, Either, Layer, Stream } from "effect"
import { Client, Fernet, KeyFile, Keys, Log, type Nickname, Server, Skeleton, TransportTcp } from "fernet-chat"

// By what they look like: an "аdmin" with a Cyrillic а is one of them.
const kept = ["admin", "root"].flatMap(Skeleton.skeletons)
const judgeNick: Nickname.Judge<Nickname.Nickname> = (nick) =>
  Skeleton.skeletons(nick).some((look) => kept.some((word) => look.includes(word)))
    ? Either.left(`"${nick}" looks like a name of the staff: choose another`)
    : Either.right(nick)

const greet = Effect.gen(function* () {
  const client = yield* Client.Client
  const self = yield* client.member
  yield* Stream.runForEach(client.events, (entry) => {
    if (entry._tag !== "Joined" || entry.seq <= self) return Effect.void
    // A member's id is the seq of its first Joined.
    return Effect.ignore(client.say(`welcome${entry.seq === entry.member ? "" : " back"}, ${entry.nick}`))
  })
})

const doorman = Effect.gen(function* () {
  const keys = yield* KeyFile.load("secret.key")
  const port = yield* Config.withDefault(Config.integer("CHAT_PORT"), 55555)
  const server = Server.layer({ keys: Keys.serverKeys(keys), judgeNick }).pipe(
    Layer.provide(TransportTcp.layerListener({ host: "127.0.0.1", port }))
  )
  const member = Effect.gen(function* () {
    const { address } = yield* Server.Server
    yield* Console.log(`serving on ${address}`)
    const dialer = TransportTcp.layerDialer({ host: "127.0.0.1", port: Number(address.split(":").at(-1)) })
    return Client.layer({ keys: yield* Keys.roomKeys(keys), nick: "doorman" }).pipe(Layer.provide(dialer))
  })
  yield* Effect.provide(greet, Layer.provide(Layer.unwrapEffect(member), server))
})

doorman.pipe(Effect.provide([Log.layerMemory(), Fernet.layer, NodeContext.layer]), NodeRuntime.runMain)
