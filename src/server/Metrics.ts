/**
 * What the server counts, as metrics of Effect: each name, unit and meaning, in one place. It counts whether or not
 * anybody looks, since that costs little: once a batch or a connection, never once a delivery. To look is `Metric.snapshot`,
 * `Prometheus.format` of it, or an exporter such as @effect/opentelemetry's. A process has one registry, so the servers of
 * one process count together.
 */
import type * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Metric from "effect/Metric"
import * as MetricBoundaries from "effect/MetricBoundaries"
import * as MetricKey from "effect/MetricKey"
import * as MetricLabel from "effect/MetricLabel"
import type * as Protocol from "../domain/Protocol.js"
import type { Log } from "./Log.js"
import type { Refusal } from "./Refusals.js"

type Labels = Readonly<Record<string, string>>

/** The tag that says which unit (UCUM) a metric has, as @effect/opentelemetry reads it. It is no label for Prometheus. */
export const unitTag = "unit"

const tags = (unit: string, labels: Labels) =>
  Object.entries({ [unitTag]: unit, ...labels }).map(([key, value]) => MetricLabel.make(key, value))

/** With its tags in its key: where they are added to a metric, each update looks it up anew. */
export const counter = (name: string, unit: string, description: string, labels: Labels = {}) =>
  Metric.fromMetricKey(
    MetricKey.taggedWithLabels(MetricKey.counter(name, { description, incremental: true }), tags(unit, labels))
  )

export const gauge = (name: string, unit: string, description: string, labels: Labels = {}) =>
  Metric.fromMetricKey(MetricKey.taggedWithLabels(MetricKey.gauge(name, { description }), tags(unit, labels)))

export const histogram = (name: string, unit: string, description: string, bounds: ReadonlyArray<number>) =>
  Metric.fromMetricKey(
    MetricKey.taggedWithLabels(
      MetricKey.histogram(name, MetricBoundaries.fromIterable(bounds), description),
      tags(unit, {})
    )
  )

/** No tags beyond a metric's own. The same list each time, since an empty one need not be made. */
const untagged: ReadonlyArray<MetricLabel.MetricLabel> = []

type Updated = Pick<Metric.Metric<unknown, number, unknown>, "unsafeUpdate">

/** Adds to a counter, sets a gauge, or records a value in a histogram. */
export const update = (metric: Updated, value: number): void => metric.unsafeUpdate(value, untagged)

/** What one server adds to a gauge that all servers of the process have in common. */
export class Share {
  private own = 0

  constructor(private readonly total: Metric.Metric.Gauge<number>) {}

  /** This server's part of it; 0 when it ends. */
  set(value: number): void {
    if (value === this.own) return
    this.total.unsafeModify(value - this.own, untagged)
    this.own = value
  }
}

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
export const halfOpen = connectionsIn("half-open")
export const identified = connectionsIn("identified")
export const live = gauge(
  "chat_live_sessions",
  "{session}",
  "Sessions that are told everything at once; the others have yet to catch up."
)
export const unsent = gauge(
  "chat_unsent_bytes",
  "By",
  "Bytes that wait to be sent to those who have shown that they have a key, as of the last second."
)
export const taking = gauge(
  "chat_log_taking",
  "{server}",
  "Whether the log takes what is said: 1, or 0 while nothing that is said is acknowledged."
)
export const epoch = gauge("chat_epoch", "{epoch}", "Number of the group key that live sessions share.")

/** How a connection has ended: by which Bye, without one (`lost`), by a defect, or before it had shown that it has a key. */
export type Outcome = Protocol.ByeReason | "lost" | "died" | "stranger"

const outcome = (value: Outcome) =>
  counter(
    "chat_connections_ended_total",
    "{connection}",
    "Connections that have ended, by how: the reason of the Bye, lost, died, or stranger where no key was shown.",
    { outcome: value }
  )
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

export const texts = counter("chat_texts_total", "{text}", "Texts that are in the log since the server started.")
export const deliveries = counter(
  "chat_deliveries_total",
  "{event}",
  "Events written to live sessions: each counts once for every session that it is written to."
)
export const batch = histogram(
  "chat_batch_events",
  "{event}",
  "Events that were kept and told together.",
  Array.from({ length: 11 }, (_, power) => 2 ** power)
)
export const commit = histogram(
  "chat_commit_seconds",
  "s",
  "Time that the log took to keep a batch.",
  [1, 10, 100, 1_000, 10_000].flatMap((scale) => [1, 2.5, 5].map((step) => (step * scale) / 10_000))
)
export const commitFailures = counter(
  "chat_commit_failures_total",
  "{batch}",
  "Batches that the log has refused; each try counts."
)

/** Sets what a room adds to gauges, now and whenever what it gives is called, until the Scope closes. */
export const ofRoom = (look: () => readonly [members: number, live: number, taking: number]) =>
  Effect.gen(function* () {
    const shares = { members: new Share(members), live: new Share(live), taking: new Share(taking) }
    const set = ([here, told, takes]: ReturnType<typeof look>) => {
      shares.members.set(here)
      shares.live.set(told)
      shares.taking.set(takes)
    }
    yield* Effect.addFinalizer(() => Effect.sync(() => set([0, 0, 0])))
    set(look())
    return () => set(look())
  })

/** Has all of them in the registry, at zero where nothing was counted yet. */
export const register: Effect.Effect<void> = Effect.sync(() => {
  const plain = [members, halfOpen, identified, live, unsent, taking, epoch, texts, deliveries, batch, commit]
  for (const metric of [...plain, commitFailures, ...Object.values(ended), ...Object.values(refusals)]) {
    metric.register()
  }
})

const committed = (events: ReadonlyArray<Protocol.Event>, nanoseconds: number): void => {
  let said = 0
  for (const { _tag } of events) if (_tag === "Chat") said += 1
  update(commit, nanoseconds / 1e9)
  if (events.length > 0) update(batch, events.length)
  if (said > 0) update(texts, said)
}

/** A log whose commits are counted. */
export const counted = (log: Log["Type"], clock: Clock.Clock): Log["Type"] => ({
  ...log,
  append: (events, changed) =>
    Effect.suspend(() => {
      const began = clock.unsafeCurrentTimeNanos()
      return Effect.tapBoth(log.append(events, changed), {
        onSuccess: () => Effect.sync(() => committed(events, Number(clock.unsafeCurrentTimeNanos() - began))),
        onFailure: () => Effect.sync(() => update(commitFailures, 1))
      })
    })
})
