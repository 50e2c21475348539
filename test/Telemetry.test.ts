import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Queue from "effect/Queue"
import * as Collector from "./utils/Collector.js"
import * as Command from "./utils/Command.js"
import * as PrometheusText from "./utils/PrometheusText.js"

/** The status and the text that a server answers with. */
const get = (url: string) =>
  Effect.promise(async () => {
    const response = await fetch(url)
    return { status: response.status, text: await response.text() }
  })

const urlOf = (server: Command.Running) =>
  Effect.map(
    server.shows(/metrics: .*\n/),
    () => /metrics: +(http:\/\/\S+)\/metrics\n/.exec(server.stdout())?.[1] ?? ""
  )

/** The value of a series without labels. */
const valueOf = (text: string, name: string) =>
  PrometheusText.parse(text).families.find((family) => family.name === name)?.samples[0]?.value

describe("chat s --metrics", () => {
  it.scopedLive("shows what goes on, says that it is ready, and ends with the server", () =>
    Effect.gen(function* () {
      const cwd = yield* Command.directory
      const server = yield* Command.serve({ cwd }, ["--metrics", "127.0.0.1:0"])
      const url = yield* urlOf(server)
      expect(yield* get(`${url}/healthz`)).toEqual({ status: 200, text: "alive\n" })
      expect(yield* get(`${url}/readyz`)).toEqual({ status: 200, text: "ready\n" })
      const env = { CHAT_PORT: server.port }
      const ada = yield* Command.chat(["c", "--nick", "ada"], { cwd, env })
      yield* ada.shows("ada joined")
      expect((yield* Command.run(["send", "--nick", "bob", "hello"], { cwd, env })).code).toBe(0)
      yield* ada.shows("hello")
      const { text } = yield* get(`${url}/metrics`)
      expect(PrometheusText.parse(text).comments).toEqual([])
      expect(valueOf(text, "chat_texts_total")).toBe(1)
      expect(valueOf(text, "chat_members")).toBeGreaterThanOrEqual(1)
      expect(valueOf(text, "process_resident_memory_bytes")).toBeGreaterThan(1e7)
      expect(valueOf(text, "process_cpu_seconds_total")).toBeGreaterThan(0)
      server.kill("SIGTERM")
      expect(yield* server.exit).toBe(0)
      expect(server.stderr()).not.toMatch(/ERROR|WARN/)
    })
  )

  it.scopedLive("is the variable's where there is no flag, and of this machine only where a port is all", () =>
    Effect.gen(function* () {
      const cwd = yield* Command.directory
      const server = yield* Command.serve({ cwd, env: { CHAT_METRICS: "0" } })
      expect(yield* urlOf(server)).toMatch(/^http:\/\/127\.0\.0\.1:\d+$/)
    })
  )

  it.scopedLive("is not there unless it is asked for", () =>
    Effect.gen(function* () {
      const server = yield* Command.serve({ cwd: yield* Command.directory })
      expect(server.stdout()).not.toContain("metrics")
    })
  )

  const wrong: ReadonlyArray<readonly [args: ReadonlyArray<string>, env: Record<string, string>, message: string]> = [
    [["--port", "45555", "--metrics", "45555"], {}, "--metrics needs a port of its own: 45555 is the chat's"],
    [["--port", "45555", "--metrics", "[::1]:45555"], {}, "--metrics needs a port of its own: 45555 is the chat's"],
    [["--metrics", "everywhere"], {}, "--metrics is HOST:PORT, as in 127.0.0.1:9464, or a port alone"],
    [[], { CHAT_METRICS: "1:2:3" }, "--metrics is HOST:PORT, as in 127.0.0.1:9464, or a port alone"],
    [
      [],
      { OTEL_EXPORTER_OTLP_ENDPOINT: "http://localhost:4317", OTEL_EXPORTER_OTLP_PROTOCOL: "grpc" },
      "$OTEL_EXPORTER_OTLP_PROTOCOL is http/protobuf or http/json here: gRPC is not spoken"
    ]
  ]
  it.scopedLive.each(wrong)("is refused where it makes no sense: %j %j", ([args, env, message]) =>
    Effect.gen(function* () {
      const cwd = yield* Command.directory
      const { code, stderr } = yield* Command.run(["s", ...args], { cwd, env })
      expect(code).toBe(2)
      expect(stderr.startsWith(`chat: ${message}`)).toBe(true)
    })
  )

  it.scopedLive("says so where its port is taken", () =>
    Effect.gen(function* () {
      const cwd = yield* Command.directory
      const { port } = yield* Command.serve({ cwd })
      const { code, stderr } = yield* Command.run(["s", "--port", "0", "--metrics", port, "--ephemeral"], { cwd })
      expect([code, stderr]).toEqual([
        1,
        `chat: 127.0.0.1:${port} is in use: choose another address with --metrics HOST:PORT\n`
      ])
    })
  )
})

it.scopedLive("chat s sends metrics by OTLP where OpenTelemetry's variables say so, the last at its end", () =>
  Effect.gen(function* () {
    const { endpoint, posts } = yield* Collector.make(() => 200)
    const cwd = yield* Command.directory
    const env = {
      OTEL_EXPORTER_OTLP_ENDPOINT: endpoint,
      OTEL_EXPORTER_OTLP_PROTOCOL: "http/json",
      // Longer than this test: what comes is what is sent at the end.
      OTEL_METRIC_EXPORT_INTERVAL: "600000"
    }
    const server = yield* Command.serve({ cwd, env })
    yield* Command.run(["send", "--nick", "ada", "hello"], { cwd, env: { CHAT_PORT: server.port } })
    server.kill("SIGTERM")
    expect(yield* server.exit).toBe(0)
    const [{ scopeMetrics }] = JSON.parse((yield* Queue.take(posts)).body.toString()).resourceMetrics
    const metrics: ReadonlyArray<{ readonly name: string }> = scopeMetrics[0].metrics
    expect(metrics.find(({ name }) => name === "chat_texts_total")).toMatchObject({
      sum: { dataPoints: [{ asDouble: 1 }] }
    })
  })
)
