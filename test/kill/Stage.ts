/** The built command as a server and five clients who talk, and a hand that kills them at random moments. */
import * as Net from "node:net"
import { join } from "node:path"
import type { FileSystem } from "@effect/platform/FileSystem"
import type { Path } from "@effect/platform/Path"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as KeyFile from "../../src/domain/KeyFile.js"
import * as TransportTcp from "../../src/domain/TransportTcp.js"
import type { Dice } from "../simulation/Dice.js"
import * as Command from "../utils/Command.js"
import * as Disk from "./Disk.js"
import * as Plan from "./Plan.js"
import * as Program from "./Program.js"
import { Talker } from "./Talker.js"
import * as Written from "./Written.js"

/** No two of them look alike. */
const nicks = ["ada", "bob", "cleo", "dora", "emil"]

/** The file of the log. */
export const database = "chat.db"

/**
 * A port that is free, below those that a system gives to outgoing connections: while there is no server, one of these
 * may be the very port that a client dials, and it is connected to itself.
 */
const freePort = (dice: Dice) =>
  Effect.async<number>((resume) => {
    const tryNext = () => {
      const port = dice.whole(20_000, 32_000)
      const server = Net.createServer()
      server.once("error", tryNext)
      server.listen(port, "127.0.0.1", () => server.close(() => resume(Effect.succeed(port))))
    }
    tryNext()
  })

export interface Options {
  readonly dice: Dice
  /** Where all files are. */
  readonly cwd: string
  /** The script of the command. */
  readonly script: string
}

/** The programs, not yet started, and a key for them. */
export const make = Effect.fnUntraced(function* ({ cwd, dice, script }: Options) {
  const stateHome = join(cwd, "state")
  const own = { cwd, env: { XDG_STATE_HOME: stateHome } }
  const keygen = yield* Command.start(process.execPath, [script, "keygen"], own)
  yield* keygen.exit
  const [key] = yield* KeyFile.roomKeys(join(cwd, KeyFile.defaultPath))
  const port = yield* freePort(dice)
  const texts: Array<Written.Written> = []
  const problems: Array<string> = []
  const context = yield* Effect.context<FileSystem | Path>()
  const server = new Program.Program({
    cwd,
    // Whatever it says then is wrong: who comes and goes is not.
    env: { ...own.env, CHAT_LOG_LEVEL: "warning" },
    command: [script, "s", "--port", String(port), "--db", database],
    retry: () => 500
  })
  const talkers = nicks.map((nick) => {
    const address = TransportTcp.format({ host: TransportTcp.defaultAddress.host, port })
    const outbox = Disk.readOutbox({ stateHome, address, keys: [key], profile: nick }).pipe(
      Effect.catchAll(({ message }) => {
        problems.push(`the files of ${nick}, who was killed, cannot be read: ${message}`)
        return Effect.succeed<ReadonlySet<string>>(new Set())
      }),
      Effect.provide(context)
    )
    return new Talker(dice.fork(), { ...own, nick, script, port, outbox, texts })
  })
  return { key, server, talkers, texts, problems }
})

export type Stage = Effect.Effect.Success<ReturnType<typeof make>>

/** Waits until `ready` holds: it looks again and again, since nobody tells what another process does. */
const until = (ready: () => boolean): Effect.Effect<void> =>
  Effect.suspend(() => (ready() ? Effect.void : Effect.zipRight(Effect.sleep(50), until(ready))))

/** Says a text to a client, and another one in its next life, until one is shown; gives back its line. */
const sayForSure = Effect.fnUntraced(function* (talker: Talker) {
  for (;;) {
    const written = yield* talker.say()
    const life = written === undefined ? undefined : talker.program.lives[written.life]
    if (written === undefined || life === undefined) yield* Effect.sleep(50)
    else {
      const line = Written.line(written)
      yield* until(() => life.exit !== undefined || talker.hasShown(line))
      if (talker.hasShown(line)) return line
    }
  }
})

/** Kills, until there have been `kills`; `tell` hears how far it has come. */
export const kill = Effect.fnUntraced(function* (
  { server, talkers }: Stage,
  dice: Dice,
  kills: number,
  tell: (line: string) => Effect.Effect<void>
) {
  for (let done = 0; done < kills; ) {
    for (const { aim, delay, pause, victim } of Plan.round(dice, talkers.length)) {
      if (delay > 0) yield* Effect.sleep(delay)
      const talker = victim === "server" ? dice.pick(talkers) : talkers[victim]
      if (aim !== undefined && (yield* talker?.say() ?? Effect.void) !== undefined) yield* Effect.sleep(aim)
      const program = victim === "server" ? server : talker?.program
      if (program === undefined || done === kills || !(yield* program.kill(pause))) continue
      done += 1
      if (done % 50 === 0 && done < kills) yield* tell(`… ${done} kills`)
    }
  }
})

/** What happens, from the first start to the last end: all join and talk until `killing` is done, heal, and leave. */
export const play = Effect.fnUntraced(function* ({ server, talkers }: Stage, killing: Effect.Effect<void>) {
  const serving = yield* Effect.forkScoped(server.run)
  yield* until(() => server.life?.spoke !== undefined)
  const talking = yield* Effect.forEach(talkers, ({ program }) => Effect.forkScoped(program.run))
  yield* until(() => talkers.every((talker) => talker.hasShown(`-- ${talker.nick} joined`)))
  yield* Effect.raceFirst(
    killing,
    Effect.forEach(talkers, ({ talk }) => talk, { concurrency: "unbounded" })
  )
  // Whoever shows the last texts of all has shown everything before them.
  const last = yield* Effect.forEach(talkers, sayForSure, { concurrency: "unbounded" })
  yield* until(() => talkers.every((talker) => last.every((line) => talker.hasShown(line))))
  for (const { program } of talkers) program.end(({ child }) => child.stdin?.end())
  yield* Fiber.joinAll(talking)
  server.end(({ child }) => child.kill("SIGTERM"))
  yield* Fiber.join(serving)
}, Effect.scoped)
