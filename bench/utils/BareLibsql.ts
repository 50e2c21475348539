/** The other side of a comparison: libsql's own synchronous API, with nothing around it. */
import Database from "libsql"
import type { MemberRow, Row } from "../../src/server/Store.js"

/** What one transaction writes. */
export interface Commit {
  readonly rows: ReadonlyArray<Row>
  readonly members: ReadonlyArray<MemberRow>
}

/** Opens a new database with the tables of a log; gives the function that commits to it. It is open until the end. */
export const open = (file: string): ((commit: Commit) => void) => {
  const database = new Database(file)
  database.exec("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL")
  database.exec("CREATE TABLE batches (first INTEGER PRIMARY KEY, last INTEGER NOT NULL, token TEXT NOT NULL)")
  database.exec("CREATE TABLE members (ticket TEXT PRIMARY KEY, token TEXT NOT NULL) WITHOUT ROWID")
  const insert = database.prepare("INSERT INTO batches (first, last, token) VALUES (?, ?, ?)")
  const upsert = database.prepare(
    "INSERT INTO members (ticket, token) VALUES (?, ?) ON CONFLICT (ticket) DO UPDATE SET token = excluded.token"
  )
  const transaction = database.transaction(({ members, rows }: Commit) => {
    for (const { first, last, token } of rows) insert.run(first, last, token)
    for (const { ticket, token } of members) upsert.run(ticket, token)
  })
  return (commit) => void transaction.immediate(commit)
}
