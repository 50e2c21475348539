/** Stored logs, opened under one key or another, and what is stored of them. */
import { join } from "node:path"
import * as NodeContext from "@effect/platform-node/NodeContext"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as Queue from "effect/Queue"
import type * as Scope from "effect/Scope"
import { EventLoop } from "../../src/domain/EventLoop.js"
import * as Fernet from "../../src/domain/Fernet.js"
import * as Keys from "../../src/domain/Keys.js"
import * as Protocol from "../../src/domain/Protocol.js"
import { Log, type LogError } from "../../src/server/Log.js"
import * as LogSql from "../../src/server/LogSql.js"
import type { Membership } from "../../src/server/Membership.js"
import * as SealedLog from "../../src/server/SealedLog.js"
import * as SqlStore from "../../src/server/SqlStore.js"
import { Store } from "../../src/server/Store.js"
import * as Command from "./Command.js"
import { readAll, storeWorker } from "./LogSuite.js"
import * as StoreMemory from "./StoreMemory.js"
import { keyFilledWith } from "./Vectors.js"

type Ring = Keys.Ring<Keys.ServerKey>
type StoreLayer = Layer.Layer<Store, LogError>

/** The server keys that the log is under, before and after. */
export const old = keyFilledWith<"server">(1)
export const young = keyFilledWith<"server">(2)

/** What a log says of rows under another key than the first, and when there are none left. */
export const isFound = /^a part of the log is under an old key: .* leave the old key in the key file$/
export const isDone =
  /^(but for that, )?all of the log is under the first key: the other keys can be taken out of the key file/

/** A log opened over a store, for the life of the Scope, and what it says, line by line. */
export const open = Effect.fnUntraced(function* (store: StoreLayer, keys: Ring) {
  const lines = yield* Queue.unbounded<string>()
  const logger = Logger.make<unknown, void>(({ logLevel, message }) => {
    lines.unsafeOffer(`${logLevel._tag === "Info" ? "" : `${logLevel.label} `}${String(message)}`)
  })
  const log = yield* Layer.build(
    SealedLog.layer({ keys }).pipe(
      Layer.provide(store),
      Layer.provide(Fernet.layer),
      Layer.provide(Logger.replace(Logger.defaultLogger, logger))
    )
  )
  const said: Array<string> = []
  const says = (line: RegExp): Effect.Effect<string> =>
    Effect.flatMap(Queue.take(lines), (next) => {
      said.push(next)
      return line.test(next) ? Effect.succeed(next) : says(line)
    })
  return { log: Context.get(log, Log), said, says }
})

/** Opens, uses and closes the log over a store. */
export const using = <A, E>(
  store: StoreLayer,
  keys: Ring,
  use: (log: Log["Type"]) => Effect.Effect<A, E, Scope.Scope>
) => Effect.scoped(Effect.flatMap(open(store, keys), ({ log }) => use(log)))

/** Opens the log until all of it is under the first key: what it has said. */
export const reseal = (store: StoreLayer, keys: Ring) =>
  Effect.scoped(Effect.flatMap(open(store, keys), ({ said, says }) => Effect.as(says(isDone), said)))

/** In the order they first came. */
export const byMember = (a: Membership, b: Membership) => a.member - b.member

/** All that a log holds, for who has the keys. */
export const everything = (store: StoreLayer, keys: Ring) =>
  using(store, keys, (log) =>
    Effect.gen(function* () {
      const members = Array.from(yield* log.members).sort(byMember)
      return { id: log.id, head: yield* log.head, oldest: yield* log.oldest, events: yield* readAll(log), members }
    })
  )

/** What is stored, and what of it is under which key. */
export const stored = (store: StoreLayer) =>
  Effect.gen(function* () {
    const { members, rows } = yield* Store
    const fernet = yield* Fernet.Fernet
    const sealed = [...(yield* rows(Protocol.start, 10_000)), ...(yield* members)]
    const under = (key: Keys.ServerKey) =>
      sealed.filter(({ token }) => Either.isRight(fernet.decrypt([Keys.logKey(key)], token)))
    return {
      sealed,
      all: sealed.length,
      old: under(old).length,
      young: under(young).length,
      /** The first events of the rows under a key. */
      firsts: (key: Keys.ServerKey) => under(key).flatMap((each) => ("first" in each ? [each.first] : []))
    }
  }).pipe(Effect.provide(Layer.merge(store, Fernet.layer)), Effect.scoped)

/** The store in the database `file`, on this thread. */
export const sql = (file: string) => Layer.provide(SqlStore.layer({ file }), NodeContext.layer)

/** The name of a database in an empty directory. */
export const fileIn = Effect.map(Command.directory, (made) => join(made, "log"))

/** Stores, each empty and to be opened again and again. */
export const kinds = {
  "in memory": Effect.map(StoreMemory.make, ({ layer }): StoreLayer => layer),
  "in a database": Effect.map(fileIn, sql),
  "in a database behind a thread": Effect.map(fileIn, (file) => LogSql.layerStore({ file, worker: storeWorker }))
}

/** A store with what is put between it and a log. */
export const around = (store: StoreLayer, change: (store: Store["Type"]) => Store["Type"]): StoreLayer =>
  Layer.map(store, (context) => Context.make(Store, change(Context.get(context, Store))))

/** Goes on in no turn that is for others first: nothing is resealed, or read beyond memory. */
export const withoutResealing = Effect.provideService(EventLoop, { turn: Effect.void, aside: Effect.never })
