/** How a command fails beyond what its parts say. */
import * as Data from "effect/Data"

/** The command was called in a way that cannot be obeyed. */
export class UsageError extends Data.TaggedError("UsageError")<{ readonly message: string }> {}

/** Some of what was asked for could not be done, and standard error has said what. */
export class Incomplete extends Data.TaggedError("Incomplete") {}
