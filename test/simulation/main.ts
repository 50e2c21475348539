/**
 * Runs seeds from the command line, on all processors.
 *
 *     --seeds N [--from S] [--all]   N seeds from S (1) on; unless all are wanted, it stops at the first violation
 *     --seed N                       one seed, told line by line
 */
import * as Os from "node:os"
import { parseArgs } from "node:util"
import { isMainThread, parentPort, Worker, workerData } from "node:worker_threads"
import * as Run from "./Run.js"
import * as Tally from "./Tally.js"

/**
 * Seeds that a thread runs before another takes its place: Effect keeps every fiber that was never finished, as those of
 * a process that was killed are, and only the end of the thread frees them.
 */
const seedsAtOnce = 25

const print = (line: string) => process.stdout.write(`${line}\n`)

/** Runs the seeds from `first` to `last`, and tells of each. */
const runSome = (first: number, last: number) => {
  for (let seed = first; seed <= last; seed++) parentPort?.postMessage(Tally.of(Run.run({ seed })))
}

/** Runs one seed, and prints all that happens in it. */
const runOne = (seed: number) => {
  const tally = Tally.of(Run.run({ seed, listen: print }))
  for (const line of Tally.report(tally)) print(line)
  for (const line of Tally.summary(tally)) print(line)
  return tally.failures.length === 0
}

/** Runs `count` seeds from `from` on in as many threads as there are processors. */
const runMany = async (from: number, count: number, all: boolean) => {
  const end = from + count
  const began = process.hrtime.bigint()
  let next = from
  let total = Tally.none
  const isOver = () => next >= end || (total.failures.length > 0 && !all)
  const hear = (tally: Tally.Tally) => {
    for (const line of Tally.report(tally)) print(line)
    total = Tally.add(total, tally)
    if (total.runs % 100 === 0) print(`… ${total.runs} runs`)
  }
  const turn = (first: number, last: number) =>
    new Promise<void>((resolve, reject) => {
      const worker = new Worker(new URL(import.meta.url), { workerData: { first, last } })
      worker.on("message", hear)
      worker.on("error", reject)
      worker.on("exit", () => resolve())
    })
  const lane = async () => {
    while (!isOver()) {
      const first = next
      next = Math.min(first + seedsAtOnce, end)
      await turn(first, next - 1)
    }
  }
  await Promise.all(Array.from({ length: Os.availableParallelism() }, lane))
  for (const line of Tally.summary(total)) print(line)
  print(`in ${(Number(process.hrtime.bigint() - began) / 60e9).toFixed(1)} minutes`)
  return total.failures.length === 0
}

if (isMainThread) {
  const { values } = parseArgs({
    options: {
      seeds: { type: "string", default: "100" },
      from: { type: "string", default: "1" },
      all: { type: "boolean", default: false },
      seed: { type: "string" }
    }
  })
  const isRight =
    values.seed === undefined
      ? await runMany(Number(values.from), Number(values.seeds), values.all)
      : runOne(Number(values.seed))
  process.exitCode = isRight ? 0 : 1
} else {
  runSome(workerData.first, workerData.last)
}
