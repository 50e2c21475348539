/** The process that a command is: its terminal, what it writes, and what it exits with when it is interrupted. */
import * as Effect from "effect/Effect"
import * as Display from "../client/terminal/Display.js"
import type { Terminal } from "../client/terminal/Terminal.js"
import * as Secrets from "./Secrets.js"

/** Where a user types and reads; nothing where one of the two is no terminal. */
export const terminal: Terminal | undefined =
  process.stdout.isTTY && process.stdin.isTTY
    ? {
        input: process.stdin,
        output: process.stdout,
        // Which terminal it is, as it says itself: nothing that a user sets for this command.
        environment: process.env,
        // The whole group: npx and the shell below it wait for this process, and the user for them.
        stop: () => void process.kill(0, "SIGTSTP")
      }
    : undefined

/** Writes to standard output; done when there is room for more, so that who reads slowly is waited for. */
export const print = (text: string): Effect.Effect<void> =>
  Effect.async((resume) => {
    if (process.stdout.write(text)) return resume(Effect.void)
    const written = () => resume(Effect.void)
    process.stdout.once("drain", written)
    return Effect.sync(() => process.stdout.off("drain", written))
  })

/** What the command exits with when it is interrupted: a server and a terminal are meant to be (0), all else is not. */
export const interruption = { exitCode: 130 }

/** A line of this command's own on standard error. It may repeat what was typed, but no key. */
export const report = (line: string): Effect.Effect<void> =>
  // Some of it may be the server's words.
  Effect.sync(() => void process.stderr.write(`chat: ${Display.oneLine(Secrets.hide(line))}\n`))

/** The same for programs: a line of JSON. */
export const reportJson = (value: object): Effect.Effect<void> =>
  Effect.sync(() => void process.stderr.write(`${Secrets.hide(JSON.stringify(value))}\n`))
