/** Where the client finds its room: an invite, or an address and a key. */
import * as Config from "effect/Config"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Question from "../client/terminal/Question.js"
import type { Terminal } from "../client/terminal/Terminal.js"
import * as Address from "../domain/Address.js"
import * as Invite from "../domain/Invite.js"
import * as KeyFile from "../domain/KeyFile.js"
import * as Keys from "../domain/Keys.js"
import { UsageError } from "./Failure.js"
import * as KeySource from "./KeySource.js"
import { readStdin, report, terminal } from "./Process.js"

export interface RoomOptions {
  /** Unless an invite says it: else this machine. */
  readonly host: Option.Option<string>
  readonly port: Option.Option<number>
  readonly keyFile: Option.Option<string>
  readonly invite: Option.Option<string>
}

export interface Room {
  readonly address: Address.Address
  readonly keys: Keys.Ring<Keys.RoomKey>
  /** Whether standard input has been read for the key. */
  readonly isStdinUsed: boolean
}

const exposed =
  "an invite on the command line can be read by everybody on this machine: give it at the prompt, in CHAT_INVITE or by --key-file -"

/** An address that is given counts more than an invite's. */
const locate = ({ host, port }: RoomOptions, invite: Address.Address = Address.defaultAddress): Address.Address => ({
  host: Option.getOrElse(host, () => invite.host),
  port: Option.getOrElse(port, () => invite.port)
})

const invited = Effect.fnUntraced(function* (options: RoomOptions, text: string, isStdinUsed: boolean) {
  const { address, key } = yield* Invite.parse(text)
  return { address: locate(options, address), keys: [key], isStdinUsed } satisfies Room
})

/** Asks for an invite where there is no key, and keeps its key where that was looked for, if the user wants. */
const askInvite = Effect.fnUntraced(function* (
  on: Terminal,
  options: RoomOptions,
  path: string,
  missing: Keys.KeyError
) {
  const text = yield* Question.ask(
    on,
    `there is no key file ${path}. An invite (chat://…), which is not shown: `,
    "hidden"
  )
  if (text === undefined || text === "") return yield* missing
  const room = yield* invited(options, text, false)
  const answer = yield* Question.ask(on, `keep its key in ${path} for the next time? (y/n) `)
  if (answer?.toLowerCase().startsWith("y") !== true) return room
  yield* KeyFile.create(path, { _tag: "RoomKeys", keys: room.keys })
  const { host, port } = room.address
  yield* report(`kept; the next time: chat c --host ${host} --port ${port}`)
  return room
})

/** Finds the room that options and environment name; on a terminal without a key an invite is asked for. */
export const find = Effect.fn("RoomSource.find")(function* (options: RoomOptions) {
  const { invite, keyFile } = options
  if (Option.isSome(invite)) {
    // More likely a slip than an invite.
    if (invite.value.startsWith("-"))
      return yield* new UsageError({
        message: `${invite.value}: no such option, or its value is missing (chat --help shows how)`
      })
    if (Option.isSome(keyFile)) return yield* new UsageError({ message: "give an invite or --key-file, not both" })
    yield* report(exposed)
    return yield* invited(options, invite.value, false)
  }
  const variable = yield* Config.option(Config.nonEmptyString("CHAT_INVITE"))
  if (Option.isNone(keyFile) && Option.isSome(variable)) return yield* invited(options, variable.value, false)
  const source = yield* KeySource.find(keyFile)
  if (source._tag === "Stdin") {
    const text = yield* readStdin
    if (/^\s*<?chat:/i.test(text)) return yield* invited(options, text, true)
    const keys = yield* Keys.roomKeys(yield* KeyFile.parse("standard input", text))
    return { address: locate(options), keys, isStdinUsed: true } satisfies Room
  }
  const loaded = Effect.map(
    Effect.flatMap(KeySource.load(source, readStdin), Keys.roomKeys),
    (keys): Room => ({ address: locate(options), keys, isStdinUsed: false })
  )
  return yield* Effect.catchTag(loaded, "KeyError", (error) =>
    error.reason === "missing" && source._tag === "File" && terminal !== undefined
      ? askInvite(terminal, options, source.path, error)
      : Effect.fail(error)
  )
})
