/**
 * One connection, from its first byte to its last: handshake, then frames to the Room, and the log to the client. All of
 * it lives in one Scope; its failure is its own.
 */
import { Buffer } from "node:buffer"
import * as Arr from "effect/Array"
import * as Chunk from "effect/Chunk"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import { Entropy } from "../domain/Entropy.js"
import { Fault } from "../domain/Fault.js"
import { Fernet } from "../domain/Fernet.js"
import * as Handshake from "../domain/Handshake.js"
import type * as Keys from "../domain/Keys.js"
import type * as Protocol from "../domain/Protocol.js"
import * as Transport from "../domain/Transport.js"
import * as Wire from "../domain/Wire.js"
import { Downlink } from "./Downlink.js"
import { Log } from "./Log.js"
import * as Room from "./Room.js"

/** How long a client may take to read what was written before its Bye. */
const drainTime = "5 seconds"

type Pull = Effect.Effect<Chunk.Chunk<string>, Option.Option<Transport.TransportError | Fault>>

/** The next line, where the connection may not end yet. While lines are short they come one at a time. */
const line = (pull: Pull): Effect.Effect<string, Transport.TransportError | Fault> =>
  pull.pipe(
    Effect.map(Chunk.unsafeHead),
    Effect.mapError(
      Option.getOrElse(
        () => new Transport.TransportError({ reason: "lost", message: "it ended before it had said who it is" })
      )
    )
  )

/** What a session needs of its server. */
export interface Context {
  /** The server keys: whoever holds one of them is let in. */
  readonly keys: Keys.Ring<Keys.ServerKey>
  /** The sessions that have shown who they are, so that they can be told of a shutdown. */
  readonly links: Set<Downlink>
  /** Done when the server shuts down. */
  readonly closing: Deferred.Deferred<void>
}

/**
 * Shakes hands, and waits for the first frame to open: up to there everything may be a replay, and only a frame under
 * fresh keys shows who is there. None for a client that speaks no version known here.
 */
const identify = Effect.fnUntraced(function* (transport: Transport.Transport, pull: Pull, { keys }: Context) {
  const answer = yield* Handshake.respond(keys, yield* line(pull), (yield* Entropy).bytes(32))
  transport.write(Buffer.from(`${answer.line}\n`))
  if (Option.isNone(answer.session)) return Option.none()
  const { down, up } = answer.session.value
  const reader = new Wire.UpReader(yield* Fernet, up)
  const opening = yield* reader.open(yield* line(pull))
  transport.trust()
  return Option.some({ down, reader, opening })
})

/** Streams the log to the client from where it stands, a page at a time, until the Room can make it live. */
const follow = Effect.fnUntraced(function* (link: Downlink, transport: Transport.Transport) {
  const log = yield* Log
  const room = yield* Room.Room
  link.welcome(yield* Deferred.await(link.admitted))
  while (link.isWelcomed) {
    yield* link.behind.await
    yield* transport.drained
    const events = yield* log.read(link.last, Room.page)
    if (!Arr.isNonEmptyReadonlyArray(events)) {
      if (link.farewell !== undefined) return link.bye(link.farewell)
      yield* link.behind.close
      yield* room.submit([{ _tag: "Ready", link }])
      continue
    }
    // The log has dropped what it should read next: it has been too slow for it.
    if (events[0].seq !== link.last + 1) return link.bye("slow")
    for (const page of Wire.pages(events)) {
      yield* transport.drained
      // A turn of the event loop: those who talk do not wait for a whole history.
      yield* Effect.sleep(0)
      // The Room has written to it meanwhile, as it does for who leaves: the rest is read anew.
      if (page[0].seq !== link.last + 1) break
      link.events(page)
    }
  }
})

const handle = Effect.fnUntraced(function* (
  link: Downlink,
  transport: Transport.Transport,
  messages: ReadonlyArray<Protocol.ClientMessage>
) {
  const { ask } = yield* Room.Room
  const commands: Array<Room.Command> = []
  let answered = false
  for (const message of messages) {
    switch (message._tag) {
      case "Say":
        if (!link.isWelcomed) return yield* new Fault({ rule: "order", detail: "a Say came before Welcome" })
        commands.push({ _tag: "Say", link, message })
        break
      case "Nick":
        commands.push({ _tag: "Nick", link, message })
        answered = true
        break
      case "Leave":
        commands.push({ _tag: "Leave", link })
        break
      case "Ping":
        link.send({ _tag: "Pong", at: message.at, last: link.last })
        answered = true
        break
      case "Pong":
        break
      case "Fetch":
        return yield* new Fault({ rule: "order", detail: "Fetch is not served yet" })
    }
  }
  yield* ask(commands)
  // Whoever asks for answers and does not read them is read no further.
  if (answered) yield* transport.drained
})

type Identified = Option.Option.Value<Effect.Effect.Success<ReturnType<typeof identify>>>

/** The session proper: its frames to the Room, and the log to it, until either side has had enough. */
const converse = Effect.fnUntraced(function* (
  transport: Transport.Transport,
  pull: Pull,
  { down, opening, reader }: Identified,
  { closing, links }: Context
) {
  const room = yield* Room.Room
  const link = yield* Downlink.make(transport, yield* Fernet, down)

  const reading = Effect.gen(function* () {
    const first = yield* reader.decode(opening)
    if (first.messages.length !== 1 || first.messages[0]._tag !== "Nick") {
      return yield* new Fault({ rule: "order", detail: "the first frame is one Nick" })
    }
    yield* room.submit([{ _tag: "Nick", link, message: first.messages[0] }])
    yield* Stream.fromPull(Effect.succeed(pull)).pipe(
      Stream.mapEffect((text) => reader.read(text)),
      Stream.runForEach((frame) => handle(link, transport, frame.messages))
    )
    return "lost" as const
  })

  links.add(link)
  if (yield* Deferred.isDone(closing)) link.bye("shutdown")
  return yield* Effect.gen(function* () {
    yield* follow(link, transport).pipe(
      Effect.catchAllCause((cause) => Deferred.failCause(link.closed, cause)),
      Effect.forkScoped
    )
    return yield* Effect.raceFirst(reading, Deferred.await(link.closed))
  }).pipe(
    Effect.scoped,
    Effect.catchTag("Fault", (fault) =>
      Effect.as(
        Effect.logInfo(`refused: ${fault.message}`),
        // Whatever it had said before is in the Room's hands; this is its last word to us.
        link.bye("protocol")
      )
    ),
    // Its fibers have ended by now: nothing of it reaches the Room after this.
    Effect.ensuring(
      Effect.suspend(() => {
        links.delete(link)
        return room.submit([{ _tag: "Lost", link }])
      })
    )
  )
})

/** Serves one connection until it ends, for whatever reason. */
export const run = (transport: Transport.Transport, context: Context) =>
  Effect.gen(function* () {
    const pull = yield* Stream.toPull(transport.lines)
    const identified = yield* Effect.raceFirst(
      Effect.asSome(identify(transport, pull, context)),
      // Whoever has not shown who it is when the server shuts down is closed without a word.
      Effect.as(Deferred.await(context.closing), Option.none())
    )
    if (Option.isNone(identified)) return
    if (Option.isNone(identified.value)) yield* Effect.logInfo("refused: it speaks no version known here")
    else yield* converse(transport, pull, identified.value.value, context)
    yield* Effect.timeoutOption(transport.end, drainTime)
  }).pipe(
    Effect.catchTags({
      HandshakeError: () => Effect.logInfo("refused: wrong key, or not a chat client"),
      Fault: ({ message }) => Effect.logInfo(`refused: ${message}`),
      TransportError: ({ message }) => Effect.logDebug(`lost: ${message}`),
      LogError: ({ message }) => Effect.logError(`lost: ${message}`)
    }),
    Effect.tapDefect((cause) => Effect.logError("a session has died", cause)),
    Effect.annotateLogs("from", transport.address),
    Effect.scoped
  )
