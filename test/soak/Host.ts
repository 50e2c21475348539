/** The server, in a process of its own that takes stock when it is asked to. */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as LogLevel from "effect/LogLevel"
import * as Option from "effect/Option"
import * as Queue from "effect/Queue"
import * as Child from "../../bench/utils/Child.js"
import { host, serverKeys } from "../../bench/utils/Setting.js"
import * as Fernet from "../../src/domain/Fernet.js"
import * as TransportTcp from "../../src/domain/TransportTcp.js"
import * as LogSql from "../../src/server/LogSql.js"
import * as Server from "../../src/server/Server.js"
import * as Inventory from "./Inventory.js"
import * as Leak from "./Leak.js"
import * as Limits from "./Limits.js"

/** End has it shut down. */
export type Request = { readonly _tag: "Look" | "Measure" | "End" }

export type Report =
  | { readonly _tag: "Listening"; readonly port: number }
  | { readonly _tag: "Seen"; readonly connections: number; readonly members: number }
  | { readonly _tag: "Measured"; readonly inventory: Inventory.Inventory }
  /** It has shut down. With it what it, and node, had to complain of. */
  | { readonly _tag: "Ended"; readonly complaints: ReadonlyArray<string> }

export interface Options {
  /** The database of the log. */
  readonly file: string
  readonly leaks: ReadonlyArray<Leak.Leak>
}

/** Serves until it is told to end. */
const serve = Effect.fnUntraced(function* (parent: Effect.Effect.Success<ReturnType<typeof connect>>) {
  const server = yield* Server.Server
  yield* parent.report({ _tag: "Listening", port: Number(server.address.slice(server.address.lastIndexOf(":") + 1)) })
  const answer = Effect.gen(function* () {
    for (;;) {
      const { _tag } = yield* Queue.take(parent.requests)
      if (_tag === "End") return
      if (_tag === "Look") yield* parent.report({ _tag: "Seen", ...(yield* Inventory.look) })
      else yield* parent.report({ _tag: "Measured", inventory: yield* Inventory.take })
    }
  })
  yield* Effect.raceAll([answer, server.join, parent.gone])
})

const connect = () => Child.parent<Request, Report>()

/** Serves for as long as the parent wants it. */
export const run = Effect.fnUntraced(function* ({ file, leaks }: Options) {
  const complaints: Array<string> = []
  const logger = Logger.make(({ cause, logLevel, message }) => {
    if (LogLevel.lessThan(logLevel, LogLevel.Warning)) return
    complaints.push(`${logLevel.label} ${String(message)} ${Cause.isEmpty(cause) ? "" : Cause.pretty(cause)}`.trim())
  })
  // In place of who prints them. That node can count objects is an experiment.
  process.removeAllListeners("warning").on("warning", ({ message, name }) => {
    if (name !== "ExperimentalWarning") complaints.push(`${name} ${message}`)
  })
  const log = LogSql.layer({ file, keys: serverKeys })
  const listener = TransportTcp.layerListener({ host, port: 0 })
  const layer = Server.layer({ keys: serverKeys, ...Limits.server }).pipe(
    Layer.provide([leaks.length > 0 ? Layer.provide(Leak.layer(leaks), listener) : listener, log]),
    Layer.provide(Fernet.layer)
  )
  const parent = yield* connect()
  yield* serve(parent).pipe(
    Effect.provide(layer),
    // A fiber that dies, and that nobody looks after, is told of as no more than a detail.
    Effect.withUnhandledErrorLogLevel(Option.some(LogLevel.Error)),
    Effect.provide(Logger.replace(Logger.defaultLogger, logger))
  )
  yield* parent.report({ _tag: "Ended", complaints })
  yield* parent.gone
})
