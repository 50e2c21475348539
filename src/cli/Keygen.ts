/** `chat keygen`: makes a room key, or derives a server key from one. */
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as KeyFile from "../domain/KeyFile.js"
import * as Keys from "../domain/Keys.js"
import * as KeySource from "./KeySource.js"
import { readStdin } from "./Stdin.js"

export interface KeygenOptions {
  /** The file to write, `-` for standard output. */
  readonly output: Option.Option<string>
  /** Whether a file that is there may be replaced. */
  readonly force: boolean
  /** Whether it is a server key that is wanted. */
  readonly server: boolean
  /** The room key that a server key is derived from. */
  readonly keyFile: Option.Option<string>
}

/** A new room key. */
export const newRoomKeys = Effect.map(Keys.generate, (key): Keys.KeySet => ({ _tag: "RoomKeys", keys: [key] }))

export const keygen = Effect.fn("keygen")(function* ({ force, keyFile, output, server }: KeygenOptions) {
  const path = Option.getOrElse(output, () => (server ? "server.key" : KeyFile.defaultPath))
  const keys: Keys.KeySet = server
    ? { _tag: "ServerKeys", keys: Keys.serverKeys(yield* KeySource.load(yield* KeySource.find(keyFile), readStdin)) }
    : yield* newRoomKeys
  if (path === "-") return yield* Console.log(Keys.format(keys).trimEnd())
  yield* KeyFile.create(path, keys, { force })
  yield* Console.log(
    server
      ? `wrote ${path}: serve with it (chat s --key-file ${path}), and keep the room key off that machine`
      : `wrote ${path}: give it to those who may join, by a way nobody else can read`
  )
})
