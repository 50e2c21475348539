/** `chat doctor`: looks whether a chat can be served and joined here, and says what to do. */
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Option from "effect/Option"
import packageJson from "../../package.json" with { type: "json" }
import type { Address } from "../domain/Address.js"
import * as Keys from "../domain/Keys.js"
import * as Limits from "../server/Limits.js"
import * as Addresses from "./Addresses.js"
import * as Admin from "./Admin.js"
import * as Checks from "./Checks.js"
import * as Database from "./Database.js"
import * as Facts from "./Facts.js"
import { Incomplete, ofConfig } from "./Failure.js"
import * as KeySource from "./KeySource.js"
import * as Socket from "./Socket.js"
import { readStdin } from "./Stdin.js"

export interface DoctorOptions extends Address {
  readonly keyFile: Option.Option<string>
  readonly db: Option.Option<string>
  readonly socket: Option.Option<string>
  /** Whether the findings are printed as JSON. */
  readonly json: boolean
}

const nameOf = (source: KeySource.KeySource): string => {
  switch (source._tag) {
    case "File":
      return source.path
    case "Stdin":
      return "standard input"
    case "Environment":
      return "$CHAT_KEY"
  }
}

/** The server at the operator's socket; where there is none, whether there could be. */
const ask = Effect.fnUntraced(function* (options: DoctorOptions, path: string) {
  const asked = yield* Effect.either(Admin.ask(options, { _tag: "AskStats" }, "Stats"))
  if (Either.isRight(asked)) {
    return { _tag: "Answered", stats: asked.right, version: packageJson.version } satisfies Checks.Socket
  }
  const error = asked.left
  if (!("reason" in error && error.reason === "refused")) {
    return { _tag: "Unreachable", message: error.message } satisfies Checks.Socket
  }
  const reason = yield* Facts.obstacle(path)
  return reason === undefined
    ? ({ _tag: "Nobody" } satisfies Checks.Socket)
    : ({ _tag: "Unusable", reason, isNamed: Option.isSome(options.socket) } satisfies Checks.Socket)
})

const examine = Effect.fn("Doctor.examine")(function* (options: DoctorOptions) {
  const at: Address = { host: options.host, port: options.port }
  const source = yield* Effect.mapError(KeySource.find(options.keyFile), ofConfig)
  const { connections } = yield* Effect.mapError(Limits.config, ofConfig)
  const read = yield* Effect.either(
    Effect.mapError(KeySource.load(source, readStdin), (error) =>
      error._tag === "KeyError" ? error : { reason: "unreadable", message: error.message }
    )
  )
  const keys = Either.isRight(read) ? Keys.serverKeys(read.right) : []
  const port = yield* Facts.port(at, keys)
  const socket = yield* Socket.find(options.socket, source)
  const server = yield* ask(options, socket)
  const stats = server._tag === "Answered" ? server.stats : undefined
  const file = yield* Database.find(options.db, source)
  const database = yield* Facts.database(file, keys, stats?.process?.log?.file)
  const state = yield* Facts.state
  // One that answers at the port and not at the socket has its operator elsewhere.
  const isElsewhere = server._tag !== "Answered" && (port._tag === "Chat" || port._tag === "OtherVersion")
  const own = yield* Addresses.reachable
  const answering = port._tag === "Chat" ? yield* Facts.answering(own, at.port, keys) : undefined
  const now = yield* Effect.clockWith((clock) => clock.currentTimeMillis)
  return Checks.report([
    Checks.node(process.versions.node),
    Checks.key(nameOf(source), read),
    Checks.clock(now, database.newest ?? stats?.since),
    Checks.port(at, port),
    Checks.addresses(at, own, answering),
    Checks.database(file, database.found, database.disk, isElsewhere),
    Checks.files(yield* Facts.files, connections),
    Checks.socket(socket, server, isElsewhere),
    Checks.terminal(yield* Facts.terminal),
    Checks.state(state.path, state.found)
  ])
})

export const doctor = Effect.fn("doctor")(function* (options: DoctorOptions) {
  const report = yield* examine(options)
  yield* Console.log(options.json ? JSON.stringify(report) : Checks.format(report))
  if (report.result === "fail") return yield* new Incomplete()
})
