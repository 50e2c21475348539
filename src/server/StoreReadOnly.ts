/**
 * A Store that only reads a database, as it lies there: for who looks whether it is whole. It makes no file and changes
 * none, not even those that SQLite has beside a database in use, so it is for one that nobody has open. What a server
 * that was killed has left in the write-ahead log is not read.
 */
import type * as FileSystem from "@effect/platform/FileSystem"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as Protocol from "../domain/Protocol.js"
import { damaged, type LogError } from "./Log.js"
import { fileError, look, openToRead, textOf } from "./SqlFile.js"
import { MemberRow, Row, Store } from "./Store.js"

const decodeRows = Schema.decodeUnknown(Schema.Array(Row))
const decodeMembers = Schema.decodeUnknown(Schema.Array(MemberRow))
const decodeIds = Schema.decodeUnknown(Schema.Array(Schema.Struct({ id: Protocol.LogId })))
const nullable = Schema.NullOr(Protocol.Seq)
const decodeBounds = Schema.decodeUnknown(Schema.Array(Schema.Struct({ oldest: nullable, head: nullable })))
const decodeChecks = Schema.decodeUnknown(Schema.Array(Schema.Struct({ quick_check: Schema.String })))

const make = Effect.fn("StoreReadOnly.make")(function* (file: string) {
  yield* Effect.catchTags(look(file), { BadArgument: fileError(file), SystemError: fileError(file) })
  const database = yield* openToRead(file, "lying")
  const all = <A, E>(decode: (rows: unknown) => Effect.Effect<A, E>, query: string, ...params: ReadonlyArray<number>) =>
    Effect.try({ try: () => database.prepare(query).all(...params), catch: textOf }).pipe(
      Effect.mapError((detail) => damaged(file, detail)),
      Effect.flatMap((rows) =>
        Effect.mapError(decode(rows), () => damaged(file, "a table holds what does not belong there"))
      )
    )

  const [check] = yield* all(decodeChecks, "PRAGMA quick_check(1)")
  if (check?.quick_check !== "ok") return yield* damaged(file, (check?.quick_check ?? "").replaceAll("\n", " "))
  const [id] = yield* all(decodeIds, "SELECT id FROM log")
  if (id === undefined) return yield* damaged(file, "it has no id")
  return Store.of({
    id: id.id,
    bounds: Effect.map(all(decodeBounds, "SELECT min(first) AS oldest, max(last) AS head FROM batches"), ([row]) =>
      row === undefined || row.oldest === null || row.head === null
        ? Option.none()
        : Option.some([row.oldest, row.head] as const)
    ),
    members: all(decodeMembers, "SELECT ticket, token FROM members"),
    rows: (after, limit) =>
      all(
        decodeRows,
        `SELECT first, last, token FROM batches
          WHERE first >= coalesce((SELECT max(first) FROM batches WHERE first <= ?), 0) AND last > ?
          ORDER BY first LIMIT ?`,
        after + 1,
        after,
        limit
      ),
    // Nobody asks for these who only looks; what is to be sealed anew is left to who serves.
    commit: () => Effect.never,
    reseal: () => Effect.never,
    drop: () => Effect.never
  })
})

/** The database `file`, which is there. */
export const layer = (file: string): Layer.Layer<Store, LogError, FileSystem.FileSystem> =>
  Layer.scoped(Store, make(file))
