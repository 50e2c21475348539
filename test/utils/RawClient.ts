/** A client that says whatever a test wants, rules kept or not, and shows what comes back. */
import { Buffer } from "node:buffer"
import * as Chunk from "effect/Chunk"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import { Entropy } from "../../src/domain/Entropy.js"
import * as Fernet from "../../src/domain/Fernet.js"
import * as Handshake from "../../src/domain/Handshake.js"
import * as Keys from "../../src/domain/Keys.js"
import type * as Protocol from "../../src/domain/Protocol.js"
import * as Transport from "../../src/domain/Transport.js"
import * as Wire from "../../src/domain/Wire.js"
import * as Room from "./Room.js"

export const ticket = "UFFSU1RVVldYWVpbXF1eXw=="

/** Lines as a server sends them, one at a time; none once it has ended, by a fault or not. */
const linesOf = Effect.fnUntraced(function* (transport: Transport.Transport) {
  const pull = yield* Stream.toPull(Stream.rechunk(transport.lines, 1))
  return Effect.option(Effect.map(pull, Chunk.unsafeHead))
})

/** A connection without a handshake. */
export const connect = Effect.gen(function* () {
  const transport = yield* Effect.flatMap(Transport.Dialer, ({ dial }) => dial)
  return {
    transport,
    line: yield* linesOf(transport),
    write: (text: string) => transport.write(Buffer.from(text, "latin1"))
  }
})

/** A connection that has shaken hands. */
export const open = Effect.gen(function* () {
  const { line, transport, write } = yield* connect
  const fernet = yield* Fernet.Fernet
  const hello = Handshake.initiate(Room.serverKeys[0], (yield* Entropy).bytes(32))
  write(`${hello.line}\n`)
  const answer = yield* Effect.flatMap(line, (text) => text)
  const keys = yield* hello.complete(answer)
  transport.trust()
  const reader = new Wire.DownReader(fernet, keys.down)
  let group: Keys.Key<"group"> | undefined
  let frame = 0

  /** Sends a frame with any plaintext. */
  const sendText = (plaintext: string | Uint8Array, key: Keys.AnyKey = keys.up) =>
    write(`${fernet.encrypt([key], Buffer.from(plaintext))}\n`)

  return {
    keys,
    write,
    transport,
    /** The handshake's first line, for who wants to replay it. */
    hello: hello.line,
    sendText,
    /** Sends messages of any shape in the next frame. */
    send: (...messages: ReadonlyArray<unknown>) => sendText(JSON.stringify({ frame: frame++, messages })),
    /** What comes next: a frame for this session or for all; none when the server has ended. */
    next: Effect.gen(function* () {
      const text = yield* line
      if (Option.isNone(text)) return Option.none<Wire.Received>()
      const received = yield* reader.read(text.value, group)
      if (received._tag === "Down") {
        for (const message of received.messages) {
          if (message._tag === "Rekey") group = Option.getOrUndefined(Keys.fromBase64Url<"group">(message.key))
        }
      }
      return Option.some(received)
    })
  }
})

type Raw = Effect.Effect.Success<typeof open>

/** Everything until the server ends: the messages to this session, and the events for all as one each. */
export const untilEnd = (raw: Raw) =>
  Effect.gen(function* () {
    const seen: Array<Protocol.ServerMessage | Protocol.Event> = []
    for (;;) {
      const received = yield* raw.next
      if (Option.isNone(received)) return seen
      seen.push(...(received.value._tag === "Down" ? received.value.messages : received.value.frame.events))
    }
  })

/** All messages and events of the frames up to the first that holds one with this tag. */
export const until = (raw: Raw, tag: string) =>
  Effect.gen(function* () {
    const seen: Array<Protocol.ServerMessage | Protocol.Event> = []
    for (;;) {
      const received = yield* Effect.flatten(raw.next)
      const messages = received._tag === "Down" ? received.messages : received.frame.events
      seen.push(...messages)
      if (messages.some(({ _tag }) => _tag === tag)) return seen
    }
  })

/** A session that has joined and is live. */
export const joined = (nick: string) =>
  Effect.gen(function* () {
    const raw = yield* open
    raw.send({ _tag: "Nick", nick, ticket })
    yield* until(raw, "Rekey")
    return raw
  })
