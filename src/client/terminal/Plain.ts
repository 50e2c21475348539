/** The client without a terminal: each line of input is said, each entry is a line of output. */
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Ref from "effect/Ref"
import * as Stream from "effect/Stream"
import { Client } from "../Client.js"
import * as Presence from "../Presence.js"
import * as Display from "./Display.js"

/** Lines that may wait for their acknowledgement at once. */
const concurrency = 256

/** Where lines come from and go to. */
export interface Pipes<E> {
  /** Lines to say, without their newlines. Empty ones are skipped. */
  readonly input: Stream.Stream<string, E>
  readonly output: (line: string) => Effect.Effect<void>
  /** For what cannot be said. */
  readonly problem: (line: string) => Effect.Effect<void>
}

/**
 * Says all of the input, waits until the log has it, leaves, and returns how many lines could not be said. Fails as
 * soon as the session ends by itself.
 */
export const run = Effect.fn("Plain.run")(function* <E>({ input, output, problem }: Pipes<E>) {
  const client = yield* Client
  const refused = yield* Ref.make(0)
  const printing = yield* client.events.pipe(
    // What it announces follows; that it had been away is nothing the log says.
    Stream.filter((entry) => entry._tag !== "Back"),
    Stream.runForEach((entry) => output(Display.format(entry, Display.oneLine))),
    Effect.fork
  )
  yield* Effect.fork(Stream.runForEach(Presence.losses(client), () => problem(Display.reconnecting)))
  const saying = input.pipe(
    Stream.zipWithIndex,
    Stream.filter(([line]) => line.trim() !== ""),
    Stream.mapEffect(
      ([line, index]) =>
        Effect.catchIf(
          client.say(line),
          (error) => error.reason === "text",
          (error) =>
            Effect.zipRight(
              problem(`line ${index + 1} was not said: ${error.message}`),
              Ref.update(refused, (count) => count + 1)
            )
        ),
      { concurrency }
    ),
    Stream.runDrain,
    Effect.zipRight(client.leave),
    Effect.zipRight(Effect.never)
  )
  // After Leave the entries end, once the last of them is printed, or fail when the server does not answer it.
  yield* Effect.raceFirst(Fiber.join(printing), saying)
  return yield* Ref.get(refused)
})
