/** A run: what happens on the stage, what is left of it on the disk, and what the judge says. */
import { cp, mkdtemp, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { pathToFileURL } from "node:url"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { Dice } from "../simulation/Dice.js"
import * as Command from "../utils/Command.js"
import * as Disk from "./Disk.js"
import * as Judge from "./Judge.js"
import type * as Program from "./Program.js"
import * as Stage from "./Stage.js"

export interface Options {
  readonly kills: number
  /** Of the plan and of what is said: what comes of it is also up to the machine. */
  readonly seed: number
  /** How long it may take in all. */
  readonly limit: Duration.DurationInput
  /** Hears how far it has come. */
  readonly tell?: (line: string) => Effect.Effect<void>
}

export interface Result extends Judge.Judgement {
  readonly kills: { readonly server: number; readonly clients: number }
  /** Starts after the first. */
  readonly restarts: { readonly server: number; readonly clients: number }
  /** Starts of clients that found no server, or lost it before they were let in, and ended by themselves. */
  readonly unserved: number
  readonly written: number
  readonly duration: Duration.Duration
  /** Where all files of a run with violations are. */
  readonly directory: string | undefined
}

/** A new directory whose path begins so; it goes with the Scope, unless it is to be kept. */
const temporary = (prefix: string, isKept: () => boolean = () => false) =>
  Effect.acquireRelease(
    Effect.promise(() => mkdtemp(prefix)),
    (path) => (isKept() ? Effect.void : Effect.promise(() => rm(path, { recursive: true })))
  )

const remains = ({ exit, running }: Program.Life): Judge.Remains => ({
  stdout: running.stdout(),
  stderr: running.stderr(),
  exit
})

/** Whether a server listened from the beginning of a life to its end. */
const wasServed = (server: Program.Program, { since, until = Number.POSITIVE_INFINITY }: Program.Life): boolean =>
  server.lives.some(
    ({ killed = Number.POSITIVE_INFINITY, spoke = Number.POSITIVE_INFINITY }) => spoke <= since && killed >= until
  )

const observe = ({ problems, server, talkers, texts }: Stage.Stage, log: Disk.OpenedLog): Judge.Observations => ({
  log,
  texts,
  problems,
  servers: server.lives.map(remains),
  clients: talkers.flatMap(({ nick, program }) =>
    program.lives.map((life) => ({ ...remains(life), client: nick, wasServed: wasServed(server, life) }))
  )
})

/** Writes what every life has written into files beside the others. */
const writeOutputs = (cwd: string, { clients, servers }: Judge.Observations) =>
  Effect.promise(async () => {
    const lives = new Map<string, number>()
    for (const { client, stderr, stdout } of [...servers.map((life) => ({ ...life, client: "server" })), ...clients]) {
      const life = (lives.get(client) ?? 0) + 1
      lives.set(client, life)
      await writeFile(join(cwd, `${client}.${life}.out`), stdout)
      await writeFile(join(cwd, `${client}.${life}.err`), stderr)
    }
  })

const count = (lives: ReadonlyArray<Program.Life>, is: (life: Program.Life) => boolean) => lives.filter(is).length
const wasKilled = ({ killed }: Program.Life) => killed !== undefined

/** Plays and judges. */
export const run = Effect.fn("Run.run")(function* ({ kills, limit, seed, tell = () => Effect.void }: Options) {
  const dice = new Dice(seed)
  let isKept = false
  const cwd = yield* temporary(join(tmpdir(), "fernet-chat-kill-"), () => isKept)
  // A copy, since a build may replace the command meanwhile; in the project, where its packages are found.
  const bin = yield* temporary(join(dirname(Command.path), "../kill-"))
  yield* Effect.promise(() => cp(dirname(Command.path), bin, { recursive: true }))

  const stage = yield* Stage.make({ dice, cwd, script: join(bin, "chat.js") })
  const { key, problems, server, talkers, texts } = stage
  const [duration, end] = yield* Stage.play(stage, Stage.kill(stage, dice.fork(), kills, tell)).pipe(
    Effect.timeoutOption(limit),
    Effect.timed
  )
  if (Option.isNone(end)) problems.push(`it was not over after ${Duration.format(Duration.decode(limit))}`)
  const worker = pathToFileURL(join(bin, "StoreWorker.js"))
  const file = join(cwd, Stage.database)
  const log = yield* Effect.catchAll(Disk.readLog({ file, key, worker }), ({ message }) => {
    problems.push(`the log cannot be read: ${message}`)
    return Effect.succeed<Disk.OpenedLog>({ id: "", entries: [] })
  })
  const observations = observe(stage, log)
  const judgement = Judge.judge(observations)
  isKept = judgement.violations.length > 0
  if (isKept) yield* writeOutputs(cwd, observations)

  const clients = talkers.flatMap(({ program }) => program.lives)
  const result: Result = {
    ...judgement,
    kills: { server: count(server.lives, wasKilled), clients: count(clients, wasKilled) },
    restarts: { server: server.lives.length - 1, clients: clients.length - talkers.length },
    unserved: count(clients, ({ exit }) => exit === 1),
    written: texts.length,
    duration,
    directory: isKept ? cwd : undefined
  }
  return result
}, Effect.scoped)
