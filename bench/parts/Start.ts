/**
 * How long the command takes to start, as a multiple of what a bare `node -e 0` takes: all of them in turn, in one run,
 * medians. It measures dist/bin/chat.js.
 */
import { type ChildProcess, spawn } from "node:child_process"
import { resolve } from "node:path"
import { performance } from "node:perf_hooks"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as Directory from "../utils/Directory.js"
import { median } from "../utils/Statistics.js"
import * as Table from "../utils/Table.js"
import type { Part } from "./Part.js"

const command = resolve("dist/bin/chat.js")

const rounds = 9

/** How long a start may take before it counts as failed. */
const patience = "20 seconds"

/** What is measured. */
interface Start {
  readonly name: string
  /** Times (ms), one a round. */
  readonly times: ReadonlyArray<number>
  /** The median as a multiple of that of `node -e 0`. */
  readonly ratio: number
  /** What the ratio has to stay below; none where there is nothing to promise. */
  readonly limit: number | undefined
}

interface Running {
  readonly child: ChildProcess
  /** Waits for output that `pattern` matches: when (ms since the start of the process) it came, and what matched. */
  readonly shows: (pattern: RegExp) => Effect.Effect<{ readonly time: number; readonly found: RegExpExecArray }>
  /** Waits for the end: when it came, since the start. */
  readonly ended: Effect.Effect<number>
}

/** Starts node with `args`. Standard input stays open; at the end of the Scope the process is told to end, and does. */
const start = (cwd: string, args: ReadonlyArray<string>): Effect.Effect<Running, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.sync((): Running => {
      const at = performance.now()
      const child = spawn(process.execPath, args, {
        cwd,
        // What servers say of those who come and go is of no interest here, nor that they share an operator's socket.
        env: { ...process.env, XDG_STATE_HOME: resolve(cwd, "state"), CHAT_LOG_LEVEL: "error" },
        stdio: ["pipe", "pipe", "inherit"]
      })
      let output = ""
      let changed = () => {}
      let end: number | undefined
      child.stdout?.on("data", (bytes) => {
        output += bytes
        changed()
      })
      child.on("exit", () => {
        end = performance.now() - at
        changed()
      })
      const until = <A>(look: () => A | undefined): Effect.Effect<A> =>
        Effect.async<A>((resume) => {
          changed = () => {
            const found = look()
            if (found !== undefined) resume(Effect.succeed(found))
          }
          changed()
        }).pipe(Effect.timeout(patience), Effect.orDie)
      return {
        child,
        shows: (pattern) =>
          until(() => {
            const found = pattern.exec(output)
            return found === null ? undefined : { time: performance.now() - at, found }
          }),
        ended: until(() => end)
      }
    }),
    ({ child, ended }) =>
      Effect.zipRight(
        Effect.sync(() => child.kill("SIGTERM")),
        ended
      )
  )

/** Starts the command, or bare node, `rounds` times each. */
const measure = (rounds: number): Effect.Effect<ReadonlyArray<Start>, never, Scope.Scope> =>
  Effect.gen(function* () {
    const cwd = resolve(yield* Directory.temporary)
    const serve = (...args: ReadonlyArray<string>) => start(cwd, [command, "s", "--port", "0", ...args])
    const listening = (server: Running) => server.shows(/serving on \S+:(\d+)/)
    const server = yield* serve()
    const [, port = ""] = (yield* listening(server)).found
    const untilEnd = (...args: ReadonlyArray<string>) => Effect.flatMap(start(cwd, args), ({ ended }) => ended)

    const timed = [
      { name: "node -e 0", limit: undefined, run: () => untilEnd("-e", "0") },
      { name: "chat --help", limit: 2.2, run: () => untilEnd(command, "--help") },
      {
        name: "chat c to its first event",
        limit: 3,
        run: (round: number) =>
          Effect.flatMap(start(cwd, [command, "c", "--port", port, "--nick", `nick-${round}`]), (client) =>
            Effect.map(client.shows(/\n/), ({ time }) => time)
          )
      },
      {
        name: "chat s to its listening line",
        limit: undefined,
        run: () => Effect.map(Effect.flatMap(serve("--db", "other.db"), listening), ({ time }) => time)
      }
    ].map((each) => ({ ...each, times: [] as number[] }))

    // The first round finds nothing in the system's caches, and a database that is yet to be made.
    for (let round = 0; round <= rounds; round++) {
      for (const { run, times } of timed) {
        const time = yield* Effect.scoped(run(round))
        if (round > 0) times.push(time)
      }
    }
    const bare = median(timed[0]?.times ?? [])
    return timed.map(({ limit, name, times }) => ({ name, times, limit, ratio: median(times) / bare }))
  })

export const part: Part = {
  scenarios: ["start"],
  run: () =>
    Effect.gen(function* () {
      const starts = yield* measure(rounds)
      yield* Console.log(
        Table.render(
          `the start of the command, beside node -e 0: medians of ${rounds}`,
          ["", "ms", "times node -e 0"],
          starts.map(({ name, ratio, times }) => [name, median(times).toFixed(0), ratio.toFixed(2)])
        )
      )
      const claims = starts.flatMap(({ limit, name, ratio }) =>
        limit === undefined
          ? []
          : [
              {
                isMet: ratio <= limit,
                text: `start: ${name} takes ${ratio.toFixed(2)} times node -e 0 (at most ${limit})`
              }
            ]
      )
      return { rows: [], claims, failures: [] }
    }).pipe(Effect.scoped)
}
