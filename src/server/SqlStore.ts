/**
 * A Store in an SQLite database (libsql), a file of its own. It is in WAL mode with full synchronisation: what is
 * committed survives a crash of the machine. Everything runs on one kept connection and on the caller's thread, which a
 * commit blocks until the disk has synced: see LogSql.
 */
import * as FileSystem from "@effect/platform/FileSystem"
import * as Migrator from "@effect/sql/Migrator"
import * as SqlClient from "@effect/sql/SqlClient"
import type { SqlError } from "@effect/sql/SqlError"
import type { Statement } from "@effect/sql/Statement"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Predicate from "effect/Predicate"
import { Entropy } from "../domain/Entropy.js"
import * as OwnerOnly from "../domain/OwnerOnly.js"
import { damaged, LogError, makeId } from "./Log.js"
import { applicationId, fileError, foreign, look, sizeOf, sqlError, unavailable } from "./SqlFile.js"
import * as Sqlite from "./Sqlite.js"
import * as SqlRows from "./SqlRows.js"
import { type MemberRow, type Resealed, type Row, Store } from "./Store.js"

export interface Options {
  /** The database; made, for its owner alone, where there is none. */
  readonly file: string
  /** A quota: what the database may grow to, in bytes. Without one, the disk is the limit. */
  readonly maxBytes?: number | undefined
  /** What makes each version of the tables, for who tries a new one. */
  readonly migrations?: Migrations
}

const migrationsTable = "migrations"

/** What makes each version of the tables of the one before, by its number: all that are due in one transaction. */
export type Migrations = Record<string, Effect.Effect<void, SqlError, SqlClient.SqlClient>>

/** The versions there were. What is in one is not changed any more: another follows it. */
export const migrations: Migrations = {
  "0001_log": Effect.gen(function* () {
    const sql = yield* SqlClient.SqlClient
    yield* sql`CREATE TABLE log (id TEXT NOT NULL)`
    yield* sql`CREATE TABLE batches (first INTEGER PRIMARY KEY, last INTEGER NOT NULL, token TEXT NOT NULL)`
    yield* sql`CREATE TABLE members (ticket TEXT PRIMARY KEY, token TEXT NOT NULL) WITHOUT ROWID`
    yield* sql`INSERT INTO log (id) VALUES (${makeId(yield* Entropy)})`
  })
}

/**
 * Looks at the file before SQLite does, which would take any empty file for its own and might tidy up in another
 * program's. Makes it where there is none.
 */
const claim = Effect.fn("SqlStore.claim")(function* (file: string) {
  const fs = yield* FileSystem.FileSystem
  if ((yield* sizeOf(file)) === 0 && (yield* sizeOf(`${file}-wal`)) > 0) {
    // SQLite would delete it, and with it the newest of a log whose file was moved or lost.
    return yield* damaged(file, `there is ${file}-wal, and nothing that it belongs to`)
  }
  // What SQLite makes beside it gets its mode as well.
  yield* Effect.scoped(fs.open(file, { flag: "wx", mode: OwnerOnly.file })).pipe(
    Effect.catchIf(
      (error) => error._tag === "SystemError" && error.reason === "AlreadyExists",
      () => Effect.void
    )
  )
  yield* look(file)
})

/** The one row of a statement that has one. */
const one = <A extends object>(statement: Statement<A>): Effect.Effect<A | undefined, SqlError> =>
  Effect.map(statement, (rows) => rows[0])

/** Sees that the database is a whole one of ours, before anything is written to it, and brings it up to this version. */
const prepare = Effect.fn("SqlStore.prepare")(function* (options: Options, sql: SqlClient.SqlClient) {
  const { file, maxBytes } = options
  const versions = options.migrations ?? migrations
  // For a program that makes a backup.
  yield* sql.unsafe("PRAGMA busy_timeout = 1000")
  const pages = yield* one(sql.unsafe<{ page_count: number }>("PRAGMA page_count"))
  if (pages?.page_count === 0) {
    // By itself, before it is in WAL mode: the file then says whose it is as soon as it says anything.
    yield* sql.unsafe(`PRAGMA application_id = ${applicationId}`)
  } else {
    const owner = yield* one(sql.unsafe<{ application_id: number }>("PRAGMA application_id"))
    if (owner?.application_id !== applicationId) return yield* foreign(file, "is another program's database")
    yield* SqlRows.check(file, (query) => sql.unsafe(query))
  }
  const mode = yield* one(sql.unsafe<{ journal_mode: string }>("PRAGMA journal_mode = WAL"))
  if (mode?.journal_mode !== "wal") return yield* unavailable(file, "there can be no write-ahead log beside it")
  yield* sql.unsafe("PRAGMA synchronous = FULL")
  // What is dropped is overwritten: two keys must not open what retention has taken.
  yield* sql.unsafe("PRAGMA secure_delete = ON")

  // As the migrator would make it, but without the time that it was made.
  yield* sql`CREATE TABLE IF NOT EXISTS ${sql(migrationsTable)}
    (migration_id INTEGER PRIMARY KEY NOT NULL, created_at TEXT NOT NULL DEFAULT '', name TEXT NOT NULL)`
  const newest = yield* one(sql<{ id: number }>`SELECT max(migration_id) AS id FROM ${sql(migrationsTable)}`)
  if ((newest?.id ?? 0) > Object.keys(versions).length)
    return yield* foreign(
      file,
      "was written by a newer version of this program",
      "Use that one, or name another file with --db"
    )
  yield* Migrator.make({})({ loader: Migrator.fromRecord(versions), table: migrationsTable }).pipe(
    Effect.provideService(SqlClient.SqlClient, sql),
    // The migrator dies of what the database says.
    Effect.catchAllDefect((defect) => Effect.fail(Predicate.hasProperty(defect, "cause") ? defect.cause : defect))
  )
  const gap = yield* one(
    sql<{ first: number }>`SELECT first FROM (SELECT first, lag(last) OVER (ORDER BY first) AS before FROM batches)
      WHERE before IS NOT NULL AND first <> before + 1 LIMIT 1`
  )
  if (gap !== undefined) return yield* damaged(file, `events before ${gap.first} are missing`)
  if (maxBytes !== undefined) {
    const size = yield* one(sql.unsafe<{ page_size: number }>("PRAGMA page_size"))
    yield* sql.unsafe(`PRAGMA max_page_count = ${Math.max(1, Math.floor(maxBytes / (size?.page_size ?? 4096)))}`)
  }
})

/** What writes: statements prepared once. Where one fails, nothing of the transaction is kept. */
const writer = (database: Sqlite.Sqlite["database"]) => {
  const insert = database.prepare("INSERT INTO batches (first, last, token) VALUES (?, ?, ?)")
  const upsert = database.prepare(
    "INSERT INTO members (ticket, token) VALUES (?, ?) ON CONFLICT (ticket) DO UPDATE SET token = excluded.token"
  )
  const resealRow = database.prepare("UPDATE batches SET token = ? WHERE first = ? AND token = ?")
  const resealMember = database.prepare("UPDATE members SET token = ? WHERE ticket = ? AND token = ?")
  const begin = database.prepare("BEGIN IMMEDIATE")
  const end = database.prepare("COMMIT")
  const rollback = () => {
    try {
      // SQLite rolls back by itself after some errors, but not after all.
      if (database.inTransaction) database.exec("ROLLBACK")
    } catch {
      // What made it necessary is what is told; the next commit tries again.
    }
  }
  const transact = (write: () => void) => {
    rollback()
    begin.run()
    try {
      write()
      end.run()
    } catch (error) {
      rollback()
      throw error
    }
  }
  return {
    commit: (rows: ReadonlyArray<Row>, members: ReadonlyArray<MemberRow>) =>
      transact(() => {
        for (const { first, last, token } of rows) insert.run(first, last, token)
        for (const { ticket, token } of members) upsert.run(ticket, token)
      }),
    reseal: (rows: ReadonlyArray<Resealed<Row>>, members: ReadonlyArray<Resealed<MemberRow>>) =>
      transact(() => {
        for (const { first, token, was } of rows) resealRow.run(token, first, was)
        for (const { ticket, token, was } of members) resealMember.run(token, ticket, was)
      })
  }
}

/** Opens the database for the life of the Scope. */
export const make = Effect.fn("SqlStore.make")(function* (options: Options) {
  const { file } = options
  yield* Effect.catchTags(claim(file), {
    SystemError: (error) => fileError(file)(error),
    BadArgument: (error) => fileError(file)(error)
  })
  const { database, sql } = yield* Effect.mapError(Sqlite.make(file), sqlError(file))
  yield* Effect.mapError(prepare(options, sql), (error) => (error instanceof LogError ? error : sqlError(file)(error)))
  // The file is then whole without what is beside it. It is not, when the connection just ends: statements that are
  // not collected yet keep it open.
  yield* Effect.addFinalizer(() => Effect.ignore(sql.unsafe("PRAGMA wal_checkpoint(TRUNCATE)")))

  const read = yield* SqlRows.make(file, (query, params) => Effect.mapError(sql.unsafe(query, params), sqlError(file)))
  const { commit, reseal } = writer(database)
  return Store.of({
    ...read,
    // In one synchronous step: no read comes between.
    commit: (rows, members) => Effect.try({ try: () => commit(rows, members), catch: sqlError(file) }),
    reseal: (rows, members) => Effect.try({ try: () => reseal(rows, members), catch: sqlError(file) }),
    drop: (last) =>
      Effect.mapError(
        sql`DELETE FROM batches WHERE first <= ${last} AND last <= ${last} AND first < (SELECT max(first) FROM batches)`,
        sqlError(file)
      )
  })
})

/** A Store in the database `file`, on the thread of whoever builds it. */
export const layer = (options: Options): Layer.Layer<Store, LogError, FileSystem.FileSystem> =>
  Layer.scoped(Store, make(options))
