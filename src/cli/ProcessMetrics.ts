/** What the process itself costs, as metrics beside those of the server. Looked at once a second, while anybody wants it. */
import { monitorEventLoopDelay, performance } from "node:perf_hooks"
import * as V8 from "node:v8"
import * as Effect from "effect/Effect"
import packageJson from "../../package.json" with { type: "json" }
import * as Instrument from "../server/Instrument.js"

const lookTime = "1 second"

/** How often (ms) the delay is looked at. What is measured is the time between two looks, so that this is in it. */
const resolution = 10

const memory = Instrument.gauge("process_resident_memory_bytes", "By", "Memory that the process has in RAM.")
const heap = Instrument.gauge("nodejs_heap_size_used_bytes", "By", "JavaScript's heap in use.")
const cpu = Instrument.counter("process_cpu_seconds_total", "s", "CPU time of the process, user and system.")
const start = Instrument.gauge("process_start_time_seconds", "s", "When the process started, since 1970.")
const delay = Instrument.histogram(
  "nodejs_eventloop_delay_seconds",
  "s",
  "The longest delay of the event loop in each second.",
  [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5]
)
const build = Instrument.gauge("chat_build_info", "{process}", "1, with the versions of the server and of Node.", {
  version: packageJson.version,
  node: process.versions.node
})

/** Measures for the life of the Scope. */
export const measure = Effect.gen(function* () {
  const monitor = yield* Effect.acquireRelease(
    Effect.sync(() => monitorEventLoopDelay({ resolution })),
    (started) => Effect.sync(() => started.disable())
  )
  monitor.enable()
  Instrument.update(build, 1)
  Instrument.update(start, performance.timeOrigin / 1_000)
  delay.register()
  let spent = 0
  const look = Effect.sync(() => {
    Instrument.update(memory, process.memoryUsage.rss())
    Instrument.update(heap, V8.getHeapStatistics().used_heap_size)
    const { system, user } = process.cpuUsage()
    Instrument.update(cpu, (system + user - spent) / 1e6)
    spent = system + user
    // A second in which it was never looked at has been one long delay, which the next look tells.
    if (monitor.count === 0) return
    Instrument.update(delay, Math.max(monitor.max / 1e6 - resolution, 0) / 1_000)
    monitor.reset()
  })
  yield* look
  yield* Effect.sleep(lookTime).pipe(Effect.zipRight(look), Effect.forever, Effect.forkScoped)
})
