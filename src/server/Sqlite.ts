/**
 * @effect/sql's client over libsql's own synchronous API: one connection to one file, on the thread of whoever uses it.
 * (@effect/sql-libsql opens a connection for every transaction, dies where a commit is refused, and prepares and
 * describes every statement anew, some 100 µs each.)
 */
import * as NodePath from "node:path"
import * as Reactivity from "@effect/experimental/Reactivity"
import * as SqlClient from "@effect/sql/SqlClient"
import type { Connection } from "@effect/sql/SqlConnection"
import { SqlError } from "@effect/sql/SqlError"
import * as Statement from "@effect/sql/Statement"
import * as Effect from "effect/Effect"
import { identity } from "effect/Function"
import * as Scope from "effect/Scope"
import Libsql from "libsql"

export interface Sqlite {
  /** The connection itself, for what has to be one synchronous step. */
  readonly database: Libsql.Database
  readonly sql: SqlClient.SqlClient
}

/** Opens the database `file` for the life of the Scope; made where there is none. */
export const make = Effect.fn("Sqlite.make")(function* (file: string) {
  const database = yield* Effect.acquireRelease(
    Effect.try({
      // Absolute, so that no name means anything but a file.
      try: () => new Libsql(NodePath.resolve(file)),
      catch: (cause) => new SqlError({ cause, message: "cannot open the database" })
    }),
    (database) => Effect.sync(() => database.close())
  )

  const attempt = <A>(body: () => A) =>
    Effect.try({ try: body, catch: (cause) => new SqlError({ cause, message: "cannot execute a statement" }) })
  const run = (query: string, params: ReadonlyArray<unknown>): ReadonlyArray<unknown> => {
    const statement = database.prepare(query)
    if (statement.reader) return statement.all(...params)
    statement.run(...params)
    return []
  }
  const execute: Connection["execute"] = (query, params, transform) =>
    // Rows are objects, as the caller's own type of them says.
    attempt(() => run(query, params) as ReadonlyArray<object>).pipe(Effect.map(transform ?? identity))
  const connection: Connection = {
    execute,
    executeRaw: (query, params) => attempt(() => run(query, params)),
    executeUnprepared: execute,
    executeValues: () => Effect.dieMessage("rows come as objects"),
    executeStream: () => Effect.dieMessage("rows come all at once")
  }

  const semaphore = yield* Effect.makeSemaphore(1)
  const sql = yield* SqlClient.make({
    acquirer: semaphore.withPermits(1)(Effect.succeed(connection)),
    // A transaction has the connection for itself.
    transactionAcquirer: Effect.uninterruptibleMask((restore) =>
      restore(semaphore.take(1)).pipe(
        Effect.zipRight(Effect.flatMap(Effect.scope, (scope) => Scope.addFinalizer(scope, semaphore.release(1)))),
        Effect.as(connection)
      )
    ),
    compiler: Statement.makeCompilerSqlite(),
    spanAttributes: []
  }).pipe(Effect.provide(Reactivity.layer))
  return identity<Sqlite>({ database, sql })
})
