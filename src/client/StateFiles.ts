/**
 * What a client keeps between its runs, as files: a `KeyValueStore` over a directory that one process uses at a time.
 * A value is replaced as a whole or not at all, also by a crash or a loss of power in the middle, and only its owner may
 * read it. The values are opaque here: who stores them seals them. Design section 6.
 */
import { Buffer } from "node:buffer"
import { createHmac } from "node:crypto"
import { homedir } from "node:os"
import * as PlatformError from "@effect/platform/Error"
import * as FileSystem from "@effect/platform/FileSystem"
import * as KeyValueStore from "@effect/platform/KeyValueStore"
import * as Path from "@effect/platform/Path"
import * as Arr from "effect/Array"
import * as Config from "effect/Config"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import * as Directory from "../domain/Directory.js"
import * as FileLock from "../domain/FileLock.js"
import * as Keys from "../domain/Keys.js"
import * as OwnerOnly from "../domain/OwnerOnly.js"
import * as Kept from "./Kept.js"

/** Why the files cannot be used: another process has them (`held`), or they are `unavailable`; `message` says what to do. */
export class StateError extends Schema.TaggedError<StateError>()("StateError", {
  reason: Schema.Literal("held", "unavailable"),
  message: Schema.String
}) {}

// The names in a directory: the lock, the one value that is being written, and values.
const lockName = "lock"
const newName = "new"
const valuePrefix = "value."

/** What is in the directory of who was never let in, as when a new key was tried before the server had it. */
const nobodys: ReadonlySet<string> = new Set([lockName, newName, `${valuePrefix}${Kept.ticketKey}`])

/** Most characters of a file's name on every common file system. */
const maxName = 255

const unavailable = (directory: string) => (error: { readonly message: string }) =>
  new StateError({
    reason: "unavailable",
    message: `cannot keep state in ${directory}, which has to be a directory where you may write; $XDG_STATE_HOME can name another: ${error.message}`
  })

const lockError = (directory: string) => (error: FileLock.LockError) =>
  error.reason === "held"
    ? new StateError({
        reason: "held",
        message:
          "another chat with this profile (the nick, unless --profile names one) runs on this machine: end it, or choose another nick or --profile NAME"
      })
    : unavailable(directory)(error)

/** The file of a key. Letters that file systems may take for one another, and all that is special, are escaped. */
const fileName = (key: string): string =>
  valuePrefix +
  Array.from(Buffer.from(key), (byte) => {
    const char = String.fromCharCode(byte)
    return /[a-z0-9_-]/.test(char) ? char : `%${byte.toString(16).padStart(2, "0")}`
  }).join("")

const badArgument = (method: string, description: string) =>
  Effect.fail(new PlatformError.BadArgument({ module: "KeyValueStore", method, description }))

const make = Effect.fn("StateFiles.make")(function* (directory: string) {
  const fs = yield* FileSystem.FileSystem
  const path = yield* Path.Path
  const fatal = Effect.mapError(unavailable(directory))

  yield* fatal(fs.makeDirectory(directory, { recursive: true, mode: OwnerOnly.directory }))
  yield* Effect.mapError(FileLock.acquire(path.join(directory, lockName)), lockError(directory))
  const temporary = path.join(directory, newName)
  // Left by a crash. Under the lock: nobody is writing it.
  yield* fatal(fs.remove(temporary, { force: true }))
  yield* Directory.sync(fs, path.dirname(directory))

  // One writer at a time, in the order of their calls, and `modify` is one of them.
  const writing = yield* Effect.makeSemaphore(1)
  // An interrupted call to the file system still happens, some time later: a writer is let finish.
  const write = <A, E>(effect: Effect.Effect<A, E>) => writing.withPermits(1)(Effect.uninterruptible(effect))

  const at = <A>(
    method: string,
    key: string,
    f: (file: string) => Effect.Effect<A, PlatformError.PlatformError>
  ): Effect.Effect<A, PlatformError.PlatformError> => {
    if (!key.isWellFormed()) return badArgument(method, "the key is not well-formed Unicode")
    const name = fileName(key)
    return name.length > maxName ? badArgument(method, "the key is too long") : f(path.join(directory, name))
  }

  const read = (file: string) =>
    Effect.map(fs.readFile(file), (bytes) => Option.some(Buffer.from(bytes).toString("utf8"))).pipe(
      Effect.catchIf(
        (error) => error._tag === "SystemError" && error.reason === "NotFound",
        () => Effect.succeedNone
      )
    )

  const replace = (file: string, value: string) => {
    if (!value.isWellFormed()) return badArgument("set", "the value is not well-formed Unicode")
    const whole = Effect.scoped(
      Effect.flatMap(fs.open(temporary, { flag: "wx", mode: OwnerOnly.file }), (opened) =>
        // writeAll takes "nothing was written" for a failure.
        Effect.zipRight(value === "" ? Effect.void : opened.writeAll(Buffer.from(value)), opened.sync)
      )
    )
    return whole.pipe(
      Effect.zipRight(fs.rename(temporary, file)),
      Effect.onError(() => Effect.ignore(fs.remove(temporary, { force: true }))),
      Effect.zipRight(Directory.sync(fs, directory))
    )
  }

  const files = Effect.map(
    fs.readDirectory(directory),
    Arr.filter((name) => name.startsWith(valuePrefix))
  )

  return KeyValueStore.makeStringOnly({
    get: (key) => at("get", key, read),
    set: (key, value) => at("set", key, (file) => write(replace(file, value))),
    remove: (key) =>
      at("remove", key, (file) =>
        write(Effect.zipRight(fs.remove(file, { force: true }), Directory.sync(fs, directory)))
      ),
    clear: write(
      Effect.gen(function* () {
        for (const name of yield* files) yield* fs.remove(path.join(directory, name), { force: true })
        yield* Directory.sync(fs, directory)
      })
    ),
    size: Effect.map(files, (names) => names.length),
    modify: (key, f) =>
      at("modify", key, (file) =>
        write(
          Effect.gen(function* () {
            const after = Option.map(yield* read(file), f)
            if (Option.isSome(after)) yield* replace(file, after.value)
            return after
          })
        )
      )
  })
})

/**
 * A store in `directory`, which is made where it is not there (mode 0700, with those above it), and locked until the
 * layer's scope closes. Files have mode 0600. Keys have at most 249 characters where they are `a-z0-9_-`, and a third
 * of that in UTF-8 bytes where they are not. A value is on the disk when `set` returns. Writers wait for one another.
 *
 * Building it fails with `held` when another process, or another layer of this one, uses the directory, and with
 * `unavailable` when it cannot be made, written or locked. The store fails with `PlatformError`: `BadArgument` for a key
 * that is too long, and for a key or value with half a surrogate pair, which files cannot hold.
 */
export const layer = (
  directory: string
): Layer.Layer<KeyValueStore.KeyValueStore, StateError, FileSystem.FileSystem | Path.Path> =>
  Layer.scoped(KeyValueStore.KeyValueStore, make(directory))

/** Which set of files is meant. */
export interface Which {
  /** The directory of all such files of a user, see {@link stateHome}. */
  readonly stateHome: string
  /** The server, as the user names it. Two ways to name one server are two sets. */
  readonly address: string
  /** The keys of the room: the first one is used, and a set of a further one is found as well. */
  readonly keys: Keys.Ring<Keys.RoomKey>
  /** The nick, unless the user names another. */
  readonly profile: string
}

/** 64 hex digits that show neither key nor address nor profile to whoever lacks the key. As JSON they are unambiguous. */
const nameOf = (key: Keys.RoomKey, address: string, profile: string): string =>
  createHmac("sha256", Redacted.value(Keys.stateKey(key)))
    .update(JSON.stringify([address, profile]))
    .digest("hex")

/**
 * The directory of one set of files, which need not be there yet: one for each server, room and profile, under
 * `<stateHome>/fernet-chat/`.
 *
 * After a rotation of keys (`[new, old]`) it is the first key's where it is of a client that was let in, else the first
 * one of the further keys' that is, else the first that is there. Such a one is renamed to the first key's name, so that
 * it is still found when the old key is dropped; it keeps its name while another process uses it, and on Windows, which
 * renames no directory of open files.
 */
export const directoryOf = Effect.fn("StateFiles.directoryOf")(function* ({
  address,
  keys,
  profile,
  stateHome
}: Which) {
  const fs = yield* FileSystem.FileSystem
  const path = yield* Path.Path
  const directories = Arr.map(keys, (key) => path.join(stateHome, "fernet-chat", nameOf(key, address, profile)))
  const first = Arr.headNonEmpty(directories)
  const isMembers = (directory: string) =>
    Effect.map(fs.readDirectory(directory), (names) => names.some((name) => !nobodys.has(name))).pipe(
      Effect.catchIf(
        (error) => error._tag === "SystemError" && error.reason === "NotFound",
        () => Effect.succeed(false)
      )
    )
  const existing = Effect.findFirst(directories, isMembers).pipe(
    Effect.flatMap((found) =>
      Option.isSome(found) ? Effect.succeed(found) : Effect.findFirst(directories, (directory) => fs.exists(directory))
    ),
    Effect.mapError(unavailable(stateHome)),
    Effect.map(Option.getOrElse(() => first))
  )
  const found = yield* existing
  if (found === first) return first
  const lock = (directory: string) => FileLock.acquire(path.join(directory, lockName))
  const clear = Effect.gen(function* () {
    if (!(yield* fs.exists(first))) return
    yield* lock(first)
    // Looked at again, for now it cannot change.
    if (yield* isMembers(first)) return yield* unavailable(first)({ message: "it has a member" })
    yield* fs.remove(first, { recursive: true })
  })
  // Under its lock: a chat that runs must not have its directory taken away.
  return yield* Effect.all([lock(found), clear, fs.rename(found, first)], { discard: true }).pipe(
    Effect.scoped,
    Effect.as(first),
    // What is in the way, or was moved by another process meanwhile, decides.
    Effect.orElse(() => existing)
  )
})

/** An absolute path in an environment variable. The XDG specification says to disregard a relative one. */
const absolute = (name: string) =>
  Effect.gen(function* () {
    const path = yield* Path.Path
    return Option.filter(yield* Config.option(Config.nonEmptyString(name)), (value) => path.isAbsolute(value))
  })

/**
 * Where programs of this user keep such files: `XDG_STATE_HOME` where it is an absolute path (XDG Base Directory
 * Specification 0.8), else on Windows `LOCALAPPDATA`, else `~/.local/state`. It need not be there yet. Fails with
 * `unavailable` for a user without a home.
 */
export const stateHome = Effect.gen(function* () {
  const path = yield* Path.Path
  const named = yield* absolute("XDG_STATE_HOME")
  if (Option.isSome(named)) return named.value
  const local = process.platform === "win32" ? yield* absolute("LOCALAPPDATA") : Option.none()
  if (Option.isSome(local)) return local.value
  // It throws for a user that the system does not know.
  const home = yield* Effect.orElseSucceed(Effect.try(homedir), () => "")
  if (path.isAbsolute(home)) return path.join(home, ".local", "state")
  return yield* new StateError({
    reason: "unavailable",
    message: "there is no home directory to keep state in: set XDG_STATE_HOME to an absolute path"
  })
})
