/** Servers that come from the system's packages: whether they are there, and how they are started. */
import { spawnSync } from "node:child_process"
import { writeFileSync } from "node:fs"
import { join, resolve } from "node:path"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schedule from "effect/Schedule"
import type * as Scope from "effect/Scope"
import * as Directory from "../utils/Directory.js"
import * as FreePort from "../utils/FreePort.js"
import * as Process from "../utils/Process.js"
import * as Lines from "./Lines.js"
import type { Server } from "./Peer.js"

/** Servers are often where only the superuser's shell looks. */
const env = { PATH: `${process.env.PATH}:/usr/sbin:/usr/local/sbin` }

/** The first version that a command tells, or none where it cannot be run. */
export const version = (command: string, ...args: ReadonlyArray<string>): Effect.Effect<Option.Option<string>> =>
  Effect.sync(() => {
    const { status, stdout } = spawnSync(command, args, { encoding: "utf8", env: { ...process.env, ...env } })
    return status === 0 ? Option.fromNullable(/\d+(\.\d+)+/.exec(stdout)?.[0]) : Option.none()
  })

export interface Options {
  readonly command: string
  /** Its arguments; `file` is the path of its configuration. */
  readonly args: (file: string) => ReadonlyArray<string>
  readonly configuration: (port: number) => string
}

/** Starts one on a free port, for the life of the Scope; done when it listens there. */
export const start = ({ args, command, configuration }: Options): Effect.Effect<Server, never, Scope.Scope> =>
  Effect.gen(function* () {
    const port = yield* FreePort.find
    const file = resolve(join(yield* Directory.temporary, "server.conf"))
    yield* Effect.sync(() => writeFileSync(file, configuration(port)))
    const server = yield* Process.start(Process.serverCore, command, args(file), { env, quiet: true })
    server.stdout?.resume()
    yield* Effect.scoped(Lines.dial(port)).pipe(
      Effect.retry({ schedule: Schedule.spaced("20 millis"), times: 250, while: () => server.exitCode === null })
    )
    return { pid: server.pid, port }
  }).pipe(
    // Another may have taken the port: then it is started again, on another one.
    Effect.retry({ times: 2 }),
    Effect.orDie
  )
