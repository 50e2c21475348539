/** Where a socket of this machine is, and whose it is. */
import { Buffer } from "node:buffer"
import { lstatSync, unlinkSync } from "node:fs"
import { isMainThread } from "node:worker_threads"
import * as Effect from "effect/Effect"
import * as FileLock from "./FileLock.js"
import { TransportError } from "./Transport.js"

/** A Unix socket, which only its owner can connect to. There is none on Windows. */
export interface SocketPath {
  /** At most 107 bytes on Linux, 103 elsewhere: as it is given, so that a relative one may be in a deep directory. */
  readonly path: string
}

/** Longest path of a socket, in bytes: what the system's address of one has room for. */
export const maxPath = process.platform === "linux" ? 107 : 103

/** Whether the system would cut the path off. */
export const isTooLong = (path: string): boolean => Buffer.byteLength(path) > maxPath

/** It cannot be listened on. */
export const cannot = (path: string, why: string) =>
  new TransportError({
    reason: "denied",
    message: `cannot make the socket ${path}: ${why}. Name another file with --socket`
  })

const none = new TransportError({ reason: "denied", message: "there are no such sockets on Windows" })

/** Somebody listens on it already. */
export const inUse = (path: string) =>
  new TransportError({
    reason: "in-use",
    message: `the socket ${path} is another server's: end that one, or name another file with --socket`
  })

/**
 * Sees to it that `path` is free, and stays this listener's until the Scope closes: what a killed server
 * left there, which is not `isInUse`, is removed. The lock keeps two that start at once from removing each other's.
 */
export const claim = Effect.fnUntraced(function* (path: string, isInUse: Effect.Effect<boolean>) {
  if (process.platform === "win32") return yield* none
  if (!isMainThread) return yield* cannot(path, "only a main thread can give it its mode")
  if (isTooLong(path)) {
    return yield* cannot(path, `the path of a socket has at most ${maxPath} bytes`)
  }
  yield* Effect.mapError(FileLock.acquire(`${path}.lock`), ({ message, reason }) =>
    reason === "held" ? inUse(path) : cannot(path, message)
  )
  const attempt = <A>(body: () => A) =>
    Effect.try({ try: body, catch: (cause) => cannot(path, cause instanceof Error ? cause.message : String(cause)) })
  const found = yield* attempt(() => lstatSync(path, { throwIfNoEntry: false }))
  if (found === undefined) return
  if (!found.isSocket()) return yield* cannot(path, "there is something else of that name")
  if (yield* isInUse) return yield* inUse(path)
  yield* attempt(() => unlinkSync(path))
})
