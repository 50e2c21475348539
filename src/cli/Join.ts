/** `chat c`: joins a chat, on a terminal or in a pipe. */
import { createInterface } from "node:readline"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import * as Client from "../client/Client.js"
import * as StateFiles from "../client/StateFiles.js"
import { isDumb, type Terminal } from "../client/terminal/Terminal.js"
import * as Fernet from "../domain/Fernet.js"
import * as Fingerprint from "../domain/Fingerprint.js"
import * as Keys from "../domain/Keys.js"
import * as TransportTcp from "../domain/TransportTcp.js"
import { Incomplete, UsageError } from "./Failure.js"
import * as LastNick from "./LastNick.js"
import { interruption, report, terminal } from "./Process.js"
import * as RoomSource from "./RoomSource.js"

export interface JoinOptions extends RoomSource.RoomOptions {
  readonly nick: Option.Option<string>
  /** Under which name state is kept; else the nick. */
  readonly profile: Option.Option<string>
}

const loadPlain = Effect.promise(() => import("../client/terminal/Plain.js"))
const loadInteractive = Effect.promise(() => import("../client/terminal/Interactive.js"))
const loadTeletype = Effect.promise(() => import("../client/terminal/Teletype.js"))
const loadQuestion = Effect.promise(() => import("../client/terminal/Question.js"))

const missingNick = new UsageError({ message: "a nick is missing: give --nick NAME, or set CHAT_NICK" })

/** Standard input by lines; none where it has already been read for the key. */
const inputLines = (used: boolean): Stream.Stream<string> =>
  used
    ? Stream.never
    : Stream.suspend(() =>
        Stream.orDie(Stream.fromAsyncIterable(createInterface({ input: process.stdin }), (error) => error))
      )

/** The client of a member who is called `nick`, on what it keeps. */
const clientOf = Effect.fnUntraced(function* (
  { address, keys }: RoomSource.Room,
  profile: Option.Option<string>,
  nick: string
) {
  const directory = yield* StateFiles.directoryOf({
    stateHome: yield* StateFiles.stateHome,
    address: TransportTcp.format(address),
    keys,
    profile: Option.getOrElse(profile, () => nick)
  })
  return Client.layerKept({ keys, nick }).pipe(
    Layer.provide([TransportTcp.layerDialer(address), Fernet.layer, StateFiles.layer(directory)])
  )
})

const askNick = Effect.fnUntraced(function* (on: Terminal) {
  const Question = yield* loadQuestion
  const last = yield* LastNick.load
  const answer = yield* Question.ask(on, last === undefined ? "nick: " : `nick [${last}]: `)
  const nick = answer === "" ? last : answer
  return nick === undefined ? yield* missingNick : nick
})

/** Why a nick cannot be had: another one may be. A chat that runs under it here has its state. */
const another: ReadonlySet<string> = new Set(["nick-taken", "nick-invalid", "held"])

/** Joins under a nick, or under another as long as it cannot be had. */
const onTerminal = Effect.fnUntraced(function* (on: Terminal, room: RoomSource.Room, options: JoinOptions) {
  interruption.exitCode = 0
  const ui = isDumb(on) ? yield* loadTeletype : yield* loadInteractive
  const words = Fingerprint.format(Keys.serverKey(room.keys[0]))
  const shown = {
    room: TransportTcp.format(room.address),
    greeting: `the key's words: ${words}; /help shows what there is`,
    transcript: () => Effect.void
  }
  let nick = Option.isSome(options.nick) ? options.nick.value : yield* askNick(on)
  while (true) {
    const joined = Effect.zipRight(LastNick.save(nick), ui.run(on, shown))
    const refused = yield* Effect.provide(joined, yield* clientOf(room, options.profile, nick)).pipe(
      Effect.as(undefined),
      Effect.catchIf(
        (error) => "reason" in error && another.has(error.reason),
        ({ message }) => Effect.succeed(message)
      )
    )
    if (refused === undefined) return
    yield* report(refused)
    nick = yield* askNick(on)
  }
})

export const join = Effect.fn("join")(function* (options: JoinOptions) {
  const room = yield* RoomSource.find(options)
  if (terminal !== undefined) return yield* onTerminal(terminal, room, options)
  if (Option.isNone(options.nick)) return yield* missingNick
  const Plain = yield* loadPlain
  const refused = yield* Plain.run({
    input: inputLines(room.isStdinUsed),
    output: Console.log,
    problem: report
  }).pipe(Effect.provide(yield* clientOf(room, options.profile, options.nick.value)))
  if (refused > 0) return yield* new Incomplete()
})
