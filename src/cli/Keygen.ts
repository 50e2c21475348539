/** `chat keygen`: makes a room key, derives a server key from one, or puts a new key first in a room key file. */
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Fingerprint from "../domain/Fingerprint.js"
import * as KeyFile from "../domain/KeyFile.js"
import * as Keys from "../domain/Keys.js"
import { UsageError } from "./Failure.js"
import * as KeySource from "./KeySource.js"
import { readStdin } from "./Stdin.js"

export interface KeygenOptions {
  /** The file to write, `-` for standard output. */
  readonly output: Option.Option<string>
  /** Whether a file that is there may be replaced. */
  readonly force: boolean
  /** Whether it is a server key that is wanted. */
  readonly server: boolean
  /** Whether the room key file gets a new key beside what it has. */
  readonly rotate: boolean
  /** The room key that a server key is derived from, or the file that gets a new one. */
  readonly keyFile: Option.Option<string>
}

/** A new room key. */
export const newRoomKeys = Effect.map(Keys.generate, (key): Keys.KeySet => ({ _tag: "RoomKeys", keys: [key] }))

/** What does not go together with `--rotate`. */
const misuse = ({ force, output, server }: KeygenOptions): string | undefined => {
  if (server) {
    return "--rotate is for the room key, of which the server key is made: first chat keygen --rotate, then chat keygen --server --force"
  }
  if (Option.isSome(output)) return "--rotate changes the key file itself: name it with --key-file, and leave -o out"
  if (force) return "--rotate overwrites no key, so there is nothing to force: leave --force out"
  return undefined
}

/** Where a key is that cannot be changed there. */
const unchangeable = (where: string, then: string) =>
  new UsageError({
    message: `the key is in ${where}, which is not for chat to change: save it in a file, run chat keygen --rotate --key-file FILE, and ${then}`
  })

/** What is left to do by hand once the file at `path` has a new key, in the order in which nobody is shut out. */
const steps = (path: string, old: number, words: string): string => {
  const named = path === KeyFile.defaultPath ? "" : ` --key-file ${KeyFile.quote(path)}`
  return `${path} begins with a new key; its ${old === 1 ? "old one stays" : `${old} old ones stay`} for reading. What to do now, in this order:
1. the server: give it this file in place of its own, and start it again: it lets in who has the new key or an old one.
   Where it has a server key instead, make that anew first: chat keygen --server --force${named}
2. the members: pass this file on to them in place of theirs (or its new line, to go above what is in theirs), by a way
   nobody else can read, and let them join again. Who has not is let in, but cannot read what is said under the new
   key. An invite is for newcomers: it holds the new key only, and opens nothing of before.
3. once all of them have joined with it, and only to shut out who has an old key alone: wait until the server has said
   "all of the log is under the first key" (it says so soon after a start), take the old line out of its file, and start
   it again. It goes on with the log it has. In the files of members the old line may stay: without it, what was said
   under it opens no more.
the new key's words, to compare by voice: ${words}`
}

const rotate = Effect.fn("rotate")(function* (options: KeygenOptions) {
  const message = misuse(options)
  if (message !== undefined) return yield* new UsageError({ message })
  const source = yield* KeySource.find(options.keyFile)
  if (source._tag === "Environment") {
    return yield* unchangeable("$CHAT_KEY", "set CHAT_KEY to what the file then holds")
  }
  if (source._tag === "Stdin") return yield* unchangeable("standard input", "give what the file then holds")
  const { keys } = yield* KeyFile.rotate(source.path)
  yield* Console.log(steps(source.path, keys.length - 1, Fingerprint.format(Keys.serverKey(keys[0]))))
})

const make = Effect.fn("make")(function* ({ force, keyFile, output, server }: KeygenOptions) {
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

export const keygen = Effect.fn("keygen")(function* (options: KeygenOptions) {
  yield* options.rotate ? rotate(options) : make(options)
})
