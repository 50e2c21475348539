/** What `chat doctor` looks at. Nothing of it changes anything, or makes a file. */
import { Buffer } from "node:buffer"
import { statfs } from "node:fs/promises"
import * as FileSystem from "@effect/platform/FileSystem"
import * as Path from "@effect/platform/Path"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as StateFiles from "../client/StateFiles.js"
import { isDumb } from "../client/terminal/Terminal.js"
import type { Address } from "../domain/Address.js"
import { Entropy } from "../domain/Entropy.js"
import * as Fernet from "../domain/Fernet.js"
import * as FileLock from "../domain/FileLock.js"
import * as Handshake from "../domain/Handshake.js"
import type * as Keys from "../domain/Keys.js"
import * as Protocol from "../domain/Protocol.js"
import * as Transport from "../domain/Transport.js"
import * as TransportTcp from "../domain/TransportTcp.js"
import * as Log from "../server/Log.js"
import * as SealedLog from "../server/SealedLog.js"
import { sizeOf } from "../server/SqlFile.js"
import { Store } from "../server/Store.js"
import * as StoreReadOnly from "../server/StoreReadOnly.js"
import type * as Checks from "./Checks.js"
import * as Database from "./Database.js"
import * as Process from "./Process.js"
import * as Variable from "./Variable.js"

/** How long what listens on a port may take to answer. */
const patience = "5 seconds"

/** Asks what listens there whether it is a chat of `key`: a handshake, and no more. */
const greet = (at: Address, key: Keys.ServerKey): Effect.Effect<Checks.Port> =>
  Effect.gen(function* () {
    const { dial } = yield* Transport.Dialer
    const transport = yield* dial
    const hello = Handshake.initiate(key, (yield* Entropy).bytes(32))
    transport.write(Buffer.from(`${hello.line}\n`))
    const [line] = yield* transport.next
    if (line === undefined) return { _tag: "Other" } as const
    return Either.match(hello.complete(line), {
      onRight: () => ({ _tag: "Chat" }) as const,
      onLeft: ({ message, reason }) =>
        reason === "version" ? ({ _tag: "OtherVersion", message } as const) : ({ _tag: "Other" } as const)
    })
  }).pipe(
    Effect.scoped,
    Effect.provide(TransportTcp.layerDialer(at)),
    Effect.timeout(patience),
    // Whatever ends it, it has not answered as a chat does.
    Effect.orElseSucceed(() => ({ _tag: "Other" }) as const)
  )

/** What has the port: it is tried to listen there, and whoever does already is greeted. */
export const port = Effect.fn("Facts.port")(function* (at: Address, keys: ReadonlyArray<Keys.ServerKey>) {
  const listening = Effect.scoped(Layer.build(TransportTcp.layerListener(at)))
  const failure = yield* Effect.match(listening, { onFailure: Option.some, onSuccess: () => Option.none() })
  if (Option.isNone(failure)) return { _tag: "Free" } satisfies Checks.Port
  const { message, reason } = failure.value
  if (reason !== "in-use") return { _tag: "Denied", message } satisfies Checks.Port
  const host = at.host === "0.0.0.0" ? "127.0.0.1" : at.host === "::" ? "::1" : at.host
  let found: Checks.Port = { _tag: keys.length === 0 ? "Taken" : "Other" }
  for (const key of keys) {
    found = yield* greet({ host, port: at.port }, key)
    if (found._tag !== "Other") break
  }
  return found
})

/** Those of `hosts` at which a chat of one of these keys answers. */
export const answering = (hosts: ReadonlyArray<string>, port: number, keys: ReadonlyArray<Keys.ServerKey>) =>
  Effect.filter(
    hosts,
    (host) => Effect.exists(keys, (key) => Effect.map(greet({ host, port }, key), ({ _tag }) => _tag === "Chat")),
    { concurrency: "unbounded" }
  )

const may = (path: string) =>
  Effect.flatMap(FileSystem.FileSystem, (fs) => Effect.isSuccess(fs.access(path, { writable: true })))

/** Whether files can be made in it: as the superuser one may write anything, also what is no directory. */
const mayWriteIn = (directory: string) =>
  Effect.gen(function* () {
    const fs = yield* FileSystem.FileSystem
    const found = yield* Effect.option(fs.stat(directory))
    return Option.exists(found, ({ type }) => type === "Directory") && (yield* may(directory))
  })

/** Whether something is at a path; where even that cannot be told, nothing is. */
const isThere = (path: string) =>
  Effect.flatMap(FileSystem.FileSystem, (fs) => Effect.orElseSucceed(fs.exists(path), () => false))

/** The newest event of a database that is whole; without a key nothing more than that it is. */
const inspect = (file: string, keys: ReadonlyArray<Keys.ServerKey>) =>
  Effect.gen(function* () {
    const store = yield* Store
    const [first, ...more] = keys
    if (first === undefined) return { head: undefined, newest: undefined }
    const context = yield* Layer.build(SealedLog.layer({ keys: [first, ...more], name: file })).pipe(
      Effect.provideService(Store, store)
    )
    return yield* Effect.gen(function* () {
      const log = yield* Log.Log
      const head = yield* log.head
      if (head === 0) return { head, newest: undefined }
      const [newest] = yield* log.read(Protocol.Position.make(head - 1), 1)
      return { head, newest: newest?.at }
    }).pipe(Effect.provide(context))
  }).pipe(Effect.provide([StoreReadOnly.layer(file), Fernet.layer]), Effect.scoped)

/** Whether another process has the database open. What is not there is not made for it. */
const lockOf = (file: string) =>
  Effect.gen(function* () {
    if (!(yield* isThere(`${file}.lock`))) return Option.none()
    return yield* Effect.match(Effect.scoped(FileLock.acquire(`${file}.lock`)), {
      onFailure: Option.some,
      onSuccess: () => Option.none()
    })
  })

/** The database, and when (ms) its newest event was; `serving` is the log file of the server that runs here. */
export const database = Effect.fn("Facts.database")(function* (
  file: string,
  keys: ReadonlyArray<Keys.ServerKey>,
  serving: string | undefined
) {
  const fs = yield* FileSystem.FileSystem
  const path = yield* Path.Path
  const directory = path.dirname(path.resolve(file))
  const disk: Checks.Disk = {
    bytes: yield* Database.size(file),
    free: yield* Effect.orElseSucceed(
      Effect.tryPromise(() => statfs(directory)).pipe(Effect.map(({ bavail, bsize }) => bavail * bsize)),
      () => undefined
    )
  }
  const is = (found: Checks.Database, newest?: number) => ({ found, disk, newest })
  const unavailable = (message: string) => is({ _tag: "Unavailable", message })
  const real = (name: string) => Effect.orElseSucceed(fs.realPath(name), () => path.resolve(name))

  const lock = yield* lockOf(file)
  if (Option.isSome(lock) && lock.value.reason === "held") {
    const isOurs = serving !== undefined && (yield* real(file)) === (yield* real(serving))
    return is({ _tag: "InUse", isOurs })
  }
  if (Option.isSome(lock)) return unavailable(lock.value.message)
  const left = (yield* sizeOf(`${file}-wal`)) + (yield* sizeOf(`${file}-journal`))
  if (!(yield* isThere(file))) {
    if (left > 0) return unavailable(`there are files that belong to ${file}, and it is gone: put it back`)
    return (yield* mayWriteIn(directory))
      ? is({ _tag: "Missing" })
      : unavailable(
          `${file} cannot be made: there is no such directory, or you may not write in it. Name another with --db`
        )
  }
  if (!(yield* may(file)) || !(yield* may(directory))) {
    return unavailable(`you may not write ${file}, or beside it: run this as who serves, or name another with --db`)
  }
  if (left > 0) return is({ _tag: "Unclosed" })
  // An empty one is begun by whoever serves next.
  if (disk.bytes === 0) return is({ _tag: "Missing" })
  return yield* Effect.match(inspect(file, keys), {
    onFailure: ({ message }) => unavailable(message),
    onSuccess: ({ head, newest }) => is({ _tag: "Whole", head }, newest)
  })
})

/** Why no server could make its socket at a path where nobody answers, if that is so. */
export const obstacle = Effect.fn("Facts.obstacle")(function* (path: string) {
  const fs = yield* FileSystem.FileSystem
  const { dirname, resolve } = yield* Path.Path
  const found = yield* Effect.option(fs.stat(path))
  if (Option.exists(found, ({ type }) => type !== "Socket")) return "there is something else of that name"
  if (yield* mayWriteIn(dirname(resolve(path)))) return undefined
  return "there is no such directory, or you may not write in it"
})

const Report = Schema.Struct({ userLimits: Schema.Struct({ open_files: Schema.Struct({ soft: Schema.Number }) }) })

/** How many files this process, or a server that is started as it was, may have open; nothing where there is no limit. */
export const files: Effect.Effect<number | undefined> = Effect.sync(() => {
  const report = Schema.decodeUnknownOption(Report)(process.report.getReport())
  return Option.getOrUndefined(Option.map(report, ({ userLimits }) => userLimits.open_files.soft))
})

/** The terminal there is. */
export const terminal: Effect.Effect<Checks.Terminal> = Effect.gen(function* () {
  if (Process.terminal === undefined) return undefined
  const { output } = Process.terminal
  const locale = Option.firstSomeOf(yield* Effect.forEach(["LC_ALL", "LC_CTYPE", "LANG"], Variable.optional))
  return {
    columns: output.columns,
    depth: output.getColorDepth(),
    isDumb: isDumb(Process.terminal),
    isUtf8: process.platform === "win32" || Option.exists(locale, (name) => /utf-?8/i.test(name))
  }
}).pipe(Effect.orDie)

/** The nearest directory above that is there. */
const above = (directory: string): Effect.Effect<string, never, FileSystem.FileSystem | Path.Path> =>
  Effect.gen(function* () {
    const path = yield* Path.Path
    const parent = path.dirname(directory)
    return parent === directory || (yield* isThere(parent)) ? parent : yield* above(parent)
  })

/** Where clients keep their files. */
export const state = Effect.gen(function* () {
  const fs = yield* FileSystem.FileSystem
  const path = yield* Path.Path
  const directory = path.join(yield* StateFiles.stateHome, "fernet-chat")
  const is = (found: Checks.State) => ({ path: directory, found })
  if (!(yield* isThere(directory))) {
    return is({ _tag: "Missing", isWritable: yield* Effect.flatMap(above(directory), mayWriteIn) })
  }
  const { mode, type } = yield* fs.stat(directory)
  if (type !== "Directory") return is({ _tag: "NoDirectory" })
  const isOpen = process.platform !== "win32" && (mode & 0o022) !== 0
  return is({ _tag: "There", isWritable: yield* may(directory), isOpen })
}).pipe(
  Effect.catchAll(({ message }) => {
    const found: Checks.State = { _tag: "Unavailable", message }
    return Effect.succeed({ path: "", found })
  })
)
