/** A whole chat for a test: a server and its members in one process, over memory or over TCP. */
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import * as TestClock from "effect/TestClock"
import * as Client from "../../src/client/Client.js"
import type * as Entry from "../../src/client/Entry.js"
import * as Fernet from "../../src/domain/Fernet.js"
import * as Keys from "../../src/domain/Keys.js"
import * as Transport from "../../src/domain/Transport.js"
import * as TransportMemory from "../../src/domain/TransportMemory.js"
import * as TransportTcp from "../../src/domain/TransportTcp.js"
import * as Log from "../../src/server/Log.js"
import * as Server from "../../src/server/Server.js"

/** The room key of a test: there is nothing to guard. */
export const roomKeys: Keys.Ring<Keys.RoomKey> = [Keys.fromBytes<"room">(new Uint8Array(32).fill(7))]
export const serverKeys: Keys.Ring<Keys.ServerKey> = [Keys.serverKey(roomKeys[0])]

/** A Dialer that reaches the Listener there is, on a free port. */
const tcpDialer = Layer.unwrapEffect(
  Effect.map(Transport.Listener, ({ address }) =>
    TransportTcp.layerDialer({ host: "127.0.0.1", port: Number(address.slice(address.lastIndexOf(":") + 1)) })
  )
)

/** The ways a client reaches a server, each of which passes the same tests. */
export const transports = {
  memory: TransportMemory.layer,
  tcp: tcpDialer.pipe(Layer.provideMerge(TransportTcp.layerListener({ host: "127.0.0.1", port: 0 })))
}

/** What {@link layer} provides. */
export type Services = Server.Server | Transport.Listener | Transport.Dialer | Log.Log | Fernet.Fernet

/** Lets the event loop turn once, whatever the clock says: what waits for the network gets its turn. */
const turn = Effect.async<void>((resume) => void setImmediate(() => resume(Effect.void)))

/** Lets everything happen that waits for no more than the event loop. */
export const settle = Effect.repeat(Effect.zipRight(turn, Effect.repeat(Effect.yieldNow(), { times: 100 })), {
  times: 50
})

/** Lets so many seconds pass, and all happen that they bring. */
export const pass = (seconds: number) => Effect.zipRight(TestClock.adjust(seconds * 1_000), settle)

/** Looks again and again until `done`, for as long as the test may take. */
export const eventually = <A, E, R>(look: Effect.Effect<A, E, R>, done: (seen: A) => boolean): Effect.Effect<A, E, R> =>
  Effect.flatMap(Effect.zipRight(turn, look), (seen) => (done(seen) ? Effect.succeed(seen) : eventually(look, done)))

/** A crowd on one machine that talks as fast as it can: what no limit on numbers and rates is in the way of. */
export const unlimited = {
  halfOpen: Number.POSITIVE_INFINITY,
  halfOpenPerAddress: Number.POSITIVE_INFINITY,
  connectionsPerAddress: Number.POSITIVE_INFINITY,
  rate: Number.POSITIVE_INFINITY
}

interface Options {
  readonly transport?: Layer.Layer<Transport.Listener | Transport.Dialer, Transport.TransportError>
  readonly log?: Layer.Layer<Log.Log>
  readonly fernet?: Layer.Layer<Fernet.Fernet>
  /** What differs from the standard; numbers and rates are {@link unlimited} unless given. */
  readonly limits?: Partial<Omit<Server.Options, "keys">>
  /** Those of the test's room unless others are given. */
  readonly keys?: Keys.Ring<Keys.ServerKey>
}

/** A server of the test's room, what it is made of, and the way to it. */
export const layer = (options?: Options) =>
  Server.layer({ keys: options?.keys ?? serverKeys, ...unlimited, ...options?.limits }).pipe(
    Layer.provideMerge(
      Layer.mergeAll(
        options?.transport ?? transports.memory,
        options?.log ?? Log.layerMemory(),
        options?.fernet ?? Fernet.layer
      )
    )
  )

/** Runs a test beside a server. Its clients end first, as they would if they were elsewhere. */
export const within =
  (options?: Options) =>
  <A, E, R>(effect: Effect.Effect<A, E, R>) =>
    Effect.provide(Effect.scoped(effect), layer(options))

/** Waits until the server holds so many connections. */
export const connections = (count: number) =>
  Effect.flatMap(Server.Server, (server) => eventually(server.connections, (open) => open === count))

/** A member, for the life of the Scope. */
export const join = (nick: string, keys = roomKeys) => Client.make({ keys, nick })

/** A member that is the same one again where it is made again on the same KeyValueStore. */
export const joinKept = (nick: string, keys = roomKeys) => Client.makeKept({ keys, nick })

/** Says a text: its entry. */
export const say = (client: Client.Shape, text: string) => Effect.map(client.say(text), Option.getOrThrow)

/** The first `count` entries that `select` takes, mapped. */
export const entries = <A>(
  client: Context.Tag.Service<Client.Client>,
  count: number,
  select: (entry: Entry.Entry) => A | undefined
) =>
  client.events.pipe(
    Stream.map(select),
    Stream.filter((selected): selected is Exclude<typeof selected, undefined> => selected !== undefined),
    Stream.take(count),
    Stream.runCollect,
    Effect.map((chunk) => Array.from(chunk))
  )

/** A text as `nick: text`. */
export const said = (entry: Entry.Entry): string | undefined =>
  entry._tag === "Said" ? `${entry.nick}: ${entry.text}` : undefined

/** Any entry in short: what happened to whom. Nothing for a client that is back, to which nothing has happened. */
export const short = (entry: Entry.Entry): string | undefined => {
  switch (entry._tag) {
    case "Said":
      return `${entry.nick}: ${entry.text}`
    case "Left":
      return `${entry.nick} left (${entry.reason})`
    case "Renamed":
      return `${entry.was} is ${entry.nick}`
    case "Notice":
      return `notice: ${entry.text}`
    case "Missing":
      return `${entry.after + 1} to ${entry.to} missing`
    case "NewLog":
      return "a new log"
    case "Back":
      return undefined
    case "Joined":
    case "Unreadable":
      return `${entry.nick} ${entry._tag}`
  }
}

/** Keys of some other room. */
export const otherKeys = Effect.map(Keys.generate, (key): Keys.Ring<Keys.RoomKey> => [key])
