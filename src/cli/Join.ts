/** `chat c`: joins a chat, on a terminal or in a pipe. */
import { createInterface } from "node:readline"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import * as Client from "../client/Client.js"
import * as StateFiles from "../client/StateFiles.js"
import * as Fernet from "../domain/Fernet.js"
import * as Keys from "../domain/Keys.js"
import * as TransportTcp from "../domain/TransportTcp.js"
import { Incomplete, UsageError } from "./Failure.js"
import * as KeySource from "./KeySource.js"
import { interruption, readStdin, report, terminal } from "./Process.js"

export interface JoinOptions extends TransportTcp.Address {
  readonly keyFile: Option.Option<string>
  readonly nick: Option.Option<string>
  /** Under which name state is kept; else the nick. */
  readonly profile: Option.Option<string>
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

/** Standard input by lines; none where it has already been read for the key. */
const inputLines = (used: boolean): Stream.Stream<string> =>
  used
    ? Stream.never
    : Stream.suspend(() =>
        Stream.orDie(Stream.fromAsyncIterable(createInterface({ input: process.stdin }), (error) => error))
      )

export const join = Effect.fn("join")(function* ({ host, keyFile, nick, port, profile }: JoinOptions) {
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
  if (terminal !== undefined) {
    interruption.exitCode = 0
    const Prompt = yield* loadPrompt
    return yield* Effect.provide(Prompt.run(terminal), client)
  }
  const Plain = yield* loadPlain
  const refused = yield* Plain.run({
    input: inputLines(source._tag === "Stdin"),
    output: Console.log,
    problem: report
  }).pipe(Effect.provide(client))
  if (refused > 0) return yield* new Incomplete()
})
