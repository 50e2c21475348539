/** `chat` alone: whether to serve or to join, as the user answers. */
import * as Effect from "effect/Effect"
import * as Question from "../client/terminal/Question.js"
import type { Terminal } from "../client/terminal/Terminal.js"
import { UsageError } from "./Failure.js"

/** The subcommand that the user of `terminal` wants. */
export const choose = Effect.fn("choose")(function* (terminal: Terminal) {
  const answer = yield* Question.ask(terminal, "server or client? (s/c) ")
  if (answer === undefined) return yield* Effect.interrupt
  const command = answer.toLowerCase()
  if (["s", "c", "server", "client"].includes(command)) return command
  return yield* new UsageError({ message: "answer s to serve a chat, or c to join one" })
})
