/**
 * What it costs to tell everybody, beside others: our server, bare Node and servers that are installed here, each a process on a core of its own,
 * under the same load from a process on another core, which checks every byte of every delivery.
 *
 *     npm run bench
 *     npm run bench -- --quick
 *     npm run bench -- --only fanout
 */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as Effect from "effect/Effect"
import * as Fernet from "../src/domain/Fernet.js"

const [, , ...args] = process.argv

/** What this program is when it is started again as a process of its own: the load, which needs nothing of the rest. */
const program = async () => {
  const role = args[0]
  if (role === "load") return (await import("./load/Generator.js")).run()
  if (role === "strangers") return (await import("./load/Strangers.js")).run
  if (role === "holders") return (await import("./load/Holders.js")).run
  if (role === "newcomers") return (await import("./utils/Newcomers.js")).run
  if (role === "talking") return (await import("./utils/Talking.js")).run
  return (await import("./Bench.js")).run(args)
}

// However it ends, the servers end with it.
NodeRuntime.runMain(Effect.promise(program).pipe(Effect.flatten, Effect.scoped, Effect.provide(Fernet.layer)), {
  disablePrettyLogger: true
})
