/** The limits of a server: what strangers and members may cost it, all in one place, each with its default. */
import * as Config from "effect/Config"
import * as ConfigError from "effect/ConfigError"
import * as Duration from "effect/Duration"
import * as Either from "effect/Either"
import * as Option from "effect/Option"

/** What a server allows, in all and to each. Infinity is no limit. */
export interface Limits {
  /** Events that a newcomer is told of what was before: 100. */
  readonly history: number
  /** Connections that have not shown that they hold a key, in all (100) and from one address (8): the oldest goes. */
  readonly halfOpen: number
  readonly halfOpenPerAddress: number
  /** How long a connection may take until its first frame opens, before it is closed without a word: 10 seconds. */
  readonly opening: Duration.DurationInput
  /** Connections that hold a key, in all (10,000) and from one address (64): one more gets Bye full. */
  readonly connections: number
  readonly connectionsPerAddress: number
  /**
   * How many messages a member may send in a row (100), and a second (20): the rest is read later. A long text counts once
   * for each 8 KiB that are sealed, a Fetch once for each 50 events.
   */
  readonly burst: number
  readonly rate: number
  /** Commands that may wait for the Room before sessions are read no further: 1,024. */
  readonly queue: number
  /** Unsent bytes of a session beyond which it goes back to catching up: 1 MiB. */
  readonly maxUnsent: number
  /** How long a client may take nothing of what waits for it until it gets Bye slow: 30 seconds. */
  readonly slowAfter: Duration.DurationInput
  /** How long nothing may come from a client until it is sent a Ping, and again each such time: 30 seconds. */
  readonly pingAfter: Duration.DurationInput
  /** How long nothing may come from a client that is read until it gets Bye silent: 75 seconds. */
  readonly silentAfter: Duration.DurationInput
  /** How long a member whose connection was lost keeps its nick and its place: 30 seconds. */
  readonly grace: Duration.DurationInput
  /** How long a group key is used until a new one takes its place: an hour. */
  readonly epoch: Duration.DurationInput
}

/** What holds where nothing else is said. */
export const standard: Limits = {
  history: 100,
  halfOpen: 100,
  halfOpenPerAddress: 8,
  opening: Duration.seconds(10),
  connections: 10_000,
  connectionsPerAddress: 64,
  burst: 100,
  rate: 20,
  queue: 1024,
  maxUnsent: 1024 * 1024,
  slowAfter: Duration.seconds(30),
  pingAfter: Duration.seconds(30),
  silentAfter: Duration.seconds(75),
  grace: Duration.seconds(30),
  epoch: Duration.hours(1)
}

/** A time as people write it, of a second or more: a number and a unit, as in `30 seconds`, or `forever`. */
export const time = (text: string): Option.Option<Duration.Duration> =>
  text === "forever"
    ? Option.some(Duration.infinity)
    : Option.filter(Duration.decodeUnknown(text), Duration.greaterThanOrEqualTo(Duration.seconds(1)))

/** A whole number from `least` on, or `unlimited`. */
const count =
  (least: number) =>
  (text: string): Option.Option<number> => {
    if (text === "unlimited") return Option.some(Number.POSITIVE_INFINITY)
    const value = /^\d+$/.test(text) ? Number(text) : Number.NaN
    return Number.isSafeInteger(value) && value >= least ? Option.some(value) : Option.none()
  }

/** The flag of `chat s` that stands for a variable. */
export const flag = (variable: string): string => variable.slice("CHAT_".length).toLowerCase().replaceAll("_", "-")

const setting = <A>(variable: string, parse: (text: string) => Option.Option<A>, what: string, standard: A) =>
  Config.nonEmptyString(variable).pipe(
    Config.mapOrFail((text) =>
      Either.fromOption(parse(text), () =>
        ConfigError.InvalidData([], `--${flag(variable)} or $${variable} is ${what}`)
      )
    ),
    Config.withDefault(standard)
  )

const number = (variable: string, standard: number, least = 1) =>
  setting(variable, count(least), `a number from ${least} on, or unlimited`, standard)

const duration = (variable: string, standard: Duration.DurationInput) =>
  setting<Duration.DurationInput>(
    variable,
    time,
    "a number and a unit, as in '30 seconds', a second or more, or forever",
    standard
  )

/** The limits as variables give them, each the standard one where there is none. An empty variable gives nothing. */
export const config: Config.Config<Limits> = Config.all({
  history: number("CHAT_HISTORY", standard.history, 0),
  halfOpen: number("CHAT_HALF_OPEN", standard.halfOpen),
  halfOpenPerAddress: number("CHAT_HALF_OPEN_PER_ADDRESS", standard.halfOpenPerAddress),
  opening: duration("CHAT_OPENING", standard.opening),
  connections: number("CHAT_CONNECTIONS", standard.connections),
  connectionsPerAddress: number("CHAT_CONNECTIONS_PER_ADDRESS", standard.connectionsPerAddress),
  burst: number("CHAT_BURST", standard.burst),
  rate: number("CHAT_RATE", standard.rate),
  queue: number("CHAT_QUEUE", standard.queue),
  maxUnsent: number("CHAT_MAX_UNSENT", standard.maxUnsent),
  slowAfter: duration("CHAT_SLOW_AFTER", standard.slowAfter),
  pingAfter: duration("CHAT_PING_AFTER", standard.pingAfter),
  silentAfter: duration("CHAT_SILENT_AFTER", standard.silentAfter),
  grace: duration("CHAT_GRACE", standard.grace),
  epoch: duration("CHAT_EPOCH", standard.epoch)
}).pipe(
  Config.validate({
    message: "a client must be asked before it is silent for too long: --ping-after is shorter than --silent-after",
    validation: ({ pingAfter, silentAfter }) =>
      Duration.lessThan(pingAfter, silentAfter) || !Duration.isFinite(Duration.decode(silentAfter))
  })
)
