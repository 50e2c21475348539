/** One question on a terminal, before there is anything to chat about. */
import * as Readline from "node:readline"
import { Writable } from "node:stream"
import * as Effect from "effect/Effect"
import type { Terminal } from "./Terminal.js"

/** Takes what is not to be seen. */
const nowhere = () => new Writable({ write: (_chunk, _encoding, done) => done() })

/**
 * Asks; nothing when it was left unanswered (Ctrl-C, Ctrl-D). Blanks around an answer are dropped. A `hidden` answer does
 * not show while it is typed, since it is a secret.
 */
export const ask = (
  { input, output }: Terminal,
  question: string,
  answer: "shown" | "hidden" = "shown"
): Effect.Effect<string | undefined> =>
  Effect.acquireUseRelease(
    Effect.sync(() => {
      const isHidden = answer === "hidden"
      if (isHidden) output.write(question)
      return Readline.createInterface({
        input,
        output: isHidden ? nowhere() : output,
        prompt: question,
        terminal: true
      })
    }),
    (readline) =>
      Effect.async<string | undefined>((resume) => {
        const unanswered = () => {
          // The shell's prompt must not end up behind the question.
          output.write("\n")
          resume(Effect.succeed(undefined))
        }
        readline.once("line", (line) => {
          readline.off("close", unanswered)
          if (answer === "hidden") output.write("\n")
          resume(Effect.succeed(line.trim()))
        })
        // Ctrl-C closes it as well, where nobody listens to that.
        readline.once("close", unanswered)
        readline.prompt()
      }),
    (readline) => Effect.sync(() => readline.close())
  )
