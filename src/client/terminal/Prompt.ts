/** The client on a terminal: a line to type on, and what happens above it. */
import * as Readline from "node:readline"
import type * as Tty from "node:tty"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Queue from "effect/Queue"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import { Client } from "../Client.js"
import * as Presence from "../Presence.js"
import * as Display from "./Display.js"
import * as Input from "./Input.js"
import type { Transcript } from "./Transcript.js"

/** A terminal: where keys come from and what is drawn on. */
export interface Terminal {
  readonly input: Tty.ReadStream
  readonly output: Tty.WriteStream
}

const open = ({ input, output }: Terminal, prompt: string): Effect.Effect<Readline.Interface, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.sync(() => Readline.createInterface({ input, output, prompt, terminal: true })),
    (readline) => Effect.sync(() => readline.close())
  )

/** Asks one question; nothing when it was left unanswered (Ctrl-C, Ctrl-D). */
export const ask = (terminal: Terminal, question: string): Effect.Effect<string | undefined> =>
  Effect.scoped(
    Effect.flatMap(open(terminal, question), (readline) =>
      Effect.async<string | undefined>((resume) => {
        const unanswered = () => {
          // The shell's prompt must not end up behind the question.
          terminal.output.write("\n")
          resume(Effect.succeed(undefined))
        }
        readline.once("line", (line) => {
          readline.off("close", unanswered)
          resume(Effect.succeed(line.trim()))
        })
        // Ctrl-C closes it as well, where nobody listens to that.
        readline.once("close", unanswered)
        readline.prompt()
      })
    )
  )

/** Erases what was typed and drawn on `rows` rows above the cursor, and stays there. */
const erase = (output: Tty.WriteStream, rows: number): void => {
  Readline.moveCursor(output, 0, -rows)
  Readline.cursorTo(output, 0)
  Readline.clearScreenDown(output)
}

const prompt = "> "

/** Stays until the user leaves; fails when the session ends by itself. */
export const run = Effect.fn("Prompt.run")(function* (terminal: Terminal, transcript?: Transcript) {
  const { output } = terminal
  const client = yield* Client
  const readline = yield* open(terminal, prompt)
  const inputs = yield* Queue.unbounded<Input.Input>()
  const quit = yield* Deferred.make<void>()
  let closed = false

  /** Prints `text` above what is being typed, which stays as it is. */
  const draw = (text: string) =>
    Effect.sync(() => {
      if (closed) return output.write(`${text}\n`)
      erase(output, readline.getCursorPos().rows)
      output.write(`${text}\n`)
      // Node moves up by the rows it drew last, which would erase what was just printed: there are none of them now.
      Object.assign(readline, { prevRows: 0 })
      readline.prompt(true)
    })
  const show = (text: string) => Effect.zipRight(draw(text), transcript?.append(text) ?? Effect.void)
  const note = (text: string) => show(`-- ${text}`)

  const obey = Effect.fnUntraced(function* (input: Input.Input) {
    switch (input._tag) {
      case "Say":
        // What is said shows when it is in the log; only what is not is told here, and by the end what that has cut off.
        return yield* client.say(input.text, { me: input.me }).pipe(
          Effect.catchAll((error) => (error.reason === "closed" ? Effect.void : note(`not said: ${error.message}`))),
          Effect.asVoid
        )
      case "Nick":
        return yield* client.rename(input.nick).pipe(
          Effect.catchAll((error) => note(Display.oneLine(error.message))),
          Effect.asVoid
        )
      case "Names": {
        const members = yield* client.members
        return yield* note(`${members.length} here: ${members.map(({ nick }) => Display.harmless(nick)).join(", ")}`)
      }
      case "Help":
        return yield* show(Input.help.join("\n"))
      case "Unknown":
        return yield* note(`there is no /${Display.harmless(input.command)}: /help shows what there is`)
      case "Quit":
        return yield* Effect.asVoid(Deferred.succeed(quit, undefined))
      case "Nothing":
        return
    }
  })

  // Leaving waits its turn behind what was typed before it; the client sends all of that before it leaves.
  const leave = () => void Queue.unsafeOffer(inputs, { _tag: "Quit" })
  readline.on("line", (line) => {
    // What was typed shows again when it is in the log; as typed it goes, with all the rows it had wrapped to. Node
    // measures only what it edits, so it is lent the line once more.
    Object.assign(readline, { line, cursor: line.length })
    const { rows } = readline.getCursorPos()
    Object.assign(readline, { line: "", cursor: 0 })
    erase(output, rows + 1)
    Queue.unsafeOffer(inputs, Input.parse(line))
    readline.prompt()
  })
  readline.on("SIGINT", () => {
    if (readline.line === "") return leave()
    // Ctrl-E and Ctrl-U: the whole line goes.
    readline.write(null, { ctrl: true, name: "e" })
    readline.write(null, { ctrl: true, name: "u" })
  })
  readline.on("close", () => {
    closed = true
    // Nothing of the prompt stays behind.
    erase(output, readline.getCursorPos().rows)
    leave()
  })
  readline.prompt()

  const typing = Stream.fromQueue(inputs).pipe(Stream.mapEffect(obey, { concurrency: "unbounded" }), Stream.runDrain)
  const showing = client.events.pipe(
    Stream.runForEach((entry) =>
      show(`${"at" in entry ? `${Display.time(entry.at)} ` : ""}${Display.format(entry, Display.indented)}`)
    )
  )
  const losing = Stream.runForEach(Presence.losses(client), () => note(Display.reconnecting))
  const leaving = Deferred.await(quit).pipe(Effect.zipRight(client.leave), Effect.zipRight(Effect.never))
  // The entries end when the member has left, and fail when the session ends otherwise.
  yield* Effect.raceFirst(
    showing,
    Effect.raceFirst(Effect.raceFirst(typing, leaving), Effect.zipRight(losing, Effect.never))
  )
}, Effect.scoped)
