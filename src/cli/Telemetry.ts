/** What shows a server to its operator's tools. It is loaded only where that is asked for. */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type { Address } from "../domain/Address.js"
import * as MetricsListener from "./MetricsListener.js"
import type { OtlpSettings } from "./OtlpSettings.js"
import * as ProcessMetrics from "./ProcessMetrics.js"

export interface Options {
  /** Where to listen for who asks for metrics. */
  readonly metrics: Option.Option<Address>
  /** Where to send them. */
  readonly otlp: Option.Option<OtlpSettings>
  /** How the server is. */
  readonly status: Effect.Effect<MetricsListener.Status>
}

const loadOtlp = Effect.promise(() => import("./Otlp.js"))

/** Does what is asked for, for the life of the Scope; gives where it listens, if it does. */
export const start = Effect.fn("Telemetry.start")(function* ({ metrics, otlp, status }: Options) {
  const bound = Option.isSome(metrics) ? Option.some(yield* MetricsListener.listen(metrics.value, status)) : metrics
  yield* ProcessMetrics.measure
  if (Option.isSome(otlp)) yield* (yield* loadOtlp).send(otlp.value)
  return bound
})
