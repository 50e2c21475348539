/**
 * A lock on a path that one holder has at a time, on one machine. The operating system frees it when the process dies,
 * in whatever way: there is no stale lock, and nothing to clean up. Node has no lock of its own, SQLite has one on every
 * platform, so the lock is a write transaction on an empty SQLite file that is never committed.
 */
import { writeFileSync } from "node:fs"
import * as NodePath from "node:path"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import type Database from "libsql"
import * as OwnerOnly from "./OwnerOnly.js"

/** Why a lock could not be had: somebody `held` it, or it is `unavailable` to anybody; `message` names the path. */
export class LockError extends Schema.TaggedError<LockError>()("LockError", {
  reason: Schema.Literal("held", "unavailable"),
  message: Schema.String
}) {}

// BEGIN IMMEDIATE takes the one lock that only one may have. BEGIN EXCLUSIVE takes more, one after the other, so that of
// two who start at once both may fail. In a file that may only be read it takes none, silently, and the write tells:
// it stays in memory. Nothing waits, and no journal file is made.
const begin = "PRAGMA busy_timeout = 0; PRAGMA journal_mode = MEMORY; BEGIN IMMEDIATE; PRAGMA user_version = 1"

// A connection that is garbage collected is closed, and its lock is gone.
const held = new Set<Database.Database>()

const codeOf = (error: unknown): unknown => (error instanceof Error && "code" in error ? error.code : undefined)

/**
 * Makes the file, which SQLite would let others read. One that is there is not opened, and this does not wait: closing a
 * file frees the locks of all its process on it, also one that another fiber has just got.
 */
const create = (path: string) => {
  try {
    writeFileSync(path, "", { flag: "wx", mode: OwnerOnly.file })
  } catch (error) {
    if (codeOf(error) !== "EEXIST") throw error
  }
}

const lockError = (path: string) => (error: unknown) => {
  switch (codeOf(error)) {
    case "SQLITE_BUSY":
      return new LockError({
        reason: "held",
        message: `${path} is locked: another process uses it, or this one already`
      })
    case "SQLITE_NOTADB":
      return new LockError({
        reason: "unavailable",
        message: `${path} is not a lock file: remove it if nobody needs it`
      })
    default:
      return new LockError({
        reason: "unavailable",
        message: `cannot lock ${path}: ${error instanceof Error ? error.message : String(error)}`
      })
  }
}

const open = (path: string) =>
  Effect.tryPromise({
    try: async () => {
      // Loaded when it is needed: a command that locks nothing starts without it, and runs where it is not built for.
      const libsql = await import("libsql")
      create(path)
      const database = new libsql.default(path)
      try {
        database.exec(begin)
      } catch (error) {
        database.close()
        throw error
      }
      held.add(database)
      return database
    },
    catch: lockError(path)
  })

/**
 * Locks the file at `path` until the Scope closes, or the process ends. The file is made where there is none (mode 0600;
 * its directory must be there), holds nothing, and stays: a lock file that is removed or replaced while it is locked can
 * be locked a second time. Nor may the process that holds it open the file in another way: on POSIX systems, closing it
 * again frees the lock.
 *
 * Fails at once with `held` when another process, or another Scope of this one, has the lock; with `unavailable` when
 * nobody could have it there: no such directory, no permission, not a lock file, or a platform without libsql. Takes
 * 25 to 40 ms the first time, when libsql is loaded, and 1 ms from then on.
 */
export const acquire = (path: string): Effect.Effect<void, LockError, Scope.Scope> =>
  Effect.asVoid(
    // An absolute path: SQLite and libsql read something else into `file:`, `libsql:` and `:memory:`.
    Effect.acquireRelease(
      Effect.suspend(() => open(NodePath.resolve(path))),
      (database) =>
        Effect.sync(() => {
          held.delete(database)
          database.close()
        })
    )
  )
