/**
 * The entry of the thread that keeps a log in a database (see LogSql): libsql's calls are synchronous, and would block
 * the server's event loop for as long as the disk takes to sync. With src/cli the only source that knows platform-node.
 */
import * as WorkerThreads from "node:worker_threads"
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import type { LogError } from "./Log.js"
import * as SqlStore from "./SqlStore.js"
import type { Store } from "./Store.js"
import type { Answer, Request, Start } from "./StoreThread.js"

const port = WorkerThreads.parentPort
if (port === null) throw new Error("this is the entry of a thread, and no program")
// Whoever starts it (LogSql) sees to it.
const start = WorkerThreads.workerData as Start

/** A failure is an answer; a defect ends the thread. */
const answer = (exit: Exit.Exit<unknown, LogError>): Answer =>
  Exit.match(exit, {
    onSuccess: (value): Answer => ({ _tag: "Success", value }),
    onFailure: (cause): Answer => {
      const { message, reason } = Option.getOrThrowWith(Cause.failureOption(cause), () => Cause.squash(cause))
      return { _tag: "Failure", error: { reason, message } }
    }
  })

const operation = (store: Store["Type"], request: Exclude<Request, { _tag: "Close" }>) => {
  switch (request._tag) {
    case "Bounds":
      return Effect.map(store.bounds, Option.getOrNull)
    case "Members":
      return store.members
    case "Commit":
      return store.commit(request.rows, request.members)
    case "Reseal":
      return store.reseal(request.rows, request.members)
    case "Rows":
      return store.rows(request.after, request.limit)
    case "Drop":
      return store.drop(request.last)
  }
}

const program = Effect.gen(function* () {
  const opened = yield* Effect.exit(SqlStore.make(start))
  port.postMessage(answer(Exit.map(opened, ({ id }) => id)))
  if (Exit.isFailure(opened)) return
  yield* Effect.async<void>((resume) => {
    port.on("message", (request: Request) => {
      if (request._tag === "Close") resume(Effect.void)
      // Nothing in it waits: one request is done before the next is looked at.
      else port.postMessage(answer(Effect.runSyncExit(operation(opened.value, request))))
    })
  })
})

// A rejection ends the thread, and the server is told.
void Effect.runPromise(program.pipe(Effect.scoped, Effect.provide(NodeFileSystem.layer))).then(() => port.close())
