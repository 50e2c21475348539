import { join } from "node:path"
import * as NodeContext from "@effect/platform-node/NodeContext"
import { expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Fernet from "../src/domain/Fernet.js"
import * as Protocol from "../src/domain/Protocol.js"
import * as Log from "../src/server/Log.js"
import * as LogSql from "../src/server/LogSql.js"
import * as SealedLog from "../src/server/SealedLog.js"
import * as SqlStore from "../src/server/SqlStore.js"
import { directory } from "./utils/Command.js"
import { chat, logSuite, notices, position, seqs, storeWorker } from "./utils/LogSuite.js"
import { serverKeys } from "./utils/Room.js"
import * as StoreMemory from "./utils/StoreMemory.js"

const sealed = SealedLog.layer({ keys: serverKeys }).pipe(Layer.provide(Fernet.layer))

logSuite("in memory", Effect.succeed(Log.layerMemory()), { durable: false, runs: 50 })

logSuite(
  "sealed, in a store in memory",
  Effect.map(StoreMemory.make, ({ layer }) => Layer.provide(sealed, layer)),
  { durable: true, runs: 20 }
)

logSuite(
  "sealed, in a database",
  Effect.map(directory, (made) =>
    Layer.provide(sealed, Layer.provide(SqlStore.layer({ file: join(made, "log") }), NodeContext.layer))
  ),
  { durable: true, runs: 8 }
)

logSuite(
  "sealed, in a database behind a thread",
  Effect.map(directory, (made) =>
    LogSql.layer({ file: join(made, "log"), keys: serverKeys, worker: storeWorker }).pipe(Layer.provide(Fernet.layer))
  ),
  { durable: true, runs: 4 }
)

it.effect("a log in memory drops its oldest events, and says so", () =>
  Effect.gen(function* () {
    const log = yield* Log.Log
    for (let i = 0; i < 25; i++) yield* log.append(notices(i * 10 + 1, i * 10 + 10), [])
    const oldest = yield* log.oldest
    expect(yield* log.head).toBe(250)
    expect(oldest).toBeGreaterThan(1)
    expect(250 - oldest + 1).toBeGreaterThanOrEqual(100)
    expect(250 - oldest + 1).toBeLessThanOrEqual(200)
    expect(seqs(yield* log.read(Protocol.start, 2))).toEqual([oldest, oldest + 1])
    expect(seqs(yield* log.read(position(248), 10))).toEqual([249, 250])
  }).pipe(Effect.provide(Log.layerMemory({ capacity: 100 })))
)

it.effect("a log in memory holds bytes within bounds, however long its texts", () =>
  Effect.gen(function* () {
    const log = yield* Log.Log
    for (let seq = 1; seq <= 200; seq++) yield* log.append([chat(seq, 32_768)], [])
    const oldest = yield* log.oldest
    expect((200 - oldest + 1) * 32_768).toBeLessThanOrEqual(2 * 1024 * 1024)
    expect(seqs(yield* log.read(position(199), 1))).toEqual([200])
  }).pipe(Effect.provide(Log.layerMemory({ maxBytes: 1024 * 1024 })))
)
