/**
 * Fuzzes from the command line, on all processors.
 *
 *     --inputs N (1,050,000)   how many inputs, shared out among the targets
 *     --seed S (1)             the seed of each target's first input; the next has the next
 *     --target NAME            one target only
 */
import * as Os from "node:os"
import { parseArgs } from "node:util"
import * as V8 from "node:v8"
import * as Vm from "node:vm"
import { isMainThread, parentPort, Worker, workerData } from "node:worker_threads"
import * as Tally from "./Tally.js"
import * as Targets from "./Targets.js"

/** An input that takes longer, in milliseconds, will not end: its thread is stopped. */
const hang = 20_000

/** Inputs after which a target has filled its caches and been compiled: memory is measured from there on. */
const warmUp = 3_000

/** Bytes that may be held at the end beyond those at the beginning: a leak of any kind, over so many inputs, is more. */
const growth = 6 * 1024 * 1024

/** Findings of a target after which it is given up. */
const enough = 5

const print = (line: string) => process.stdout.write(`${line}\n`)

interface Work {
  readonly target: string
  readonly first: number
  readonly inputs: number
  /** Where the thread tells which input it tries. */
  readonly current: SharedArrayBuffer
}

interface Outcome {
  readonly tally: Tally.Tally
  /** Bytes held after the warm-up and at the end. */
  readonly before: number
  readonly after: number
}

const collector = () => {
  V8.setFlagsFromString("--expose-gc")
  const collect: () => void = Vm.runInNewContext("gc")
  return collect
}

/** Tries all inputs of a target in this thread. */
const work = ({ current, first, inputs, target: name }: Work): Outcome => {
  const target = Targets.all.find((each) => each.name === name)
  if (target === undefined) throw new RangeError(`no target is called ${name}`)
  const collect = collector()
  const held = () => {
    for (let times = 0; times < 3; times++) collect()
    const { arrayBuffers } = process.memoryUsage()
    return V8.getHeapStatistics().used_heap_size + arrayBuffers
  }
  const at = new Float64Array(current)
  const tally = Tally.of(target)
  let before = held()
  for (let seed = first; seed < first + inputs && tally.found.length < enough; seed++) {
    if (seed === first + Math.min(warmUp, Math.floor(inputs / 2))) before = held()
    at[0] = seed
    Tally.add(tally, target, seed)
  }
  return { tally, before, after: held() }
}

/** Has a thread do `work`, and stops it where an input does not end. */
const inThread = (work: Omit<Work, "current">): Promise<Outcome> =>
  new Promise((resolve, reject) => {
    const current = new SharedArrayBuffer(8)
    const at = new Float64Array(current)
    const worker = new Worker(new URL(import.meta.url), { workerData: { ...work, current } })
    let last = -1
    const watch = setInterval(() => {
      const seed = at[0] ?? 0
      if (seed === last && seed > 0) {
        const tally: Tally.Tally = {
          target: work.target,
          tried: seed - work.first + 1,
          accepted: 0,
          refused: new Map(),
          time: hang,
          slowest: hang,
          slowestSeed: seed,
          found: [{ target: work.target, seed, what: `it does not end within ${hang / 1_000} seconds` }]
        }
        resolve({ tally, before: 0, after: 0 })
        void worker.terminate()
      }
      last = seed
    }, hang)
    worker.on("message", resolve)
    worker.on("error", reject)
    worker.on("exit", () => clearInterval(watch))
  })

const mebibytes = (bytes: number) => `${(bytes / 1024 / 1024).toFixed(1)} MiB`

/** What a target came to; whether all is well. */
const report = ({ after, before, tally }: Outcome): boolean => {
  print(`${Tally.line(tally)}; heap ${mebibytes(before)} before, ${mebibytes(after)} after`)
  for (const found of tally.found) print(`FOUND ${found.what}\n  again: ${Tally.replay(found)}`)
  const hasGrown = tally.tried > 2 * warmUp && after - before > growth
  if (hasGrown) print(`FOUND ${tally.target}: ${mebibytes(after - before)} more are held at the end`)
  return tally.found.length === 0 && !hasGrown
}

const run = async (first: number, inputs: number, only: string | undefined): Promise<boolean> => {
  const targets = Targets.all.filter(({ name }) => only === undefined || name === only)
  if (targets.length === 0) {
    print(`no target is called ${only}; there are: ${Targets.all.map(({ name }) => name).join("; ")}`)
    return false
  }
  const began = process.hrtime.bigint()
  const shares = targets.reduce((sum, { share }) => sum + share, 0)
  const waiting = targets.map(({ name, share }) => ({
    target: name,
    first,
    inputs: Math.ceil((inputs * share) / shares)
  }))
  let isRight = true
  const total = { tried: 0, accepted: 0, refused: new Map<string, number>() }
  const lane = async () => {
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
      const outcome = await inThread(next)
      isRight = report(outcome) && isRight
      total.tried += outcome.tally.tried
      total.accepted += outcome.tally.accepted
      for (const [reason, count] of outcome.tally.refused) {
        total.refused.set(reason, (total.refused.get(reason) ?? 0) + count)
      }
    }
  }
  await Promise.all(Array.from({ length: Math.min(Os.availableParallelism(), targets.length) }, lane))
  const reasons = [...total.refused].sort((a, b) => b[1] - a[1]).map(([reason, count]) => `${reason} ${count}`)
  print(`in all: ${total.tried} tried, ${total.accepted} accepted, refused: ${reasons.join(", ")}`)
  print(
    `in ${(Number(process.hrtime.bigint() - began) / 1e9).toFixed(0)} seconds; ${isRight ? "nothing" : "SOMETHING"} found`
  )
  return isRight
}

if (isMainThread) {
  const { values } = parseArgs({
    options: {
      inputs: { type: "string", default: "1050000" },
      seed: { type: "string", default: "1" },
      target: { type: "string" }
    }
  })
  process.exitCode = (await run(Number(values.seed), Number(values.inputs), values.target)) ? 0 : 1
} else {
  parentPort?.postMessage(work(workerData))
}
