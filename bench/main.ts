/**
 * Fan-out beside others: our server, bare Node and servers that are installed here, each a process on a core of its own,
 * under the same load from a process on another core, which checks every byte of every delivery.
 *
 *     npm run bench
 *     npm run bench -- --quick
 *     npm run bench -- --only fanout
 */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as Effect from "effect/Effect"

const [, , ...args] = process.argv
// The load is this same program, and needs nothing of the rest.
const { run } = args[0] === "load" ? await import("./load/Generator.js") : await import("./Bench.js")
// However it ends, the servers end with it.
NodeRuntime.runMain(Effect.scoped(run(args)), { disablePrettyLogger: true })
