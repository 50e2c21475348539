/**
 * One connection, from its first byte to its last: handshake, then frames to the Room. All of it is one fiber, which
 * reads; what is written to the client is written by whoever has something to write. Its failure is its own.
 */
import { Buffer } from "node:buffer"
import * as Cause from "effect/Cause"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import * as Scope from "effect/Scope"
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
import * as History from "./History.js"
import type { Limits } from "./Limits.js"
import * as Room from "./Room.js"

/** How long a client may take to read what was written before its Bye. */
const drainTime = "5 seconds"

/** How often (ms) connections are looked through for silent ones, and how many of those are written to in a row. */
const lookTime = 1_000
const writesAtOnce = 32

/** The limits that {@link Connections.watch} keeps. */
type Silence = Pick<Limits, "opening" | "pingAfter" | "silentAfter">

/** The connections of a server, so that they can be told of its end, and those that say nothing be found. */
export class Connections {
  /** Each with its downlink; one that has not shown who it is with the time (ms) that it has been here. */
  private readonly open = new Map<Transport.Transport, Downlink | number>()
  private isClosing = false

  /** A connection that has not shown who it is. */
  add(transport: Transport.Transport): void {
    this.open.set(transport, 0)
    if (this.isClosing) transport.stopReading()
  }

  /** It has shown who it is. */
  identify(transport: Transport.Transport, link: Downlink): void {
    this.open.set(transport, link)
    if (this.isClosing) link.bye("shutdown")
  }

  /** It has ended; its downlink, if it had come that far. */
  remove(transport: Transport.Transport): Downlink | undefined {
    const link = this.open.get(transport)
    this.open.delete(transport)
    return typeof link === "number" ? undefined : link
  }

  /** Says Bye to all, now and later; whoever has not shown who it is is closed without a word. */
  shutDown(): void {
    this.isClosing = true
    for (const [transport, link] of this.open) {
      if (typeof link === "number") transport.stopReading()
      else link.bye("shutdown")
    }
  }

  /**
   * Looks after those that say nothing, for ever. One fiber counts for all, so that ten thousand who are idle cost a loop
   * over them and no timers; it counts its own turns, so that nobody is to blame for time in which the server stood still.
   */
  watch(limits: Silence): Effect.Effect<never> {
    return Effect.gen(this, function* () {
      const { turn } = yield* EventLoop
      const opening = Duration.toMillis(limits.opening)
      const patience = {
        pingAfter: Duration.toMillis(limits.pingAfter),
        silentAfter: Duration.toMillis(limits.silentAfter)
      }
      while (true) {
        yield* Effect.sleep(lookTime)
        const at = yield* Effect.clockWith((clock) => clock.currentTimeMillis)
        let writes = 0
        for (const [transport, link] of this.open) {
          if (typeof link === "number") {
            this.open.set(transport, link + lookTime)
            if (link + lookTime >= opening) transport.stopReading()
          } else if (link.wait(lookTime, at, patience)) {
            writes += 1
            // Those who talk do not wait for a crowd that does not.
            if (writes % writesAtOnce === 0) yield* turn
          }
        }
      }
    })
  }
}

/** What a session needs beside its connection. */
export interface Context {
  /** The server keys: whoever holds one of them is let in. */
  readonly keys: Keys.Ring<Keys.ServerKey>
  readonly connections: Connections
}

const ended = () => new Transport.TransportError({ reason: "lost", message: "it ended before it had said who it is" })

/** What frames ask of the room and of the log, and whether any of it is answered; up to where one breaks a rule. */
interface Asked {
  readonly commands: ReadonlyArray<Room.Command>
  readonly fetches: ReadonlyArray<Protocol.Fetch>
  readonly isAnswered: boolean
  readonly fault: Fault | undefined
}

/** Reads frames that have come. A frame is whole before any of it takes effect, so a fault in one spares those before. */
const read = (link: Downlink, reader: Wire.UpReader, lines: ReadonlyArray<string>): Asked => {
  const commands: Array<Room.Command> = []
  const fetches: Array<Protocol.Fetch> = []
  let said: Array<Protocol.Say> = []
  let isAnswered = false
  const flush = () => {
    if (said.length > 0) commands.push({ _tag: "Say", link, messages: said })
    said = []
  }
  const asked = (fault?: Fault): Asked => {
    flush()
    return { commands, fetches, isAnswered, fault }
  }
  for (const text of lines) {
    const frame = reader.read(text)
    if (Either.isLeft(frame)) return asked(frame.left)
    const { messages } = frame.right
    for (const message of messages) {
      if ((message._tag === "Say" || message._tag === "Fetch") && !link.isWelcomed) {
        return asked(new Fault({ rule: "order", detail: `a ${message._tag} came before Welcome` }))
      }
    }
    for (const message of messages) {
      if (message._tag === "Say") {
        said.push(message)
        continue
      }
      flush()
      switch (message._tag) {
        case "Nick":
          commands.push({ _tag: "Nick", link, message, network: link.network })
          isAnswered = true
          break
        case "Leave":
          commands.push({ _tag: "Leave", link })
          break
        case "Fetch":
          fetches.push(message)
          isAnswered = true
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

type Heard = Effect.Effect<
  void,
  Transport.TransportError | Fault,
  Effect.Effect.Context<ReturnType<typeof History.answer>>
>

/** A session whose client has shown who it is. */
class Talk {
  constructor(
    private readonly transport: Transport.Transport,
    private readonly link: Downlink,
    private readonly reader: Wire.UpReader,
    private readonly room: Room.Room["Type"]
  ) {}

  /**
   * Reads frames until the client, or the server, has had enough. No generator, whose variables would be held for as long
   * as nothing comes: what it holds, ten thousand who are idle hold.
   */
  get rest(): Heard {
    return Effect.suspend(() => {
      this.link.listen()
      return Effect.flatMap(this.transport.next, (lines) => this.hear(lines))
    })
  }

  private hear(lines: ReadonlyArray<string>): Heard {
    const { link, reader, transport } = this
    if (lines.length === 0 || link.isClosed) return Effect.void
    link.heard()
    const { commands, fault, fetches, isAnswered } = read(link, reader, lines)
    return Effect.flatMap(this.ask(commands), () => {
      if (fetches.length === 0 && fault === undefined && !isAnswered) return this.rest
      return Effect.forEach(fetches, (fetch) => History.answer(link, fetch), { discard: true }).pipe(
        Effect.zipRight(fault ?? Effect.void),
        // Whoever asks for answers and does not read them is read no further.
        Effect.zipRight(Effect.raceFirst(transport.drained, link.closed)),
        Effect.zipRight(this.rest)
      )
    })
  }

  private ask(commands: ReadonlyArray<Room.Command>): Effect.Effect<void> {
    const { link, room } = this
    // Who only reads need not wait, nor who leaves before it was let in.
    if (commands.length === 0) return Effect.void
    const isLeaving = commands[0]?._tag === "Leave" && !link.isWelcomed
    if (room.isTaking() || isLeaving) return room.submit(commands)
    // It may have to wait for long: it does so only until it is sent away.
    return Effect.raceFirst(room.ask(commands), link.closed)
  }
}

/**
 * Shakes hands and waits for the first frame to open; no Talk where that is all. Up to the first frame everything may be
 * a replay, and only one under fresh keys shows who is there.
 */
const greet = Effect.fnUntraced(function* (transport: Transport.Transport, { connections, keys }: Context) {
  const { aside } = yield* EventLoop
  const fernet = yield* Fernet
  const room = yield* Room.Room
  const catchUp = yield* CatchUp

  connections.add(transport)
  // While lines are short they come one at a time.
  const [hello] = yield* transport.next
  if (hello === undefined) return yield* ended()
  yield* aside
  const answer = yield* Handshake.respond(keys, hello, (yield* Entropy).bytes(32))
  transport.write(Buffer.from(`${answer.line}\n`))
  if (Option.isNone(answer.session)) {
    const refused = Effect.logInfo("refused: it speaks no version known here")
    yield* Effect.annotateLogs(refused, "from", transport.address)
    return undefined
  }
  const { down, up } = answer.session.value
  const reader = new Wire.UpReader(fernet, up)
  const [opening] = yield* transport.next
  if (opening === undefined) return yield* ended()
  const plaintext = yield* reader.open(opening)

  transport.trust()
  const link = new Downlink(transport, new Wire.Writer(fernet, down), catchUp.start)
  connections.identify(transport, link)
  const { messages } = yield* reader.decode(plaintext)
  if (messages.length !== 1 || messages[0]._tag !== "Nick") {
    return yield* new Fault({ rule: "order", detail: "the first frame is one Nick" })
  }
  yield* room.submit([{ _tag: "Nick", link, message: messages[0], network: link.network }])
  return new Talk(transport, link, reader, room)
})

/** All that a client has to say. */
const converse = (transport: Transport.Transport, context: Context) =>
  Effect.flatMap(greet(transport, context), (talk) => talk?.rest ?? Effect.void)

type End = Exit.Exit<void, Effect.Effect.Error<ReturnType<typeof converse>>>

/** Tells the operator why a connection has ended, where there is anything to tell. */
const report = (end: End): Effect.Effect<void> => {
  if (Exit.isSuccess(end) || Cause.isInterruptedOnly(end.cause)) return Effect.void
  const failure = Cause.failureOption(end.cause)
  if (Option.isNone(failure)) return Effect.logError("a session has died", end.cause)
  switch (failure.value._tag) {
    case "HandshakeError":
      return Effect.logInfo("refused: wrong key, or not a chat client")
    case "Fault":
      return Effect.logInfo(`refused: ${failure.value.message}`)
    case "TransportError":
      return Effect.logDebug(`lost: ${failure.value.message}`)
  }
}

/** Takes leave of a client, whatever the reason. */
const part = Effect.fnUntraced(function* (transport: Transport.Transport, { connections }: Context, end: End) {
  const link = connections.remove(transport)
  yield* report(end)
  let isOrderly = Exit.isSuccess(end)
  if (link !== undefined) {
    if (Exit.isFailure(end) && Option.exists(Cause.failureOption(end.cause), ({ _tag }) => _tag === "Fault")) {
      // Whatever it had said before is in the Room's hands; this is its last word to us.
      link.bye("protocol")
      isOrderly = true
    }
    // From here on nothing is written to it, whatever the Room still has to tell it.
    link.close()
    yield* (yield* CatchUp).stop(link)
    yield* (yield* Room.Room).submit([{ _tag: "Lost", link }])
  }
  if (isOrderly) yield* Effect.interruptible(Effect.timeoutOption(transport.end, drainTime))
})

/** What the fiber of a session is run with. */
export type Services = Effect.Effect.Context<ReturnType<typeof run>>

/** Serves one connection until it ends, for whatever reason; then closes its Scope. */
export const run = (transport: Transport.Transport, context: Context, scope: Scope.CloseableScope) => {
  const leave = (end: End) =>
    part(transport, context, end).pipe(
      Effect.annotateLogs("from", transport.address),
      Effect.ensuring(Scope.close(scope, end))
    )
  // What is around the conversation is held for as long as that lasts: it is little, and what begins it is not in it.
  return Effect.interruptible(Effect.suspend(() => converse(transport, context))).pipe(
    Effect.matchCauseEffect({ onFailure: (cause) => leave(Exit.failCause(cause)), onSuccess: () => leave(Exit.void) }),
    Effect.uninterruptible
  )
}
