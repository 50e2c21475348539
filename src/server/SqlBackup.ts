/** A copy of a stored log, taken while a server writes it or while none does. It needs no key. */
import { randomBytes } from "node:crypto"
import * as NodePath from "node:path"
import type * as PlatformError from "@effect/platform/Error"
import * as FileSystem from "@effect/platform/FileSystem"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as Directory from "../domain/Directory.js"
import * as OwnerOnly from "../domain/OwnerOnly.js"
import * as Protocol from "../domain/Protocol.js"
import { LogError } from "./Log.js"
import { look, openToRead, sizeOf, sqlError, unavailable } from "./SqlFile.js"

/** What is in a copy. */
const Contents = Schema.Struct({
  oldest: Schema.NullOr(Protocol.Seq),
  head: Schema.NullOr(Protocol.Seq),
  members: Schema.NonNegativeInt
})
export type Contents = typeof Contents.Type

const decodeContents = Schema.decodeUnknown(Contents)

/** How long (ms) it waits for a server that has the database to itself, which is for moments. */
const patience = 5_000

const exists = (to: string) =>
  new LogError({ reason: "unavailable", message: `${to} is there already: name another file for the copy` })

const unwritable = (to: string, detail: string) =>
  new LogError({ reason: "unavailable", message: `cannot make the copy ${to}: ${detail}` })

/** Fails of the copy are its disk's; all else is the log's. */
const copyError = (from: string, to: string) => (error: unknown) => {
  const known = sqlError(from)(error)
  return known.reason === "full"
    ? new LogError({ reason: "full", message: `there is no room for the copy ${to}: free space, or name another disk` })
    : known
}

/** What a whole copy holds. */
const inspect = Effect.fnUntraced(function* (file: string) {
  const database = yield* openToRead(file)
  const row = yield* Effect.try({
    try: () =>
      database
        .prepare(
          `SELECT (SELECT min(first) FROM batches) AS oldest, (SELECT max(last) FROM batches) AS head,
            (SELECT count(*) FROM members) AS members`
        )
        .get(),
    catch: sqlError(file)
  })
  return yield* Effect.mapError(decodeContents(row), () => unavailable(file, "it is of another version"))
}, Effect.scoped)

/** Gives `temporary` the name `to`, unless that is somebody's by now. */
const name = (temporary: string, to: string) =>
  Effect.gen(function* () {
    const fs = yield* FileSystem.FileSystem
    yield* fs.link(temporary, to).pipe(
      Effect.catchIf(
        (error) => error._tag === "SystemError" && error.reason !== "AlreadyExists",
        // A disk without links, such as one for every system: nobody else is likely to come between.
        () => Effect.if(fs.exists(to), { onTrue: () => exists(to), onFalse: () => fs.rename(temporary, to) })
      )
    )
    yield* Directory.sync(fs, NodePath.dirname(to))
  })

const fileError = (to: string) => (error: LogError | PlatformError.PlatformError) => {
  if (error._tag === "LogError") return error
  if (error._tag === "SystemError" && error.reason === "AlreadyExists") return exists(to)
  return error._tag === "SystemError" && error.reason === "NotFound"
    ? unwritable(to, "there is no such directory")
    : unwritable(to, error.message)
}

/**
 * Copies the log in the database `from` to the new file `to`, for its owner alone: all that was committed when it began,
 * as one whole database without what retention has dropped. It is there under its name only when it is whole and on the
 * disk; cut off, it leaves a file `<to>.<something>.part` at most. Holds up no server, and blocks this thread.
 */
export const copy = Effect.fn("SqlBackup.copy")(function* (from: string, to: string) {
  const fs = yield* FileSystem.FileSystem
  const [source, target] = [NodePath.resolve(from), NodePath.resolve(to)]
  if (!(yield* Effect.mapError(fs.exists(source), fileError(to)))) {
    return yield* unavailable(from, "it is not there. Name another with --db")
  }
  yield* Effect.mapError(look(source), (error) =>
    error._tag === "LogError" ? error : unavailable(from, error.message)
  )
  if (yield* Effect.mapError(fs.exists(target), fileError(to))) return yield* exists(to)
  const temporary = `${target}.${randomBytes(6).toString("hex")}.part`
  // SQLite would let others read it, and takes an empty file.
  yield* Effect.acquireRelease(
    Effect.scoped(fs.open(temporary, { flag: "wx", mode: OwnerOnly.file })),
    // What it was linked to stays.
    () => Effect.ignore(fs.remove(temporary, { force: true }))
  ).pipe(Effect.mapError(fileError(to)))
  const database = yield* openToRead(source)
  yield* Effect.try({
    try: () => {
      database.exec(`PRAGMA busy_timeout = ${patience}`)
      database.prepare("VACUUM INTO ?").run(temporary)
    },
    catch: copyError(from, to)
  })
  const contents = yield* inspect(temporary)
  const bytes = yield* sizeOf(temporary)
  yield* Effect.scoped(Effect.flatMap(fs.open(temporary, { flag: "r+" }), (opened) => opened.sync)).pipe(
    Effect.zipRight(name(temporary, target)),
    Effect.mapError(fileError(to))
  )
  return { ...contents, bytes }
}, Effect.scoped)
