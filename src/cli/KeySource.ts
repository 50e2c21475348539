/** Where the command finds its key: the flag, then CHAT_KEY_FILE, then CHAT_KEY, then ./secret.key. Never an argument. */
import * as Path from "@effect/platform/Path"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import * as KeyFile from "../domain/KeyFile.js"
import * as Variable from "./Variable.js"

export type KeySource =
  | { readonly _tag: "File"; readonly path: string }
  | { readonly _tag: "Stdin" }
  | { readonly _tag: "Environment"; readonly text: Redacted.Redacted }

/** The source that `flag` (`--key-file`) and the environment name. `-` is standard input. */
export const find = Effect.fn("KeySource.find")(function* (flag: Option.Option<string>) {
  const named = Option.isSome(flag) ? flag : yield* Variable.optional("CHAT_KEY_FILE")
  const text = yield* Variable.optional("CHAT_KEY")
  if (Option.isNone(named) && Option.isSome(text)) {
    return { _tag: "Environment", text: Redacted.make(text.value) } satisfies KeySource
  }
  const path = Option.getOrElse(named, () => KeyFile.defaultPath)
  return path === "-" ? ({ _tag: "Stdin" } satisfies KeySource) : ({ _tag: "File", path } satisfies KeySource)
})

/** The path of `name` beside the key file; in this directory, where the key is in no file. */
export const beside = Effect.fnUntraced(function* (source: KeySource, name: string) {
  const path = yield* Path.Path
  return path.join(source._tag === "File" ? path.dirname(source.path) : ".", name)
})

/** The keys of a source; `stdin` reads all of standard input. */
export const load = Effect.fn("KeySource.load")(function* <E>(source: KeySource, stdin: Effect.Effect<string, E>) {
  switch (source._tag) {
    case "Environment":
      return yield* KeyFile.parse("$CHAT_KEY", Redacted.value(source.text))
    case "Stdin":
      return yield* KeyFile.parse("standard input", yield* stdin)
    case "File":
      return yield* KeyFile.load(source.path)
  }
})
