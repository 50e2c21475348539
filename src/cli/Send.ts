/** `chat send`: says one text, and is done when it is in the log. For scripts and cron. */
import { KeyValueStore } from "@effect/platform/KeyValueStore"
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
import * as Words from "./Words.js"

export interface SendOptions extends Omit<RoomSource.RoomOptions, "invite">, Member.MemberOptions, Words.Words {}

/** How often and how long it tries to be the one chat with this profile: another may be about to be done. */
const patience = Schedule.upTo(Schedule.spaced("100 millis"), "10 seconds")

export const send = Effect.fn("send")(function* (options: SendOptions) {
  const { nick } = options
  const isInput = yield* Words.isInput(options)
  if (Option.isNone(nick)) return yield* Member.missingNick
  const source = yield* KeySource.find(options.keyFile)
  if (isInput && source._tag === "Stdin") {
    return yield* new UsageError({ message: "standard input holds the key: give the text in words" })
  }
  const room = yield* RoomSource.find({ ...options, invite: Option.none() })
  const text = yield* Words.read(options)
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
