/** A client, and somebody who writes texts to its standard input. */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import type { Dice } from "../simulation/Dice.js"
import * as Program from "./Program.js"
import * as Written from "./Written.js"

/** A client that runs has kept what it was told so long ago (ms), also where the disk and the machine are busy. */
const keepingTime = 5_000

/** A client takes so many lines, and more, before it waits for the log to have some of them. */
const atOnce = 100

export interface Options extends Pick<Program.Options, "cwd" | "env"> {
  readonly nick: string
  /** The script of the command. */
  readonly script: string
  readonly port: number
  /** What the client has in its outbox file. Asked for while the client does not run. */
  readonly outbox: Effect.Effect<ReadonlySet<string>>
  /** Where all that anybody writes is written down, in its order. */
  readonly texts: Array<Written.Written>
}

export class Talker {
  readonly nick: string
  readonly program: Program.Program
  private count = 0

  constructor(
    private readonly dice: Dice,
    private readonly options: Options
  ) {
    const { cwd, env, nick, outbox, port, script } = options
    this.nick = nick
    this.program = new Program.Program({
      command: [script, "c", "--port", String(port), "--nick", nick],
      cwd,
      env,
      // Most often there was no server, which takes a while to start.
      retry: () => dice.scale(500, 2_000),
      onKilled: Effect.map(outbox, (kept) => this.claim(kept))
    })
  }

  /** Notes what the client, which was killed, has to see to when it is started again. */
  private claim(kept: ReadonlySet<string>): void {
    const index = this.program.lives.length - 1
    const life = this.program.lives[index]
    if (life?.killed === undefined) return
    const { killed, running, spoke = killed } = life
    const shown = running.stdout()
    const waiting = this.options.texts.filter(
      (written) =>
        written.client === this.nick && written.life === index && !shown.includes(`${Written.line(written)}\n`)
    )
    for (const [place, written] of waiting.entries()) {
      const isDue = killed - Math.max(written.at, spoke) >= keepingTime && place < atOnce
      written.claim = kept.has(written.text) ? "kept" : isDue ? "due" : undefined
    }
  }

  /** Whether any life has shown `line`. */
  hasShown(line: string): boolean {
    return this.program.lives.some(({ running }) => running.stdout().includes(`${line}\n`))
  }

  /** Writes `count` texts at once to the client; the last of them, or nothing when no client is there to take it. */
  say(count = 1): Effect.Effect<Written.Written | undefined> {
    return Effect.map(Clock.currentTimeMillis, (at) => {
      const { nick: client, program } = this
      const { life } = program
      if (life === undefined) return undefined
      const texts = Array.from(
        { length: count },
        (): Written.Written => ({ client, life: program.lives.length - 1, text: this.text(), at, claim: undefined })
      )
      this.options.texts.push(...texts)
      life.running.write(texts.map(({ text }) => `${text}\n`).join(""))
      return texts.at(-1)
    })
  }

  private text(): string {
    const { dice } = this
    this.count += 1
    const padding = dice.chance(0.05) ? ` ${dice.pick(["x", "é", "𝄞"]).repeat(dice.scale(1, 3_000))}` : ""
    return `${this.nick} ${this.count}${padding}`
  }

  /** Writes a text now and then, or some at once, for ever. */
  readonly talk: Effect.Effect<never> = Effect.suspend(() => {
    const { dice } = this
    return Effect.sleep(dice.scale(20, 1_000)).pipe(
      Effect.zipRight(Effect.suspend(() => this.say(dice.chance(0.15) ? dice.scale(2, 12) : 1)))
    )
  }).pipe(Effect.forever)
}
