/** Where the client finds its room: an invite, or an address and a key. */
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Option from "effect/Option"
import * as Question from "../client/terminal/Question.js"
import type { Terminal } from "../client/terminal/Terminal.js"
import * as Address from "../domain/Address.js"
import * as Invite from "../domain/Invite.js"
import * as KeyFile from "../domain/KeyFile.js"
import * as Keys from "../domain/Keys.js"
import { UsageError } from "./Failure.js"
import * as KeySource from "./KeySource.js"
import { interruption, report, terminal } from "./Process.js"
import { readStdin } from "./Stdin.js"
import * as Variable from "./Variable.js"

export interface RoomOptions {
  /** Where it is, unless an invite says it; this machine if nothing does. */
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

/** The room of an invite: where it is and the key to it, whatever options and environment say. */
const invited = (text: string, isStdinUsed = false): Either.Either<Room, Invite.InviteError> =>
  Either.map(Invite.parse(text), ({ address, key }) => ({ address, keys: [key], isStdinUsed }))

/** The room of a text that is an invite, or a key as a key file has it. */
const ofText = Effect.fnUntraced(function* (options: RoomOptions, text: string, isStdinUsed: boolean) {
  if (/^\s*<?chat:/i.test(text)) return yield* invited(text, isStdinUsed)
  const keys = yield* Keys.roomKeys(yield* KeyFile.parse("standard input", text))
  return { address: Address.orDefault(options), keys, isStdinUsed } satisfies Room
})

/** Asks for a secret until what is answered is one. */
const askSecret = Effect.fnUntraced(function* <E extends { readonly message: string }, R>(
  on: Terminal,
  question: string,
  read: (text: string) => Effect.Effect<Room, E, R>
) {
  while (true) {
    const text = yield* Question.ask(on, question, "hidden")
    if (text === undefined || text === "") return yield* Effect.interrupt
    const room = yield* Effect.either(read(text))
    if (Either.isRight(room)) return room.right
    yield* report(room.left.message)
  }
})

/** Asks for an invite where there is no key, and keeps its key where that was looked for, if the user wants. */
const askInvite = Effect.fnUntraced(function* (on: Terminal, path: string) {
  interruption.exitCode = 0
  yield* report(`there is no key file ${path}`)
  const room = yield* askSecret(on, "an invite to join with (chat://…), which does not show: ", (text) => invited(text))
  const answer = yield* Question.ask(on, `keep its key in ${path} for the next time? (y/n) `)
  if (answer?.toLowerCase().startsWith("y") !== true) return room
  const { host, port } = room.address
  const named = path === KeyFile.defaultPath ? "" : ` --key-file ${path}`
  yield* KeyFile.create(path, { _tag: "RoomKeys", keys: room.keys }).pipe(
    Effect.matchEffect({
      onFailure: ({ message }) => report(`not kept: ${message}`),
      onSuccess: () => report(`kept; the next time: chat c --host ${host} --port ${port}${named}`)
    })
  )
  return room
})

/** Finds the room that options and environment name; on a terminal without a key an invite is asked for. */
export const find = Effect.fn("RoomSource.find")(function* (options: RoomOptions) {
  const { invite, keyFile } = options
  if (Option.isSome(invite)) {
    // More likely a slip than an invite.
    if (invite.value.startsWith("-")) {
      return yield* new UsageError({
        message: `${invite.value}: no such option, or its value is missing (chat --help shows how)`
      })
    }
    if (Option.isSome(keyFile)) return yield* new UsageError({ message: "give an invite or --key-file, not both" })
    yield* report(exposed)
    return yield* invited(invite.value)
  }
  const variable = yield* Variable.optional("CHAT_INVITE")
  if (Option.isNone(keyFile) && Option.isSome(variable)) return yield* invited(variable.value)
  const source = yield* KeySource.find(keyFile)
  if (source._tag === "Stdin") {
    if (terminal === undefined) return yield* ofText(options, yield* readStdin, true)
    return yield* askSecret(terminal, "the key or an invite, which does not show: ", (text) =>
      ofText(options, text, false)
    )
  }
  const loaded = Effect.map(
    Effect.flatMap(KeySource.load(source, readStdin), Keys.roomKeys),
    (keys): Room => ({ address: Address.orDefault(options), keys, isStdinUsed: false })
  )
  return yield* Effect.catchTag(loaded, "KeyError", (error) =>
    error.reason === "missing" && source._tag === "File" && terminal !== undefined
      ? askInvite(terminal, source.path)
      : Effect.fail(error)
  )
})
