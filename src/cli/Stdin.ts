/** Standard input, apart from the process: what reads it takes long to load, and not every command does. */
import * as NodeStream from "@effect/platform-node/NodeStream"
import * as Chunk from "effect/Chunk"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"

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
