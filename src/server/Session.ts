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
import * as Roster from "../domain/Roster.js"
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

const shakeHands = Effect.fnUntraced(function* (
  transport: Transport.Transport,
  pull: Pull,
  keys: Keys.Ring<Keys.ServerKey>
) {
  const answer = yield* Handshake.respond(keys, yield* line(pull), (yield* Entropy).bytes(32))
  transport.write(Buffer.from(`${answer.line}\n`))
  return answer.session
})

/** Streams the log to the client from where it stands, a page at a time, until the Room can make it live. */
const follow = Effect.fnUntraced(function* (link: Downlink, transport: Transport.Transport) {
  const log = yield* Log
  const room = yield* Room.Room
  const { roster, welcome } = yield* Deferred.await(link.admitted)
  const members = Roster.members(roster)
  if (Arr.isNonEmptyReadonlyArray(members)) {
    const pages = Wire.pages(members).map((page): Protocol.Members => ({ _tag: "Members", members: page }))
    link.send(welcome, ...pages)
  }
  link.last = welcome.after
  while (link.isOpen) {
    yield* link.behind.await
    yield* transport.drained
    const events = yield* log.read(link.last, Room.page)
    if (Arr.isNonEmptyReadonlyArray(events)) {
      // The log has dropped what it should read next: it has been too slow for it.
      if (events[0].seq !== link.last + 1) return link.bye("slow")
      for (const page of Wire.pages(events)) {
        yield* transport.drained
        link.events(page)
      }
    }
    if (events.length < Room.page) {
      yield* link.behind.close
      yield* room.submit([{ _tag: "Ready", link }])
    }
  }
})

const handle = Effect.fnUntraced(function* (
  link: Downlink,
  transport: Transport.Transport,
  messages: ReadonlyArray<Protocol.ClientMessage>
) {
  const room = yield* Room.Room
  const commands: Array<Room.Command> = []
  let answered = false
  for (const message of messages) {
    switch (message._tag) {
      case "Say":
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
  yield* room.submit(commands)
  // Whoever asks for answers and does not read them is read no further.
  if (answered) yield* transport.drained
})

const converse = Effect.fnUntraced(function* (
  transport: Transport.Transport,
  pull: Pull,
  keys: Handshake.Session,
  links: Set<Downlink>
) {
  const room = yield* Room.Room
  const fernet = yield* Fernet
  const reader = new Wire.UpReader(fernet, keys.up)
  const link = yield* Downlink.make(transport, fernet, keys.down)

  // Up to here everything may have been a replay: only a frame under fresh keys shows who is there.
  const opening = yield* reader.open(yield* line(pull))
  transport.trust()
  links.add(link)

  const reading = Effect.gen(function* () {
    const first = yield* reader.decode(opening)
    if (first.messages.length !== 1 || first.messages[0]._tag !== "Nick") {
      return yield* new Fault({ rule: "order", detail: "the first frame is one Nick" })
    }
    yield* handle(link, transport, first.messages)
    yield* Stream.fromPull(Effect.succeed(pull)).pipe(
      Stream.mapEffect((text) => reader.read(text)),
      Stream.runForEach((frame) => handle(link, transport, frame.messages))
    )
    return "lost" as const
  })

  yield* follow(link, transport).pipe(
    Effect.catchAllCause((cause) => Deferred.failCause(link.closed, cause)),
    Effect.forkScoped
  )
  return yield* Effect.raceFirst(reading, Deferred.await(link.closed)).pipe(
    Effect.tapErrorTag("Fault", () => Effect.sync(() => link.bye("protocol"))),
    Effect.ensuring(
      Effect.suspend(() => {
        links.delete(link)
        return room.submit([{ _tag: "Lost", link }])
      })
    )
  )
})

/**
 * Serves one connection until it ends, for whatever reason. `links` holds the sessions that are open, so that they can
 * be told of a shutdown.
 */
export const run = (transport: Transport.Transport, keys: Keys.Ring<Keys.ServerKey>, links: Set<Downlink>) =>
  Effect.gen(function* () {
    const pull = yield* Stream.toPull(transport.lines)
    const session = yield* shakeHands(transport, pull, keys)
    if (Option.isNone(session)) yield* Effect.logInfo("refused: it speaks no version known here")
    else yield* Effect.logDebug(`ended: ${yield* converse(transport, pull, session.value, links)}`)
    yield* Effect.timeoutOption(transport.end, drainTime)
  }).pipe(
    Effect.catchTags({
      HandshakeError: () => Effect.logInfo("refused: wrong key, or not a chat client"),
      TransportError: (error) => Effect.logDebug(`lost: ${error.message}`),
      LogError: (error) => Effect.logError(`lost: ${error.message}`),
      Fault: (fault) =>
        Effect.zipRight(Effect.logInfo(`refused: ${fault.message}`), Effect.timeoutOption(transport.end, drainTime))
    }),
    Effect.tapDefect((cause) => Effect.logError("a session has died", cause)),
    Effect.annotateLogs("from", transport.address),
    Effect.scoped
  )
