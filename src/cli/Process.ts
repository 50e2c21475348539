/** The process that a command is: its streams, and what it exits with when it is interrupted. */
import * as NodeStream from "@effect/platform-node/NodeStream"
import * as Chunk from "effect/Chunk"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import * as Display from "../client/terminal/Display.js"
import type { Terminal } from "../client/terminal/Terminal.js"

/** Where a user types and reads; nothing where one of the two is no terminal. */
export const terminal: Terminal | undefined =
  process.stdout.isTTY && process.stdin.isTTY
    ? {
        input: process.stdin,
        output: process.stdout,
        environment: process.env,
        // The whole group: npx and the shell below it wait for this process, and the user for them.
        stop: () => void process.kill(0, "SIGTSTP")
      }
    : undefined

/** Standard input cannot be read, as `message` tells. */
export class InputError extends Data.TaggedError("InputError")<{ readonly message: string }> {}

/** Standard input by chunks, each read when it is asked for. */
export const stdin: Stream.Stream<Uint8Array, InputError> = NodeStream.fromReadable(
  () => process.stdin,
  (error) =>
    new InputError({ message: `cannot read standard input: ${error instanceof Error ? error.message : String(error)}` })
)

/** Most bytes of standard input that are read as a whole: a key file and a text have fewer. */
const most = 65_536

/** All of standard input. */
export const readStdinBytes: Effect.Effect<Buffer, InputError> = Effect.gen(function* () {
  let size = 0
  const chunks = yield* stdin.pipe(
    Stream.takeUntil((chunk) => {
      size += chunk.length
      return size > most
    }),
    Stream.runCollect
  )
  if (size > most) return yield* new InputError({ message: `standard input has more than ${most} bytes` })
  return Buffer.concat(Chunk.toReadonlyArray(chunks))
})

/** The same as text. */
export const readStdin = Effect.map(readStdinBytes, (bytes) => bytes.toString("utf8"))

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

/** A key or an invite, wherever it came in: in place of a file name, an option, a host. */
const secret = /#v\d+\.\S*|[\w-]{43,}=+/g

/** A line of this command's own on standard error. It may repeat what was typed, but no key. */
export const report = (line: string): Effect.Effect<void> =>
  // Some of it may be the server's words.
  Effect.sync(() => void process.stderr.write(`chat: ${Display.oneLine(line.replace(secret, "(a key)"))}\n`))
