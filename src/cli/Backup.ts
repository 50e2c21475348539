/** `chat backup`: copies the log of a server, running or not. */
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import type * as Option from "effect/Option"
import * as SqlBackup from "../server/SqlBackup.js"
import * as Database from "./Database.js"
import { UsageError } from "./Failure.js"
import * as KeySource from "./KeySource.js"

export interface BackupOptions {
  /** The copy. */
  readonly file: string
  /** The file that keeps the log. */
  readonly db: Option.Option<string>
  /** The server's key file, which says where the log is unless it is named. */
  readonly keyFile: Option.Option<string>
}

export const backup = Effect.fn("backup")(function* ({ db, file, keyFile }: BackupOptions) {
  // Elsewhere that is standard output, as who types it expects: it would be a file of that name.
  if (file === "-") return yield* new UsageError({ message: "a copy is not printed: name a file for it" })
  const from = yield* Database.find(db, yield* KeySource.find(keyFile))
  const { bytes, head, members, oldest } = yield* SqlBackup.copy(from, file)
  const events = head === null ? "no events" : `events ${oldest} to ${head}`
  yield* Console.log(`copied ${from} to ${file}: ${events}, ${members} members, ${Math.ceil(bytes / 1024)} KiB`)
})
