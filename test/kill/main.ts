/**
 * Kills the built command at random moments, and judges what is left.
 *
 *     --kills N   that many in all (200)
 *     --seed N    the same plan again; what comes of it is also up to the machine
 */
import { parseArgs } from "node:util"
import * as NodeContext from "@effect/platform-node/NodeContext"
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as Cause from "effect/Cause"
import * as Console from "effect/Console"
import * as Data from "effect/Data"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import * as Random from "effect/Random"
import type { Rule } from "../simulation/Checker.js"
import * as Run from "./Run.js"

const { values } = parseArgs({
  options: { kills: { type: "string", default: "200" }, seed: { type: "string" } }
})
const kills = Number(values.kills)
if (![kills, Number(values.seed ?? 0)].every((value) => Number.isSafeInteger(value) && value >= 0)) {
  process.stderr.write("usage: node scripts/run.mjs test/kill/main.ts [--kills N] [--seed N]\n")
  process.exit(2)
}

/** Violations that a run shows; the first ones tell enough. */
const shown = 20

/** What breaks the promise: texts are lost, to the log or to a reader, doubled, or out of order. */
const rules: Record<"lost" | "doubled" | "disordered", ReadonlyArray<Rule>> = {
  lost: ["lost", "forgotten", "skipped", "missing", "behind"],
  doubled: ["doubled"],
  disordered: ["order", "numbers", "shown"]
}

const report = Effect.fnUntraced(function* (result: Run.Result, seed: number) {
  const { again, directory, duration, kills, restarts, violations } = result
  const count = (kind: keyof typeof rules) => violations.filter(({ rule }) => rules[kind].includes(rule)).length
  yield* Console.log(
    [
      `killed: the server ${kills.server} times, clients ${kills.clients} times`,
      `started again: the server ${restarts.server} times, clients ${restarts.clients} times, ` +
        `${result.unserved} of them in vain without a server`,
      `texts: ${result.written} written, ${result.acknowledged} acknowledged, ${result.logged} in the log`,
      `  ${result.survived} there because a killed client had kept them in its files`,
      `  ${result.unkept} never acknowledged, and gone with a killed client that had not kept them yet`,
      `  ${result.unread} written to a client that found no server, and not read`,
      `shown twice, by a client and by its next start: ${again} events`,
      ...violations.slice(0, shown).map(({ detail, rule }) => `violation (${rule}): ${detail}`),
      ...(violations.length > shown ? [`and ${violations.length - shown} violations more`] : []),
      ...(directory === undefined ? [] : [`all files are in ${directory}`]),
      `${kills.server + kills.clients} kills: ${count("lost")} acknowledged texts lost, ${count("doubled")} doubled, ` +
        `${count("disordered")} out of order (${Math.round(Duration.toSeconds(duration))} s, seed ${seed})`
    ].join("\n")
  )
})

/** A run has broken a promise, and has been reported. */
class Violated extends Data.TaggedError("Violated") {}

const main = Effect.gen(function* () {
  const seed = Number(values.seed ?? (yield* Random.nextIntBetween(1, 1_000_000)))
  const limit = Duration.seconds(60 + kills * 1.2)
  yield* Console.log(`seed ${seed}: a server and five clients, ${kills} kills, ${Duration.format(limit)} at most`)
  const result = yield* Run.run({ kills, seed, limit, tell: Console.log })
  yield* report(result, seed)
  if (result.violations.length > 0) return yield* new Violated()
})

/** An interrupted run has shown nothing. */
const exitCode = (exit: Exit.Exit<unknown, unknown>): number =>
  Exit.isSuccess(exit) ? 0 : Cause.isInterruptedOnly(exit.cause) ? 130 : 1

main.pipe(
  Effect.tapErrorCause((cause) =>
    Option.exists(Cause.failureOption(cause), (error) => error instanceof Violated)
      ? Effect.void
      : Console.error(Cause.pretty(cause))
  ),
  Effect.provide(NodeContext.layer),
  NodeRuntime.runMain({ disableErrorReporting: true, teardown: (exit, onExit) => onExit(exitCode(exit)) })
)
