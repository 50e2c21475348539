/** A place for the files of one run. */
import { mkdirSync, mkdtempSync, rmSync } from "node:fs"
import * as Effect from "effect/Effect"

/**
 * An empty directory that goes with the Scope. It is beside the sources: a temporary directory may be in memory, where
 * nothing is ever synced.
 */
export const temporary = Effect.acquireRelease(
  Effect.sync(() => {
    mkdirSync("dist", { recursive: true })
    return mkdtempSync("dist/bench-")
  }),
  (made) => Effect.sync(() => rmSync(made, { recursive: true, force: true }))
)
