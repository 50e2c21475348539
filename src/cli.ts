/** The command: specification first, handlers below, and at the end the edge that runs it. */
import { createInterface } from "node:readline"
import { stripVTControlCharacters } from "node:util"
import * as Command from "@effect/cli/Command"
import * as HelpDoc from "@effect/cli/HelpDoc"
import * as Options from "@effect/cli/Options"
import * as ValidationError from "@effect/cli/ValidationError"
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import * as NodePath from "@effect/platform-node/NodePath"
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as NodeTerminal from "@effect/platform-node/NodeTerminal"
import * as Cause from "effect/Cause"
import * as Config from "effect/Config"
import * as Console from "effect/Console"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import packageJson from "../package.json" with { type: "json" }
import * as Database from "./cli/Database.js"
import * as Hints from "./cli/Hints.js"
import * as KeySource from "./cli/KeySource.js"
import * as Retention from "./cli/Retention.js"
import * as Display from "./client/terminal/Display.js"
import * as KeyFile from "./domain/KeyFile.js"
import * as Keys from "./domain/Keys.js"
import * as TransportTcp from "./domain/TransportTcp.js"

// ---- Specification ----

/** A setting that an environment variable may give; an empty variable gives nothing. */
const fallback = (name: string) => Config.nonEmptyString(name)

const host = (description: string) =>
  Options.text("host").pipe(
    Options.withDescription(`${description} ($CHAT_HOST)`),
    Options.withFallbackConfig(fallback("CHAT_HOST")),
    Options.withDefault(TransportTcp.defaultAddress.host)
  )

const port = Options.text("port").pipe(
  Options.withPseudoName("number"),
  Options.withDescription("TCP port, 0 to 65535 ($CHAT_PORT)"),
  Options.withFallbackConfig(fallback("CHAT_PORT")),
  Options.withSchema(
    Schema.NumberFromString.pipe(
      Schema.int(),
      Schema.between(0, 65_535),
      Schema.annotations({ message: () => ({ message: "a port is a number from 0 to 65535", override: true }) })
    )
  ),
  Options.withDefault(TransportTcp.defaultAddress.port)
)

const keyFile = Options.text("key-file").pipe(
  Options.withDescription(
    "file that holds the key, - for standard input; else $CHAT_KEY_FILE, else the key in $CHAT_KEY, else secret.key"
  ),
  Options.optional
)

const nick = Options.text("nick").pipe(
  Options.withDescription("what you are called ($CHAT_NICK); asked for on a terminal"),
  Options.withFallbackConfig(fallback("CHAT_NICK")),
  Options.optional
)

const profile = Options.text("profile").pipe(
  Options.withDescription(
    "under which name this machine keeps who you are in this room and what you have yet to send ($CHAT_PROFILE); else your nick"
  ),
  Options.withFallbackConfig(fallback("CHAT_PROFILE")),
  Options.optional
)

const db = Options.text("db").pipe(
  Options.withPseudoName("file"),
  Options.withDescription("file that keeps the log ($CHAT_DB); else chat.db beside the key file"),
  Options.withFallbackConfig(fallback("CHAT_DB")),
  Options.optional
)

const ephemeral = Options.boolean("ephemeral").pipe(
  Options.withDescription("keep the log in memory: it ends with the server")
)

const retain = Options.text("retain").pipe(
  Options.withPseudoName("time"),
  Options.withDescription("how long what was said is kept, as in '12 hours', '30 days', forever ($CHAT_RETAIN)"),
  Options.withFallbackConfig(fallback("CHAT_RETAIN")),
  Options.withSchema(Retention.Retention),
  Options.withDefault(Retention.standard)
)

const newLog = Options.boolean("new-log").pipe(
  Options.withDescription(
    "begin an empty log, and keep the old file under another name: needed after a backup was restored"
  )
)

const serverOptions = {
  host: host("address to listen on; 0.0.0.0 lets other machines in"),
  port,
  keyFile,
  db,
  ephemeral,
  retain,
  newLog
}
const clientOptions = { host: host("the server's name or address"), port, keyFile, nick, profile }

const keygenOptions = {
  output: Options.text("output").pipe(
    Options.withAlias("o"),
    Options.withDescription("file to write (default secret.key, with --server server.key), - for standard output"),
    Options.optional
  ),
  force: Options.boolean("force").pipe(Options.withDescription("replace a file that is there already")),
  server: Options.boolean("server").pipe(
    Options.withDescription("derive the server key of a room key: it admits members and opens no text")
  ),
  keyFile
}

const serveText = "Serve a chat. Makes secret.key when there is no key yet."
const joinText = "Join a chat. Without a terminal, says each line of standard input, and leaves at its end."

const serverCommand = (name: string, text: string) =>
  Command.make(name, serverOptions, (options) => serve(options)).pipe(Command.withDescription(text))
const clientCommand = (name: string, text: string) =>
  Command.make(name, clientOptions, (options) => join(options)).pipe(Command.withDescription(text))
const keygenCommand = Command.make("keygen", keygenOptions, (options) => keygen(options)).pipe(
  Command.withDescription("Make a room key, or derive a server key from one. Never overwrites without --force.")
)

const chat = Command.make("chat", {}, () => new Alone()).pipe(
  Command.withDescription(
    "A group chat for people who share one key. Alone on a terminal, asks whether to serve or join."
  ),
  Command.withSubcommands([
    serverCommand("s", serveText),
    clientCommand("c", joinText),
    keygenCommand,
    serverCommand("server", "The same as s."),
    clientCommand("client", "The same as c.")
  ])
)

const cli = Command.run(chat, { name: "fernet-chat", version: packageJson.version, executable: "chat" })

type ServerOptions = Command.Command.ParseConfig<typeof serverOptions>
type ClientOptions = Command.Command.ParseConfig<typeof clientOptions>
type KeygenOptions = Command.Command.ParseConfig<typeof keygenOptions>

// ---- Handlers ----

// What one command needs is loaded when it is the one: the others, and --help, do not wait for it.
const loadServer = Effect.promise(() => Promise.all([import("./server/Server.js"), import("./domain/Fernet.js")]))
const loadMemory = Effect.promise(() => import("./server/Log.js"))
const loadDatabase = Effect.promise(() => import("./server/LogSql.js"))
const loadClient = Effect.promise(() =>
  Promise.all([
    import("./client/Client.js"),
    import("./client/terminal/Plain.js"),
    import("./client/terminal/Prompt.js"),
    import("./domain/Fernet.js"),
    import("./client/StateFiles.js")
  ])
)

/** `chat` was called without anything else. */
class Alone extends Data.TaggedError("Alone") {}

/** The command was called in a way that cannot be obeyed. */
class UsageError extends Data.TaggedError("UsageError")<{ readonly message: string }> {}

/** Some of what was asked for could not be done, and standard error has said what. */
class Incomplete extends Data.TaggedError("Incomplete") {}

const { stdin, stdout } = process
const terminal = stdin.isTTY && stdout.isTTY ? { input: stdin, output: stdout } : undefined

const readStdin = Effect.promise(async () => {
  const chunks: Array<Uint8Array> = []
  for await (const chunk of stdin) chunks.push(chunk)
  return Buffer.concat(chunks).toString("utf8")
})

const newRoomKeys = Effect.map(Keys.generate, (key): Keys.KeySet => ({ _tag: "RoomKeys", keys: [key] }))

const keygen = Effect.fn("keygen")(function* ({ force, keyFile, output, server }: KeygenOptions) {
  const path = Option.getOrElse(output, () => (server ? "server.key" : KeyFile.defaultPath))
  const keys: Keys.KeySet = server
    ? { _tag: "ServerKeys", keys: Keys.serverKeys(yield* KeySource.load(yield* KeySource.find(keyFile), readStdin)) }
    : yield* newRoomKeys
  if (path === "-") return yield* Console.log(Keys.format(keys).trimEnd())
  yield* KeyFile.create(path, keys, { force })
  yield* Console.log(
    server
      ? `wrote ${path}: serve with it (chat s --key-file ${path}), and keep the room key off that machine`
      : `wrote ${path}: give it to those who may join, by a way nobody else can read`
  )
})

/** Makes the key file that `chat s` misses. */
const makeKeyFile = Effect.fn("makeKeyFile")(function* (path: string) {
  const keys = yield* newRoomKeys
  yield* KeyFile.create(path, keys)
  yield* Console.log(`made ${path}: whoever has this key can join and read along`)
  return keys
})

/** The log that the options ask for, and what to call it. */
const openLog = Effect.fn("openLog")(function* (
  options: ServerOptions,
  source: KeySource.KeySource,
  keys: Keys.KeySet
) {
  if (options.ephemeral) {
    const Log = yield* loadMemory
    return { name: "in memory, until the server ends", layer: Log.layerMemory() }
  }
  const file = yield* Database.find(options.db, source)
  yield* Database.lock(file)
  const aside = options.newLog ? yield* Database.moveAside(file) : Option.none()
  if (Option.isSome(aside)) yield* Console.log(`the old log is in ${aside.value}`)
  const LogSql = yield* loadDatabase
  return { name: file, layer: LogSql.layer({ file, keys: Keys.serverKeys(keys) }) }
})

const serve = Effect.fn("serve")(function* (options: ServerOptions) {
  const { host, keyFile, port, retain } = options
  exitWhenInterrupted = 0
  if (options.ephemeral && (Option.isSome(options.db) || options.newLog)) {
    return yield* new UsageError({ message: "--ephemeral keeps no file: leave --db and --new-log out" })
  }
  const source = yield* KeySource.find(keyFile)
  const keys = yield* Effect.catchTag(KeySource.load(source, readStdin), "KeyError", (error) =>
    source._tag === "File" && error.reason === "missing" ? makeKeyFile(source.path) : Effect.fail(error)
  )
  // Started by npm, the command is not on the user's PATH.
  const program = Option.isSome(yield* Config.option(Config.string("npm_lifecycle_event"))) ? "npx chat" : "chat"
  const log = yield* openLog(options, source, keys)
  const [Server, Fernet] = yield* loadServer
  yield* Effect.gen(function* () {
    const server = yield* Server.Server
    const bound = Number(server.address.slice(server.address.lastIndexOf(":") + 1))
    yield* Console.log(Hints.format({ address: { host, port: bound }, source, keys, program, log: log.name }))
    return yield* server.join
  }).pipe(
    Effect.provide(
      Server.layer({ keys: Keys.serverKeys(keys), retain }).pipe(
        Layer.provide([TransportTcp.layerListener({ host, port }), log.layer]),
        Layer.provide(Fernet.layer)
      )
    )
  )
}, Effect.scoped)

const askNick = Effect.gen(function* () {
  const missing = new UsageError({ message: "a nick is missing: give --nick NAME, or set CHAT_NICK" })
  if (terminal === undefined) return yield* missing
  const [, , Prompt] = yield* loadClient
  const answer = yield* Prompt.ask(terminal, "nick: ")
  return answer === undefined || answer === "" ? yield* missing : answer
})

/** Standard input by lines; none where it has already been read for the key. */
const inputLines = (used: boolean): Stream.Stream<string> =>
  used
    ? Stream.never
    : Stream.suspend(() => Stream.orDie(Stream.fromAsyncIterable(createInterface({ input: stdin }), (error) => error)))

const join = Effect.fn("join")(function* ({ host, keyFile, nick, port, profile }: ClientOptions) {
  const source = yield* KeySource.find(keyFile)
  const keys = yield* Keys.roomKeys(yield* KeySource.load(source, readStdin))
  const name = Option.isSome(nick) ? nick.value : yield* askNick
  const [Client, Plain, Prompt, Fernet, StateFiles] = yield* loadClient
  const directory = yield* StateFiles.directoryOf({
    stateHome: yield* StateFiles.stateHome,
    address: TransportTcp.format({ host, port }),
    keys,
    profile: Option.getOrElse(profile, () => name)
  })
  const client = Client.layerKept({ keys, nick: name }).pipe(
    Layer.provide([TransportTcp.layerDialer({ host, port }), Fernet.layer, StateFiles.layer(directory)])
  )
  if (terminal !== undefined) {
    exitWhenInterrupted = 0
    return yield* Effect.provide(Prompt.run(terminal), client)
  }
  const refused = yield* Plain.run({
    input: inputLines(source._tag === "Stdin"),
    output: Console.log,
    problem: report
  }).pipe(Effect.provide(client))
  if (refused > 0) return yield* new Incomplete()
})

/** What `chat` alone stands for: on a terminal the user is asked, elsewhere it is help. */
const choose = Effect.gen(function* () {
  if (terminal === undefined) return "--help"
  const [, , Prompt] = yield* loadClient
  const answer = yield* Prompt.ask(terminal, "server or client? (s/c) ")
  if (answer === undefined) return yield* Effect.interrupt
  const command = answer.toLowerCase()
  if (["s", "c", "server", "client"].includes(command)) return command
  return yield* new UsageError({ message: "answer s to serve a chat, or c to join one" })
})

// ---- The edge ----

/** What the command exits with when it is interrupted: a server and a terminal are meant to be, all else is not. */
let exitWhenInterrupted = 130

/** A line of this command's own on standard error. */
function report(line: string): Effect.Effect<void> {
  // Some of it may be the server's words.
  return Effect.sync(() => void process.stderr.write(`chat: ${Display.oneLine(line)}\n`))
}

/** Errors of usage come as a document with colours: one line of it is enough. */
const usage = (error: ValidationError.ValidationError): string =>
  stripVTControlCharacters(HelpDoc.toAnsiText(error.error)).replace(/\s+/g, " ").trim()

const reportCause = (cause: Cause.Cause<unknown>): Effect.Effect<void> => {
  if (Cause.isInterruptedOnly(cause)) return Effect.void
  const failure = Option.getOrUndefined(Cause.failureOption(cause))
  if (failure instanceof Incomplete) return Effect.void
  if (ValidationError.isValidationError(failure)) return report(`${usage(failure)} (chat --help shows how)`)
  return report(failure instanceof Error ? failure.message : Cause.pretty(cause))
}

const exitCode = (exit: Exit.Exit<unknown, unknown>): number => {
  if (Exit.isSuccess(exit)) return 0
  if (Cause.isInterruptedOnly(exit.cause)) return exitWhenInterrupted
  const failure = Option.getOrUndefined(Cause.failureOption(exit.cause))
  return ValidationError.isValidationError(failure) || failure instanceof UsageError ? 2 : 1
}

/** One line an event of the server, on standard error. */
const logger = Logger.make(({ annotations, date, logLevel, message }) => {
  const level = logLevel._tag === "Info" ? "" : `${logLevel.label} `
  const context = [...annotations].map(([key, value]) => ` ${key}=${String(value)}`).join("")
  const text = Array.isArray(message) ? message.join(" ") : String(message)
  process.stderr.write(`${date.toISOString()} ${level}${text}${context}\n`)
})

/** Colours go to terminals only; errors of usage are reported once, at the end. */
const edgeConsole = (console: Console.Console): Console.Console => ({
  ...console,
  log: (...lines) =>
    Effect.sync(() => {
      const text = `${lines.join(" ")}\n`
      stdout.write(stdout.isTTY ? text : stripVTControlCharacters(text))
    }),
  error: () => Effect.void
})

let readerGone = false
stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code !== "EPIPE") throw error
  if (readerGone) return
  // Nobody reads any more: leave in good order, once, and say nothing.
  readerGone = true
  exitWhenInterrupted = 0
  process.kill(process.pid, "SIGTERM")
})

// Diagnostics that nobody reads any more are no reason to end.
process.stderr.on("error", () => {})

const main = Effect.catchTag(cli(process.argv), "Alone", () =>
  Effect.flatMap(choose, (argument) => cli([...process.argv.slice(0, 2), argument]))
)

Console.consoleWith((console) => Effect.withConsole(main, edgeConsole(console))).pipe(
  Effect.tapErrorCause(reportCause),
  Effect.provide([
    NodeFileSystem.layer,
    NodePath.layer,
    NodeTerminal.layer,
    Logger.replace(Logger.defaultLogger, logger)
  ]),
  NodeRuntime.runMain({
    disableErrorReporting: true,
    disablePrettyLogger: true,
    teardown: (exit, onExit) => onExit(exitCode(exit))
  })
)
