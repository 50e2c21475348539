/** A server on a free port, with its log in a database, as a process of its own. */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as TransportTcp from "../../src/domain/TransportTcp.js"
import * as LogSql from "../../src/server/LogSql.js"
import * as Server from "../../src/server/Server.js"
import * as Child from "./Child.js"
import * as Limits from "./Limits.js"
import { host, serverKeys } from "./Setting.js"

/** What it reports: that it listens. */
export interface Listening {
  readonly port: number
}

/** Serves the log in `file` for as long as the parent wants it. */
export const run = (file: string) =>
  Effect.gen(function* () {
    const parent = yield* Child.parent<never, Listening>()
    const server = yield* Server.Server
    yield* parent.report({ port: Number(server.address.slice(server.address.lastIndexOf(":") + 1)) })
    yield* Effect.raceFirst(server.join, parent.gone)
  }).pipe(
    Effect.provide(
      Server.layer({ keys: serverKeys, ...Limits.load }).pipe(
        Layer.provide([TransportTcp.layerListener({ host, port: 0 }), LogSql.layer({ file, keys: serverKeys })])
      )
    )
  )
