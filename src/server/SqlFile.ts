/** The file of a log, seen from outside: whose it is, and what is wrong with it in words of what can be done. */
import { Buffer } from "node:buffer"
import * as NodePath from "node:path"
import { pathToFileURL } from "node:url"
import type * as PlatformError from "@effect/platform/Error"
import * as FileSystem from "@effect/platform/FileSystem"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Predicate from "effect/Predicate"
import { damaged, LogError } from "./Log.js"

/** Which program an SQLite file belongs to, at byte 68 of it: "frnt". */
export const applicationId = 0x66726e74

/** It is no log of this program. */
export const foreign = (file: string, detail: string, remedy = "Name another with --db") =>
  new LogError({ reason: "foreign", message: `${file} ${detail}: nothing in it was changed. ${remedy}` })

/** It cannot be opened, read or written. */
export const unavailable = (file: string, detail: string) =>
  new LogError({ reason: "unavailable", message: `cannot use the log ${file}: ${detail}` })

/** What is thrown, in words. */
export const textOf = (error: unknown): string => (error instanceof Error ? error.message : String(error))

/** What SQLite says, as what can be done about it. */
export const sqlError = (file: string) => (error: unknown) => {
  // @effect/sql wraps what libsql threw.
  const cause = Predicate.isTagged(error, "SqlError") && Predicate.hasProperty(error, "cause") ? error.cause : error
  const code = Predicate.hasProperty(cause, "code") ? String(cause.code) : ""
  const is = (...codes: ReadonlyArray<string>) => codes.some((each) => code.startsWith(each))
  if (is("SQLITE_FULL")) {
    return new LogError({
      reason: "full",
      message: `there is no room for more in the log ${file}: free space on its disk, or raise its limit`
    })
  }
  if (is("SQLITE_BUSY", "SQLITE_LOCKED")) {
    return new LogError({ reason: "locked", message: `the log ${file} is locked: another process uses it` })
  }
  // The next place in the log is taken: somebody has written there who should not be here at the same time.
  if (is("SQLITE_CONSTRAINT")) {
    return new LogError({
      reason: "locked",
      message: `another server has written to the log ${file}: stop one of them`
    })
  }
  if (is("SQLITE_CORRUPT", "SQLITE_NOTADB")) return damaged(file, textOf(cause))
  return unavailable(file, textOf(cause))
}

/** What the file system says. */
export const fileError = (file: string) => (error: PlatformError.PlatformError) => unavailable(file, error.message)

/** How large a file is; 0 where there is none. */
export const sizeOf = (path: string) =>
  Effect.flatMap(FileSystem.FileSystem, (fs) =>
    Effect.map(Effect.option(fs.stat(path)), Option.match({ onNone: () => 0, onSome: ({ size }) => Number(size) }))
  )

/** Sees that a file that is there is a log's, or empty, without SQLite. */
export const look = Effect.fnUntraced(function* (file: string) {
  const fs = yield* FileSystem.FileSystem
  const { size, type } = yield* fs.stat(file)
  if (type !== "File") return yield* unavailable(file, "it is no regular file")
  if (size === 0n) return
  // A crash while the file was made has left it unfinished; only SQLite can tell whose it is.
  if ((yield* sizeOf(`${file}-journal`)) > 0) return
  const header = yield* Effect.scoped(Effect.flatMap(fs.open(file), (opened) => opened.readAlloc(72)))
  const bytes = Buffer.from(Option.getOrElse(header, () => new Uint8Array(0)))
  if (bytes.length < 72 || !bytes.toString("latin1").startsWith("SQLite format 3\0")) {
    return yield* foreign(file, "is not a log, or its beginning is damaged")
  }
  if (bytes.readUInt32BE(68) !== applicationId) return yield* foreign(file, "is another program's database")
})

/**
 * Opens a database to read it, and closes it with the Scope. One that nobody has open may be read as it lies there: then no
 * file is made beside it, and what a server that was killed has left in the write-ahead log is not read.
 */
export const openToRead = (file: string, as: "live" | "lying" = "live") =>
  Effect.acquireRelease(
    // Loaded when it is needed, as for FileLock.
    Effect.promise(() => import("libsql")).pipe(
      Effect.andThen(({ default: Libsql }) => {
        // As a URI, which is the only way that it takes for read-only, and to make none where there is none.
        const uri = `${pathToFileURL(NodePath.resolve(file)).href}?mode=ro${as === "lying" ? "&immutable=1" : ""}`
        return Effect.try({ try: () => new Libsql(uri), catch: sqlError(file) })
      })
    ),
    // A connection is all that libsql lets go of by itself.
    (database) => Effect.sync(() => database.close())
  )
