/** The process that a command is: its streams, and what it exits with when it is interrupted. */
import * as NodeStream from "@effect/platform-node/NodeStream"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import type * as Stream from "effect/Stream"
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

/** Standard input cannot be read, as `message` tells. */
export class InputError extends Data.TaggedError("InputError")<{ readonly message: string }> {}

/** Standard input by chunks, each read when it is asked for. */
export const stdin: Stream.Stream<Uint8Array, InputError> = NodeStream.fromReadable(
  () => process.stdin,
  (error) =>
    new InputError({ message: `cannot read standard input: ${error instanceof Error ? error.message : String(error)}` })
)

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

/** A line of this command's own on standard error. */
export const report = (line: string): Effect.Effect<void> =>
  // Some of it may be the server's words.
  Effect.sync(() => void process.stderr.write(`chat: ${Display.oneLine(line)}\n`))
