/** The process that a command is: its streams, and what it exits with when it is interrupted. */
import * as Effect from "effect/Effect"
import * as Display from "../client/terminal/Display.js"
import type { Terminal } from "../client/terminal/Terminal.js"

/** Where a user types and reads; nothing where one of the two is no terminal. */
export const terminal: Terminal | undefined =
  process.stdout.isTTY && process.stdin.isTTY
    ? {
        input: process.stdin,
        output: process.stdout,
        environment: process.env,
        stop: () => void process.kill(process.pid, "SIGTSTP")
      }
    : undefined

/** All of standard input. */
export const readStdin = Effect.promise(async () => {
  const chunks: Array<Uint8Array> = []
  for await (const chunk of process.stdin) chunks.push(chunk)
  return Buffer.concat(chunks).toString("utf8")
})

/** What the command exits with when it is interrupted: a server and a terminal are meant to be (0), all else is not. */
export const interruption = { exitCode: 130 }

/** A line of this command's own on standard error. */
export const report = (line: string): Effect.Effect<void> =>
  // Some of it may be the server's words.
  Effect.sync(() => void process.stderr.write(`chat: ${Display.oneLine(line)}\n`))
