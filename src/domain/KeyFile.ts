/** Key files: who may read them, how they are made, and what is said when one will not do. */
import type * as PlatformError from "@effect/platform/Error"
import * as FileSystem from "@effect/platform/FileSystem"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
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
const quote = (path: string): string => (/^[\w./-]+$/.test(path) ? path : `'${path.replaceAll("'", "'\\''")}'`)

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

/** Reads a key file. One that others than its owner may read or write is refused, as ssh does. */
export const load = Effect.fn("KeyFile.load")(function* (path: string) {
  const fs = yield* FileSystem.FileSystem
  const text = yield* Effect.gen(function* () {
    const file = yield* fs.open(path, { flag: "r" })
    // Asked of the opened file, so that what is checked is what is read.
    const { mode, type } = yield* file.stat
    if (type === "Directory") {
      return yield* new Keys.KeyError({ reason: "unreadable", message: `${path} is a directory, not a key file` })
    }
    if (hasPermissions && type === "File" && (mode & othersMask) !== 0) {
      return yield* new Keys.KeyError({
        reason: "readable-by-others",
        message: `others than you may read or change ${path}: run chmod 600 ${quote(path)}`
      })
    }
    const bytes = new Uint8Array(maxSize)
    let size = 0
    while (size < bytes.length) {
      const read = Number(yield* file.read(bytes.subarray(size)))
      if (read === 0) break
      size += read
    }
    return new TextDecoder().decode(bytes.subarray(0, size))
  }).pipe(
    Effect.scoped,
    Effect.catchTags({
      SystemError: (error) => platformError(path)(error),
      BadArgument: (error) => platformError(path)(error)
    })
  )
  return yield* parse(path, text)
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
  const write = (to: string) => fs.writeFileString(to, Keys.format(keys), { flag: "wx", mode: ownerOnly })
  const replace = Effect.gen(function* () {
    const temporary = `${path}.new`
    yield* write(temporary)
    yield* Effect.onError(fs.rename(temporary, path), () => Effect.ignore(fs.remove(temporary)))
  })
  yield* (options?.force === true ? replace : write(path)).pipe(
    Effect.mapError((error) =>
      error._tag === "SystemError" && error.reason === "AlreadyExists"
        ? new Keys.KeyError({
            reason: "exists",
            message: `${error.pathOrDescriptor ?? path} is there already: give another name with -o, or --force to replace it`
          })
        : new Keys.KeyError({ reason: "unreadable", message: `cannot write ${path}: ${error.message}` })
    )
  )
})
