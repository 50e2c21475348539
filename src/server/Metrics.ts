/**
 * What the server counts, as metrics of Effect: each name, unit and meaning, in one place. It counts whether or not
 * anybody looks, since that costs little: once a batch or a connection, never once a delivery. To look is `Metric.snapshot`,
 * `Prometheus.format` of it, or an exporter such as @effect/opentelemetry's. A process has one registry, so the servers of
 * one process count together.
 */
import * as Effect from "effect/Effect"
import type * as Metric from "effect/Metric"
import type * as Protocol from "../domain/Protocol.js"
import { counter, gauge, histogram } from "./Instrument.js"
import type { Refusal } from "./Refusals.js"

/** Members in the room. */
export const members = gauge(
  "chat_members",
  "{member}",
  "Members in the room, also those who have lost their connection a moment ago."
)
const connectionsIn = (state: string) =>
  gauge(
    "chat_connections",
    "{connection}",
    "Open connections: half-open until they have shown that they have a key, identified then.",
    { state }
  )
/** Open connections that have yet to show that they have a key. */
export const halfOpen = connectionsIn("half-open")
/** Open connections that have a key and a place. */
export const identified = connectionsIn("identified")
/** Sessions that are told everything at once. */
export const live = gauge(
  "chat_live_sessions",
  "{session}",
  "Sessions that are told everything at once; the others have yet to catch up."
)
/** Bytes that wait to be sent, looked at once a second. */
export const unsent = gauge(
  "chat_unsent_bytes",
  "By",
  "Bytes that wait to be sent to those who have shown that they have a key, as of the last second."
)
/** Servers whose log takes what is said. */
export const taking = gauge(
  "chat_log_taking",
  "{server}",
  "Whether the log takes what is said: 1, or 0 while nothing that is said is acknowledged."
)
/** Number of the group key; of the newest, where the process has several servers. */
export const epoch = gauge(
  "chat_epoch",
  "{epoch}",
  "Number of the group key that live sessions share: with several servers in a process, that of the newest key."
)

export type { Refusal }

/** How a connection has ended: by which Bye, without one (`lost`), by an error here (`died`), or before a key was shown. */
export type Outcome = Protocol.ByeReason | "lost" | "died" | "stranger"

const outcome = (value: Outcome) =>
  counter(
    "chat_connections_ended_total",
    "{connection}",
    "Connections that have ended, by how: the reason of the Bye, lost, died, or stranger where no key was shown.",
    { outcome: value }
  )
/** Connections that have ended, by outcome. */
export const ended: Readonly<Record<Outcome, Metric.Metric.Counter<number>>> = {
  quit: outcome("quit"),
  "taken-over": outcome("taken-over"),
  kicked: outcome("kicked"),
  banned: outcome("banned"),
  full: outcome("full"),
  slow: outcome("slow"),
  silent: outcome("silent"),
  protocol: outcome("protocol"),
  shutdown: outcome("shutdown"),
  lost: outcome("lost"),
  died: outcome("died"),
  stranger: outcome("stranger")
}

const refusal = (reason: string) =>
  counter("chat_refusals_total", "{connection}", "Connections that were refused, by why.", { reason })
/** Connections that were refused, by why. */
export const refusals: Readonly<Record<Refusal, Metric.Metric.Counter<number>>> = {
  "wrong key, or not a chat client": refusal("wrong-key"),
  "a recording": refusal("recording"),
  "too slow": refusal("too-slow"),
  "too many at once": refusal("too-many"),
  "it speaks no version known here": refusal("version"),
  "broke a rule": refusal("protocol"),
  full: refusal("full"),
  banned: refusal("banned")
}

/** Texts that were kept. */
export const texts = counter("chat_texts_total", "{text}", "Texts that are in the log since the server started.")
/** Events, each times the live sessions that it was written to. */
export const deliveries = counter(
  "chat_deliveries_total",
  "{event}",
  "Events written to live sessions: each counts once for every session that it is written to."
)
/** Events of a batch. */
export const batch = histogram(
  "chat_batch_events",
  "{event}",
  "Events that were kept and told together.",
  Array.from({ length: 11 }, (_, power) => 2 ** power)
)
/** Seconds that the log took to keep a batch. */
export const commit = histogram(
  "chat_commit_seconds",
  "s",
  "Time that the log took to keep a batch.",
  [1, 10, 100, 1_000, 10_000].flatMap((scale) => [1, 2.5, 5].map((step) => (step * scale) / 10_000))
)
/** Batches that the log has refused. */
export const commitFailures = counter(
  "chat_commit_failures_total",
  "{batch}",
  "Batches that the log has refused; each try counts."
)

/** Has all of them in the registry, at zero where nothing was counted yet. */
export const register: Effect.Effect<void> = Effect.sync(() => {
  const plain = [members, halfOpen, identified, live, unsent, taking, epoch, texts, deliveries, batch, commit]
  for (const metric of [...plain, commitFailures, ...Object.values(ended), ...Object.values(refusals)]) {
    metric.register()
  }
})
