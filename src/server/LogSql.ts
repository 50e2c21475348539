/** The durable log: sealed, in an SQLite database, behind a thread of its own. */
import * as WorkerThreads from "node:worker_threads"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import type { Fernet } from "../domain/Fernet.js"
import type * as Keys from "../domain/Keys.js"
import type * as Protocol from "../domain/Protocol.js"
import { type Log, LogError } from "./Log.js"
import * as SealedLog from "./SealedLog.js"
import { type MemberRow, type Row, Store } from "./Store.js"
import type { Answer, Request, Start } from "./StoreThread.js"

/** Where the database is, and how large it may be. */
export interface StoreOptions {
  /** The database; made, for its owner alone, where there is none. */
  readonly file: string
  /** A quota: what the database may grow to, in bytes. Without one, the disk is the limit. */
  readonly maxBytes?: number
  /** The script of the thread; beside this module unless a build has put it elsewhere. */
  readonly worker?: URL
}

/** Whose log it is, and where its database is. */
export interface Options extends StoreOptions {
  /**
   * The server keys of the room: the log is written under the first, and read under all. What is under another than the
   * first is sealed anew while the log is in use; a line at info level says when no other is needed any more.
   */
  readonly keys: Keys.Ring<Keys.ServerKey>
}

/** How long the thread may take to close the database before it is ended. */
const closingTime = "5 seconds"

/**
 * A Store whose operations run in a thread, one after the other. Should the thread die, which is a bug or a lack of
 * memory, every operation is a defect from then on: whether the last commit was kept, only who opens anew can tell.
 */
const makeStore = Effect.fn("LogSql.makeStore")(function* ({ file, maxBytes, worker }: StoreOptions) {
  // Answers come in the order of what was asked; the first is for the opening.
  const waiting: Array<(outcome: Effect.Effect<unknown, LogError>) => void> = []
  const exited = yield* Deferred.make<void>()
  let dead: LogError | undefined

  const end = (detail: string) => {
    dead ??= new LogError({
      reason: "unavailable",
      message: `the thread that keeps the log ${file} has ended (${detail}): start the server again`
    })
    for (const resume of waiting.splice(0)) resume(Effect.die(dead))
  }

  const spawn = Effect.sync(() => {
    const workerData: Start = { file, maxBytes }
    const thread = new WorkerThreads.Worker(worker ?? new URL("./StoreWorker.js", import.meta.url), { workerData })
    thread.on("message", (answer: Answer) => {
      const outcome = answer._tag === "Success" ? Effect.succeed(answer.value) : Effect.fail(new LogError(answer.error))
      waiting.shift()?.(outcome)
    })
    thread.on("error", (error) => end(error.message))
    thread.on("exit", (code) => {
      end(`exit code ${code}`)
      Deferred.unsafeDone(exited, Effect.void)
    })
    return thread
  })
  const thread = yield* Effect.acquireRelease(spawn, (thread) =>
    Effect.suspend(() => {
      thread.postMessage({ _tag: "Close" } satisfies Request)
      return Deferred.await(exited)
    }).pipe(
      Effect.interruptible,
      Effect.timeoutOption(closingTime),
      Effect.zipRight(Effect.promise(() => thread.terminate()))
    )
  )

  // The cast: both ends are of one build, and the thread answers with what the operation is documented to give.
  const answer = <A>(request?: Request) =>
    Effect.async<A, LogError>((resume) => {
      if (dead !== undefined) return resume(Effect.die(dead))
      // An answer comes even when nobody waits for it any more.
      waiting.push((outcome) => resume(outcome as Effect.Effect<A, LogError>))
      if (request !== undefined) thread.postMessage(request)
    })

  const id = yield* Effect.catchSomeDefect(answer<Protocol.LogId>(), () =>
    // Its script may be missing, or not find what it needs.
    dead === undefined ? Option.none() : Option.some(Effect.fail(dead))
  )
  return Store.of({
    id,
    bounds: Effect.map(answer<readonly [Protocol.Seq, Protocol.Seq] | null>({ _tag: "Bounds" }), Option.fromNullable),
    members: answer<ReadonlyArray<MemberRow>>({ _tag: "Members" }),
    commit: (rows, members) => answer<void>({ _tag: "Commit", rows, members }),
    reseal: (rows, members) => answer<void>({ _tag: "Reseal", rows, members }),
    rows: (after, limit) => answer<ReadonlyArray<Row>>({ _tag: "Rows", after, limit }),
    drop: (last) => answer<void>({ _tag: "Drop", last })
  })
})

/** The database as a Store: what it holds is for SealedLog to read. */
export const layerStore = (options: StoreOptions): Layer.Layer<Store, LogError> =>
  Layer.scoped(Store, makeStore(options))

/** The log in the database `file`. */
export const layer = ({ keys, ...options }: Options): Layer.Layer<Log, LogError, Fernet> =>
  Layer.provide(SealedLog.layer({ keys, name: options.file }), layerStore(options))
