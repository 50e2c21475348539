/** A session with a server and no client behind it: whoever has it looks at lines only as far as it needs to. */
import { Buffer } from "node:buffer"
import type * as Arr from "effect/Array"
import * as Chunk from "effect/Chunk"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import { Entropy } from "../../src/domain/Entropy.js"
import { Fernet } from "../../src/domain/Fernet.js"
import * as Handshake from "../../src/domain/Handshake.js"
import type * as Protocol from "../../src/domain/Protocol.js"
import * as Transport from "../../src/domain/Transport.js"
import * as Wire from "../../src/domain/Wire.js"
import { serverKeys } from "./Setting.js"

/** Dials and shakes hands, for the life of the Scope. */
export const open = Effect.gen(function* () {
  const fernet = yield* Fernet
  const transport = yield* Effect.flatMap(Transport.Dialer, ({ dial }) => dial)
  const pull = yield* Stream.toPull(transport.lines)
  const hello = Handshake.initiate(serverKeys[0], (yield* Entropy).bytes(32))
  transport.write(Buffer.from(`${hello.line}\n`))
  const { down, up } = yield* hello.complete(Chunk.unsafeHead(yield* pull))
  transport.trust()
  const writer = new Wire.Writer<Protocol.ClientMessage>(fernet, up)
  return {
    /** What was said first, for who wants to replay it. */
    hello: hello.line,
    /** The key of what comes. */
    down,
    /** Reads lines that are for this session, each in its turn. */
    reader: new Wire.DownReader(fernet, down),
    /** Sends a frame: 64 messages at most. */
    send: (...messages: Arr.NonEmptyReadonlyArray<Protocol.ClientMessage>) =>
      void transport.write(writer.lines(messages)),
    /** For whoever breaks the rules. */
    transport,
    up,
    /** The next lines that have come. Fails when the server has ended. */
    lines: Effect.map(pull, Chunk.toReadonlyArray)
  }
})
