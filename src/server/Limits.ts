/** The limits of a server: what strangers and members may cost it, all in one place, each with its default. */
import * as Duration from "effect/Duration"

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
  /** How many Say, Nick and Fetch a connection may send in a row (100), and a second (20): the rest is read later. */
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
