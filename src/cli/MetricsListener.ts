/** What an operator's tools ask over HTTP, on a port of its own: metrics as Prometheus reads them, and how the server is. */
import * as Http from "node:http"
import * as HttpRouter from "@effect/platform/HttpRouter"
import type { ServeError } from "@effect/platform/HttpServerError"
import * as HttpServerResponse from "@effect/platform/HttpServerResponse"
import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Metric from "effect/Metric"
import * as Runtime from "effect/Runtime"
import { type Address, format } from "../domain/Address.js"
import { isOurs } from "../server/Instrument.js"
import * as Prometheus from "../server/Prometheus.js"
import type { Readiness } from "../server/Server.js"

/** It cannot listen, as `message` tells. */
export class ListenError extends Data.TaggedError("ListenError")<{ readonly message: string }> {}

/** Whoever asks is a program or two: more than that is nobody to wait for. Times in ms, sizes in bytes. */
const limits = { connections: 32, header: 8 * 1024, headers: 5_000, request: 10_000, idle: 10_000 }

/** What is listening says, or that it is about to: `starting` until there is a server. */
export type Status = Readiness | "starting"

const words: Readonly<Record<Status, string>> = {
  starting: "starting: it does not take connections yet",
  ready: "ready",
  log: "log: what was said waits, because the log cannot be written; the server's own log says why",
  stopping: "stopping: it takes no more connections"
}

const text = (body: string, status: number, contentType = "text/plain; charset=utf-8") =>
  HttpServerResponse.text(body, { status, contentType, headers: { "cache-control": "no-store" } })

/** `/metrics`; `/healthz`, which answers while the process is alive; `/readyz`, which says 503 and why it is not ready. */
const app = (status: Effect.Effect<Status>) =>
  HttpRouter.empty.pipe(
    HttpRouter.get(
      "/metrics",
      Effect.map(Metric.snapshot, (snapshot) =>
        text(Prometheus.format(snapshot.filter(({ metricKey }) => isOurs(metricKey))), 200, Prometheus.contentType)
      )
    ),
    HttpRouter.get("/healthz", Effect.succeed(text("alive\n", 200))),
    HttpRouter.get(
      "/readyz",
      Effect.map(status, (word) => text(`${words[word]}\n`, word === "ready" ? 200 : 503))
    ),
    Effect.catchTag("RouteNotFound", () => Effect.succeed(text("there are /metrics, /healthz and /readyz\n", 404)))
  )

const listenError = (address: Address, { cause }: ServeError): ListenError => {
  const at = format(address)
  // What node:net says, whose type ServeError does not keep.
  const { code, message } = cause as NodeJS.ErrnoException
  const why =
    code === "EADDRINUSE"
      ? `${at} is in use`
      : code === "EACCES"
        ? `not allowed to listen on ${at}`
        : `cannot listen on ${at} (${message})`
  return new ListenError({ message: `${why}: choose another address with --metrics HOST:PORT` })
}

/** Listens for the life of the Scope, which it does not hold up; gives the address, with the port that it has. */
export const listen = Effect.fn("MetricsListener.listen")(function* (address: Address, status: Effect.Effect<Status>) {
  const runSync = Runtime.runSync(yield* Effect.runtime<never>())
  const server = Http.createServer({
    maxHeaderSize: limits.header,
    headersTimeout: limits.headers,
    requestTimeout: limits.request,
    connectionsCheckingInterval: limits.headers
  })
  server.maxConnections = limits.connections
  // node:http's own limit on sockets that say nothing, which no fiber waits for.
  server.setTimeout(limits.idle)
  const { address: bound, serve } = yield* NodeHttpServer.make(() => server, {
    host: address.host,
    port: address.port
  }).pipe(Effect.mapError((error) => listenError(address, error)))
  // Whoever is connected is not waited for.
  yield* Effect.addFinalizer(() =>
    Effect.sync(() => {
      server.close()
      server.closeAllConnections()
    })
  )
  // It goes on where the system has no room for another connection.
  server.on("error", (error) => runSync(Effect.logWarning(`the metrics listener: ${error.message}`)))
  yield* serve(app(status))
  // A connection that becomes another protocol's would escape the times above.
  server.removeAllListeners("upgrade")
  return { host: address.host, port: bound._tag === "TcpAddress" ? bound.port : address.port }
})
