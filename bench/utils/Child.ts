/**
 * Parts of a benchmark that are processes of their own, so that they share no event loop: this very program, started in
 * another role.
 */
import { type ChildProcess, fork } from "node:child_process"
import { fileURLToPath } from "node:url"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Queue from "effect/Queue"
import type * as Scope from "effect/Scope"
import * as Process from "./Process.js"

/** How long a child may take to end once it is told to. */
const endTime = "5 seconds"

export interface Child<Request, Report> {
  readonly send: (request: Request) => Effect.Effect<void>
  /** The next thing it reports. Its end, which nobody asked for, is a defect. */
  readonly report: Effect.Effect<Report>
}

/** The same as {@link start}, on a core of its own where processes can be pinned to one. */
export const startOn = <Request, Report>(
  core: number | undefined,
  script: string,
  role: string,
  ...args: ReadonlyArray<string>
): Effect.Effect<Child<Request, Report>, never, Scope.Scope> =>
  Effect.gen(function* () {
    const reports = yield* Queue.unbounded<Report>()
    const ended = yield* Deferred.make<void>()
    const child: ChildProcess = yield* Effect.acquireRelease(
      Effect.sync(() =>
        fork(fileURLToPath(script), [role, ...args], core === undefined ? {} : Process.pinned(core))
          // The cast, here and below: what goes between is JSON, and both ends are of one build.
          .on("message", (message) => Queue.unsafeOffer(reports, message as Report))
          .on("exit", () => Deferred.unsafeDone(ended, Effect.void))
      ),
      (started) =>
        Effect.sync(() => started.connected && started.disconnect()).pipe(
          Effect.zipRight(Deferred.await(ended)),
          Effect.interruptible,
          Effect.timeoutOption(endTime),
          Effect.zipRight(Effect.sync(() => started.kill("SIGKILL")))
        )
    )
    return {
      send: (request) => Effect.sync(() => void child.send(request as object)),
      report: Effect.raceFirst(
        Queue.take(reports),
        Effect.zipRight(Deferred.await(ended), Effect.dieMessage(`the process in role ${role} has ended`))
      )
    }
  })

/** Starts the program `script` (a URL of the build) in a role, for the life of the Scope. */
export const start = <Request, Report>(
  script: string,
  role: string,
  ...args: ReadonlyArray<string>
): Effect.Effect<Child<Request, Report>, never, Scope.Scope> => startOn(undefined, script, role, ...args)

/** The other end of it, in the child. */
export const parent = <Request, Report>(): Effect.Effect<{
  readonly requests: Queue.Dequeue<Request>
  readonly report: (report: Report) => Effect.Effect<void>
  /** Waits until the parent wants no more, or is no more. */
  readonly gone: Effect.Effect<void>
}> =>
  Effect.gen(function* () {
    const requests = yield* Queue.unbounded<Request>()
    const gone = yield* Deferred.make<void>()
    process.on("message", (message) => Queue.unsafeOffer(requests, message as Request))
    process.on("disconnect", () => Deferred.unsafeDone(gone, Effect.void))
    // It may have gone before anybody listened.
    if (!process.connected) yield* Deferred.succeed(gone, undefined)
    return {
      requests,
      report: (report) => Effect.sync(() => void process.send?.(report)),
      gone: Deferred.await(gone)
    }
  })
