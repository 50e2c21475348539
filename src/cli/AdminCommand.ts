/** The specification of `chat admin`, whose handlers are loaded when one is called. */
import * as Args from "@effect/cli/Args"
import * as Command from "@effect/cli/Command"
import * as CommandDescriptor from "@effect/cli/CommandDescriptor"
import * as Options from "@effect/cli/Options"
import * as Config from "effect/Config"
import * as Effect from "effect/Effect"
import { UsageError } from "./Failure.js"

/** The server's socket, which `chat s` opens and `chat admin` calls. */
export const socket = Options.text("socket").pipe(
  Options.withPseudoName("file"),
  Options.withDescription("the server's socket for its operator ($CHAT_SOCKET); else chat.sock beside the key file"),
  Options.withFallbackConfig(Config.nonEmptyString("CHAT_SOCKET")),
  Options.optional
)

const options = {
  socket,
  keyFile: Options.text("key-file").pipe(
    Options.withDescription("the server's key file ($CHAT_KEY_FILE), beside which the socket is; it is not read"),
    Options.optional
  ),
  json: Options.boolean("json").pipe(
    Options.withDescription("print what the server answers as a line of JSON; where it failed, on standard error")
  )
}
const ticketOnly = Options.boolean("ticket-only").pipe(
  Options.withDescription("bar the member alone, and let others in from its address: also itself, as somebody new")
)
const who = Args.text({ name: "nick" }).pipe(
  Args.withDescription("the member's nick, in any case, or @ and its number, as chat admin names shows it")
)
const text = Args.text({ name: "text" }).pipe(
  Args.withDescription("what to say, in any number of words; - for all of standard input; -- before words with dashes"),
  Args.repeated
)

const load = Effect.promise(() => import("./Admin.js"))
const bansText = "Bans hold over restarts. Only a new key shuts out for good who holds the key."

/** The subcommands, in the order of the help. */
const subcommands = (verbatim: ReadonlyArray<string>) =>
  [
    Command.make("names", options, (given) => Effect.flatMap(load, ({ names }) => names(given))).pipe(
      Command.withDescription("Print who is here: member number, how and since when connected, and from where.")
    ),
    Command.make("stats", options, (given) => Effect.flatMap(load, ({ stats }) => stats(given))).pipe(
      Command.withDescription("Print how the server is: who is connected, what is in the log, what was refused.")
    ),
    Command.make("say", { ...options, text }, (given) =>
      Effect.flatMap(load, ({ say }) => say({ ...given, verbatim }))
    ).pipe(
      Command.withDescription(
        "Say a text to all in the operator's name. It stays in the log, and unlike a member's the server can read it."
      )
    ),
    Command.make("kick", { ...options, who }, (given) => Effect.flatMap(load, ({ kick }) => kick(given))).pipe(
      Command.withDescription("Put a member out of the room. It may come back, but its client does not by itself.")
    ),
    Command.make("ban", { ...options, ticketOnly, who }, (given) => Effect.flatMap(load, ({ ban }) => ban(given))).pipe(
      Command.withDescription(
        `Put a member out, here or not, and bar its ticket and the address it comes from (of IPv6 the /64). ${bansText}`
      )
    ),
    Command.make("unban", { ...options, who }, (given) => Effect.flatMap(load, ({ unban }) => unban(given))).pipe(
      Command.withDescription("Lift the ban of a member, who is named by the nick it had last.")
    ),
    Command.make("bans", options, (given) => Effect.flatMap(load, ({ bans }) => bans(given))).pipe(
      Command.withDescription("Print who is banned.")
    ),
    Command.make("stop", options, (given) => Effect.flatMap(load, ({ stop }) => stop(given))).pipe(
      Command.withDescription("End the server in good order, within 5 seconds. Done when it has said that it will.")
    )
  ] as const

/** `chat admin`; `verbatim` are words of a text, whatever they look like. */
export const make = (verbatim: ReadonlyArray<string>) =>
  Command.make("admin").pipe(
    Command.withDescription(
      "See and steer a server on this machine while it runs. It goes over the server's socket, as its user."
    ),
    Command.withSubcommands(subcommands(verbatim))
  )

/** What is wrong with arguments that name no subcommand of `chat admin`, if that is what they ask for. */
export const explain = ([command, ...rest]: ReadonlyArray<string>): UsageError | undefined => {
  if (command !== "admin") return undefined
  const names = subcommands([]).flatMap(({ descriptor }) => [...CommandDescriptor.getNames(descriptor)])
  const wrong = rest.find((word) => !word.startsWith("-")) ?? rest.join(" ")
  return new UsageError({
    message: `chat admin has no ${wrong}: it has ${names.join(", ")} (chat admin --help shows how)`
  })
}
