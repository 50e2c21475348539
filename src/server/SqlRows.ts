/** What the database of a log holds, as rows: for who serves (SqlStore), and who only looks (StoreReadOnly). */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as Protocol from "../domain/Protocol.js"
import { damaged, type LogError } from "./Log.js"
import { MemberRow, Row, type Store } from "./Store.js"

/** Gives the rows of a query. */
export type All<E> = (query: string, params: ReadonlyArray<number>) => Effect.Effect<unknown, E>

/** Rows of a query, each as what it should be. */
const decoded = <A, I, E>(file: string, all: All<E>, schema: Schema.Schema<A, I>) => {
  const decode = Schema.decodeUnknown(Schema.Array(schema))
  return (query: string, ...params: ReadonlyArray<number>) =>
    Effect.flatMap(all(query, params), (rows) =>
      Effect.mapError(decode(rows), () => damaged(file, "a table holds what does not belong there"))
    )
}

const Id = Schema.Struct({ id: Protocol.LogId })
const nullableSeq = Schema.NullOr(Protocol.Seq)
const Bounds = Schema.Struct({ oldest: nullableSeq, head: nullableSeq })
const Check = Schema.Struct({ quick_check: Schema.String })

/** Sees that the database is whole, as far as SQLite can tell. */
export const check = Effect.fnUntraced(function* <E>(file: string, all: All<E>) {
  const [found] = yield* decoded(file, all, Check)("PRAGMA quick_check(1)")
  if (found?.quick_check !== "ok") return yield* damaged(file, (found?.quick_check ?? "").replaceAll("\n", " "))
})

/** The half of a Store that reads. */
export const make = Effect.fnUntraced(function* (file: string, all: All<LogError>) {
  const [id] = yield* decoded(file, all, Id)("SELECT id FROM log")
  if (id === undefined) return yield* damaged(file, "it has no id")
  const bounds = decoded(file, all, Bounds)
  const members = decoded(file, all, MemberRow)
  const rows = decoded(file, all, Row)
  return {
    id: id.id,
    bounds: Effect.map(
      bounds(
        `SELECT (SELECT min(first) FROM batches) AS oldest,
          (SELECT last FROM batches ORDER BY first DESC LIMIT 1) AS head`
      ),
      ([row]) =>
        row === undefined || row.oldest === null || row.head === null
          ? Option.none()
          : Option.some([row.oldest, row.head] as const)
    ),
    members: members("SELECT ticket, token FROM members"),
    rows: (after, limit) =>
      rows(
        `SELECT first, last, token FROM batches
          WHERE first >= coalesce((SELECT max(first) FROM batches WHERE first <= ?), 0) AND last > ?
          ORDER BY first LIMIT ?`,
        after + 1,
        after,
        limit
      )
  } satisfies Pick<Store["Type"], "id" | "bounds" | "members" | "rows">
})
