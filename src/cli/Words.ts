/** A text that a command is given to say: its words, or standard input. */
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import { UsageError } from "./Failure.js"
import { readStdinBytes } from "./Stdin.js"

export interface Words {
  /** The text's words; `-` alone is all of standard input. */
  readonly text: ReadonlyArray<string>
  /** Further words, whatever they look like. */
  readonly verbatim: ReadonlyArray<string>
}

/** Standard input is no text that can be said. */
class TextError extends Data.TaggedError("TextError")<{ readonly message: string }> {}

/** Whether all of standard input is the text. Fails where there is none. */
export const isInput = ({ text, verbatim }: Words): Effect.Effect<boolean, UsageError> => {
  const unknown = text.find((word) => word.startsWith("--"))
  if (unknown !== undefined) {
    // More likely a slip than something to tell everybody.
    return new UsageError({
      message: `${unknown} is no option here: options go before the text, and a text with such words goes after --`
    })
  }
  if (text.length === 1 && verbatim.length === 0 && text[0] === "-") return Effect.succeed(true)
  return [...text, ...verbatim].join("").trim() === ""
    ? new UsageError({ message: "there is nothing to say: give a text, or - for standard input" })
    : Effect.succeed(false)
}

/** All of standard input as one text, without the ends of its last lines. */
const readInput = Effect.gen(function* () {
  const bytes = yield* readStdinBytes
  const text = yield* Effect.try({
    try: () => new TextDecoder("utf-8", { fatal: true }).decode(bytes),
    catch: () => new TextError({ message: "standard input is not UTF-8" })
  })
  if (text.trim() === "") return yield* new TextError({ message: "standard input holds nothing to say" })
  return text.replaceAll("\r\n", "\n").replace(/\n+$/, "")
})

/** The text. */
export const read = (words: Words) =>
  Effect.flatMap(isInput(words), (isInput) =>
    isInput ? readInput : Effect.succeed([...words.text, ...words.verbatim].join(" "))
  )
