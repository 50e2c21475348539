/** Where the command keeps the log: one database, used by one server at a time. */
import * as FileSystem from "@effect/platform/FileSystem"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as FileLock from "../domain/FileLock.js"
import * as KeySource from "./KeySource.js"

/** The database cannot be used by this server, as `message` tells. */
export class DatabaseError extends Data.TaggedError("DatabaseError")<{ readonly message: string }> {}

/** The database that is named, else `chat.db` beside the key file, else in this directory. */
export const find = (named: Option.Option<string>, source: KeySource.KeySource) =>
  Option.isSome(named) ? Effect.succeed(named.value) : KeySource.beside(source, "chat.db")

/** Keeps other servers off the database until the Scope closes. */
export const lock = (file: string) =>
  Effect.mapError(
    FileLock.acquire(`${file}.lock`),
    ({ message, reason }) =>
      new DatabaseError({
        message:
          reason === "held"
            ? `another server keeps its log in ${file}: end it, or name another file with --db`
            : `cannot keep the log in ${file}: ${message}`
      })
  )

/** A database may be in three files: its newest pages are beside it until they are written back. The main one goes last. */
const parts = ["-wal", "-shm", ""]

/** Moves a database out of the way, whatever is in it; the name it has then, or none where there was none. */
export const moveAside = Effect.fn("Database.moveAside")(function* (file: string) {
  const fs = yield* FileSystem.FileSystem
  const there = yield* Effect.filter(parts, (part) => fs.exists(`${file}${part}`))
  if (there.length === 0) return Option.none()
  // Free for what there is: what an earlier call has moved before it was cut off stays together with the rest.
  const isTaken = (number: number) => Effect.exists(["", ...there], (part) => fs.exists(`${file}.${number}${part}`))
  let number = 1
  while (yield* isTaken(number)) number += 1
  const name = `${file}.${number}`
  for (const part of there) yield* fs.rename(`${file}${part}`, `${name}${part}`)
  return Option.some(name)
})

/** The bytes of a database, all its files together; 0 where there is none. */
export const size = Effect.fn("Database.size")(function* (file: string) {
  const fs = yield* FileSystem.FileSystem
  const sizes = yield* Effect.forEach(parts, (part) =>
    Effect.match(fs.stat(`${file}${part}`), { onFailure: () => 0, onSuccess: ({ size }) => Number(size) })
  )
  return sizes.reduce((sum, each) => sum + each, 0)
})
