/**
 * Joins the room of ./secret.key with a program: what is said goes to its standard input, a line each, and its lines are
 * said. As in `bridge.ts bc -l`. Whoever has the key can type into that program.
 */
import { Command } from "@effect/platform"
import { NodeContext, NodeRuntime } from "@effect/platform-node"
import { Config, Effect, Layer, Stream } from "effect"
import { Client, Entry, Fernet, KeyFile, TransportTcp } from "fernet-chat"

const [name = "cat", ...args] = process.argv.slice(2)

const bridge = Effect.gen(function* () {
  const client = yield* Client.Client
  const program = yield* Command.start(Command.make(name, ...args).pipe(Command.stderr("inherit")))
  // No more is taken of the room than the program reads, and no more of the program than is in the room's log.
  const heard = client.eventsSingly.pipe(
    Stream.filter(Entry.isHeard),
    Stream.map(({ text }) => `${text.replaceAll("\n", " ")}\n`),
    Stream.encodeText,
    Stream.run(program.stdin),
    // It reads no more: the end of what it says tells of its own.
    Effect.catchTag("SystemError", () => Effect.void)
  )
  const answers = program.stdout.pipe(
    Stream.decodeText(),
    Stream.splitLines,
    Stream.filter((line) => line !== ""),
    Stream.runForEach((line) => client.say(line.slice(0, 4000)))
  )
  // When the program ends, all that it has said is in the log, and the bridge leaves.
  yield* Effect.raceFirst(answers, Effect.zipRight(heard, Effect.never))
})

const member = Effect.gen(function* () {
  const keys = yield* KeyFile.roomKeys("secret.key")
  const port = yield* Config.withDefault(Config.integer("CHAT_PORT"), 55555)
  return Client.layer({ keys, nick: name }).pipe(Layer.provide(TransportTcp.layerDialer({ host: "127.0.0.1", port })))
})

bridge.pipe(
  Effect.scoped,
  Effect.provide(Layer.unwrapEffect(member)),
  Effect.provide([Fernet.layer, NodeContext.layer]),
  NodeRuntime.runMain
)
