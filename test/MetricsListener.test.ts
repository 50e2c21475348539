import * as Http from "node:http"
import * as Net from "node:net"
import { describe, expect, it } from "@effect/vitest"
import * as Arr from "effect/Array"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Ref from "effect/Ref"
import * as Scope from "effect/Scope"
import * as MetricsListener from "../src/cli/MetricsListener.js"
import * as Metrics from "../src/server/Metrics.js"
import * as PrometheusText from "./utils/PrometheusText.js"

const here = { host: "127.0.0.1", port: 0 }
const isReady = Effect.succeed<MetricsListener.Status>("ready")

interface Response {
  readonly status: number | undefined
  readonly headers: Http.IncomingHttpHeaders
  readonly body: string
}

/** Asks once, on a connection of its own. */
const ask = (port: number, path: string, options: Http.RequestOptions = {}) =>
  Effect.async<Response>((resume) => {
    const request = Http.request({ ...here, port, path, agent: false, ...options }, (response) => {
      let body = ""
      response.setEncoding("utf8").on("data", (text: string) => {
        body += text
      })
      response.on("end", () => {
        resume(Effect.succeed({ status: response.statusCode, headers: response.headers, body }))
      })
    })
    request.on("error", (error) => resume(Effect.die(error)))
    request.end()
  })

/** A connection that has sent `text`; `closed` waits for its end. */
const connect = (port: number, text: string) =>
  Effect.acquireRelease(
    Effect.async<{ readonly socket: Net.Socket; readonly closed: Effect.Effect<void> }>((resume) => {
      const socket = Net.connect({ ...here, port })
      const ended = new Promise<void>((resolve) => socket.once("close", () => resolve()))
      socket.on("error", () => {})
      socket.resume()
      socket.once("connect", () => {
        socket.write(text, () => resume(Effect.succeed({ socket, closed: Effect.promise(() => ended) })))
      })
    }),
    ({ socket }) => Effect.sync(() => socket.destroy())
  )

describe("the metrics listener", () => {
  it.scopedLive("shows what the server counts, as Prometheus reads it, and nothing of Effect's own", () =>
    Effect.gen(function* () {
      yield* Metrics.register
      const { port } = yield* MetricsListener.listen(here, isReady)
      const { body, headers, status } = yield* ask(port, "/metrics")
      expect(status).toBe(200)
      expect(headers["content-type"]).toBe("text/plain; version=0.0.4; charset=utf-8")
      const { comments, families } = PrometheusText.parse(body)
      expect(comments).toEqual([])
      expect(families.filter(({ help }) => help === undefined)).toEqual([])
      expect(families.find(({ name }) => name === "chat_texts_total")).toMatchObject({ type: "counter" })
      expect(families.filter(({ name }) => !/^chat_/.test(name))).toEqual([])
    })
  )

  it.scopedLive("says that the process is alive, and whether the server is ready, or why not", () =>
    Effect.gen(function* () {
      const status = yield* Ref.make<MetricsListener.Status>("starting")
      const { port } = yield* MetricsListener.listen(here, Ref.get(status))
      const ready = Effect.map(ask(port, "/readyz"), ({ body, status }) => [status, body])
      expect(yield* ready).toEqual([503, "starting: it does not take connections yet\n"])
      yield* Ref.set(status, "ready")
      expect(yield* ready).toEqual([200, "ready\n"])
      yield* Ref.set(status, "log")
      expect(yield* ready).toEqual([503, expect.stringMatching(/^log: what was said waits/)])
      yield* Ref.set(status, "stopping")
      expect(yield* ready).toEqual([503, "stopping: it takes no more connections\n"])
      expect(yield* ask(port, "/healthz")).toMatchObject({ status: 200, body: "alive\n" })
    })
  )

  it.scopedLive("answers HEAD, and no other path nor method", () =>
    Effect.gen(function* () {
      const { port } = yield* MetricsListener.listen(here, isReady)
      expect(yield* ask(port, "/readyz", { method: "HEAD" })).toMatchObject({ status: 200, body: "" })
      const elsewhere = yield* ask(port, "/")
      expect(elsewhere).toMatchObject({ status: 404, body: "there are /metrics, /healthz and /readyz\n" })
      expect((yield* ask(port, "/metrics", { method: "POST" })).status).toBe(404)
      // What would become another protocol is answered as what it is.
      const headers = { connection: "upgrade", upgrade: "websocket" }
      expect(yield* ask(port, "/readyz", { headers })).toMatchObject({ status: 200, body: "ready\n" })
    })
  )

  it.scopedLive("takes 32 connections, and none more", () =>
    Effect.gen(function* () {
      const { port } = yield* MetricsListener.listen(here, isReady)
      yield* Effect.forEach(Arr.range(1, 32), () => connect(port, "GET /metrics HTTP/1.1\r\n"))
      const { closed } = yield* connect(port, "")
      yield* closed
    })
  )

  it.scopedLive("is not held up at its end by who has asked for half", () =>
    Effect.gen(function* () {
      const scope = yield* Scope.make()
      const { port } = yield* Scope.extend(MetricsListener.listen(here, isReady), scope)
      const waiting = yield* connect(port, "GET /metrics HTTP/1.1\r\n")
      expect((yield* ask(port, "/healthz")).status).toBe(200)
      yield* Scope.close(scope, Exit.void)
      yield* waiting.closed
      // The port is free again.
      yield* MetricsListener.listen({ ...here, port }, isReady)
    })
  )

  it.scopedLive("says where it cannot listen, and what to do", () =>
    Effect.gen(function* () {
      const { port } = yield* MetricsListener.listen(here, isReady)
      const inUse = yield* Effect.flip(MetricsListener.listen({ ...here, port }, isReady))
      expect(inUse.message).toBe(`127.0.0.1:${port} is in use: choose another address with --metrics HOST:PORT`)
      const elsewhere = yield* Effect.flip(MetricsListener.listen({ host: "192.0.2.1", port: 0 }, isReady))
      expect(elsewhere.message).toMatch(
        /^cannot listen on 192\.0\.2\.1:0 \(.*\): choose another address with --metrics/
      )
    })
  )
})
