/** The client on a terminal: messages above, the state of things and a text to type on below, whatever arrives. */
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Queue from "effect/Queue"
import * as Stream from "effect/Stream"
import { Client } from "../Client.js"
import * as Cells from "./Cells.js"
import * as Commands from "./Commands.js"
import * as Completion from "./Completion.js"
import * as Display from "./Display.js"
import * as Editor from "./Editor.js"
import * as Input from "./Input.js"
import * as Keyboard from "./Keyboard.js"
import { Page } from "./Page.js"
import * as Screen from "./Screen.js"
import * as Style from "./Style.js"
import type { Terminal } from "./Terminal.js"
import type { Transcript } from "./Transcript.js"
import * as Troubles from "./Troubles.js"
import * as View from "./View.js"

export interface Options {
  /** What the room is called: the address of the server. */
  readonly room: string
  /** What is told first. */
  readonly greeting: ReadonlyArray<string>
  /** Takes each line that is shown. */
  readonly transcript: Transcript | undefined
}

/** From one drawing to the next, so that a flood of messages leaves time for keys. */
const frameTime = "16 millis"

/** Options of a completion that are named. */
const fewOptions = 8

const commands = Input.commands.map(({ name }) => name)

/** Columns by which further rows of a message are indented: as wide as the time before it. */
const hang = 6

/** Some pseudo terminals have no size. */
const sizeOf = ({ output }: Terminal): Screen.Size => ({ columns: output.columns || 80, rows: output.rows || 24 })

/** What the editor has to say beside its text. */
const hintOf = ({ cycle, question }: Editor.Editor): string | undefined => {
  if (question !== undefined) return `send ${question} lines? Enter sends them, Escape goes on editing`
  if (cycle === undefined || cycle.options.length < 2) return undefined
  const shown = cycle.options.slice(0, fewOptions).map((option) => Display.harmless(option.trim()))
  return `${shown.join("  ")}${cycle.options.length > fewOptions ? " …" : ""}`
}

/** Stays until the user leaves; fails when the session ends by itself. */
export const run = Effect.fn("Interactive.run")(function* (terminal: Terminal, options: Options) {
  const { output } = terminal
  const client = yield* Client
  const clock = yield* Effect.clock
  const style = Style.make(output.getColorDepth())
  const inputs = yield* Queue.unbounded<Input.Input>()
  const quit = yield* Deferred.make<void>()
  /** Open while something is to be drawn. */
  const changed = yield* Effect.makeLatch(true)
  const page = new Page({
    client,
    style,
    now: clock.unsafeCurrentTimeMillis(),
    transcript: options.transcript,
    onChange: () => void changed.unsafeOpen()
  })
  let editor = Editor.make()
  let screen = Screen.make(Screen.rewraps(terminal.environment))
  /** Whether what is on the screen is to go out of sight. */
  let isCleared = false
  /** Whether the terminal is somebody else's again: whatever may still be running draws no more. */
  let isOver = false
  const { aside, keys } = yield* Keyboard.make(terminal)

  const clear = Effect.sync(() => {
    isCleared = true
    changed.unsafeOpen()
  })
  const leave = () => {
    const [next, text] = Screen.leave(screen, sizeOf(terminal))
    screen = next
    output.write(text)
  }

  const draw = Effect.gen(function* () {
    if (isOver) return
    const size = sizeOf(terminal)
    const model: View.Model = {
      room: options.room,
      nick: yield* client.nick,
      count: yield* client.count,
      status: yield* client.status.get,
      open: yield* page.open,
      pending: yield* client.pending,
      text: editor.text,
      cursor: editor.cursor,
      hint: hintOf(editor)
    }
    const frame = View.frame(model, style, size, clock.unsafeCurrentTimeMillis())
    const fresh = page.drain()
    const rows = fresh.lines.flatMap((text) => text.split("\n").flatMap((line) => Cells.wrap(line, size.columns, hang)))
    const [cleared, clearing] = isCleared ? Screen.clear(screen, frame, size) : ([screen, ""] as const)
    const [drawn, drawing] = Screen.draw(cleared, rows, frame, size)
    isCleared = false
    screen = drawn
    const text = clearing + drawing + (fresh.rings ? "\x07" : "")
    if (text !== "") output.write(text)
  })
  const drawing = Effect.gen(function* () {
    yield* changed.await
    changed.unsafeClose()
    yield* draw
    yield* Effect.sleep(frameTime)
  })

  /** What stands before the cursor may become a command, or the nick of somebody else. */
  const completion = Effect.gen(function* () {
    const nick = yield* client.nick
    const nicks = (yield* client.members).map((member) => member.nick).filter((other) => other !== nick)
    return (before: string) => Completion.find(before, { commands, nicks, wordsOf: Input.wordsOf })
  })

  const press = Effect.fnUntraced(function* (key: Keyboard.Key) {
    const [next, request] = Editor.press(editor, key, yield* completion)
    editor = next
    changed.unsafeOpen()
    if (key._tag === "Paste" && next.count === Editor.maxCount) {
      yield* page.note(`too much to be edited: what is over ${Editor.maxCount} characters was left out`)
    }
    switch (request?._tag) {
      case undefined:
        return
      case "Submit":
        return yield* Effect.asVoid(Queue.offer(inputs, Input.parse(request.text)))
      case "TooLong":
        return yield* page.note("too long to be said: shorten it, or say it in two")
      case "Leave":
        // It waits its turn behind what was typed before it.
        return yield* Effect.asVoid(Queue.offer(inputs, { _tag: "Quit" }))
      case "Redraw":
        return yield* clear
      case "Suspend":
        leave()
        yield* aside(Effect.sync(terminal.stop))
        changed.unsafeOpen()
    }
  })

  yield* Effect.acquireRelease(
    Effect.sync(() => {
      const resized = () => void changed.unsafeOpen()
      // After a crash as well, the terminal is left as it was.
      const restore = () => void output.write(`${Screen.leave(screen, sizeOf(terminal))[1]}\x1b[?2004l`)
      output.on("resize", resized)
      process.on("exit", restore)
      return () => {
        output.off("resize", resized)
        process.off("exit", restore)
      }
    }),
    (off) => Effect.sync(off)
  )
  // Whatever ends it, what had come is shown, and what was being typed is not lost.
  yield* Effect.addFinalizer(() => {
    const rest = editor.text === "" ? [] : [style.dim(`-- not said: ${Display.indented(editor.text)}`)]
    const left = Effect.sync(() => {
      leave()
      isOver = true
    })
    // A transcript that cannot be kept is why it ends, and is told then.
    return Effect.ignore(page.show(...rest)).pipe(Effect.zipRight(draw), Effect.ensuring(left))
  })

  yield* Effect.forEach(options.greeting, page.note, { discard: true })
  const obey = Commands.make({ client, page, style, clear, quit: Deferred.succeed(quit, undefined) })
  const typing = Effect.zipRight(Stream.runForEach(keys, press), Queue.offer(inputs, { _tag: "Quit" }))
  const obeying = Stream.runDrain(Stream.mapEffect(Stream.fromQueue(inputs), obey, { concurrency: "unbounded" }))
  const troubling = Stream.runForEach(Troubles.of(client), (trouble) => page.note(Display.trouble(trouble)))
  // While there is no connection the seconds to the next try are counted.
  const counting = client.status.changes.pipe(
    Stream.flatMap(({ _tag }) => (_tag === "Reconnecting" ? Stream.tick("1 second") : Stream.succeed(undefined)), {
      switch: true
    }),
    Stream.runForEach(() => Effect.sync(() => changed.unsafeOpen()))
  )
  const leaving = Effect.zipRight(Deferred.await(quit), client.leave)
  const parts = [typing, obeying, troubling, counting, leaving, Effect.forever(drawing)]
  // The entries end when the member has left, and fail when the session ends otherwise.
  const showing = Stream.runForEach(client.events, page.take)
  yield* Effect.raceFirst(
    showing,
    Effect.zipRight(Effect.all(parts, { concurrency: "unbounded", discard: true }), Effect.never)
  )
}, Effect.scoped)
