/**
 * Has hundreds of members come, talk and go in every way there is, and looks whether the server is back where it was when
 * all are gone.
 *
 *     --members N     how many (500)
 *     --minutes M     how long, the warm-up included (3)
 *     --seed S        the same acts again; when each is done is also up to the machine
 *     --leak WHAT     a server that leaks with each connection, to see it found: timer, fiber, descriptor, listener or
 *                     memory, or several, a comma between them
 */
import { parseArgs } from "node:util"
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as Cause from "effect/Cause"
import * as Console from "effect/Console"
import * as Data from "effect/Data"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import * as Random from "effect/Random"
import * as Schema from "effect/Schema"
import * as Fernet from "../../src/domain/Fernet.js"
import { Leak } from "./Leak.js"

const Leaks = Schema.Array(Leak)

/** Findings that a run shows; the first ones tell enough. */
const shown = 20

/** The server is not back where it was, and that has been told. */
class Failed extends Data.TaggedError("Failed") {}

const usage = () => {
  process.stderr.write("usage: npm run soak -- [--members N] [--minutes M] [--seed S] [--leak WHAT[,WHAT]...]\n")
  return process.exit(2)
}

const some = (lines: ReadonlyArray<string>): ReadonlyArray<string> =>
  lines.length > shown ? [...lines.slice(0, shown), `and ${lines.length - shown} more`] : lines

const counted = (counts: ReadonlyMap<string, number>): ReadonlyArray<string> =>
  Array.from(counts)
    .sort(([one], [other]) => (one < other ? -1 : 1))
    .map(([what, times]) => `${String(times).padStart(7)}  ${what}`)

const soak = Effect.gen(function* () {
  const { values } = parseArgs({
    options: {
      members: { type: "string", default: "500" },
      minutes: { type: "string", default: "3" },
      seed: { type: "string" },
      leak: { type: "string" }
    }
  })
  const members = Number(values.members)
  const seconds = Number(values.minutes) * 60
  const seed = Number(values.seed ?? (yield* Random.nextIntBetween(1, 1_000_000)))
  const leaks = Schema.decodeUnknownOption(Leaks)(values.leak?.split(",") ?? [])
  const areNumbers = Number.isSafeInteger(members) && Number.isSafeInteger(seed) && seed >= 0
  if (!areNumbers || members < 1 || !(seconds > 0) || Option.isNone(leaks)) return usage()

  const Run = yield* Effect.promise(() => import("./Run.js"))
  const Verdict = yield* Effect.promise(() => import("./Verdict.js"))
  yield* Console.log(`seed ${seed}: a server and ${members} members for ${seconds} s, a third of it to warm up`)
  const [time, { acts, findings, outcomes, rows }] = yield* Effect.timed(
    Run.run({ members, seconds, seed, leaks: leaks.value, tell: Console.log })
  )
  yield* Console.log(
    [
      ...counted(acts),
      "",
      ...counted(outcomes),
      "",
      ...some(findings.violations.map(({ detail, rule }) => `found (${rule}): ${detail}`)),
      ...some(findings.complaints.map((complaint) => `the server complains: ${complaint}`)),
      "",
      Verdict.table(rows),
      `${Array.from(acts.values()).reduce((sum, times) => sum + times, 0)} acts in ${Math.round(Duration.toSeconds(time))} s, seed ${seed}: ` +
        (Verdict.isAllRight(rows) ? "all is well" : "NOT ALL IS WELL")
    ].join("\n")
  )
  if (!Verdict.isAllRight(rows)) return yield* new Failed()
})

const [, , role, ...args] = process.argv

/** What this program is when it is started again: the server, which loads nothing else. */
const server = Effect.gen(function* () {
  const Host = yield* Effect.promise(() => import("./Host.js"))
  const [file = "", ...leaks] = args
  return yield* Host.run({ file, leaks: yield* Schema.decodeUnknown(Leaks)(leaks) })
})

/** An interrupted run has shown nothing. */
const exitCode = (exit: Exit.Exit<unknown, unknown>): number =>
  Exit.isSuccess(exit) ? 0 : Cause.isInterruptedOnly(exit.cause) ? 130 : 1

const main: Effect.Effect<void, unknown, Fernet.Fernet> = role === "server" ? server : soak

main.pipe(
  Effect.tapErrorCause((cause) =>
    Option.exists(Cause.failureOption(cause), (error) => error instanceof Failed)
      ? Effect.void
      : Console.error(Cause.pretty(cause))
  ),
  Effect.provide(Fernet.layer),
  NodeRuntime.runMain({
    disableErrorReporting: true,
    disablePrettyLogger: true,
    teardown: (exit, onExit) => onExit(exitCode(exit))
  })
)
