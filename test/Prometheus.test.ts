import { execFileSync, spawnSync } from "node:child_process"
import { describe, expect, it } from "@effect/vitest"
import * as fc from "effect/FastCheck"
import * as Metric from "effect/Metric"
import * as MetricBoundaries from "effect/MetricBoundaries"
import * as MetricKey from "effect/MetricKey"
import * as MetricLabel from "effect/MetricLabel"
import * as MetricPair from "effect/MetricPair"
import type * as MetricState from "effect/MetricState"
import * as Prometheus from "../src/server/Prometheus.js"
import * as PrometheusText from "./utils/PrometheusText.js"

/** Names as they should be, as they may be, and such as meet each other. */
const name = fc
  .oneof(
    fc.constantFrom("a", "a_sum", "a_count", "a_bucket", "a-b", "a.b", "9", "le", "quantile", "__a", "__proto__"),
    fc.stringMatching(/^[a-z_:]{1,5}$/),
    fc.string({ maxLength: 5, unit: "binary" })
  )
  // The label of a word is told by its name below.
  .filter((text) => text !== "key")
const tagsOf = fc.array(fc.tuple(name, fc.string({ unit: "binary", maxLength: 6 })), { maxLength: 3 })
const description = fc.oneof(fc.constant(undefined), fc.string({ unit: "binary", maxLength: 8 }))
const values = fc.array(fc.double({ noNaN: true, min: -1e6, max: 1e6 }), { maxLength: 6 })

type Key = MetricKey.MetricKey.Untyped
type Pair = MetricPair.MetricPair.Untyped

/** A metric that was updated so, as it stands in a snapshot: what it is updated with is for its key to say. */
const pairOf = (
  untagged: Key,
  tags: ReadonlyArray<readonly [string, string]>,
  updates: ReadonlyArray<unknown>
): Pair => {
  const labels = tags.map(([label, value]) => MetricLabel.make(label, value))
  const key = MetricKey.taggedWithLabels(untagged, labels)
  const metric = Metric.fromMetricKey(key)
  for (const update of updates) metric.unsafeUpdate(update, [])
  // The value of a metric is its state.
  return MetricPair.unsafeMake(key, metric.unsafeValue([]) as MetricState.MetricState.Untyped)
}

const pair: fc.Arbitrary<Pair> = fc
  .record({
    kind: fc.constantFrom("counter", "sum", "big", "gauge", "frequency", "histogram", "summary"),
    name,
    description,
    tags: tagsOf,
    values,
    bounds: fc.array(fc.double({ noNaN: true, min: -1e3, max: 1e3 }), { maxLength: 4 }),
    words: fc.array(fc.string({ unit: "binary", maxLength: 3 }), { maxLength: 4 })
  })
  .map(({ bounds, description, kind, name, tags, values, words }) => {
    const about = description === undefined ? {} : { description }
    switch (kind) {
      case "counter":
        return pairOf(MetricKey.counter(name, { ...about, incremental: true }), tags, values.map(Math.abs))
      case "sum":
        return pairOf(MetricKey.counter(name, about), tags, values)
      case "big": {
        const cubes = values.map((value) => BigInt(Math.trunc(value)) ** 3n)
        return pairOf(MetricKey.gauge(name, { ...about, bigint: true }), tags, cubes)
      }
      case "gauge":
        return pairOf(MetricKey.gauge(name, about), tags, [...values, ...(values.length > 4 ? [Number.NaN] : [])])
      case "frequency":
        return pairOf(MetricKey.frequency(name, about), tags, words)
      case "histogram":
        return pairOf(MetricKey.histogram(name, MetricBoundaries.fromIterable(bounds), description), tags, values)
      default: {
        const own = { maxAge: "1 hour", maxSize: 10, error: 0, quantiles: [0.5, 0.9, 1] } as const
        const timed = values.map((value) => [value, 0])
        return pairOf(MetricKey.summary({ name, ...about, ...own }), tags, timed)
      }
    }
  })

const hasPromtool = spawnSync("promtool", ["--version"]).status === 0
if (!hasPromtool) console.warn("Prometheus itself judges no text: there is no promtool (Debian: prometheus)")

const series = (key: Key) => `${key.name} with ${key.tags.length} tags`

describe("metrics as Prometheus reads them", () => {
  it.prop(
    "are a text that keeps the rules of its format, whatever their names, tags and values",
    [fc.array(pair)],
    ([pairs]) => {
      const { comments, families } = PrometheusText.parse(Prometheus.format(pairs))
      // Nothing is left out in silence: each metric is a series of a family, or named in a comment.
      const lines = families.flatMap(({ name, samples, type }) =>
        type === "histogram" || type === "summary" ? samples.filter((each) => each.name === `${name}_count`) : samples
      )
      const words = pairs.filter(({ metricKey }) => "preregisteredWords" in metricKey.keyType)
      const other = pairs.length - words.length
      const ofWords = lines.filter(({ labels }) => Object.hasOwn(labels, "key")).length
      expect(lines.length - ofWords + comments.length).toBeGreaterThanOrEqual(other)
      expect(lines.length - ofWords).toBeLessThanOrEqual(other)
      expect(comments.every((line) => /^# left out: /.test(line))).toBe(true)
    }
  )

  it.prop(
    "keep a metric's value, labels and description, where its names are such as Prometheus has",
    [
      fc.stringMatching(/^[a-zA-Z_:][a-zA-Z0-9_:]{0,8}$/),
      fc.string({ unit: "binary", maxLength: 20 }),
      fc.uniqueArray(fc.tuple(fc.stringMatching(/^[a-zA-Z][a-zA-Z0-9_]{0,4}$/), fc.string({ unit: "binary" })), {
        maxLength: 3,
        selector: ([label]) => label
      }),
      fc.double()
    ],
    ([name, description, tags, value]) => {
      const text = Prometheus.format([pairOf(MetricKey.gauge(name, { description }), tags, [value])])
      const { families } = PrometheusText.parse(text)
      const labels = Object.fromEntries(tags.filter(([label]) => label !== "unit" && label !== "time_unit"))
      // To Prometheus 0 and -0 are one number, which is written as 0.
      const sample = { name, labels, value: value === 0 ? 0 : value }
      expect(families).toEqual([
        { name, type: "gauge", help: description === "" ? undefined : description, samples: [sample] }
      ])
    }
  )

  it("show a histogram's buckets one within the other, up to all", () => {
    const key = MetricKey.histogram("seconds", MetricBoundaries.fromIterable([0.1, 1]), "How long.")
    const snapshot = [pairOf(key, [], [0.05, 0.1, 0.5, 3])]
    expect(Prometheus.format(snapshot)).toBe(`# HELP seconds How long.
# TYPE seconds histogram
seconds_bucket{le="0.1"} 2
seconds_bucket{le="1"} 3
seconds_bucket{le="+Inf"} 4
seconds_sum 3.65
seconds_count 4
`)
  })

  it("escape what ends a line or a value", () => {
    const key = MetricKey.gauge("a", { description: 'one\\two\n"three"' })
    expect(Prometheus.format([pairOf(key, [["label", 'one\\two\n"three"']], [1])])).toBe(
      '# HELP a one\\\\two\\n"three"\n# TYPE a gauge\na{label="one\\\\two\\n\\"three\\""} 1\n'
    )
  })

  it("leave out what has another's name, and say so", () => {
    const text = Prometheus.format([
      pairOf(MetricKey.histogram("b", MetricBoundaries.fromIterable([1])), [], []),
      pairOf(MetricKey.counter("b_count"), [], [1]),
      pairOf(MetricKey.gauge("c"), [["a-b", "x"]], [1]),
      pairOf(MetricKey.gauge("c"), [["a.b", "x"]], [2])
    ])
    expect(PrometheusText.parse(text).comments).toEqual([
      "# left out: b_count, a gauge: another metric has its name",
      '# left out: c{a_b="x"}: it is there already'
    ])
  })

  it.skipIf(!hasPromtool)("are taken by Prometheus itself", () => {
    for (const pairs of fc.sample(fc.array(pair, { minLength: 5, maxLength: 30 }), { numRuns: 20, seed: 1 })) {
      const { status, stderr } = spawnSync("promtool", ["check", "metrics"], { input: Prometheus.format(pairs) })
      // 3 are objections to names and missing descriptions, which are not ours here; 1 is a text that cannot be read.
      expect([0, 3], `${pairs.map(({ metricKey }) => series(metricKey))}\n${stderr}`).toContain(status)
    }
    expect(() => execFileSync("promtool", ["check", "metrics"], { input: "a{ 1\n", stdio: "pipe" })).toThrow()
  })
})
