import { copyFileSync, readdirSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import * as NodeContext from "@effect/platform-node/NodeContext"
import { describe, expect, it } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import Libsql from "libsql"
import * as Fernet from "../src/domain/Fernet.js"
import * as Keys from "../src/domain/Keys.js"
import { Log } from "../src/server/Log.js"
import * as SealedLog from "../src/server/SealedLog.js"
import * as SqlStore from "../src/server/SqlStore.js"
import * as Command from "./utils/Command.js"
import { readAll } from "./utils/LogSuite.js"
import { roomKeys, serverKeys } from "./utils/Room.js"
import { byMember } from "./utils/StoredLog.js"

/** The log that the first version has left: chat.db in a directory of its own, with the room's key. */
const first = Effect.map(Command.directory, (cwd) => {
  const file = join(cwd, "chat.db")
  writeFileSync(file, "", { mode: 0o600 })
  const database = new Libsql(file)
  database.exec(readFileSync(fileURLToPath(new URL("vectors/log-0.1.0.sql", import.meta.url)), "utf8"))
  database.close()
  writeFileSync(join(cwd, "secret.key"), Keys.format({ _tag: "RoomKeys", keys: roomKeys }), { mode: 0o600 })
  return { cwd, file }
})

/** All that the log in `file` holds, as this version opens it. */
const contents = (file: string, migrations?: SqlStore.Migrations) =>
  Effect.gen(function* () {
    const store = SqlStore.layer({ file, ...(migrations === undefined ? {} : { migrations }) })
    const layer = SealedLog.layer({ keys: serverKeys, name: file }).pipe(
      Layer.provide(store),
      Layer.provide([Fernet.layer, NodeContext.layer])
    )
    const log = Context.get(yield* Layer.build(layer), Log)
    return { id: log.id, events: yield* readAll(log), members: (yield* log.members).toSorted(byMember) }
  }).pipe(Effect.scoped)

/** What the first version has left, as its server had it. */
const left = {
  id: "lkEZlhWtECBTe7f_1NOAsg==",
  events: [
    ["Joined", "ada"],
    ["Chat", "ada"],
    ["Chat", "ada"],
    ["Chat", "ada"],
    ["Left", "ada"],
    ["Joined", "bob"],
    ["Chat", "bob"],
    ["Left", "bob"],
    ["Joined", "eve"],
    ["Chat", "eve"],
    ["Left", "eve"],
    ["Joined", "cleo"]
  ],
  members: [
    { member: 1, nick: "ada", acked: 3, here: false, isBanned: false },
    { member: 6, nick: "bob", acked: 1, here: false, isBanned: true },
    { member: 9, nick: "eve", acked: 1, here: false, isBanned: false },
    { member: 12, nick: "cleo", acked: 0, here: true, isBanned: false }
  ]
}

const inShort = ({ events, id, members }: Effect.Effect.Success<ReturnType<typeof contents>>) => ({
  id,
  events: events.map((event) => [event._tag, "nick" in event ? event.nick : ""]),
  members: members.map(({ acked, banned, here, member, nick }) => ({
    member,
    nick,
    acked,
    here,
    isBanned: banned !== undefined
  }))
})

/** A version to come, which stores the batches in another table; `then` is what happens before the last of it. */
const next = (then: string): string => `
  const migrations = {
    ...SqlStore.migrations,
    "0002_later": Effect.gen(function* () {
      const sql = yield* SqlClient.SqlClient
      yield* sql\`CREATE TABLE events (first INTEGER PRIMARY KEY, last INTEGER NOT NULL, token TEXT NOT NULL)\`
      yield* sql\`INSERT INTO events SELECT first, last, 'later' FROM batches\`
      yield* sql\`DROP TABLE batches\`
      ${then}
      yield* sql\`ALTER TABLE events RENAME TO batches\`
    })
  }`

/** A program that opens the log as the version to come. */
const upgrading = (then: string) =>
  Command.program(`
    import * as NodeContext from "@effect/platform-node/NodeContext"
    import * as SqlClient from "@effect/sql/SqlClient"
    import * as Effect from "effect/Effect"
    import * as SqlStore from "./src/server/SqlStore.js"
    ${next(then)}
    await Effect.runPromise(
      SqlStore.make({ file: "chat.db", migrations }).pipe(Effect.scoped, Effect.provide(NodeContext.layer))
    )
  `)

describe("a log of the first version", () => {
  it.scoped("is all there: events, members, what is acknowledged, who is banned", () =>
    Effect.gen(function* () {
      const { file } = yield* first
      expect(inShort(yield* contents(file))).toEqual(left)
      // And again, as this version has left it.
      expect(inShort(yield* contents(file))).toEqual(left)
    })
  )

  it.scopedLive("is served, read and gone on with", () =>
    Effect.gen(function* () {
      const { cwd } = yield* first
      const server = yield* Command.serve({ cwd }, ["--retain", "forever"])
      const env = { CHAT_PORT: server.port }
      expect((yield* Command.run(["admin", "bans"], { cwd })).stdout).toMatch(
        /^bob \(@6\) since 2026-\S+Z, by its ticket only\n$/
      )
      const read = yield* Command.run(["c", "--nick", "dan", "--since", "0"], { cwd, env, input: "six\n" })
      expect([read.code, read.stderr]).toEqual([0, ""])
      expect(read.stdout.match(/^(<\w+>|\*) .*$/gm)).toEqual([
        "<ada> one",
        "<ada> two",
        "<ada> three",
        "<bob> four",
        "<eve> /me five",
        "<dan> six"
      ])
    })
  )
})

describe("an upgrade", () => {
  it.scopedLive("that is killed in its midst leaves the log as it was", () =>
    Effect.gen(function* () {
      const { cwd, file } = yield* first
      yield* contents(file)
      const killed = yield* Command.start(
        process.execPath,
        [yield* upgrading('process.kill(process.pid, "SIGKILL"); yield* Effect.never')],
        { cwd }
      )
      expect(yield* killed.exit).toBe("SIGKILL")
      expect(killed.stderr()).toBe("")
      expect(inShort(yield* contents(file))).toEqual(left)
    })
  )

  it.scopedLive("that fails leaves the log as it was", () =>
    Effect.gen(function* () {
      const { cwd, file } = yield* first
      const failed = yield* Command.start(
        process.execPath,
        [yield* upgrading("yield* sql`INSERT INTO nowhere VALUES (1)`")],
        { cwd }
      )
      expect(yield* failed.exit).toBe(1)
      expect(failed.stderr()).toContain("no such table: nowhere")
      expect(inShort(yield* contents(file))).toEqual(left)
    })
  )

  it.scopedLive("that is done is refused by the version before, which changes nothing", () =>
    Effect.gen(function* () {
      const { cwd, file } = yield* first
      const done = yield* Command.start(process.execPath, [yield* upgrading("")], { cwd })
      expect(yield* done.exit).toBe(0)
      const upgraded = join(cwd, "upgraded")
      copyFileSync(file, upgraded)
      const refused = yield* Command.run(["s", "--port", "0"], { cwd })
      expect([refused.code, refused.stdout]).toEqual([1, ""])
      expect(refused.stderr).toBe(
        "chat: chat.db was written by a newer version of this program: nothing in it was changed. Use that one, or name another file with --db\n"
      )
      expect(readFileSync(file).equals(readFileSync(upgraded))).toBe(true)
      expect(readdirSync(cwd).filter((name) => name === "chat.db-wal")).toEqual([])
      const rows = new Libsql(file).prepare("SELECT DISTINCT token FROM batches").all()
      expect(rows).toMatchObject([{ token: "later" }])
    })
  )
})
