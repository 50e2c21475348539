/** What is on the disk, read by the code that wrote it: the log of the server, and the outbox of a client. */
import { existsSync } from "node:fs"
import { cp, mkdtemp, rm } from "node:fs/promises"
import { join } from "node:path"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Layer from "effect/Layer"
import type * as Entry from "../../src/client/Entry.js"
import * as Kept from "../../src/client/Kept.js"
import * as StateFiles from "../../src/client/StateFiles.js"
import * as Fernet from "../../src/domain/Fernet.js"
import * as Keys from "../../src/domain/Keys.js"
import * as Protocol from "../../src/domain/Protocol.js"
import * as Seal from "../../src/domain/Seal.js"
import { Log } from "../../src/server/Log.js"
import * as LogSql from "../../src/server/LogSql.js"

/** A log as it is for whoever has the room key. */
export interface OpenedLog {
  readonly id: string
  /** All that it holds, in order. */
  readonly entries: ReadonlyArray<Entry.Logged>
}

export interface Options {
  readonly file: string
  readonly key: Keys.RoomKey
  /** The script of the thread. */
  readonly worker: URL
}

/** Reads all of a log that no server uses. */
export const readLog = ({ file, key, worker }: Options) =>
  Effect.gen(function* () {
    const log = yield* Log
    const fernet = yield* Fernet.Fernet
    const open = (event: Protocol.Event): Entry.Logged => {
      if (event._tag !== "Chat") return event
      return Either.match(Seal.open(fernet, [Keys.messageKey(key)], log.id, event), {
        onLeft: (reason) => ({ ...event, _tag: "Unreadable", reason }),
        onRight: ({ me = false, nick, text }) => ({ ...event, _tag: "Said", nick, text, me, own: false, past: false })
      })
    }
    const entries: Array<Entry.Logged> = []
    for (let last = Protocol.start; ; ) {
      const page = yield* log.read(last, 500)
      const newest = page.at(-1)
      if (newest === undefined) return { id: log.id, entries } satisfies OpenedLog
      entries.push(...page.map(open))
      last = newest.seq
    }
  }).pipe(Effect.provide(LogSql.layer({ file, keys: [Keys.serverKey(key)], worker })), Effect.provide(Fernet.layer))

/** The texts that wait in the files of a client. They are read from a copy, since reading them takes their lock. */
export const readOutbox = (which: StateFiles.Which) =>
  Effect.gen(function* () {
    const directory = yield* StateFiles.directoryOf(which)
    // Killed before it had made any.
    if (!existsSync(directory)) return new Set<string>()
    const copy = yield* Effect.acquireRelease(
      Effect.promise(() => mkdtemp(join(which.stateHome, "copy-"))),
      (made) => Effect.promise(() => rm(made, { recursive: true }))
    )
    yield* Effect.promise(() => cp(directory, copy, { recursive: true }))
    const { outbox } = yield* Effect.provide(
      Kept.open([Keys.stateKey(which.keys[0])]),
      Layer.merge(StateFiles.layer(copy), Fernet.layer)
    )
    return new Set<string>(Array.from(outbox.items, ({ text }) => text))
  }).pipe(Effect.scoped)
