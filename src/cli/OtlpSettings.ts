/**
 * Where metrics go by OTLP, as OpenTelemetry's own variables say:
 * https://opentelemetry.io/docs/specs/otel/protocol/exporter/. What those do not ask for is not sent.
 */
import * as Config from "effect/Config"
import * as ConfigError from "effect/ConfigError"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import { ofConfig } from "./Failure.js"
import * as Variable from "./Variable.js"

export interface OtlpSettings {
  readonly url: string
  /** As JSON, or as protobuf. */
  readonly isJson: boolean
  /** A collector may ask for a token. */
  readonly headers: Redacted.Redacted<Readonly<Record<string, string>>>
  readonly interval: Duration.Duration
  readonly timeout: Duration.Duration
  readonly serviceName: string
  /** Of the resource, beside its service's name. */
  readonly attributes: Readonly<Record<string, string>>
}

const standard = { endpoint: "http://localhost:4318", interval: 60_000, timeout: 10_000, serviceName: "fernet-chat" }

const invalid = (variable: string, is: string) => ConfigError.InvalidData([], `$${variable} is ${is}`)

const named = (variable: string) =>
  Config.map(
    Variable.optional(variable),
    Option.map((value) => ({ variable, value }))
  )

/** The first of two variables that is set, and which of them it is. */
const either = (one: string, other: string) =>
  Config.map(Config.all([named(one), named(other)]), ([first, second]) => Option.orElse(first, () => second))

/** A variable that is of one form or not set. */
const parsed = <A>(variable: string, parse: (value: string) => Option.Option<A>, is: string) =>
  Config.mapOrFail(Variable.optional(variable), (found) =>
    Option.match(found, {
      onNone: () => Either.right(Option.none<A>()),
      onSome: (value) =>
        Either.map(
          Either.fromOption(parse(value), () => invalid(variable, is)),
          Option.some
        )
    })
  )

/** An address that can be posted to. Credentials in it would be in the log: they go into headers. */
const url = (value: string): Option.Option<URL> =>
  Option.filter(
    Option.liftThrowable(() => new URL(value))(),
    ({ password, protocol, username }) => /^https?:$/.test(protocol) && username === "" && password === ""
  )

const milliseconds = (value: string): Option.Option<number> =>
  /^\d{1,9}$/.test(value) && Number(value) > 0 ? Option.some(Number(value)) : Option.none()

/** `name=value`, with commas between; values are percent-encoded. */
const pairs = (value: string): Option.Option<Readonly<Record<string, string>>> =>
  Option.liftThrowable(() =>
    Object.fromEntries(
      value
        .split(",")
        .filter((pair) => pair.trim() !== "")
        .map((pair) => {
          const [, name, encoded = ""] = /^\s*([^=\s]+)\s*=(.*)$/.exec(pair) ?? []
          if (name === undefined) throw new TypeError("it has no name")
          return [name, decodeURIComponent(encoded.trim())] as const
        })
    )
  )()

/** Pairs that HTTP can carry. What fails to send others quotes them, and one of them may be a token. */
const httpHeaders = (value: string): Option.Option<Readonly<Record<string, string>>> =>
  Option.filter(pairs(value), (found) => Option.isSome(Option.liftThrowable(() => new Headers(found))()))

const isUrl = "an address such as http://localhost:4318; credentials go into $OTEL_EXPORTER_OTLP_HEADERS"
const arePairs = "name=value, with commas between, values percent-encoded"
const areHeaders = `${arePairs}, that HTTP can carry`

const base = parsed("OTEL_EXPORTER_OTLP_ENDPOINT", url, isUrl)
const own = parsed("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", url, isUrl)
const timeout = (variable: string) => parsed(variable, milliseconds, "a number of milliseconds")

/** Whether each is JSON. */
const protocols: ReadonlyMap<string, boolean> = new Map([
  ["http/protobuf", false],
  ["http/json", true]
])

const settings = Config.all({
  base,
  own,
  isJson: Config.mapOrFail(
    either("OTEL_EXPORTER_OTLP_METRICS_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL"),
    Option.match({
      onNone: () => Either.right(false),
      onSome: ({ value, variable }) =>
        Either.fromNullable(protocols.get(value), () =>
          invalid(variable, `${Array.from(protocols.keys()).join(" or ")} here: gRPC is not spoken`)
        )
    })
  ),
  common: parsed("OTEL_EXPORTER_OTLP_HEADERS", httpHeaders, areHeaders),
  headers: parsed("OTEL_EXPORTER_OTLP_METRICS_HEADERS", httpHeaders, areHeaders),
  interval: timeout("OTEL_METRIC_EXPORT_INTERVAL"),
  timeout: timeout("OTEL_EXPORTER_OTLP_METRICS_TIMEOUT"),
  commonTimeout: timeout("OTEL_EXPORTER_OTLP_TIMEOUT"),
  serviceName: Variable.optional("OTEL_SERVICE_NAME"),
  resource: parsed("OTEL_RESOURCE_ATTRIBUTES", pairs, arePairs)
})

/** Whether the variables ask for metrics: by an endpoint, or by name; and no other of them forbids it. */
const isWanted = Config.map(
  Config.all({
    disabled: Variable.optional("OTEL_SDK_DISABLED"),
    exporter: Variable.optional("OTEL_METRICS_EXPORTER"),
    endpoint: either("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
  }),
  ({ disabled, endpoint, exporter }) =>
    !Option.exists(disabled, (value) => value.toLowerCase() === "true") &&
    Option.match(exporter, {
      onNone: () => Option.isSome(endpoint),
      onSome: (names) => names.split(",").some((name) => name.trim() === "otlp")
    })
)

const joined = (base: URL): string => `${base.origin}${base.pathname.replace(/\/+$/, "")}/v1/metrics${base.search}`

/** The settings, where metrics are to be sent at all. */
export const load = Effect.gen(function* () {
  if (!(yield* isWanted)) return Option.none<OtlpSettings>()
  const found = yield* settings
  const { "service.name": named, ...attributes } = Option.getOrElse(
    found.resource,
    (): Readonly<Record<string, string>> => ({})
  )
  const headers = { ...Option.getOrUndefined(found.common), ...Option.getOrUndefined(found.headers) }
  const orElse = (value: Option.Option<number>, milliseconds: number) =>
    Duration.millis(Option.getOrElse(value, () => milliseconds))
  return Option.some<OtlpSettings>({
    url: Option.match(found.own, {
      onSome: ({ href }) => href,
      onNone: () => joined(Option.getOrElse(found.base, () => new URL(standard.endpoint)))
    }),
    isJson: found.isJson,
    headers: Redacted.make(headers),
    interval: orElse(found.interval, standard.interval),
    timeout: orElse(
      Option.orElse(found.timeout, () => found.commonTimeout),
      standard.timeout
    ),
    serviceName: Option.getOrElse(found.serviceName, () => named ?? standard.serviceName),
    attributes
  })
}).pipe(Effect.mapError(ofConfig))
