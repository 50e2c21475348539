/** Servers under measurement: processes on a core of their own, and what the system says they have used. */
import { type ChildProcess, spawn } from "node:child_process"
import { closeSync, existsSync, openSync, readdirSync, readFileSync } from "node:fs"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"

/** How long a process may take to end once it is told to. */
const endTime = "5 seconds"

/** The core that servers have to themselves; everything else of a benchmark is on the other one. */
export const serverCore = 0
export const loadCore = 1

const taskset = "/usr/bin/taskset"

/** Whether processes can be pinned to a core here. */
export const canPin = existsSync(taskset)

/** How to fork a process on `core`: taskset becomes node, so that the process id is node's own. */
export const pinned = (core: number) =>
  canPin ? { execPath: taskset, execArgv: ["-c", String(core), process.execPath, ...process.execArgv] } : {}

export interface Options {
  readonly env?: NodeJS.ProcessEnv
  /** Whether its standard error is thrown away as well. */
  readonly quiet?: boolean
  /** The file that its standard error goes to. */
  readonly errors?: string
}

/** Starts a command on `core`, for the life of the Scope. What it writes is thrown away, but for standard error. */
export const start = (
  core: number,
  command: string,
  args: ReadonlyArray<string>,
  options: Options = {}
): Effect.Effect<ChildProcess & { readonly pid: number }, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.async<{ readonly child: ChildProcess & { readonly pid: number }; readonly ended: Deferred.Deferred<void> }>(
      (resume) => {
        const [program, rest] = canPin ? [taskset, ["-c", String(core), command, ...args]] : [command, args]
        const errors = options.errors === undefined ? undefined : openSync(options.errors, "a")
        // taskset becomes the command, so that the process id is the command's own.
        const child = spawn(program, rest, {
          env: { ...process.env, ...options.env },
          stdio: ["ignore", "pipe", errors ?? (options.quiet === true ? "ignore" : "inherit")]
        })
        if (errors !== undefined) closeSync(errors)
        const ended = Effect.runSync(Deferred.make<void>())
        child.once("exit", () => Deferred.unsafeDone(ended, Effect.void))
        child.once("error", (error) => resume(Effect.die(error)))
        child.once("spawn", () => {
          const { pid } = child
          if (pid !== undefined) resume(Effect.succeed({ child: Object.assign(child, { pid }), ended }))
        })
      }
    ),
    ({ child, ended }) =>
      Effect.sync(() => child.kill("SIGTERM")).pipe(
        Effect.zipRight(Deferred.await(ended)),
        Effect.interruptible,
        Effect.timeoutOption(endTime),
        Effect.zipRight(Effect.sync(() => child.kill("SIGKILL")))
      )
  ).pipe(Effect.map(({ child }) => child))

/** CPU time (µs) that all threads of a process have had: user and system, to the nanosecond, from Linux's scheduler. */
export const cpu = (pid: number): number => {
  let nanos = 0
  for (const task of readdirSync(`/proc/${pid}/task`)) {
    nanos += Number(readFileSync(`/proc/${pid}/task/${task}/schedstat`, "utf8").split(" ", 1)[0])
  }
  return nanos / 1000
}

/** Memory (KiB) of a process that is in RAM and nobody else's. */
export const memory = (pid: number): number => {
  const found = /^Private_Dirty:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, "utf8"))
  return Number(found?.[1])
}

/** What a process holds of the system. */
export interface Footprint {
  /** Memory (KiB) that is in RAM, shared or not. */
  readonly rss: number
  /** Open files, sockets among them. */
  readonly files: number
}

/** What a process holds at this moment. */
export const footprint = (pid: number): Footprint => {
  const found = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))
  return { rss: Number(found?.[1]), files: readdirSync(`/proc/${pid}/fd`).length }
}
