/** The addresses of this machine. */
import { networkInterfaces } from "node:os"
import * as Effect from "effect/Effect"

/** Where others on its networks reach this machine. */
export const reachable: Effect.Effect<ReadonlyArray<string>> = Effect.sync(() =>
  Object.values(networkInterfaces())
    .flatMap((addresses) => addresses ?? [])
    .filter(({ internal, scopeid }) => !internal && (scopeid ?? 0) === 0)
    .map(({ address }) => address)
)
