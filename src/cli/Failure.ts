/** How a command fails beyond what its parts say. */
import type * as ConfigError from "effect/ConfigError"
import * as Data from "effect/Data"

/** The command was called in a way that cannot be obeyed. */
export class UsageError extends Data.TaggedError("UsageError")<{ readonly message: string }> {}

/** All that settings are told to be and cannot be. */
const reasons = (error: ConfigError.ConfigError): string =>
  error._op === "And" || error._op === "Or" ? `${reasons(error.left)}; ${reasons(error.right)}` : error.message

/** The error of settings that cannot be obeyed. */
export const ofConfig = (error: ConfigError.ConfigError): UsageError => new UsageError({ message: reasons(error) })

/** Some of what was asked for could not be done, and standard error has said what. */
export class Incomplete extends Data.TaggedError("Incomplete") {}
