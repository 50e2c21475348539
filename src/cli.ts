/** The command: specification first, handlers below. src/cli/main.ts runs it. */
import * as Args from "@effect/cli/Args"
import * as Command from "@effect/cli/Command"
import * as Options from "@effect/cli/Options"
import * as Config from "effect/Config"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as AdminCommand from "./cli/AdminCommand.js"
import * as Arguments from "./cli/Arguments.js"
import * as LimitFlags from "./cli/LimitFlags.js"
import * as Retention from "./cli/Retention.js"
import * as TelemetryFlags from "./cli/TelemetryFlags.js"
import * as Address from "./domain/Address.js"

// ---- Specification ----

/** What of the process's arguments is for `chat` to read, and the level of the log; the rest is a text. */
export const { argv, logLevel, verbatim } = Arguments.read(process.argv)

/** A setting that an environment variable may give; an empty variable gives nothing. */
const fallback = (name: string) => Config.nonEmptyString(name)

const host = (description: string) =>
  Options.text("host").pipe(
    Options.withDescription(`${description} ($CHAT_HOST); else ${Address.defaultAddress.host}`),
    Options.withFallbackConfig(fallback("CHAT_HOST")),
    Options.optional
  )

const port = Options.text("port").pipe(
  Options.withPseudoName("number"),
  Options.withDescription(`TCP port, 0 to 65535 ($CHAT_PORT); else ${Address.defaultAddress.port}`),
  Options.withFallbackConfig(fallback("CHAT_PORT")),
  Options.withSchema(
    Schema.NumberFromString.pipe(
      Schema.int(),
      Schema.between(0, 65_535),
      Schema.annotations({ message: () => ({ message: "a port is a number from 0 to 65535", override: true }) })
    )
  ),
  Options.optional
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

/** What serves, and where: for who serves, and who looks whether that will do. */
const served = {
  host: Options.map(
    host("address to listen on; 0.0.0.0 lets other machines in"),
    Option.getOrElse(() => Address.defaultAddress.host)
  ),
  port: Options.map(
    port,
    Option.getOrElse(() => Address.defaultAddress.port)
  ),
  keyFile,
  db,
  socket: AdminCommand.socket
}

const serverOptions = {
  ...served,
  ephemeral,
  retain,
  newLog,
  limits: LimitFlags.options,
  ...TelemetryFlags.options
}

/** A whole number from `least` on. */
const whole = (name: string, least: number) =>
  Schema.NumberFromString.pipe(
    Schema.int(),
    Schema.between(least, Number.MAX_SAFE_INTEGER),
    Schema.annotations({ message: () => ({ message: `${name} is a number from ${least} on`, override: true }) })
  )

const json = Options.boolean("json").pipe(
  Options.withDescription(
    "print each event as a line of JSON, and take such lines: the text of each Said among them is said"
  )
)

const listen = Options.boolean("listen").pipe(Options.withDescription("stay when the input ends, until a signal comes"))

const since = Options.text("since").pipe(
  Options.withPseudoName("seq"),
  Options.withDescription("print what came after this event, 0 for all there is, whatever was seen before"),
  Options.withSchema(whole("--since", 0)),
  Options.optional
)

const count = Options.text("count").pipe(
  Options.withPseudoName("number"),
  Options.withDescription("leave when so many events are printed"),
  Options.withSchema(whole("--count", 1)),
  Options.optional
)

const transcript = Options.text("transcript").pipe(
  Options.withPseudoName("file"),
  Options.withDescription("file to add to what is shown; it is not encrypted"),
  Options.optional
)

const memberOptions = { host: host("the server's name or address"), port, keyFile, nick, profile }
const clientOptions = { ...memberOptions, json, listen, since, count, transcript }

const text = Args.text({ name: "text" }).pipe(
  Args.withDescription("what to say, in any number of words; - for all of standard input; -- before words with dashes"),
  Args.repeated
)

const invitation = Args.text({ name: "invite" }).pipe(
  Args.withDescription(
    "chat://… as chat invite prints it ($CHAT_INVITE); others on this machine can read it here, at the prompt they cannot"
  ),
  Args.optional
)

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
  rotate: Options.boolean("rotate").pipe(
    Options.withDescription("put a new key first in the room key file, and keep the old ones for reading")
  ),
  keyFile
}

const serveText = "Serve a chat. Makes secret.key when there is no key yet."
const joinText = "Join a chat. Without a terminal, says each line of standard input, and leaves at its end."
const sendText = "Say one text, wait until it is in the log, and leave. Prints nothing."
const exitCodes = "Exit codes: 0 done, 1 failed, 2 wrong usage, 130 interrupted in a pipe."

const serverCommand = (name: string, text: string) =>
  Command.make(name, serverOptions, (options) => serve(options)).pipe(Command.withDescription(text))
const clientCommand = (name: string, text: string) =>
  Command.make(name, { ...clientOptions, invite: invitation }, (options) => join(options)).pipe(
    Command.withDescription(text)
  )
const sendCommand = Command.make("send", { ...memberOptions, text }, (options) => send({ ...options, verbatim })).pipe(
  Command.withDescription(sendText)
)
const keygenCommand = Command.make("keygen", keygenOptions, (options) => keygen(options)).pipe(
  Command.withDescription(
    "Make a room key, derive a server key from one, or change to a new one. Never overwrites a key without --force."
  )
)

const inviteOptions = { host: host("the server's name or address, as others reach it"), port, keyFile }
const inviteCommand = Command.make("invite", inviteOptions, (options) => invite(options)).pipe(
  Command.withDescription("Print one line that lets somebody in, and on a terminal a QR code of it.")
)

const backupOptions = {
  db,
  keyFile: Options.text("key-file").pipe(
    Options.withDescription("the server's key file ($CHAT_KEY_FILE), beside which the log is; it is not read"),
    Options.optional
  )
}
const copied = Args.text({ name: "file" }).pipe(Args.withDescription("the copy: a new file"))
const backupCommand = Command.make("backup", { ...backupOptions, file: copied }, (options) => backup(options)).pipe(
  Command.withDescription("Copy the log of a server, while it runs or not. The copy is as encrypted as the log.")
)

const doctorOptions = {
  ...served,
  json: Options.boolean("json").pipe(Options.withDescription("print all findings as a line of JSON"))
}
const doctorCommand = Command.make("doctor", doctorOptions, (options) => doctor(options)).pipe(
  Command.withDescription(
    "Look whether a chat can be served and joined here: key, clock, port, addresses, log, open files, socket, terminal, state. Says what to do, and changes nothing. Exits with 1 when something is wrong."
  )
)

const subcommands = [
  serverCommand("s", serveText),
  clientCommand("c", joinText),
  inviteCommand,
  sendCommand,
  keygenCommand,
  AdminCommand.make(verbatim),
  backupCommand,
  doctorCommand,
  serverCommand("server", "The same as s."),
  clientCommand("client", "The same as c.")
] as const

/** All of it: what is typed, its help and its completions. */
export const chat = Command.make("chat", {}, () => new Alone()).pipe(
  Command.withDescription(
    `A group chat for people who share one key. Alone on a terminal, asks whether to serve or join. ${exitCodes}`
  ),
  Command.withSubcommands(subcommands)
)

/** What the page in the manual tells of: `chat`, and each subcommand in its order. */
export const descriptors = { chat: chat.descriptor, subcommands: subcommands.map(({ descriptor }) => descriptor) }

// ---- Handlers: each is loaded when it is the one; the others, and --help, do not wait for it ----

const loaded =
  <Options, A, E, R>(load: () => Promise<(options: Options) => Effect.Effect<A, E, R>>) =>
  (options: Options) =>
    Effect.flatMap(Effect.promise(load), (handle) => handle(options))

const serve = loaded(async () => (await import("./cli/Serve.js")).serve)
const join = loaded(async () => (await import("./cli/Join.js")).join)
const send = loaded(async () => (await import("./cli/Send.js")).send)
const keygen = loaded(async () => (await import("./cli/Keygen.js")).keygen)
const invite = loaded(async () => (await import("./cli/Invite.js")).invite)
const backup = loaded(async () => (await import("./cli/Backup.js")).backup)
const doctor = loaded(async () => (await import("./cli/Doctor.js")).doctor)

/** `chat` was called without anything else. */
class Alone extends Data.TaggedError("Alone") {}
