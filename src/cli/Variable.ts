/** Settings that only the environment gives. */
import * as Config from "effect/Config"
import type * as Option from "effect/Option"

/** What a variable says; an empty one says nothing. */
export const optional = (name: string): Config.Config<Option.Option<string>> =>
  Config.option(Config.nonEmptyString(name))
