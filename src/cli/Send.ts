/** `chat send`: says one text, and is done when it is in the log. For scripts and cron. */
import { KeyValueStore } from "@effect/platform/KeyValueStore"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Schedule from "effect/Schedule"
import * as Client from "../client/Client.js"
import * as Failure from "../client/Failure.js"
import * as Kept from "../client/Kept.js"
import * as StateFiles from "../client/StateFiles.js"
import * as Seal from "../domain/Seal.js"
import { UsageError } from "./Failure.js"
import * as KeySource from "./KeySource.js"
import * as Member from "./Member.js"
import * as RoomSource from "./RoomSource.js"
import { readStdinBytes } from "./Stdin.js"

export interface SendOptions extends Omit<RoomSource.RoomOptions, "invite">, Member.MemberOptions {
  /** The text's words; `-` alone is all of standard input. */
  readonly text: ReadonlyArray<string>
  /** Further words, whatever they look like. */
  readonly verbatim: ReadonlyArray<string>
}

/** Standard input is no text that can be said. */
class TextError extends Data.TaggedError("TextError")<{ readonly message: string }> {}

/** How often and how long it tries to be the one chat with this profile: another may be about to be done. */
const patience = Schedule.upTo(Schedule.spaced("100 millis"), "10 seconds")

/** All of standard input as one text, without the ends of its last lines. */
const readText = Effect.gen(function* () {
  const bytes = yield* readStdinBytes
  const text = yield* Effect.try({
    try: () => new TextDecoder("utf-8", { fatal: true }).decode(bytes),
    catch: () => new TextError({ message: "standard input is not UTF-8" })
  })
  if (text.trim() === "") return yield* new TextError({ message: "standard input holds nothing to say" })
  return text.replaceAll("\r\n", "\n").replace(/\n+$/, "")
})

export const send = Effect.fn("send")(function* (options: SendOptions) {
  const { nick } = options
  const unknown = options.text.find((word) => word.startsWith("--"))
  if (unknown !== undefined) {
    // More likely a slip than something to tell everybody.
    return yield* new UsageError({ message: `${unknown} is no option here: a text with such words goes after --` })
  }
  const words = [...options.text, ...options.verbatim]
  const isInput = options.text.length === 1 && words.length === 1 && words[0] === "-"
  if (Option.isNone(nick)) return yield* Member.missingNick
  if (!isInput && words.join("").trim() === "") {
    return yield* new UsageError({ message: "there is nothing to say: give a text, or - for standard input" })
  }
  const source = yield* KeySource.find(options.keyFile)
  if (isInput && source._tag === "Stdin") {
    return yield* new UsageError({ message: "standard input holds the key: give the text in words" })
  }
  const room = yield* RoomSource.find({ ...options, invite: Option.none() })
  const text = isInput ? yield* readText : words.join(" ")
  // Before others see it come and go for nothing.
  if (!Seal.isText(text)) return yield* Failure.invalidText(text)
  const directory = yield* Member.directory(room, nick.value, options)
  const files = Layer.retry(
    StateFiles.layer(directory),
    Schedule.whileInput(patience, ({ reason }: StateFiles.StateError) => reason === "held")
  )
  // What it has missed is for `chat c` to show: it is neither read here nor taken for seen.
  const store = Layer.provide(Layer.effect(KeyValueStore, Effect.map(KeyValueStore, Kept.withoutPosition)), files)
  yield* Effect.provide(
    Effect.flatMap(Client.Client, ({ say }) => say(text)),
    Member.layer(room, nick.value, store)
  )
})
