/** `chat s`: serves a chat until it is interrupted. */
import type * as FileSystem from "@effect/platform/FileSystem"
import * as Path from "@effect/platform/Path"
import * as Console from "effect/Console"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Ref from "effect/Ref"
import packageJson from "../../package.json" with { type: "json" }
import type { Address } from "../domain/Address.js"
import type * as Admin from "../domain/Admin.js"
import * as Fernet from "../domain/Fernet.js"
import * as KeyFile from "../domain/KeyFile.js"
import * as Keys from "../domain/Keys.js"
import * as TransportTcp from "../domain/TransportTcp.js"
import type { Readiness } from "../server/Server.js"
import * as Database from "./Database.js"
import { UsageError } from "./Failure.js"
import * as Hints from "./Hints.js"
import { newRoomKeys } from "./Keygen.js"
import * as KeySource from "./KeySource.js"
import * as LimitFlags from "./LimitFlags.js"
import * as LogLine from "./LogLine.js"
import * as OtlpSettings from "./OtlpSettings.js"
import { interruption } from "./Process.js"
import * as Socket from "./Socket.js"
import { readStdin } from "./Stdin.js"
import * as Variable from "./Variable.js"

export interface ServeOptions extends TransportTcp.Address {
  readonly keyFile: Option.Option<string>
  /** The file that keeps the log. */
  readonly db: Option.Option<string>
  /** Whether the log is in memory instead. */
  readonly ephemeral: boolean
  /** How long what was said is kept. */
  readonly retain: Duration.Duration
  /** Whether to begin an empty log. */
  readonly newLog: boolean
  readonly limits: LimitFlags.Given
  /** The socket for the operator. */
  readonly socket: Option.Option<string>
  readonly logFormat: LogLine.LogFormat
  /** Where to listen for who asks for metrics. */
  readonly metrics: Option.Option<Address>
}

const loadTelemetry = Effect.promise(() => import("./Telemetry.js"))
const loadServer = Effect.promise(() => import("../server/Server.js"))
const loadOperator = Effect.promise(() => import("../server/Operator.js"))
const loadMemory = Effect.promise(() => import("../server/Log.js"))
const loadDatabase = Effect.promise(() => import("../server/LogSql.js"))

/**
 * Shows the server to its operator's tools, as far as that is asked for, from before it has opened its log until after it
 * has ended. Gives where it listens, and takes what says how the server is.
 */
const observe = Effect.fn("observe")(function* ({ metrics, port }: ServeOptions) {
  if (Option.exists(metrics, (address) => address.port === port && port !== 0)) {
    return yield* new UsageError({ message: `--metrics needs a port of its own: ${port} is the chat's` })
  }
  const otlp = yield* OtlpSettings.load
  const status = yield* Ref.make(Effect.succeed<Readiness | "starting">("starting"))
  const isWanted = Option.isSome(metrics) || Option.isSome(otlp)
  const bound = isWanted
    ? yield* Effect.flatMap(loadTelemetry, ({ start }) => start({ metrics, otlp, status: Effect.flatten(status) }))
    : Option.none<Address>()
  return { bound, follow: (readiness: Effect.Effect<Readiness>) => Ref.set(status, readiness) }
})

/** Makes the key file that is missing. */
const makeKeyFile = Effect.fn("makeKeyFile")(function* (path: string) {
  const keys = yield* newRoomKeys
  yield* KeyFile.create(path, keys)
  yield* Console.log(`made ${path}: whoever has this key can join and read along`)
  return keys
})

/** The log that the options ask for, and what to call it. */
const openLog = Effect.fn("openLog")(function* (options: ServeOptions, source: KeySource.KeySource, keys: Keys.KeySet) {
  if (options.ephemeral) {
    const Log = yield* loadMemory
    const name = "in memory, until the server ends"
    return { name, file: Option.none<string>(), context: yield* Layer.build(Log.layerMemory()) }
  }
  const file = yield* Database.find(options.db, source)
  yield* Database.lock(file)
  const aside = options.newLog ? yield* Database.moveAside(file) : Option.none()
  if (Option.isSome(aside)) yield* Console.log(`the old log is in ${aside.value}`)
  const LogSql = yield* loadDatabase
  const layer = LogSql.layer({ file, keys: Keys.serverKeys(keys) })
  return { name: file, file: Option.some(file), context: yield* Layer.build(Layer.provide(layer, Fernet.layer)) }
})

/** What the operator is told of this process. */
const describe = Effect.fnUntraced(function* (log: Option.Option<string>) {
  const path = yield* Path.Path
  const bytes = yield* Effect.transposeMapOption(log, Database.size)
  const process: Admin.Process = {
    version: packageJson.version,
    node: globalThis.process.versions.node,
    memory: globalThis.process.memoryUsage.rss(),
    ...(Option.isSome(log) && Option.isSome(bytes)
      ? { log: { file: path.resolve(log.value), bytes: bytes.value } }
      : {})
  }
  return process
})

const run = Effect.fn("serve")(function* (options: ServeOptions) {
  const { host, keyFile, port, retain } = options
  if (options.ephemeral && (Option.isSome(options.db) || options.newLog)) {
    return yield* new UsageError({ message: "--ephemeral keeps no file: leave --db and --new-log out" })
  }
  const limits = yield* LimitFlags.load(options.limits)
  const observed = yield* observe(options)
  const source = yield* KeySource.find(keyFile)
  const keys = yield* Effect.catchTag(KeySource.load(source, readStdin), "KeyError", (error) =>
    source._tag === "File" && error.reason === "missing" ? makeKeyFile(source.path) : Effect.fail(error)
  )
  // Started by npm, the command is not on the user's PATH.
  const program = Option.isSome(yield* Variable.optional("npm_lifecycle_event")) ? "npx chat" : "chat"
  // A thread opens the log: in the meantime this one loads the server.
  const [log, Server, Operator] = yield* Effect.all([openLog(options, source, keys), loadServer, loadOperator], {
    concurrency: 3
  })
  const socket = yield* Socket.open(options.socket, source)
  const process = Effect.provide(describe(log.file), yield* Effect.context<FileSystem.FileSystem | Path.Path>())
  const operator = Operator.run({ process })
  yield* Effect.gen(function* () {
    const server = yield* Server.Server
    yield* observed.follow(server.readiness)
    const bound = Number(server.address.slice(server.address.lastIndexOf(":") + 1))
    yield* Console.log(
      Hints.format({ address: { host, port: bound }, source, keys, program, log: log.name, metrics: observed.bound })
    )
    if (Either.isLeft(socket)) return yield* Effect.zipRight(Effect.logWarning(socket.left), server.join)
    return yield* Effect.raceFirst(server.join, Effect.provide(operator, socket.right))
  }).pipe(
    Effect.provide(
      Server.layer({ keys: Keys.serverKeys(keys), retain, ...limits }).pipe(
        Layer.provide([TransportTcp.layerListener({ host, port }), Layer.succeedContext(log.context), Fernet.layer])
      )
    )
  )
}, Effect.scoped)

export const serve = (options: ServeOptions) => {
  interruption.exitCode = 0
  return Effect.provide(run(options), LogLine.layerFormat(options.logFormat))
}
