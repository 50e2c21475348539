/** Servers that run on Node, ours among them: all are started alike. */
import { once } from "node:events"
import { createInterface } from "node:readline"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { Server } from "../peers/Peer.js"
import * as Process from "./Process.js"

/** Lets {@link collect} ask for it. */
const flags = ["--expose-gc", "--import", "./bench/utils/collect.mjs"]

/** Starts a script on the servers' core, for the life of the Scope; done when it has printed its port, which `port` finds. */
export const start = (
  args: ReadonlyArray<string>,
  port: (line: string) => string | undefined,
  options: Pick<Process.Options, "env" | "errors"> = {}
): Effect.Effect<Server, never, Scope.Scope> =>
  Effect.gen(function* () {
    const child = yield* Process.start(Process.serverCore, process.execPath, [...flags, ...args], options)
    const { stdout } = child
    if (stdout === null) return yield* Effect.dieMessage("its standard output is not there to be read")
    return yield* Effect.promise(async () => {
      const lines = createInterface({ input: stdout })
      // What it prints first tells it.
      const [line] = await once(lines, "line")
      stdout.resume()
      return { pid: child.pid, port: Number(port(String(line))) }
    })
  })

/** Has a server that was started here let go of its garbage. */
export const collect = ({ pid }: Server): Effect.Effect<void> => Effect.sync(() => void process.kill(pid, "SIGUSR2"))
