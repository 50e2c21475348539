/** A server that says whatever a test wants, rules kept or not. */
import { Buffer } from "node:buffer"
import * as Chunk from "effect/Chunk"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import { Entropy } from "../../src/domain/Entropy.js"
import * as Fernet from "../../src/domain/Fernet.js"
import * as Handshake from "../../src/domain/Handshake.js"
import * as Keys from "../../src/domain/Keys.js"
import * as Protocol from "../../src/domain/Protocol.js"
import * as Seal from "../../src/domain/Seal.js"
import * as Transport from "../../src/domain/Transport.js"
import * as Wire from "../../src/domain/Wire.js"
import * as Room from "./Room.js"

export const log = Protocol.LogId.make("QEFCQ0RFRkdISUpLTE1OTw==")
const groupKey = Keys.fromBytes<"group">(new Uint8Array(32).fill(9))

/** Somebody else than who is let in. */
export const bob = { member: 5, nick: "bob" }

/** A text of somebody else, sealed as its member would seal it. */
export const chat = (seq: number, n: number, text: string, sealedAs: Partial<Seal.Sealed> = {}) =>
  Effect.map(Fernet.Fernet, (fernet) => {
    const place = { log, n, text, ...bob, ...sealedAs } as Seal.Sealed // numbers of a test
    const sealed = Seal.seal(fernet, [Keys.messageKey(Room.roomKeys[0])], place)
    return { _tag: "Chat", seq, at: 0, n, sealed, ...bob }
  })

/** The next client, which has shaken hands. */
export const accept = Effect.gen(function* () {
  const transport = yield* Effect.flatMap(Transport.Listener, ({ accept }) => accept)
  const fernet = yield* Fernet.Fernet
  const pull = yield* Stream.toPull(Stream.rechunk(transport.lines, 1))
  const line = Effect.map(pull, Chunk.unsafeHead)
  const answer = yield* Handshake.respond(Room.serverKeys, yield* line, (yield* Entropy).bytes(32))
  transport.write(Buffer.from(`${answer.line}\n`))
  transport.trust()
  const keys = yield* answer.session
  const reader = new Wire.UpReader(fernet, keys.up)
  let frame = 0
  const send = (...messages: ReadonlyArray<unknown>) =>
    transport.write(
      Buffer.from(`${fernet.encrypt([keys.down], Buffer.from(JSON.stringify({ frame: frame++, messages })))}\n`)
    )
  return {
    transport,
    /** Sends messages of any shape in the next frame. */
    send,
    /** Sends events of any shape to all. */
    broadcast: (...events: ReadonlyArray<unknown>) =>
      transport.write(
        Buffer.from(`${fernet.encrypt([groupKey], Buffer.from(JSON.stringify({ epoch: 1, events })))}\n`)
      ),
    /** The client's next messages; none when it has ended. */
    next: Effect.option(line).pipe(
      Effect.flatMap(
        Option.match({
          onNone: () => Effect.succeedNone,
          onSome: (text) => Effect.map(reader.read(text), (read) => Option.some(read.messages))
        })
      )
    ),
    /** Lets the client in as member 1, alone and live. */
    welcome: () => {
      send(
        { _tag: "Welcome", log, head: 1, after: 0, member: 1, nick: "ada", acked: 0, count: 1 },
        { _tag: "Members", members: [{ member: 1, nick: "ada" }] },
        { _tag: "Events", events: [{ _tag: "Joined", seq: 1, at: 0, member: 1, nick: "ada" }] },
        { _tag: "Rekey", epoch: 1, key: Keys.toBase64Url(groupKey) }
      )
    }
  }
})

type RawServer = Effect.Effect.Success<typeof accept>

/** When the test is over the client leaves, and waits for a Bye and the end, as a server would give it. */
export const goodbye = ({ send, transport }: RawServer) =>
  Effect.addFinalizer(() =>
    Effect.zipRight(
      Effect.sync(() => send({ _tag: "Bye", reason: "quit" })),
      Effect.forkDaemon(transport.end)
    )
  )
