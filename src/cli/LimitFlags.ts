/** The flags of `chat s` that stand for its limits. What one gives goes before the variable of the same name. */
import * as Options from "@effect/cli/Options"
import * as ConfigProvider from "effect/ConfigProvider"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Limits from "../server/Limits.js"
import { ofConfig } from "./Failure.js"

const { flag } = Limits

/** The variable of each limit, and what the flag's help says of it. */
const descriptions: ReadonlyArray<readonly [variable: string, value: "number" | "time", is: string, standard: string]> =
  [
    ["CHAT_HISTORY", "number", "events that a newcomer is told of what was before", "100"],
    ["CHAT_GRACE", "time", "how long who lost its connection keeps its nick and place", "30 seconds"],
    ["CHAT_CONNECTIONS", "number", "connections in all", "10000"],
    ["CHAT_CONNECTIONS_PER_ADDRESS", "number", "connections from one address, of IPv6 from one /64", "64"],
    ["CHAT_HALF_OPEN", "number", "connections that have not shown that they have the key", "100"],
    ["CHAT_HALF_OPEN_PER_ADDRESS", "number", "of those, from one address", "8"],
    ["CHAT_OPENING", "time", "how long one may take to show it", "10 seconds"],
    ["CHAT_BURST", "number", "texts and requests of a member in a row", "100"],
    ["CHAT_RATE", "number", "texts and requests of a member a second, after that", "20"],
    ["CHAT_QUEUE", "number", "requests that may wait, of all members", "1024"],
    ["CHAT_MAX_UNSENT", "number", "bytes that may wait for a member before it reads from the log", "1048576"],
    ["CHAT_SLOW_AFTER", "time", "how long a member may take nothing of what waits for it", "30 seconds"],
    ["CHAT_PING_AFTER", "time", "how long a member may say nothing until it is asked", "30 seconds"],
    ["CHAT_SILENT_AFTER", "time", "how long it may say nothing at all", "75 seconds"],
    ["CHAT_EPOCH", "time", "how long a group key is used", "1 hour"]
  ]

/** What the flags give, by variable. */
export type Given = ReadonlyMap<string, string>

/** What help says that holds where nothing is given. */
export const defaults: Given = new Map(descriptions.map(([variable, , , standard]) => [variable, standard]))

export const options: Options.Options<Given> = Options.map(
  Options.all(
    descriptions.map(([variable, value, is, standard]) =>
      Options.text(flag(variable)).pipe(
        Options.withPseudoName(value),
        Options.withDescription(`${is} ($${variable}); else ${standard}`),
        Options.map((text) => [variable, text] as const),
        Options.optional
      )
    )
  ),
  (given) => new Map(given.flatMap(Option.toArray))
)

/** The limits that flags and environment give. */
export const load = (given: Given) =>
  Limits.config.pipe(
    Effect.withConfigProvider(ConfigProvider.orElse(ConfigProvider.fromMap(new Map(given)), ConfigProvider.fromEnv)),
    Effect.mapError(ofConfig)
  )
