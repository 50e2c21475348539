/**
 * The server: a Layer among others. It takes connections from a Listener, keeps its room in a Log, and supervises a
 * fiber for each connection.
 */
import * as Config from "effect/Config"
import type { ConfigError } from "effect/ConfigError"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as FiberSet from "effect/FiberSet"
import * as Layer from "effect/Layer"
import * as Scope from "effect/Scope"
import type * as Admin from "../domain/Admin.js"
import { EventLoop } from "../domain/EventLoop.js"
import type { Fernet } from "../domain/Fernet.js"
import type * as Keys from "../domain/Keys.js"
import * as Nickname from "../domain/Nickname.js"
import type * as Protocol from "../domain/Protocol.js"
import { Listener } from "../domain/Transport.js"
import * as CatchUp from "./CatchUp.js"
import { Connections } from "./Connections.js"
import * as Limits from "./Limits.js"
import { Log, type LogError } from "./Log.js"
import * as Metrics from "./Metrics.js"
import * as Moderation from "./Moderation.js"
import * as Notice from "./Notice.js"
import { Rates } from "./Rates.js"
import { Replays } from "./Replays.js"
import * as Room from "./Room.js"
import * as Session from "./Session.js"
import * as Stats from "./Stats.js"

/** How long a shutdown waits for clients to take what was written to them. */
const shutdownTime = "4500 millis"

/** How much of that time the log may take to keep what was submitted. */
const flushTime = "2 seconds"

/** How often the log is looked through for what is older than it is to be kept. */
const trimTime = "1 minute"

/** How often it is looked through who has asked for something. */
const sweepTime = "1 second"

/** Beside the limits, each of which has a default. */
export interface Options extends Partial<Limits.Limits> {
  /** The server keys of the room (`Keys.serverKeys` of a key file): whoever holds one of them is let in. */
  readonly keys: Keys.Ring<Keys.ServerKey>
  /** How long the log keeps events: 30 days. Members and what of theirs is acknowledged are kept for ever. */
  readonly retain?: Duration.DurationInput
  /**
   * Which of the nicks that are nicks at all may be had; without it, all of them. It is asked in the room's turn: it has
   * to be quick, and a defect in it ends the server. Who has a nick already keeps it until the next connection.
   */
  readonly judgeNick?: Nickname.Judge<Nickname.Nickname>
}

/** What there is to know of a running server, and what its operator can do. */
export interface Shape {
  /** Where it listens. */
  readonly address: string
  /** Members who are here. */
  readonly members: Effect.Effect<number>
  /** Open connections, those that have not shown who they are included. */
  readonly connections: Effect.Effect<number>
  /**
   * Puts a member out: it is Left by `kicked` for everybody, then hears Bye. `who` is its nick as people read it, whatever
   * the case, or `@` and its id. It may come back, but its client does not by itself; what it had not said by then it
   * has not said. Like the next two it is done when it is in the log, and not done where it fails: see OperatorError.
   */
  readonly kick: (who: string) => Effect.Effect<Admin.Kicked, Admin.OperatorError>
  /**
   * Puts a member out and bars its ticket, and unless `ticketOnly` the network it comes from (an IPv4 address, a /64 of
   * IPv6), also for others, and over restarts: who is barred hears Bye. A member who has left is meant by the nick it had
   * last. Only a new key shuts out who holds the key: from elsewhere it comes back as somebody new.
   */
  readonly ban: (
    who: string,
    options?: { readonly ticketOnly?: boolean }
  ) => Effect.Effect<Admin.Banned, Admin.OperatorError>
  /** Lifts the ban of a member, by the nick it had last. */
  readonly unban: (who: string) => Effect.Effect<Admin.Unbanned, Admin.OperatorError>
  /** Who is barred, by member. */
  readonly bans: Effect.Effect<ReadonlyArray<Admin.BanEntry>>
  /** Who is here, by member, and how each is connected. */
  readonly names: Effect.Effect<ReadonlyArray<Admin.Name>>
  /**
   * Says a text to all, in the operator's name: a Notice, which is in the log in its place like all else, and is shown to
   * who comes later. It has 1 to 4,000 characters, and unlike what members say the server can read it. Done when it is in
   * the log; fails with `text`, `log` or `closed`.
   */
  readonly say: (text: string) => Effect.Effect<Protocol.Notice, Admin.OperatorError>
  /** How it is, without what it cannot know of its process. */
  readonly stats: Effect.Effect<Admin.Stats>
  /** Whether it takes what members say: see {@link Readiness}. */
  readonly readiness: Effect.Effect<Readiness>
  /** Waits for as long as the server runs; ends only by a defect. */
  readonly join: Effect.Effect<never>
}

/**
 * Whether a server takes what members say: `ready`; or nothing said is acknowledged until the `log` takes it again; or it
 * is `stopping` and takes no more connections.
 */
export type Readiness = "ready" | "log" | "stopping"

/** A running server. */
export class Server extends Context.Tag("fernet-chat/Server")<Server, Shape>() {}

const named = ({ member, nick }: Protocol.Member): string => `${nick} (member ${member})`

/** Drops from the log what is older than `retain`, for ever. */
const trim = Effect.fnUntraced(function* (retain: Duration.DurationInput) {
  const log = yield* Log
  const step = Effect.gen(function* () {
    const now = yield* Effect.clockWith((clock) => clock.currentTimeMillis)
    yield* log.trim(now - Duration.toMillis(retain))
  })
  return yield* step.pipe(
    Effect.catchTag("LogError", ({ message }) => Effect.logError(`old events stay: ${message}`)),
    Effect.zipRight(Effect.sleep(trimTime)),
    Effect.forever
  )
})

/** Forgets, for ever, who has asked for no more than it may: a connection that is gone must not be held for that. */
const sweep = Effect.fnUntraced(function* (all: ReadonlyArray<Rates>) {
  const clock = yield* Effect.clock
  const step = Effect.sync(() => {
    for (const rates of all) rates.sweep(clock.unsafeCurrentTimeMillis())
  })
  return yield* Effect.forever(Effect.zipRight(Effect.sleep(sweepTime), step))
})

/**
 * Starts a server for the life of the Scope. When that closes, it takes no more connections, keeps and tells what was
 * submitted, says Bye to every session, and closes within 5 seconds.
 */
export const make = Effect.fn("Server.make")(function* (options: Options) {
  const listener = yield* Listener
  // Closed by hand, at the end of a shutdown: with it goes what sessions may still wait for.
  const roomScope = yield* Effect.acquireRelease(Scope.make(), (scope) => Scope.close(scope, Exit.void))
  const limits = { ...Limits.standard, ...options }
  yield* Metrics.register
  const { judgeNick = Either.right } = options
  const judge: Nickname.Judge = (text) => Either.flatMap(Nickname.parse(text), judgeNick)
  const room = yield* Scope.extend(Room.make(limits, judge), roomScope)
  yield* Effect.forkIn(trim(options.retain ?? "30 days"), roomScope)
  const services = Context.make(Room.Room, room)
  const catchUp = yield* Effect.provide(CatchUp.make, services)
  const sessions = yield* FiberSet.make<void>()
  const runSession = yield* FiberSet.runtime(sessions)<Session.Services>().pipe(
    Effect.provide(Context.add(services, CatchUp.CatchUp, catchUp))
  )
  const rates = new Rates(limits)
  const { burst, connectionsPerAddress, rate } = limits
  const crowds = new Rates({ burst: burst * connectionsPerAddress, rate: rate * connectionsPerAddress })
  yield* Effect.forkIn(sweep([rates, crowds]), roomScope)
  const connections = new Connections(limits)
  const since = yield* Effect.clockWith((clock) => clock.currentTimeMillis)
  const context: Session.Context = {
    keys: options.keys,
    connections,
    rates,
    crowds,
    replays: new Replays(),
    clock: yield* Effect.clock
  }
  yield* Effect.forkIn(connections.watch, roomScope)

  const accept = Effect.uninterruptibleMask((restore) =>
    Effect.gen(function* () {
      const scope = yield* Scope.make()
      const transport = yield* restore(Scope.extend(listener.accept, scope)).pipe(
        Effect.onError(() => Scope.close(scope, Exit.void))
      )
      runSession(Session.run(transport, context, scope))
    })
  )
  const { aside } = yield* EventLoop
  // A crowd at the door does not keep those who talk waiting.
  const accepting = yield* Effect.forkScoped(Effect.forever(Effect.zipRight(accept, aside)))
  let isListening = true
  const stopAccepting = Effect.suspend(() => {
    isListening = false
    return Effect.zipRight(Fiber.interrupt(accepting), listener.close)
  })

  // Without its room a server is none: it must not go on taking connections that nobody answers.
  yield* room.join.pipe(
    Effect.onError(() => Effect.zipRight(stopAccepting, FiberSet.clear(sessions))),
    Effect.forkScoped
  )

  yield* Effect.addFinalizer(() =>
    Effect.gen(function* () {
      yield* stopAccepting
      // A log that takes nothing must not keep them from being told.
      yield* Effect.timeoutOption(room.flush, flushTime)
      connections.shutDown()
      yield* FiberSet.awaitEmpty(sessions)
    }).pipe(
      Effect.interruptible,
      Effect.timeoutOption(shutdownTime),
      Effect.zipRight(Scope.close(roomScope, Exit.void))
    )
  )

  return Server.of({
    address: listener.address,
    members: room.count,
    connections: FiberSet.size(sessions),
    kick: Effect.fn("Server.kick")((who) =>
      Effect.tap(room.operate(Moderation.kick(who)), (kicked) => Effect.logInfo(`kicked ${named(kicked)}`))
    ),
    ban: Effect.fn("Server.ban")((who, { ticketOnly = false } = {}) =>
      Effect.tap(room.operate(Moderation.ban(who, ticketOnly)), (banned) =>
        Effect.logInfo(`banned ${named(banned)}${banned.network === undefined ? "" : ` and ${banned.network}`}`)
      )
    ),
    unban: Effect.fn("Server.unban")((who) =>
      Effect.tap(room.operate(Moderation.unban(who)), (unbanned) => Effect.logInfo(`unbanned ${named(unbanned)}`))
    ),
    bans: room.bans,
    names: room.names,
    say: Effect.fn("Server.say")((text) =>
      Effect.tap(
        Effect.flatMap(Notice.check(text), (checked) => room.operate(Notice.say(checked))),
        ({ seq }) => Effect.logInfo(`the operator has said something: event ${seq}`)
      )
    ),
    stats: Stats.take(room, connections, since),
    readiness: Effect.sync((): Readiness => (!isListening ? "stopping" : room.isTaking() ? "ready" : "log")),
    join: Effect.raceFirst(room.join, Fiber.join(accepting))
  })
})

/** A server as a Layer: give it a Listener, a Log and a Fernet. Whoever must know when it dies waits for its `join`. */
export const layer = (options: Options): Layer.Layer<Server, LogError, Listener | Log | Fernet> =>
  Layer.scoped(Server, make(options))

/**
 * The same with options that are each a Config, as `Limits.config` is for all limits at once:
 * `Server.layerConfig(Config.map(Limits.config, (limits) => ({ keys, ...limits })))`.
 */
export const layerConfig = (
  options: Config.Config.Wrap<Options>
): Layer.Layer<Server, LogError | ConfigError, Listener | Log | Fernet> =>
  Layer.scoped(Server, Effect.flatMap(Config.unwrap(options), make))

/** Serves until it is interrupted. */
export const run = (options: Options): Effect.Effect<never, LogError, Listener | Log | Fernet> =>
  Effect.scoped(Effect.flatMap(make(options), (server) => server.join))
