/** The client on a terminal that only takes lines and prints them (`TERM=dumb`, as an editor's shell is). */
import * as Readline from "node:readline"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import { Client } from "../Client.js"
import * as Commands from "./Commands.js"
import * as Display from "./Display.js"
import * as Input from "./Input.js"
import type { Options } from "./Interactive.js"
import { Page } from "./Page.js"
import * as Style from "./Style.js"
import type { Terminal } from "./Terminal.js"
import * as Troubles from "./Troubles.js"

/** Stays until the user leaves; fails when the session ends by itself. */
export const run = Effect.fn("Teletype.run")(function* ({ input, output }: Terminal, options: Options) {
  const client = yield* Client
  const clock = yield* Effect.clock
  const style = Style.make(1)
  const quit = yield* Deferred.make<void>()
  const page: Page = new Page({
    client,
    style,
    now: clock.unsafeCurrentTimeMillis(),
    transcript: options.transcript,
    onChange: () => {
      for (const line of page.drain().lines) output.write(`${line}\n`)
    }
  })
  const obey = Commands.make({
    client,
    page,
    style,
    clear: Effect.void,
    quit: Effect.asVoid(Deferred.succeed(quit, undefined))
  })
  const lines = Stream.fromAsyncIterable(Readline.createInterface({ input, terminal: false }), (error) => error)
  const typing = lines.pipe(
    Stream.orDie,
    Stream.mapEffect((line) => obey(Input.parse(line)), { concurrency: "unbounded" }),
    Stream.runDrain,
    Effect.zipRight(Deferred.succeed(quit, undefined))
  )
  const troubling = Stream.runForEach(Troubles.of(client), (trouble) => page.note(Display.trouble(trouble)))
  const leaving = Effect.zipRight(Deferred.await(quit), client.leave)
  yield* Effect.forEach(options.greeting, page.note, { discard: true })
  // Nothing stays open here: whoever comes and goes is told at once.
  const showing = Stream.runForEach(client.events, (entry) => Effect.zipRight(page.take(entry), page.show()))
  yield* Effect.raceFirst(
    showing,
    Effect.zipRight(Effect.all([typing, troubling, leaving], { concurrency: "unbounded", discard: true }), Effect.never)
  )
})
