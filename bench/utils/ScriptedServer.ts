/** A server that lets one client in over a Transport in memory and then sends what it is told to: no room, no log. */
import { Buffer } from "node:buffer"
import * as Arr from "effect/Array"
import * as Chunk from "effect/Chunk"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import * as Base64Url from "../../src/domain/Base64Url.js"
import { Entropy } from "../../src/domain/Entropy.js"
import { Fernet } from "../../src/domain/Fernet.js"
import * as Handshake from "../../src/domain/Handshake.js"
import * as Keys from "../../src/domain/Keys.js"
import * as Protocol from "../../src/domain/Protocol.js"
import * as Transport from "../../src/domain/Transport.js"
import * as Wire from "../../src/domain/Wire.js"
import { serverKeys } from "./Setting.js"

export const log = Protocol.LogId.make(Base64Url.encode(new Uint8Array(16).fill(1)))
export const groupKey = Keys.fromBytes<"group">(new Uint8Array(Keys.length).fill(2))
export const epoch = 1

/** The log holds the joining of the one client, and everything follows on that. */
export const head = Protocol.Seq.make(1)

/** Lets the next client in, up to where it is live. What it sends after that is read off. */
export const accept = Effect.gen(function* () {
  const fernet = yield* Fernet
  const transport = yield* Effect.flatMap(Transport.Listener, ({ accept }) => accept)
  const pull = yield* Stream.toPull(transport.lines)
  const line = Effect.map(pull, Chunk.unsafeHead)
  const answer = yield* Handshake.respond(serverKeys, yield* line, (yield* Entropy).bytes(32))
  const { down, up } = yield* answer.session
  transport.write(Buffer.from(`${answer.line}\n`))
  transport.trust()
  const frame = yield* new Wire.UpReader(fernet, up).read(yield* line)
  const first = Arr.headNonEmpty(frame.messages)
  if (first._tag !== "Nick") return yield* Effect.dieMessage("the first message is a Nick")
  const { nick } = first
  const member = Protocol.MemberId.make(head)
  const writer = new Wire.Writer<Protocol.ServerMessage>(fernet, down)
  transport.write(
    writer.lines([
      { _tag: "Welcome", log, head, after: Protocol.start, member, nick, acked: 0, count: 1 },
      { _tag: "Members", members: [{ member, nick }] },
      { _tag: "Events", events: [{ _tag: "Joined", seq: head, at: 0, member, nick }] },
      { _tag: "Rekey", epoch, key: Keys.toBase64Url(groupKey) }
    ])
  )
  yield* Effect.forkScoped(Effect.forever(pull))
  return { send: (bytes: Uint8Array) => void transport.write(bytes) }
})
