/**
 * A Store that only reads a database, as it lies there: for who looks whether it is whole. It makes no file and changes
 * none, not even those that SQLite has beside a database in use, so it is for one that nobody has open. What a server
 * that was killed has left in the write-ahead log is not read.
 */
import type * as FileSystem from "@effect/platform/FileSystem"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { damaged, type LogError } from "./Log.js"
import { fileError, look, openToRead, textOf } from "./SqlFile.js"
import * as SqlRows from "./SqlRows.js"
import { Store } from "./Store.js"

const make = Effect.fn("StoreReadOnly.make")(function* (file: string) {
  yield* Effect.catchTags(look(file), { BadArgument: fileError(file), SystemError: fileError(file) })
  const database = yield* openToRead(file, "lying")
  const all: SqlRows.All<LogError> = (query, params) =>
    Effect.try({ try: () => database.prepare(query).all(...params), catch: (error) => damaged(file, textOf(error)) })
  yield* SqlRows.check(file, all)
  return Store.of({
    ...(yield* SqlRows.make(file, all)),
    // Nobody asks for these who only looks; what is to be sealed anew is left to who serves.
    commit: () => Effect.never,
    reseal: () => Effect.never,
    drop: () => Effect.never
  })
})

/** The database `file`, which is there. */
export const layer = (file: string): Layer.Layer<Store, LogError, FileSystem.FileSystem> =>
  Layer.scoped(Store, make(file))
