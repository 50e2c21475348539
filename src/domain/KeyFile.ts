/** Key files: who may read them, how they are made, and what is said when one will not do. */
import { Buffer } from "node:buffer"
import * as NodePath from "node:path"
import type * as PlatformError from "@effect/platform/Error"
import * as FileSystem from "@effect/platform/FileSystem"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Option from "effect/Option"
import * as Directory from "./Directory.js"
import { Entropy } from "./Entropy.js"
import * as Keys from "./Keys.js"
import * as OwnerOnly from "./OwnerOnly.js"

/** The room key file where no other is named. */
export const defaultPath = "secret.key"

/** Most bytes of a key file: some 1,400 keys. */
const maxSize = 64 * 1024

const othersMask = 0o077

/** Permission bits mean nothing on Windows, where Node makes them up. */
const hasPermissions = process.platform !== "win32"

/** A path as a POSIX shell takes it, for commands that a message tells to run. */
export const quote = (path: string): string => {
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

const unwritable = (path: string) => (error: PlatformError.PlatformError) =>
  new Keys.KeyError({ reason: "unreadable", message: `cannot write ${path}: ${error.message}` })

/** Reads the keys of a text that came from `source`, which errors name. */
export const parse = (source: string, text: string): Either.Either<Keys.KeySet, Keys.KeyError> =>
  Either.mapLeft(
    Keys.parse(text),
    ({ message, reason }) => new Keys.KeyError({ reason, message: `cannot use the key in ${source}: ${message}` })
  )

/** Sees that a path may be read as a key file: by its owner only, and no larger than one is. */
const look = Effect.fnUntraced(function* (path: string) {
  const fs = yield* FileSystem.FileSystem
  const info = yield* Effect.mapError(fs.stat(path), platformError(path))
  const { mode, size, type } = info
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
  return info
})

/** Reads a key file, or a pipe. One that others than its owner may read or write is refused, as ssh does. */
export const load = Effect.fn("KeyFile.load")(function* (path: string) {
  const fs = yield* FileSystem.FileSystem
  yield* look(path)
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
        const file = yield* fs.open(to, { flag: "wx", mode: OwnerOnly.file })
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
    Effect.tap(Directory.sync(fs, NodePath.dirname(path))),
    Effect.mapError((error) =>
      error._tag === "SystemError" && error.reason === "AlreadyExists"
        ? new Keys.KeyError({
            reason: "exists",
            message: `${path} is there already: give another name with -o, ${
              keys._tag === "RoomKeys" ? "--rotate to put a new key before what it has, " : ""
            }or --force to replace it`
          })
        : unwritable(path)(error)
    )
  )
})

/**
 * The bytes of a key file with one more key before the first there is. Comments right above that one stay with it; no
 * other byte changes, whatever comments are written in.
 */
export const prepend = (file: Uint8Array, key: Keys.RoomKey): Uint8Array => {
  // Each byte is a character here, and back.
  const lines = Buffer.from(file).toString("latin1").split("\n")
  const isComment = (line: string | undefined) => line?.trim().startsWith("#") === true
  const first = lines.findIndex((line) => line.trim() !== "" && !isComment(line))
  let at = Math.max(first, 0)
  while (isComment(lines[at - 1])) at -= 1
  const end = lines[first]?.endsWith("\r") === true ? "\r" : ""
  return Buffer.from(lines.toSpliced(at, 0, `${Keys.toBase64Url(key)}${end}`).join("\n"), "latin1")
}

/**
 * Puts a new room key first in a key file and keeps what is there, comments and blank lines too. The file is replaced as
 * a whole (mode 0600, its owner kept) or not at all; where `path` is a link, the file it leads to. Gives the keys that it
 * then holds, the new one first.
 *
 * Fails as {@link load} does, and with `kind` for server keys, `exists` where another rotation is under way or was cut
 * off, `unreadable` for what is no regular file, would pass 64 KiB, or cannot be replaced.
 */
export const rotate = Effect.fn("KeyFile.rotate")(function* (path: string) {
  const fs = yield* FileSystem.FileSystem
  const { gid, type, uid } = yield* look(path)
  if (type !== "File") {
    return yield* new Keys.KeyError({
      reason: "unreadable",
      message: `${path} is no regular file: save its keys in one`
    })
  }
  // Renamed onto a link, the new file would take its place, and the one it leads to would stay as it was.
  const file = yield* Effect.mapError(fs.realPath(path), platformError(path))
  // One name for all who rotate: of two at a time, one would lose the key of the other.
  const temporary = `${file}.rotating`
  const key = yield* Keys.generate

  const write = Effect.fnUntraced(function* (opened: FileSystem.File) {
    const before = yield* Effect.mapError(fs.readFile(file), platformError(path))
    const old = yield* parse(path, Buffer.from(before).toString("utf8"))
    if (old._tag === "ServerKeys") {
      return yield* new Keys.KeyError({
        reason: "kind",
        message: `${path} holds a server key, which is made of a room key: rotate that, then make this one anew (chat keygen --rotate, and chat keygen --server --force)`
      })
    }
    const after = prepend(before, key)
    if (after.length > maxSize) {
      return yield* new Keys.KeyError({
        reason: "unreadable",
        message: `${path} has no room for another key: take out what nobody needs any more`
      })
    }
    // Root may do this for somebody else, who is to be able to read it.
    const made = yield* opened.stat
    if (Option.isSome(uid) && Option.isSome(gid) && Option.getOrUndefined(made.uid) !== uid.value) {
      yield* fs.chown(temporary, uid.value, gid.value)
    }
    yield* Effect.zipRight(opened.writeAll(after), opened.sync)
    return { _tag: "RoomKeys", keys: [key, ...old.keys] } satisfies Keys.KeySet
  })
  const replace = Effect.gen(function* () {
    const opened = yield* fs.open(temporary, { flag: "wx", mode: OwnerOnly.file })
    return yield* Effect.onError(write(opened), () => Effect.ignore(fs.remove(temporary)))
  }).pipe(
    Effect.scoped,
    Effect.tap(Effect.onError(fs.rename(temporary, file), () => Effect.ignore(fs.remove(temporary)))),
    Effect.tap(Directory.sync(fs, NodePath.dirname(file)))
  )
  // An interrupted call to the file system still happens, some time later.
  return yield* Effect.uninterruptible(replace).pipe(
    Effect.mapError((error) => {
      if (error._tag === "KeyError") return error
      return error._tag === "SystemError" && error.reason === "AlreadyExists"
        ? new Keys.KeyError({
            reason: "exists",
            message: `another rotation of ${path} is under way, or was cut off: if none is, remove ${quote(temporary)} and try again`
          })
        : unwritable(path)(error)
    })
  )
})
