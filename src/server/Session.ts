/**
 * One connection, from its first byte to its last: handshake, then frames to the Room. All of it is one fiber, which
 * reads; what is written to the client is written by whoever has something to write. Its failure is its own.
 */
import { Buffer } from "node:buffer"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Option from "effect/Option"
import { Entropy } from "../domain/Entropy.js"
import { EventLoop } from "../domain/EventLoop.js"
import { Fault } from "../domain/Fault.js"
import { Fernet } from "../domain/Fernet.js"
import * as Handshake from "../domain/Handshake.js"
import type * as Keys from "../domain/Keys.js"
import type * as Protocol from "../domain/Protocol.js"
import * as Transport from "../domain/Transport.js"
import * as Wire from "../domain/Wire.js"
import { CatchUp } from "./CatchUp.js"
import { Downlink } from "./Downlink.js"
import * as Room from "./Room.js"

/** How long a client may take to read what was written before its Bye. */
const drainTime = "5 seconds"

/** The connections of a server, so that they can be told of its end. */
export class Connections {
  private readonly open = new Map<Transport.Transport, Downlink | undefined>()
  private isClosing = false

  /** A connection that has not shown who it is. */
  add(transport: Transport.Transport): void {
    this.open.set(transport, undefined)
    if (this.isClosing) transport.stopReading()
  }

  /** It has shown who it is. */
  identify(transport: Transport.Transport, link: Downlink): void {
    this.open.set(transport, link)
    if (this.isClosing) link.bye("shutdown")
  }

  remove(transport: Transport.Transport): void {
    this.open.delete(transport)
  }

  /** Says Bye to all, now and later; whoever has not shown who it is is closed without a word. */
  shutDown(): void {
    this.isClosing = true
    for (const [transport, link] of this.open) {
      if (link === undefined) transport.stopReading()
      else link.bye("shutdown")
    }
  }
}

/** The next line, where the connection may not end yet. While lines are short they come one at a time. */
const line = (transport: Transport.Transport): Effect.Effect<string, Transport.TransportError | Fault> =>
  Effect.flatMap(transport.next, ([first]) =>
    first === undefined
      ? new Transport.TransportError({ reason: "lost", message: "it ended before it had said who it is" })
      : Effect.succeed(first)
  )

/**
 * Shakes hands, and waits for the first frame to open: up to there everything may be a replay, and only a frame under
 * fresh keys shows who is there. None for a client that speaks no version known here.
 */
const identify = Effect.fnUntraced(function* (transport: Transport.Transport, keys: Keys.Ring<Keys.ServerKey>) {
  const hello = yield* line(transport)
  yield* (yield* EventLoop).aside
  const answer = yield* Handshake.respond(keys, hello, (yield* Entropy).bytes(32))
  transport.write(Buffer.from(`${answer.line}\n`))
  if (Option.isNone(answer.session)) return Option.none()
  const { down, up } = answer.session.value
  const fernet = yield* Fernet
  const reader = new Wire.UpReader(fernet, up)
  const opening = yield* reader.open(yield* line(transport))
  transport.trust()
  return Option.some({ reader, writer: new Wire.Writer<Protocol.ServerMessage>(fernet, down), opening })
})

/** What frames ask of the room, in order, and whether any of them is answered; up to where one breaks a rule. */
interface Asked {
  readonly commands: ReadonlyArray<Room.Command>
  readonly isAnswered: boolean
  readonly fault: Fault | undefined
}

/** Reads frames that have come. A frame is whole before any of it takes effect, so a fault in one spares those before. */
const read = (link: Downlink, reader: Wire.UpReader, lines: ReadonlyArray<string>): Asked => {
  const commands: Array<Room.Command> = []
  let isAnswered = false
  const asked = (fault?: Fault): Asked => ({ commands, isAnswered, fault })
  for (const text of lines) {
    const frame = reader.read(text)
    if (Either.isLeft(frame)) return asked(frame.left)
    const { messages } = frame.right
    for (const message of messages) {
      if (message._tag === "Fetch") return asked(new Fault({ rule: "order", detail: "Fetch is not served yet" }))
      if (message._tag === "Say" && !link.isWelcomed) {
        return asked(new Fault({ rule: "order", detail: "a Say came before Welcome" }))
      }
    }
    for (const message of messages) {
      switch (message._tag) {
        case "Say":
          commands.push({ _tag: "Say", link, message })
          break
        case "Nick":
          commands.push({ _tag: "Nick", link, message })
          isAnswered = true
          break
        case "Leave":
          commands.push({ _tag: "Leave", link })
          break
        case "Ping":
          link.send({ _tag: "Pong", at: message.at, last: link.last })
          isAnswered = true
          break
      }
    }
  }
  return asked()
}

/** Reads frames until the client, or the server, has had enough. */
const listen = Effect.fnUntraced(function* (
  transport: Transport.Transport,
  link: Downlink,
  reader: Wire.UpReader,
  opening: Uint8Array
) {
  const { ask, isTaking, submit } = yield* Room.Room
  const { messages } = yield* reader.decode(opening)
  if (messages.length !== 1 || messages[0]._tag !== "Nick") {
    return yield* new Fault({ rule: "order", detail: "the first frame is one Nick" })
  }
  yield* submit([{ _tag: "Nick", link, message: messages[0] }])
  while (true) {
    const lines = yield* transport.next
    if (lines.length === 0) return
    const { commands, fault, isAnswered } = read(link, reader, lines)
    // Where it may have to wait for long, it does so only until it is sent away.
    yield* isTaking() ? ask(commands) : Effect.raceFirst(ask(commands), link.closed)
    if (fault !== undefined) return yield* fault
    // Whoever asks for answers and does not read them is read no further.
    if (isAnswered) yield* transport.drained
  }
})

/** The session proper, of a client that has shown who it is. */
const converse = Effect.fnUntraced(function* (
  transport: Transport.Transport,
  { opening, reader, writer }: Option.Option.Value<Effect.Effect.Success<ReturnType<typeof identify>>>,
  connections: Connections
) {
  const { submit } = yield* Room.Room
  const catchUp = yield* CatchUp
  const link = new Downlink(transport, writer, catchUp.start)
  connections.identify(transport, link)
  yield* listen(transport, link, reader, opening).pipe(
    Effect.catchTag("Fault", (fault) =>
      // Whatever it had said before is in the Room's hands; this is its last word to us.
      Effect.as(Effect.logInfo(`refused: ${fault.message}`), link.bye("protocol"))
    ),
    Effect.ensuring(
      Effect.suspend(() => {
        // From here on nothing is written to it, whatever the Room still has to tell it.
        link.close()
        return Effect.zipRight(catchUp.stop(link), submit([{ _tag: "Lost", link }]))
      })
    )
  )
})

/** Serves one connection until it ends, for whatever reason. */
export const run = (transport: Transport.Transport, keys: Keys.Ring<Keys.ServerKey>, connections: Connections) =>
  Effect.gen(function* () {
    connections.add(transport)
    const identified = yield* identify(transport, keys)
    if (Option.isNone(identified)) yield* Effect.logInfo("refused: it speaks no version known here")
    else yield* converse(transport, identified.value, connections)
    yield* Effect.timeoutOption(transport.end, drainTime)
  }).pipe(
    Effect.catchTags({
      HandshakeError: () => Effect.logInfo("refused: wrong key, or not a chat client"),
      Fault: ({ message }) => Effect.logInfo(`refused: ${message}`),
      TransportError: ({ message }) => Effect.logDebug(`lost: ${message}`)
    }),
    Effect.tapDefect((cause) => Effect.logError("a session has died", cause)),
    Effect.ensuring(Effect.sync(() => connections.remove(transport))),
    Effect.annotateLogs("from", transport.address)
  )
