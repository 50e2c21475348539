/** What metrics are made of: kinds of them with a name, a unit and a meaning each, and how one is updated in a hot path. */
import * as Metric from "effect/Metric"
import * as MetricBoundaries from "effect/MetricBoundaries"
import * as MetricKey from "effect/MetricKey"
import * as MetricLabel from "effect/MetricLabel"

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

/** Whether a metric is to be shown: what Effect counts of its fibers says nothing of a chat. */
export const isOurs = ({ name }: { readonly name: string }): boolean => !name.startsWith("effect_")

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
