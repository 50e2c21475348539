/** Sends metrics by OTLP over HTTP, for the life of the Scope, and says so once when it fails and once when it works again. */
import * as OtlpMetrics from "@effect/opentelemetry/OtlpMetrics"
import * as OtlpSerialization from "@effect/opentelemetry/OtlpSerialization"
import * as FetchHttpClient from "@effect/platform/FetchHttpClient"
import * as HttpClient from "@effect/platform/HttpClient"
import * as HttpClientError from "@effect/platform/HttpClientError"
import * as ConfigProvider from "effect/ConfigProvider"
import * as Effect from "effect/Effect"
import * as FiberRef from "effect/FiberRef"
import * as Logger from "effect/Logger"
import * as LogLevel from "effect/LogLevel"
import * as Redacted from "effect/Redacted"
import packageJson from "../../package.json" with { type: "json" }
import { isOurs } from "../server/Instrument.js"
import type { OtlpSettings } from "./OtlpSettings.js"

/** How long the last of it may take when the server ends: what is left of 5 seconds after `shutdownTime` of the server. */
const lastTime = "300 millis"

/** A client that gives up in time, and tells the operator how it fares. */
const telling = ({ timeout, url }: OtlpSettings, level: LogLevel.LogLevel) =>
  Effect.map(HttpClient.HttpClient, (client) => {
    const { origin, pathname } = new URL(url)
    const tell = Logger.withMinimumLogLevel(level)
    let isFailing = false
    const failed = (why: string) =>
      Effect.suspend(() => {
        if (isFailing) return Effect.void
        isFailing = true
        return tell(Effect.logWarning(`metrics do not reach ${origin}${pathname} (${why}): is it right, and is it up?`))
      })
    const succeeded = Effect.suspend(() => {
      if (!isFailing) return Effect.void
      isFailing = false
      return tell(Effect.logInfo(`metrics reach ${origin}${pathname} again`))
    })
    return HttpClient.transform(client, (response, request) =>
      response.pipe(
        Effect.timeoutFail({
          duration: timeout,
          onTimeout: () => new HttpClientError.RequestError({ request, reason: "Transport", cause: "it took too long" })
        }),
        Effect.tapBoth({
          onSuccess: ({ status }) => (status < 400 ? succeeded : failed(`it answers with ${status}`)),
          onFailure: ({ cause }) => failed(reasonOf(cause))
        })
      )
    )
  })

/**
 * Why there is no answer: in words of ours, or in node's, which are beneath what fetch says. What is around those may
 * quote the address or a header, which may hold a token.
 */
const reasonOf = (cause: unknown): string => {
  if (typeof cause === "string") return cause
  const beneath = cause instanceof Error ? cause.cause : undefined
  if (!(beneath instanceof Error)) return "no answer"
  // A name with several addresses fails for as many reasons, and has no message for them together.
  const first: unknown = beneath instanceof AggregateError ? beneath.errors[0] : undefined
  const code = "code" in beneath && typeof beneath.code === "string" ? beneath.code : ""
  return beneath.message || code || (first instanceof Error && first.message) || "no answer"
}

/** The part of OTLP's body that holds metrics. */
interface Body {
  readonly resourceMetrics: ReadonlyArray<{
    readonly scopeMetrics: ReadonlyArray<{ readonly metrics: ReadonlyArray<{ readonly name: string }> }>
  }>
}

const ofOurs = ({ resourceMetrics }: Body): Body => ({
  resourceMetrics: resourceMetrics.map((resource) => ({
    ...resource,
    scopeMetrics: resource.scopeMetrics.map((scope) => ({ ...scope, metrics: scope.metrics.filter(isOurs) }))
  }))
})

/** Writes as another does, our metrics only: OtlpMetrics takes all that the process has. */
const writing = Effect.map(OtlpSerialization.OtlpSerialization, (writer) => ({
  ...writer,
  // That it is such a body is what OtlpMetrics promises, if not in types.
  metrics: (body: unknown) => writer.metrics(ofOurs(body as Body))
}))

export const send = Effect.fn("Otlp.send")(function* (settings: OtlpSettings) {
  const level = yield* FiberRef.get(FiberRef.currentMinimumLogLevel)
  const client = yield* Effect.provide(telling(settings, level), FetchHttpClient.layer)
  yield* OtlpMetrics.make({
    url: settings.url,
    headers: Redacted.value(settings.headers),
    resource: {
      serviceName: settings.serviceName,
      serviceVersion: packageJson.version,
      attributes: settings.attributes
    },
    exportInterval: settings.interval,
    shutdownTimeout: lastTime
  }).pipe(
    Effect.provideService(HttpClient.HttpClient, client),
    Effect.provideServiceEffect(OtlpSerialization.OtlpSerialization, writing),
    Effect.provide(settings.isJson ? OtlpSerialization.layerJson : OtlpSerialization.layerProtobuf),
    // It would read the resource's attributes once more, and say them twice.
    Effect.withConfigProvider(ConfigProvider.fromMap(new Map())),
    // What it would log of failures holds all of the address, which may hold a token.
    Logger.withMinimumLogLevel(LogLevel.None)
  )
})
