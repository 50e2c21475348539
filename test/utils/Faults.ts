import * as Either from "effect/Either"
import type { Fault } from "../../src/domain/Fault.js"

/** The rule that was broken, or "none" when nothing was. */
export const ruleOf = <A>(result: Either.Either<A, Fault>): Fault["rule"] | "none" =>
  Either.match(result, { onLeft: ({ rule }) => rule, onRight: () => "none" })
