/** Key files: who may read them, how they are made, and what is said when one will not do. */
import { Buffer } from "node:buffer"
import type * as PlatformError from "@effect/platform/Error"
import * as FileSystem from "@effect/platform/FileSystem"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import { Entropy } from "./Entropy.js"
import * as Keys from "./Keys.js"

/** The room key file where no other is named. */
export const defaultPath = "secret.key"

/** Most bytes of a key file: some 1,400 keys. */
const maxSize = 64 * 1024

const ownerOnly = 0o600
const othersMask = 0o077

/** Permission bits mean nothing on Windows, where Node makes them up. */
const hasPermissions = process.platform !== "win32"

/** A path as a POSIX shell takes it, for commands that a message tells to run. */
const quote = (path: string): string => {
  const safe = path.startsWith("-") ? `./${path}` : path
  return /^[\w./-]+$/.test(safe) ? safe : `'${safe.replaceAll("'", "'\\''")}'`
}

const platformError = (path: string) => (error: PlatformError.PlatformError) =>
  error._tag === "SystemError" && error.reason === "NotFound"
    ? new Keys.KeyError({
        reason: "missing",
        message: `there is no key file ${path}: make one with chat keygen, or ask for the room's`
      })
    : new Keys.KeyError({ reason: "unreadable", message: `cannot use the key file ${path}: ${error.message}` })

/** Reads the keys of a text that came from `source`, which errors name. */
export const parse = (source: string, text: string): Either.Either<Keys.KeySet, Keys.KeyError> =>
  Either.mapLeft(
    Keys.parse(text),
    ({ message, reason }) => new Keys.KeyError({ reason, message: `cannot use the key in ${source}: ${message}` })
  )

/** Reads a key file, or a pipe. One that others than its owner may read or write is refused, as ssh does. */
export const load = Effect.fn("KeyFile.load")(function* (path: string) {
  const fs = yield* FileSystem.FileSystem
  const { mode, size, type } = yield* Effect.mapError(fs.stat(path), platformError(path))
  if (type === "Directory" || size > maxSize) {
    const what = type === "Directory" ? "a directory" : "too large"
    return yield* new Keys.KeyError({ reason: "unreadable", message: `${path} is ${what}, and no key file` })
  }
  if (hasPermissions && (type === "File" || type === "FIFO") && (mode & othersMask) !== 0) {
    return yield* new Keys.KeyError({
      reason: "readable-by-others",
      message: `others than you may read or change ${path}: run chmod 600 ${quote(path)}`
    })
  }
  return yield* parse(path, yield* Effect.mapError(fs.readFileString(path), platformError(path)))
})

/** The room keys of a key file; a server key file is refused. */
export const roomKeys = (path: string) => Effect.flatMap(load(path), Keys.roomKeys)

/**
 * Makes a key file that only its owner may read. An existing one is an error unless `force`, and is then replaced as a
 * whole: no moment in which the old key is gone and the new one not there.
 */
export const create = Effect.fn("KeyFile.create")(function* (
  path: string,
  keys: Keys.KeySet,
  options?: { readonly force?: boolean }
) {
  const fs = yield* FileSystem.FileSystem
  const entropy = yield* Entropy
  const write = (to: string) =>
    Effect.scoped(
      Effect.gen(function* () {
        const file = yield* fs.open(to, { flag: "wx", mode: ownerOnly })
        // Half a key file is worse than none.
        yield* Effect.onError(Effect.zipRight(file.writeAll(Buffer.from(Keys.format(keys))), file.sync), () =>
          Effect.ignore(fs.remove(to))
        )
      })
    )
  const replace = Effect.gen(function* () {
    const temporary = `${path}.${Buffer.from(entropy.bytes(6)).toString("hex")}`
    yield* write(temporary)
    yield* Effect.onError(fs.rename(temporary, path), () => Effect.ignore(fs.remove(temporary)))
  })
  yield* (options?.force === true ? replace : write(path)).pipe(
    Effect.mapError((error) =>
      error._tag === "SystemError" && error.reason === "AlreadyExists"
        ? new Keys.KeyError({
            reason: "exists",
            message: `${path} is there already: give another name with -o, or --force to replace it`
          })
        : new Keys.KeyError({ reason: "unreadable", message: `cannot write ${path}: ${error.message}` })
    )
  )
})
