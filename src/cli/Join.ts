/** `chat c`: joins a chat, on a terminal or in a pipe. */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import * as StateFiles from "../client/StateFiles.js"
import type * as Plain from "../client/terminal/Plain.js"
import { isDumb, type Terminal } from "../client/terminal/Terminal.js"
import * as Transcript from "../client/terminal/Transcript.js"
import * as Address from "../domain/Address.js"
import * as Fingerprint from "../domain/Fingerprint.js"
import * as Keys from "../domain/Keys.js"
import * as Protocol from "../domain/Protocol.js"
import { Incomplete } from "./Failure.js"
import * as LastNick from "./LastNick.js"
import * as Member from "./Member.js"
import { interruption, print, report, terminal } from "./Process.js"
import * as RoomSource from "./RoomSource.js"
import { stdin } from "./Stdin.js"

export interface JoinOptions extends RoomSource.RoomOptions, Member.MemberOptions, Omit<Plain.Options, "since"> {
  /** Prints what comes after this event. */
  readonly since: Option.Option<number>
  /** The file to which what is shown is added. */
  readonly transcript: Option.Option<string>
}

const loadPlain = Effect.promise(() => import("../client/terminal/Plain.js"))
const loadInteractive = Effect.promise(() => import("../client/terminal/Interactive.js"))
const loadTeletype = Effect.promise(() => import("../client/terminal/Teletype.js"))
const loadQuestion = Effect.promise(() => import("../client/terminal/Question.js"))

/** Whether one of the options asks for what only a pipe has, wherever it is. */
const isPlain = ({ count, json, listen, since }: JoinOptions) =>
  json || listen || Option.isSome(since) || Option.isSome(count)

/** The client of a member, on files of its own. */
const memberOf = (room: RoomSource.Room, nick: string, options: JoinOptions) =>
  Effect.map(Member.directory(room, nick, options), (directory) =>
    Member.layer(room, nick, StateFiles.layer(directory))
  )

/** Asks for a nick; offers the last one, unless it was just refused. */
const askNick = Effect.fnUntraced(function* (on: Terminal, refused?: string) {
  const Question = yield* loadQuestion
  const known = yield* LastNick.load
  const last = known === refused ? undefined : known
  const answer = yield* Question.ask(on, last === undefined ? "nick: " : `nick [${last}]: `)
  if (answer === undefined) return yield* Effect.interrupt
  const nick = answer === "" ? last : answer
  return nick === undefined ? yield* Member.missingNick : nick
})

/** Whether another nick may be had where this one was not: `held` is a profile, by another chat on this machine. */
const isOfNick = (reason: string, { profile }: JoinOptions): boolean =>
  reason === "nick-taken" || reason === "nick-invalid" || (reason === "held" && Option.isNone(profile))

/** Joins under a nick, or under another as long as it cannot be had. */
const onTerminal = Effect.fnUntraced(function* (
  on: Terminal,
  room: RoomSource.Room,
  options: JoinOptions,
  transcript: Transcript.Transcript | undefined
) {
  interruption.exitCode = 0
  const { run } = isDumb(on) ? yield* loadTeletype : yield* loadInteractive
  const words = Fingerprint.format(Keys.serverKey(room.keys[0]))
  const shown = {
    room: Address.format(room.address),
    greeting: [`the key's words: ${words}`, "/help shows what there is"],
    transcript
  }
  let nick = Option.isSome(options.nick) ? options.nick.value : yield* askNick(on)
  while (true) {
    const refused = yield* Effect.zipRight(LastNick.save(nick), run(on, shown)).pipe(
      Effect.provide(yield* memberOf(room, nick, options)),
      Effect.as(undefined),
      Effect.catchIf(
        (error) => "reason" in error && isOfNick(error.reason, options),
        ({ message }) => Effect.succeed(message)
      )
    )
    if (refused === undefined) return
    yield* report(refused)
    nick = yield* askNick(on, nick)
  }
})

const inPipe = Effect.fnUntraced(function* (
  room: RoomSource.Room,
  options: JoinOptions,
  transcript: Transcript.Transcript | undefined
) {
  if (Option.isNone(options.nick)) return yield* Member.missingNick
  // Who listens is ended by a signal, when all is well; Ctrl-C ends a script as well, which shall know of it.
  if (options.listen && Option.isNone(options.count)) {
    process.once("SIGTERM", () => {
      // Unless it ends because something is wrong.
      if (interruption.exitCode === 130) interruption.exitCode = 0
    })
  }
  const { run } = yield* loadPlain
  const pipes = {
    // None where it has already been read for the key.
    input: room.isStdinUsed ? Stream.never : stdin,
    output: (lines: string) =>
      transcript === undefined ? print(lines) : Effect.zipRight(print(lines), transcript.append(lines.slice(0, -1))),
    problem: report
  }
  const since = Option.map(options.since, (seq) => Protocol.Position.make(seq))
  const refused = yield* Effect.provide(
    run(pipes, { ...options, since }),
    yield* memberOf(room, options.nick.value, options)
  )
  if (refused > 0) return yield* new Incomplete()
})

export const join = Effect.fn("join")(function* (options: JoinOptions) {
  const room = yield* RoomSource.find(options)
  const transcript = Option.isSome(options.transcript) ? yield* Transcript.open(options.transcript.value) : undefined
  return terminal !== undefined && !isPlain(options)
    ? yield* onTerminal(terminal, room, options, transcript)
    : yield* inPipe(room, options, transcript)
}, Effect.scoped)
