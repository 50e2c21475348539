/**
 * Metrics of Effect as Prometheus reads them: its text format, version 0.0.4. What that cannot say is left out, and a
 * comment in the text says so, since one line that it refuses costs it all of them.
 */
import * as MetricKeyType from "effect/MetricKeyType"
import type * as MetricPair from "effect/MetricPair"
import * as MetricState from "effect/MetricState"
import * as Option from "effect/Option"
import { unitTag } from "./Instrument.js"

/** The type that goes with the text over HTTP. */
export const contentType = "text/plain; version=0.0.4; charset=utf-8"

type Kind = "counter" | "gauge" | "histogram" | "summary"

type Label = readonly [name: string, value: string]

/** A line to be: what is added to the family's name, labels of its own, and a value. */
interface Sample {
  readonly suffix: string
  readonly labels: ReadonlyArray<Label>
  readonly value: number | bigint
}

interface Family {
  readonly kind: Kind
  readonly help: string
  /** The lines of each series, by its labels. */
  readonly series: Map<string, ReadonlyArray<string>>
}

/** Tags that say a unit, which is in the name where it matters. */
const unitTags: ReadonlySet<string> = new Set([unitTag, "time_unit"])

const metricName = (name: string): string => name.replace(/^(?=\d|$)|[^a-zA-Z0-9_:]/g, "_")

/** Names that begin with two underscores are Prometheus' own. */
const labelName = (name: string): string => name.replace(/^(?=\d|$)|[^a-zA-Z0-9_]/g, "_").replace(/^__+/, "_")

const escapeHelp = (text: string): string => text.replaceAll("\\", "\\\\").replaceAll("\n", "\\n")
const escapeValue = (text: string): string => escapeHelp(text).replaceAll('"', '\\"')

const number = (value: number | bigint): string => {
  if (value === Number.POSITIVE_INFINITY) return "+Inf"
  return value === Number.NEGATIVE_INFINITY ? "-Inf" : String(value)
}

const bare = (value: number | bigint): ReadonlyArray<Sample> => [{ suffix: "", labels: [], value }]

/** What a metric is to Prometheus, and what there is to say of it. */
const samplesOf = (
  { keyType }: MetricPair.MetricPair.Untyped["metricKey"],
  state: MetricState.MetricState.Untyped
): readonly [Kind, ReadonlyArray<Sample>] | undefined => {
  if (MetricState.isCounterState(state)) {
    // A counter of Prometheus never falls.
    const isCounter = MetricKeyType.isCounterKey(keyType) && keyType.incremental
    return [isCounter ? "counter" : "gauge", bare(state.count)]
  }
  if (MetricState.isGaugeState(state)) return ["gauge", bare(state.value)]
  if (MetricState.isFrequencyState(state)) {
    const each = Array.from(
      state.occurrences,
      ([word, value]): Sample => ({ suffix: "", labels: [["key", word]], value })
    )
    return ["counter", each]
  }
  const sums = (sum: number, count: number): ReadonlyArray<Sample> => [
    { suffix: "_sum", labels: [], value: sum },
    { suffix: "_count", labels: [], value: count }
  ]
  if (MetricState.isHistogramState(state)) {
    const { buckets, count, sum } = state
    const finite = buckets.filter(([bound]) => bound !== Number.POSITIVE_INFINITY)
    const bucket = (bound: number, value: number): Sample => ({
      suffix: "_bucket",
      labels: [["le", number(bound)]],
      value
    })
    const each = finite.map(([bound, value]) => bucket(bound, value))
    return ["histogram", [...each, bucket(Number.POSITIVE_INFINITY, count), ...sums(sum, count)]]
  }
  if (MetricState.isSummaryState(state)) {
    const { count, quantiles, sum } = state
    const each = quantiles.map(
      ([quantile, value]): Sample => ({
        suffix: "",
        labels: [["quantile", number(quantile)]],
        value: Option.getOrElse(value, () => Number.NaN)
      })
    )
    return ["summary", [...each, ...sums(sum, count)]]
  }
  return undefined
}

/** Names of lines that a family of a kind has. */
const suffixes: Readonly<Record<Kind, ReadonlyArray<string>>> = {
  counter: [""],
  gauge: [""],
  histogram: ["", "_bucket", "_sum", "_count"],
  summary: ["", "_sum", "_count"]
}

const renderLabels = (labels: ReadonlyArray<Label>): string =>
  labels.length === 0 ? "" : `{${labels.map(([name, value]) => `${name}="${escapeValue(value)}"`).join(",")}}`

const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0)

/** The text for a snapshot, as `Metric.snapshot` gives it: families by their names, each once. */
export const format = (snapshot: ReadonlyArray<MetricPair.MetricPair.Untyped>): string => {
  const families = new Map<string, Family>()
  /** Whose each name of a line is. */
  const taken = new Map<string, string>()
  const omitted: Array<string> = []
  for (const { metricKey, metricState } of snapshot) {
    const name = metricName(metricKey.name)
    const found = samplesOf(metricKey, metricState)
    if (found === undefined) {
      omitted.push(`${name}: it is of no kind that is known here`)
      continue
    }
    const [kind, samples] = found
    const known = families.get(name)
    const names = suffixes[kind].map((suffix) => `${name}${suffix}`)
    if (known === undefined ? names.some((each) => taken.has(each)) : known.kind !== kind) {
      omitted.push(`${name}, a ${kind}: another metric has its name`)
      continue
    }
    // The labels that a kind has itself are no tag's.
    const own = new Set(samples.flatMap(({ labels }) => labels.map(([label]) => label)))
    const labels = new Map<string, string>()
    for (const { key, value } of metricKey.tags) {
      const label = labelName(key)
      if (!unitTags.has(key) && !own.has(label)) labels.set(label, value)
    }
    const common = Array.from(labels).toSorted(([a], [b]) => compare(a, b))
    const family: Family = known ?? {
      kind,
      help: Option.getOrElse(metricKey.description, () => ""),
      series: new Map()
    }
    const series = renderLabels(common)
    if (family.series.has(series)) {
      omitted.push(`${name}${series}: it is there already`)
      continue
    }
    families.set(name, family)
    for (const each of names) taken.set(each, name)
    family.series.set(
      series,
      samples.map(
        ({ labels, suffix, value }) => `${name}${suffix}${renderLabels([...common, ...labels])} ${number(value)}`
      )
    )
  }
  const lines = Array.from(families)
    .toSorted(([a], [b]) => compare(a, b))
    .flatMap(([name, { help, kind, series }]) => [
      ...(help === "" ? [] : [`# HELP ${name} ${escapeHelp(help)}`]),
      `# TYPE ${name} ${kind}`,
      ...Array.from(series)
        .toSorted(([a], [b]) => compare(a, b))
        .flatMap(([, each]) => each)
    ])
  const left = omitted.map((what) => `# left out: ${escapeHelp(what)}`)
  return [...lines, ...left, ""].join("\n")
}
