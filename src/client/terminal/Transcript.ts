/** A file that keeps what was shown, as it was shown and without its colours. It is not encrypted. */
import { stripVTControlCharacters } from "node:util"
import type { PlatformError } from "@effect/platform/Error"
import * as FileSystem from "@effect/platform/FileSystem"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as OwnerOnly from "../../domain/OwnerOnly.js"

/** The transcript cannot be kept, as `message` tells. */
export class TranscriptError extends Data.TaggedError("TranscriptError")<{ readonly message: string }> {}

export interface Transcript {
  /** Adds a line, or several: without the newline at the end. It is in the file when this is done. */
  readonly append: (line: string) => Effect.Effect<void, TranscriptError>
}

/** Opens `file` for as long as the Scope lasts. It is made where it is not there, for its owner only; else it grows. */
export const open: (file: string) => Effect.Effect<Transcript, TranscriptError, FileSystem.FileSystem | Scope.Scope> =
  Effect.fn("Transcript.open")(function* (file) {
    const fs = yield* FileSystem.FileSystem
    const cannot = (why: string) => new TranscriptError({ message: `cannot keep the transcript in ${file}: ${why}` })
    const failed = ({ cause, message }: PlatformError) => cannot(cause instanceof Error ? cause.message : message)
    const type = Effect.orElseSucceed(
      Effect.map(fs.stat(file), (found) => found.type),
      () => undefined
    )
    switch (yield* type) {
      case "Directory":
        return yield* cannot("it is a directory, name a file")
      case "FIFO":
        // To open it would wait for who reads it.
        return yield* cannot("it is a pipe, name a file")
    }
    const opened = yield* Effect.mapError(fs.open(file, { flag: "a", mode: OwnerOnly.file }), failed)
    // One at a time and to the end, so that no line is in another.
    const writing = yield* Effect.makeSemaphore(1)
    return {
      append: (line) =>
        opened
          .writeAll(Buffer.from(`${stripVTControlCharacters(line)}\n`))
          .pipe(Effect.mapError(failed), Effect.uninterruptible, writing.withPermits(1))
    }
  })
