/** `chat c`: joins a chat, on a terminal or in a pipe. */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import * as Client from "../client/Client.js"
import * as StateFiles from "../client/StateFiles.js"
import type * as Plain from "../client/terminal/Plain.js"
import * as Transcript from "../client/terminal/Transcript.js"
import * as Fernet from "../domain/Fernet.js"
import * as Keys from "../domain/Keys.js"
import * as TransportTcp from "../domain/TransportTcp.js"
import { Incomplete, UsageError } from "./Failure.js"
import * as KeySource from "./KeySource.js"
import { interruption, print, readStdin, report, stdin, terminal } from "./Process.js"

export interface JoinOptions extends TransportTcp.Address, Plain.Options {
  readonly keyFile: Option.Option<string>
  readonly nick: Option.Option<string>
  /** Under which name state is kept; else the nick. */
  readonly profile: Option.Option<string>
  /** The file that keeps what was shown. */
  readonly transcript: Option.Option<string>
}

const loadPlain = Effect.promise(() => import("../client/terminal/Plain.js"))
const loadPrompt = Effect.promise(() => import("../client/terminal/Prompt.js"))

const askNick = Effect.gen(function* () {
  const missing = new UsageError({ message: "a nick is missing: give --nick NAME, or set CHAT_NICK" })
  if (terminal === undefined) return yield* missing
  const Prompt = yield* loadPrompt
  const answer = yield* Prompt.ask(terminal, "nick: ")
  return answer === undefined || answer === "" ? yield* missing : answer
})

/** Whether one of the options asks for what only a pipe has, wherever it is. */
const isPlain = ({ count, json, listen, since }: Plain.Options) =>
  json || listen || Option.isSome(since) || Option.isSome(count)

export const join = Effect.fn("join")(function* (options: JoinOptions) {
  const { host, keyFile, nick, port, profile } = options
  const source = yield* KeySource.find(keyFile)
  const keys = yield* Keys.roomKeys(yield* KeySource.load(source, readStdin))
  const name = Option.isSome(nick) ? nick.value : yield* askNick
  const directory = yield* StateFiles.directoryOf({
    stateHome: yield* StateFiles.stateHome,
    address: TransportTcp.format({ host, port }),
    keys,
    profile: Option.getOrElse(profile, () => name)
  })
  const client = Client.layerKept({ keys, nick: name }).pipe(
    Layer.provide([TransportTcp.layerDialer({ host, port }), Fernet.layer, StateFiles.layer(directory)])
  )
  const transcript = Option.isSome(options.transcript) ? yield* Transcript.open(options.transcript.value) : undefined
  if (terminal !== undefined && !isPlain(options)) {
    interruption.exitCode = 0
    const Prompt = yield* loadPrompt
    return yield* Effect.provide(Prompt.run(terminal, transcript), client)
  }
  // Who listens is ended by a signal, when all is well; Ctrl-C ends a script as well, which shall know of it.
  if (options.listen && Option.isNone(options.count)) {
    process.once("SIGTERM", () => {
      interruption.exitCode = 0
    })
  }
  const { run } = yield* loadPlain
  const refused = yield* Effect.provide(
    run(
      {
        // None where it has already been read for the key.
        input: source._tag === "Stdin" ? Stream.never : stdin,
        output: (lines) =>
          transcript === undefined
            ? print(lines)
            : Effect.zipRight(print(lines), transcript.append(lines.slice(0, -1))),
        problem: report
      },
      options
    ),
    client
  )
  if (refused > 0) return yield* new Incomplete()
}, Effect.scoped)
