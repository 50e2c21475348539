/** What is done with a directory as such. */
import type * as FileSystem from "@effect/platform/FileSystem"
import * as Effect from "effect/Effect"

/**
 * Has new, renamed and removed names in a directory survive a loss of power, where the platform can: Windows cannot open
 * one. What is in the files is whole in any case, so a failure is disregarded, as it is by SQLite.
 */
export const sync = (fs: FileSystem.FileSystem, directory: string): Effect.Effect<void> =>
  Effect.ignore(Effect.scoped(Effect.flatMap(fs.open(directory), (opened) => opened.sync)))
