/** The flags of `chat s` that say how it is observed: how its log is written, and where its metrics are asked for. */
import * as Options from "@effect/cli/Options"
import * as Config from "effect/Config"
import * as Listening from "./Listening.js"
import * as LogLine from "./LogLine.js"

const logFormat = Options.text("log-format").pipe(
  Options.withPseudoName("format"),
  Options.withDescription(
    "how the log on standard error is written: pretty, json or logfmt ($CHAT_LOG_FORMAT); else pretty. " +
      "Its level: $CHAT_LOG_LEVEL or --log-level, else info"
  ),
  Options.withFallbackConfig(Config.nonEmptyString("CHAT_LOG_FORMAT")),
  Options.withSchema(LogLine.LogFormat),
  Options.withDefault("pretty" as const)
)

const metrics = Options.text("metrics").pipe(
  Options.withPseudoName("host:port"),
  Options.withDescription(
    "answer /metrics, for Prometheus, /healthz and /readyz over HTTP there ($CHAT_METRICS); " +
      "a port alone is of this machine only. By OTLP they go where $OTEL_EXPORTER_OTLP_ENDPOINT says"
  ),
  Options.withFallbackConfig(Config.nonEmptyString("CHAT_METRICS")),
  Options.withSchema(Listening.Listening),
  Options.optional
)

export const options = { logFormat, metrics }
