/**
 * One connection, from its first byte to its last: handshake, then frames to the Room. All of it is one fiber, which
 * reads; what is written to the client is written by whoever has something to write. Its failure is its own.
 */
import { Buffer } from "node:buffer"
import * as Arr from "effect/Array"
import * as Cause from "effect/Cause"
import type * as Clock from "effect/Clock"
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
import type { Connections } from "./Connections.js"
import { Downlink } from "./Downlink.js"
import * as Ending from "./Ending.js"
import * as History from "./History.js"
import type { Rates } from "./Rates.js"
import type { Replays } from "./Replays.js"
import * as Room from "./Room.js"

/** How long a client may take to read what was written before its Bye. */
const drainTime = "5 seconds"
/** The same of one that is refused, and held against nobody. */
const refusedDrainTime = "1 second"

/** What a session needs beside its connection. */
export interface Context {
  /** The server keys: whoever holds one of them is let in. */
  readonly keys: Keys.Ring<Keys.ServerKey>
  readonly connections: Connections
  readonly rates: Rates
  /** The same for each address, as fast as all the members may be who can be there. */
  readonly crowds: Rates
  readonly replays: Replays
  readonly clock: Clock.Clock
}

const ended = () => new Transport.TransportError({ reason: "lost", message: "it ended before it had said who it is" })

/** What frames ask of the room and of the log, and whether any of it is answered; up to where one breaks a rule. */
interface Asked {
  readonly commands: ReadonlyArray<Room.Command>
  readonly fetches: ReadonlyArray<Protocol.Fetch>
  readonly isAnswered: boolean
  readonly fault: Fault | undefined
  /** How long (ms) to read nothing more, and the lines that wait for that. */
  readonly pause: number
  readonly rest: ReadonlyArray<string>
}

/** How many events fetched count as much as one text, and how many characters of a seal: that of a page has fewer. */
const eventsAsOne = 50
const sealedAsOne = 8 * 1024

/** What a message counts against the rate: everything does, for all of it is work. */
const weight = (message: Protocol.ClientMessage): number => {
  switch (message._tag) {
    case "Say":
      return Math.max(1, Math.ceil(message.sealed.length / sealedAsOne))
    case "Fetch":
      return Math.ceil(message.limit / eventsAsOne)
    default:
      return 1
  }
}

const nothing: ReadonlyArray<string> = []

/**
 * Reads frames that have come, until `charge` says that there were too many. A frame is whole before any of it takes
 * effect, so a fault in one spares those before.
 */
const read = (
  link: Downlink,
  reader: Wire.UpReader,
  lines: ReadonlyArray<string>,
  charge: (count: number) => number
): Asked => {
  const commands: Array<Room.Command> = []
  const fetches: Array<Protocol.Fetch> = []
  let said: Array<Protocol.Say> = []
  let isAnswered = false
  const flush = () => {
    if (said.length > 0) commands.push({ _tag: "Say", link, messages: said })
    said = []
  }
  const asked = (fault?: Fault, pause = 0, rest = nothing): Asked => {
    flush()
    return { commands, fetches, isAnswered, fault, pause, rest }
  }
  const pongs: Array<Protocol.ServerMessage> = []
  for (const [index, text] of lines.entries()) {
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
          pongs.push({ _tag: "Pong", at: message.at, last: link.last })
          isAnswered = true
          break
      }
    }
    if (Arr.isNonEmptyArray(pongs)) link.send(...pongs)
    pongs.length = 0
    const pause = charge(messages.reduce((sum, message) => sum + weight(message), 0))
    if (pause > 0) return asked(undefined, pause, lines.slice(index + 1))
  }
  return asked()
}

type Heard = Effect.Effect<
  void,
  Transport.TransportError | Fault,
  Effect.Effect.Context<ReturnType<typeof History.answer>>
>

/** Counts `count` against a member, and against all who come from where it does: how long (ms) to read nothing more. */
const charged = ({ clock, crowds, rates }: Context, link: Downlink, count: number): number => {
  const now = clock.unsafeCurrentTimeMillis()
  const alone = rates.charge(link.member ?? link, count, now)
  return link.network === undefined ? alone : Math.max(alone, crowds.charge(link.network, count, now))
}

/** A session whose client has shown who it is. */
class Talk {
  constructor(
    private readonly transport: Transport.Transport,
    private readonly link: Downlink,
    private readonly reader: Wire.UpReader,
    private readonly room: Room.Room["Type"],
    private readonly context: Context
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
    const asked = read(link, reader, lines, (count) => this.charge(count))
    const { commands, fault, fetches, isAnswered, pause, rest } = asked
    return Effect.flatMap(this.ask(commands), () => {
      if (fetches.length === 0 && fault === undefined && !isAnswered && pause === 0) return this.rest
      return Effect.forEach(fetches, (fetch) => History.answer(link, fetch), { discard: true }).pipe(
        Effect.zipRight(fault ?? Effect.void),
        // Whoever asks for answers and does not read them is read no further, nor who asks too fast.
        Effect.zipRight(Effect.raceFirst(Effect.delay(transport.drained, pause), link.closed)),
        Effect.zipRight(Effect.suspend(() => (rest.length > 0 ? this.hear(rest) : this.rest)))
      )
    })
  }

  private charge(count: number): number {
    const { context, link } = this
    return charged(context, link, count)
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
const greet = Effect.fnUntraced(function* (transport: Transport.Transport, context: Context) {
  const { connections, keys, replays } = context
  const { aside } = yield* EventLoop
  const fernet = yield* Fernet
  const room = yield* Room.Room
  const catchUp = yield* CatchUp

  connections.add(transport)
  // While lines are short they come one at a time.
  const [hello] = yield* transport.next
  if (hello === undefined) return yield* ended()
  yield* aside
  if (replays.has(hello)) {
    connections.refuse("a recording", transport)
    return yield* ended()
  }
  const answer = yield* Handshake.respond(keys, hello, (yield* Entropy).bytes(32))
  replays.add(hello)
  transport.write(Buffer.from(`${answer.line}\n`))
  if (Option.isNone(answer.session)) return connections.refuse("it speaks no version known here", transport)
  const { down, up } = answer.session.value
  const reader = new Wire.UpReader(fernet, up)
  const [opening] = yield* transport.next
  if (opening === undefined) return yield* ended()
  const plaintext = yield* reader.open(opening)

  transport.trust()
  const link = new Downlink(transport, new Wire.Writer(fernet, down), catchUp.start)
  if (!connections.identify(transport, link)) return yield* ended()
  // There is no place for it.
  if (link.isClosed) return undefined
  const { messages } = yield* reader.decode(plaintext)
  if (messages.length !== 1 || messages[0]._tag !== "Nick") {
    return yield* new Fault({ rule: "order", detail: "the first frame is one Nick" })
  }
  // Who comes again and again as somebody new is no faster than who stays.
  const pause = charged(context, link, 1)
  if (pause > 0) yield* Effect.raceFirst(Effect.sleep(pause), link.closed)
  yield* room.submit([{ _tag: "Nick", link, message: messages[0], network: link.network }])
  return new Talk(transport, link, reader, room, context)
})

/** All that a client has to say. */
const converse = (transport: Transport.Transport, context: Context) =>
  Effect.flatMap(greet(transport, context), (talk) => talk?.rest ?? Effect.void)

/** Tells the operator why a connection has ended, where there is anything to tell. */
const report = (transport: Transport.Transport, { connections }: Context, end: Ending.End): Effect.Effect<void> => {
  if (Exit.isSuccess(end) || Cause.isInterruptedOnly(end.cause)) return Effect.void
  const failure = Cause.failureOption(end.cause)
  if (Option.isNone(failure)) return Effect.logError("a session has died", end.cause)
  switch (failure.value._tag) {
    case "HandshakeError":
      return Effect.sync(() => connections.refuse("wrong key, or not a chat client", transport))
    case "Fault": {
      const { message } = failure.value
      const refusal = connections.find(transport) === undefined ? "wrong key, or not a chat client" : "broke a rule"
      return Effect.sync(() => connections.refuse(refusal, transport, message))
    }
    case "TransportError":
      return Effect.void
  }
}

/** Takes leave of a client, whatever the reason. It counts as a connection until that is done. */
const part = Effect.fnUntraced(function* (transport: Transport.Transport, context: Context, end: Ending.End) {
  yield* report(transport, context, end)
  const link = context.connections.find(transport)
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
  // Who was let in and is put out has a line of its own: see Ending.
  if (link?.outcome === "banned" && link.member === undefined) context.connections.refuse("banned", transport)
  const time = link === undefined ? refusedDrainTime : drainTime
  if (isOrderly) yield* Effect.interruptible(Effect.timeoutOption(transport.end, time))
})

/** What the fiber of a session is run with. */
export type Services = Effect.Effect.Context<ReturnType<typeof run>>

/** Serves one connection until it ends, for whatever reason; then closes its Scope. */
export const run = (transport: Transport.Transport, context: Context, scope: Scope.CloseableScope) => {
  const since = context.clock.unsafeCurrentTimeMillis()
  const record = (end: Ending.End) => {
    const link = context.connections.findAny(transport)
    return Ending.record(transport, link, end, context.clock.unsafeCurrentTimeMillis() - since)
  }
  const leave = (end: Ending.End) =>
    part(transport, context, end).pipe(
      Effect.ensuring(Effect.suspend(() => record(end))),
      Effect.annotateLogs("from", transport.address),
      Effect.ensuring(Effect.sync(() => context.connections.remove(transport))),
      Effect.ensuring(Scope.close(scope, end))
    )
  // What is around the conversation is held for as long as that lasts: it is little, and what begins it is not in it.
  return Effect.interruptible(Effect.suspend(() => converse(transport, context))).pipe(
    Effect.matchCauseEffect({ onFailure: (cause) => leave(Exit.failCause(cause)), onSuccess: () => leave(Exit.void) }),
    Effect.uninterruptible
  )
}
