import { spawnSync } from "node:child_process"
import { readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Metric from "effect/Metric"
import * as Schedule from "effect/Schedule"
import * as Schema from "effect/Schema"
import * as ProcessMetrics from "../src/cli/ProcessMetrics.js"
import * as Metrics from "../src/server/Metrics.js"
import * as Prometheus from "../src/server/Prometheus.js"
import * as Command from "./utils/Command.js"
import * as PrometheusText from "./utils/PrometheusText.js"

const Dashboard = Schema.parseJson(
  Schema.Struct({
    panels: Schema.Array(
      Schema.Struct({
        title: Schema.String,
        type: Schema.Literal("row", "stat", "timeseries"),
        targets: Schema.optional(
          Schema.NonEmptyArray(Schema.Struct({ expr: Schema.String, legendFormat: Schema.String }))
        )
      })
    ),
    templating: Schema.Struct({
      list: Schema.Array(Schema.Struct({ name: Schema.String, definition: Schema.optional(Schema.String) }))
    })
  })
)

const dashboard = Schema.decodeUnknownSync(Dashboard)(
  readFileSync(fileURLToPath(new URL("../docs/grafana.json", import.meta.url)), "utf8")
)

const targets = dashboard.panels.flatMap(({ targets = [], title }) => targets.map((target) => ({ title, ...target })))
const queries = dashboard.templating.list.flatMap(({ definition }) => (definition === undefined ? [] : [definition]))

/** Labels that Prometheus adds to what it scrapes, and the one of buckets. */
const known = ["job", "instance", "le"]

/** The series that an expression of PromQL names, and the labels that it goes by. */
const named = (expr: string) => {
  const labels = [
    ...Array.from(expr.matchAll(/(\w+)\s*(?:=~|!~|!=|=)\s*"/g), ([, label = ""]) => label),
    ...Array.from(expr.matchAll(/\b(?:by|without)\s*\(([^)]*)\)/g), ([, list = ""]) => list.split(/\s*,\s*/)).flat()
  ]
  const bare = expr
    .replace(/^label_values\((.*),\s*\w+\)$/, "$1")
    .replace(/\b(?:by|without)\s*\([^)]*\)/g, "")
    .replace(/\{[^}]*\}|\[[^\]]*\]/g, "")
  // What is called is a function.
  const names = Array.from(bare.matchAll(/[a-zA-Z_:][\w:]*(?![\w:]*\s*\()/g), ([name]) => name)
  return { names, labels }
}

/** What the server shows, as it shows it. */
const shown = Effect.gen(function* () {
  yield* Metrics.register
  yield* ProcessMetrics.measure
  const snapshot = yield* Metric.snapshot
  return PrometheusText.parse(Prometheus.format(snapshot)).families.filter(({ name }) => !name.startsWith("effect_"))
})

describe("the dashboard", () => {
  it.scoped("asks for what the server shows, by names and labels that are there, and for all of it", () =>
    Effect.gen(function* () {
      const families = yield* shown
      const lines = new Map(families.flatMap(({ name, samples }) => samples.map((each) => [each.name, name] as const)))
      const asked = new Set<string>()
      expect(targets.length).toBeGreaterThan(15)
      for (const expr of [...targets.map(({ expr }) => expr), ...queries]) {
        const { labels, names } = named(expr)
        expect(names.length, expr).toBeGreaterThan(0)
        for (const name of names) {
          const family = families.find((each) => each.name === lines.get(name))
          expect(family, `${name} in ${expr}`).toBeDefined()
          asked.add(family?.name ?? "")
        }
        const there = new Set(
          families
            .filter(({ name }) => names.some((each) => lines.get(each) === name))
            .flatMap(({ samples }) => samples.flatMap((each) => Object.keys(each.labels)))
        )
        expect(
          labels.filter((label) => !there.has(label) && !known.includes(label)),
          expr
        ).toEqual([])
      }
      expect(families.map(({ name }) => name).filter((name) => !asked.has(name))).toEqual([])
    })
  )

  it.scoped("shows in its legends labels that its expressions keep", () =>
    Effect.gen(function* () {
      for (const { expr, legendFormat } of targets) {
        const kept = expr.startsWith("rate(") || /^\w+\{/.test(expr) ? known : named(expr).labels
        const told = Array.from(legendFormat.matchAll(/\{\{(\w+)\}\}/g), ([, label = ""]) => label)
        expect(
          told.filter((label) => !kept.includes(label)),
          expr
        ).toEqual([])
      }
    })
  )
})

const hasPrometheus = ["prometheus", "promtool"].every((name) => spawnSync(name, ["--version"]).status === 0)
if (!hasPrometheus) console.warn("no Prometheus asks for the dashboard's metrics: there is none (Debian: prometheus)")

const Answer = Schema.Struct({
  status: Schema.Literal("success"),
  data: Schema.Struct({
    result: Schema.Array(Schema.Struct({ value: Schema.Tuple(Schema.Number, Schema.NumberFromString) }))
  })
})

/** The values that Prometheus has for an expression now. */
const query = (port: number, expr: string) =>
  Effect.tryPromise(async () => {
    const response = await fetch(`http://127.0.0.1:${port}/api/v1/query?query=${encodeURIComponent(expr)}`)
    return Schema.decodeUnknownSync(Answer)(await response.json()).data.result.map(({ value: [, value] }) => value)
  })

/** Asks again and again, each time after a while: there have to be several scrapes, and Prometheus has to start. */
const eventually = <A, E>(look: Effect.Effect<A, E>, done: (seen: A) => boolean) =>
  look.pipe(Effect.filterOrFail(done), Effect.retry(Schedule.spaced("200 millis")), Effect.orDie)

describe.skipIf(!hasPrometheus)("a real Prometheus (needs it installed)", () => {
  it.scopedLive(
    "has nothing to object to in what a server shows, and finds something for each expression of the dashboard",
    () =>
      Effect.gen(function* () {
        const cwd = yield* Command.directory
        const server = yield* Command.serve({ cwd }, ["--metrics", "127.0.0.1:0"])
        yield* server.shows(/metrics: .*\n/)
        const [, metrics = ""] = /http:\/\/(127\.0\.0\.1:\d+)\/metrics/.exec(server.stdout()) ?? []
        const text = yield* Effect.promise(async () => (await fetch(`http://${metrics}/metrics`)).text())
        const checked = spawnSync("promtool", ["check", "metrics"], { input: text, encoding: "utf8" })
        expect([checked.stdout, checked.stderr, checked.status]).toEqual(["", "", 0])

        const config = {
          global: { scrape_interval: "1s", scrape_timeout: "1s" },
          scrape_configs: [{ job_name: "chat", static_configs: [{ targets: [metrics] }] }]
        }
        // JSON is YAML.
        writeFileSync(join(cwd, "prometheus.yml"), JSON.stringify(config))
        const flags = ["--config.file=prometheus.yml", "--storage.tsdb.path=prometheus"]
        // On a port that is free when it takes it, as it says then.
        const prometheus = yield* Command.start("prometheus", [...flags, "--web.listen-address=127.0.0.1:0"], { cwd })
        const listening = /Listening on.* address=127\.0\.0\.1:(\d+)\s/
        yield* prometheus.shows(listening)
        const port = Number(listening.exec(prometheus.stderr())?.[1])
        yield* eventually(query(port, 'up{job="chat"}'), (up) => up.length === 1 && up[0] === 1)

        // Somebody talks meanwhile, for there are no quantiles of nothing.
        const talker = yield* Command.chat(["c", "--nick", "ada", "--listen"], { cwd, env: { CHAT_PORT: server.port } })
        yield* talker.shows("ada joined")
        yield* Effect.sync(() => talker.write("hello\n")).pipe(
          Effect.repeat(Schedule.spaced("300 millis")),
          Effect.forkScoped
        )
        for (const { expr, title } of targets) {
          const now = expr
            .replaceAll("$__rate_interval", "10s")
            .replaceAll("$job", "chat")
            .replaceAll("$instance", metrics)
          const found = yield* eventually(query(port, now), (values) => values.some(Number.isFinite))
          expect(
            found.filter((value) => !Number.isFinite(value)),
            `${title}: ${expr}`
          ).toEqual([])
        }
        for (const [expr, least] of [
          ["chat_members", 1],
          ["sum(chat_connections)", 1],
          ["chat_texts_total", 1],
          ["process_resident_memory_bytes", 1e6]
        ] as const) {
          yield* eventually(query(port, expr), ([value = 0]) => value >= least)
        }
      })
  )
})
