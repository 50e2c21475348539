import * as FetchHttpClient from "@effect/platform/FetchHttpClient"
import { describe, expect, it } from "@effect/vitest"
import * as Chunk from "effect/Chunk"
import * as Clock from "effect/Clock"
import * as ConfigProvider from "effect/ConfigProvider"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Logger from "effect/Logger"
import * as LogLevel from "effect/LogLevel"
import * as Metric from "effect/Metric"
import * as Option from "effect/Option"
import * as Queue from "effect/Queue"
import * as Redacted from "effect/Redacted"
import * as Scope from "effect/Scope"
import * as TestClock from "effect/TestClock"
import * as Otlp from "../src/cli/Otlp.js"
import * as OtlpSettings from "../src/cli/OtlpSettings.js"
import * as Metrics from "../src/server/Metrics.js"
import * as Collector from "./utils/Collector.js"
import * as Room from "./utils/Room.js"

const load = (variables: Record<string, string>) =>
  Effect.withConfigProvider(OtlpSettings.load, ConfigProvider.fromMap(new Map(Object.entries(variables))))

/** Settings as they can be compared. */
const loaded = (variables: Record<string, string>) =>
  Effect.map(
    load(variables),
    Option.map(({ headers, interval, timeout, ...rest }) => ({
      ...rest,
      headers: Redacted.value(headers),
      interval: Duration.toMillis(interval),
      timeout: Duration.toMillis(timeout)
    }))
  )

const standard = {
  url: "http://collector:4318/v1/metrics",
  isJson: false,
  headers: {},
  interval: 60_000,
  timeout: 10_000,
  serviceName: "fernet-chat",
  attributes: {}
}

const OTEL_EXPORTER_OTLP_ENDPOINT = "http://collector:4318"

describe("OpenTelemetry's variables", () => {
  it.effect.each([
    {},
    { OTEL_EXPORTER_OTLP_ENDPOINT: "" },
    { OTEL_EXPORTER_OTLP_ENDPOINT, OTEL_SDK_DISABLED: "true" },
    { OTEL_EXPORTER_OTLP_ENDPOINT, OTEL_METRICS_EXPORTER: "none" },
    { OTEL_EXPORTER_OTLP_ENDPOINT, OTEL_METRICS_EXPORTER: "prometheus" },
    { OTEL_EXPORTER_OTLP_HEADERS: "a=b", OTEL_SERVICE_NAME: "chat" }
  ] as ReadonlyArray<Record<string, string>>)("ask for nothing: %j", (variables) =>
    Effect.map(load(variables), (settings) => expect(settings).toEqual(Option.none()))
  )

  const asked: ReadonlyArray<readonly [variables: Record<string, string>, Partial<typeof standard>]> = [
    [{ OTEL_EXPORTER_OTLP_ENDPOINT }, {}],
    [{ OTEL_EXPORTER_OTLP_ENDPOINT: "http://collector:4318/" }, {}],
    [{ OTEL_EXPORTER_OTLP_ENDPOINT: "https://c/a/b/" }, { url: "https://c/a/b/v1/metrics" }],
    [{ OTEL_EXPORTER_OTLP_METRICS_ENDPOINT: "https://c/mine" }, { url: "https://c/mine" }],
    [{ OTEL_EXPORTER_OTLP_ENDPOINT, OTEL_EXPORTER_OTLP_METRICS_ENDPOINT: "https://c/" }, { url: "https://c/" }],
    [{ OTEL_METRICS_EXPORTER: "otlp" }, { url: "http://localhost:4318/v1/metrics" }],
    [{ OTEL_EXPORTER_OTLP_ENDPOINT, OTEL_EXPORTER_OTLP_PROTOCOL: "http/json" }, { isJson: true }],
    [
      {
        OTEL_EXPORTER_OTLP_ENDPOINT,
        OTEL_EXPORTER_OTLP_PROTOCOL: "http/json",
        OTEL_EXPORTER_OTLP_METRICS_PROTOCOL: "http/protobuf"
      },
      {}
    ],
    [
      // The other is for what this program does not send.
      {
        OTEL_EXPORTER_OTLP_ENDPOINT,
        OTEL_EXPORTER_OTLP_PROTOCOL: "grpc",
        OTEL_EXPORTER_OTLP_METRICS_PROTOCOL: "http/json"
      },
      { isJson: true }
    ],
    [
      {
        OTEL_EXPORTER_OTLP_ENDPOINT,
        OTEL_EXPORTER_OTLP_HEADERS: "authorization=Bearer%20a%3Db, x=1",
        OTEL_EXPORTER_OTLP_METRICS_HEADERS: "x=2"
      },
      { headers: { authorization: "Bearer a=b", x: "2" } as object }
    ],
    [
      { OTEL_EXPORTER_OTLP_ENDPOINT, OTEL_METRIC_EXPORT_INTERVAL: "5000", OTEL_EXPORTER_OTLP_TIMEOUT: "100" },
      { interval: 5_000, timeout: 100 }
    ],
    [
      {
        OTEL_EXPORTER_OTLP_ENDPOINT,
        OTEL_RESOURCE_ATTRIBUTES: "service.name=a,deployment.environment=the%20lab"
      },
      { serviceName: "a", attributes: { "deployment.environment": "the lab" } as object }
    ],
    [
      { OTEL_EXPORTER_OTLP_ENDPOINT, OTEL_SERVICE_NAME: "b", OTEL_RESOURCE_ATTRIBUTES: "service.name=a" },
      { serviceName: "b" }
    ]
  ]
  it.effect.each(asked)("say where, and how: %j", ([variables, expected]) =>
    Effect.map(loaded(variables), (settings) => expect(settings).toEqual(Option.some({ ...standard, ...expected })))
  )

  it.effect.each([
    ["OTEL_EXPORTER_OTLP_ENDPOINT", "collector:4318", "an address such as http://localhost:4318"],
    ["OTEL_EXPORTER_OTLP_ENDPOINT", "ftp://collector", "an address such as http://localhost:4318"],
    ["OTEL_EXPORTER_OTLP_ENDPOINT", "http://me:secret@collector", "credentials go into $OTEL_EXPORTER_OTLP_HEADERS"],
    ["OTEL_EXPORTER_OTLP_PROTOCOL", "grpc", "http/protobuf or http/json here: gRPC is not spoken"],
    ["OTEL_EXPORTER_OTLP_METRICS_PROTOCOL", "grpc", "http/protobuf or http/json here: gRPC is not spoken"],
    ["OTEL_EXPORTER_OTLP_PROTOCOL", "toString", "http/protobuf or http/json here: gRPC is not spoken"],
    ["OTEL_EXPORTER_OTLP_HEADERS", "Bearer", "name=value"],
    ["OTEL_EXPORTER_OTLP_HEADERS", "a=%", "name=value"],
    ["OTEL_EXPORTER_OTLP_HEADERS", "authorization=Bearer%20secret%0Ax", "that HTTP can carry"],
    ["OTEL_EXPORTER_OTLP_METRICS_HEADERS", "a:secret=b", "that HTTP can carry"],
    ["OTEL_EXPORTER_OTLP_METRICS_HEADERS", "a=secret%E2%82%AC", "that HTTP can carry"],
    ["OTEL_METRIC_EXPORT_INTERVAL", "1 minute", "a number of milliseconds"],
    ["OTEL_METRIC_EXPORT_INTERVAL", "0", "a number of milliseconds"]
  ] as const)("are refused by name where they make no sense: %s=%s", ([variable, value, why]) =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(load({ OTEL_EXPORTER_OTLP_ENDPOINT, [variable]: value }))
      expect(error._tag).toBe("UsageError")
      expect(error.message).toContain(`$${variable} is `)
      expect(error.message).toContain(why)
      expect(error.message).not.toContain("secret")
    })
  )
})

const settings = (variables: Record<string, string>) => Effect.map(load(variables), Option.getOrThrow)

/** What is logged goes into a queue. */
const heard = Effect.gen(function* () {
  const lines = yield* Queue.unbounded<string>()
  const logger = Logger.make<unknown, void>(({ logLevel, message }) => {
    Queue.unsafeOffer(lines, `${logLevel._tag}: ${String(message)}`)
  })
  return { lines, within: Effect.provide(Logger.replace(Logger.defaultLogger, logger)) }
})

/** Waits until something sleeps for just so long from now. */
const sleeper = (duration: Duration.DurationInput) =>
  Effect.flatMap(Clock.currentTimeMillis, (now) =>
    Room.eventually(TestClock.sleeps(), Chunk.contains(now + Duration.toMillis(duration)))
  )

describe("metrics by OTLP", () => {
  it.scopedLive("come as JSON with names, units, kinds and the resource, at each interval", () =>
    Effect.gen(function* () {
      const { endpoint, posts } = yield* Collector.make(() => 200)
      yield* Metrics.register
      yield* Otlp.send(
        yield* settings({
          OTEL_EXPORTER_OTLP_ENDPOINT: endpoint,
          OTEL_EXPORTER_OTLP_PROTOCOL: "http/json",
          OTEL_EXPORTER_OTLP_HEADERS: "authorization=Bearer%20x",
          OTEL_METRIC_EXPORT_INTERVAL: "20",
          OTEL_RESOURCE_ATTRIBUTES: "service.name=a,deployment.environment=lab"
        })
      )
      yield* Queue.take(posts)
      const { body, headers, path } = yield* Queue.take(posts)
      expect(path).toBe("/v1/metrics")
      expect(headers).toMatchObject({ authorization: "Bearer x", "content-type": "application/json" })
      const [{ resource, scopeMetrics }] = JSON.parse(body.toString()).resourceMetrics
      const attribute = (key: string, stringValue: string) => ({ key, value: { stringValue } })
      expect(resource.attributes).toHaveLength(3)
      expect(resource.attributes).toEqual(
        expect.arrayContaining([attribute("service.name", "a"), attribute("deployment.environment", "lab")])
      )
      const metrics: ReadonlyArray<Record<string, unknown>> = scopeMetrics[0].metrics
      // Effect has counted the fibers of this test by then.
      expect((yield* Metric.snapshot).some(({ metricKey }) => metricKey.name.startsWith("effect_"))).toBe(true)
      expect(metrics.filter(({ name }) => !String(name).startsWith("chat_"))).toEqual([])
      const find = (name: string) => metrics.find((metric) => metric.name === name)
      expect(find("chat_members")).toMatchObject({ unit: "{member}", gauge: { dataPoints: [{ asDouble: 0 }] } })
      expect(find("chat_texts_total")).toMatchObject({ unit: "{text}", sum: { isMonotonic: true } })
      expect(find("chat_commit_seconds")).toMatchObject({
        unit: "s",
        histogram: { dataPoints: [{ bucketCounts: expect.arrayContaining([0]) }] }
      })
    })
  )

  it.scopedLive("come as protobuf unless JSON is asked for", () =>
    Effect.gen(function* () {
      const { endpoint, posts } = yield* Collector.make(() => 200)
      yield* Metrics.register
      yield* Otlp.send(yield* settings({ OTEL_EXPORTER_OTLP_ENDPOINT: endpoint, OTEL_METRIC_EXPORT_INTERVAL: "20" }))
      const { body, headers } = yield* Queue.take(posts)
      expect(headers["content-type"]).toBe("application/x-protobuf")
      // A string of protobuf stands there as it is, behind its length.
      for (const name of ["chat_members", "chat_texts_total"]) {
        expect(body.includes(Buffer.concat([Buffer.from([name.length]), Buffer.from(name)]))).toBe(true)
      }
    })
  )

  it.scoped("that do not arrive are told once, and once when they do again; the address's token never", () =>
    Effect.gen(function* () {
      let status = 400
      const { endpoint, posts } = yield* Collector.make(() => status)
      const { lines, within } = yield* heard
      yield* Otlp.send(yield* settings({ OTEL_EXPORTER_OTLP_METRICS_ENDPOINT: `${endpoint}/mine?token=hidden` })).pipe(
        within,
        Logger.withMinimumLogLevel(LogLevel.All)
      )
      // After a failure the exporter rests for a minute. Only when it does has it read the answer, in time by this clock.
      const rested = sleeper("1 minute")
      const nextPost = rested.pipe(Effect.zipRight(TestClock.adjust("1 minute")), Effect.zipRight(Queue.take(posts)))
      expect((yield* nextPost).path).toBe("/mine?token=hidden")
      expect(yield* Queue.take(lines)).toBe(
        `Warning: metrics do not reach ${endpoint}/mine (it answers with 400): is it right, and is it up?`
      )
      yield* nextPost
      status = 200
      yield* nextPost
      expect(yield* Queue.take(lines)).toBe(`Info: metrics reach ${endpoint}/mine again`)
      yield* nextPost
      yield* rested
      expect(Array.from(yield* Queue.takeAll(lines))).toEqual([])
    })
  )

  it.scoped("that wait too long for an answer are told without the address's token", () =>
    Effect.gen(function* () {
      let status: number | undefined
      const { endpoint, posts } = yield* Collector.make(() => status)
      const { lines, within } = yield* heard
      yield* Otlp.send(yield* settings({ OTEL_EXPORTER_OTLP_ENDPOINT: `${endpoint}/?token=hidden` })).pipe(within)
      yield* sleeper("1 minute")
      yield* TestClock.adjust("1 minute")
      expect((yield* Queue.take(posts)).path).toBe("/v1/metrics?token=hidden")
      yield* sleeper("10 seconds")
      yield* TestClock.adjust("10 seconds")
      expect(yield* Queue.take(lines)).toBe(
        `Warning: metrics do not reach ${endpoint}/v1/metrics (it took too long): is it right, and is it up?`
      )
      // For what is sent at the end.
      status = 200
    })
  )

  const refused = new Error("connect ECONNREFUSED ::1:4318")
  const causes: ReadonlyArray<readonly [cause: unknown, why: string]> = [
    [refused, "connect ECONNREFUSED ::1:4318"],
    [Object.assign(new AggregateError([refused]), { code: "ECONNREFUSED" }), "ECONNREFUSED"],
    [new AggregateError([refused]), "connect ECONNREFUSED ::1:4318"],
    [new AggregateError([]), "no answer"],
    [undefined, "no answer"]
  ]
  it.scoped.each(causes)("that fail for a reason are told with what node says of it: %s is %s", ([cause, why]) =>
    Effect.gen(function* () {
      // Fails once: what is sent at the end arrives.
      const answers = [() => Promise.reject(new TypeError("fetch failed: hidden", { cause }))]
      const { lines, within } = yield* heard
      yield* Otlp.send(yield* settings({ OTEL_EXPORTER_OTLP_ENDPOINT })).pipe(
        within,
        Effect.provideService(FetchHttpClient.Fetch, () => answers.pop()?.() ?? Promise.resolve(new Response("{}")))
      )
      yield* sleeper("1 minute")
      yield* TestClock.adjust("1 minute")
      expect(yield* Queue.take(lines)).toContain(`http://collector:4318/v1/metrics (${why}):`)
    })
  )

  it.scopedLive("that reach nobody are told with why", () =>
    Effect.gen(function* () {
      const { endpoint } = yield* Effect.scoped(Collector.make(() => 200))
      const { lines, within } = yield* heard
      yield* Otlp.send(
        yield* settings({ OTEL_EXPORTER_OTLP_ENDPOINT: endpoint, OTEL_METRIC_EXPORT_INTERVAL: "20" })
      ).pipe(within)
      expect(yield* Queue.take(lines)).toMatch(/^Warning: metrics do not reach \S+\/v1\/metrics \(.*ECONNREFUSED/)
    })
  )

  it.scoped("that nobody takes hold up the end for no more than half a second", () =>
    Effect.gen(function* () {
      const { endpoint, posts } = yield* Collector.make(() => undefined)
      const scope = yield* Scope.make()
      yield* Otlp.send(yield* settings({ OTEL_EXPORTER_OTLP_ENDPOINT: endpoint })).pipe(Scope.extend(scope))
      yield* sleeper("1 minute")
      const closing = yield* Effect.fork(Scope.close(scope, Exit.void))
      yield* Queue.take(posts)
      // By then it sleeps for as long as the request may take, and for as long as the end may.
      yield* sleeper("10 seconds")
      yield* TestClock.adjust("500 millis")
      yield* Fiber.join(closing)
    })
  )
})
