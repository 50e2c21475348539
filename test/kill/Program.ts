/** A program that is to run all the time: whenever it has ended, by a kill or by itself, it is started again. */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Command from "../utils/Command.js"

/** The program from a start to its end. Times are in ms since 1970. */
export interface Life {
  readonly running: Command.Running
  readonly since: number
  /** When it wrote its first line. */
  spoke: number | undefined
  killed: number | undefined
  until: number | undefined
  /** What it exited with; nothing while it runs. */
  exit: number | NodeJS.Signals | null | undefined
}

export interface Options {
  /** What node is to run, with its arguments. */
  readonly command: ReadonlyArray<string>
  readonly cwd: string
  readonly env: Record<string, string>
  /** How long (ms) it stays away when it has ended by itself. */
  readonly retry: () => number
  /** Happens after a kill, and before the next start. */
  readonly onKilled?: Effect.Effect<void>
}

export class Program {
  readonly lives: Array<Life> = []
  private isWanted = true
  private pause = 0

  constructor(private readonly options: Options) {}

  /** The life there is, unless it has been killed. */
  get life(): Life | undefined {
    const life = this.lives.at(-1)
    return life?.killed === undefined && life?.exit === undefined ? life : undefined
  }

  /** Kills it with SIGKILL; false when there is nothing to kill. It stays away for `pause` ms. */
  kill(pause: number): Effect.Effect<boolean> {
    return Effect.map(Clock.currentTimeMillis, (now) => {
      const { life } = this
      if (life === undefined || !life.running.child.kill("SIGKILL")) return false
      life.killed = now
      this.pause = pause
      return true
    })
  }

  /** Asks it to end, as `how` does; it is not started again. */
  end(how: (running: Command.Running) => void): void {
    this.isWanted = false
    if (this.life !== undefined) how(this.life.running)
  }

  private readonly live = Effect.gen(this, function* () {
    const { command, cwd, env } = this.options
    const clock = yield* Effect.clock
    const since = clock.unsafeCurrentTimeMillis()
    const running = yield* Command.start(process.execPath, command, { cwd, env })
    const life: Life = { running, since, spoke: undefined, killed: undefined, until: undefined, exit: undefined }
    this.lives.push(life)
    running.child.stdout?.once("data", () => {
      life.spoke = clock.unsafeCurrentTimeMillis()
    })
    life.exit = yield* running.exit
    life.until = clock.unsafeCurrentTimeMillis()
    return life
  }).pipe(Effect.scoped)

  /** Runs it until it has ended and is not wanted any more. */
  readonly run: Effect.Effect<void> = Effect.gen(this, function* () {
    const { onKilled = Effect.void, retry } = this.options
    while (this.isWanted) {
      const { killed } = yield* this.live
      if (killed !== undefined) yield* onKilled
      if (this.isWanted) yield* Effect.sleep(killed === undefined ? retry() : this.pause)
    }
  })
}
