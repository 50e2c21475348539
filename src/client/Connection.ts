/** A client's connection: dialled, shaken hands, then frames both ways. */
import { Buffer } from "node:buffer"
import type * as Arr from "effect/Array"
import * as Chunk from "effect/Chunk"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Stream from "effect/Stream"
import { Entropy } from "../domain/Entropy.js"
import type { Fault } from "../domain/Fault.js"
import { Fernet } from "../domain/Fernet.js"
import * as Handshake from "../domain/Handshake.js"
import type * as Keys from "../domain/Keys.js"
import * as Protocol from "../domain/Protocol.js"
import * as Transport from "../domain/Transport.js"
import * as Wire from "../domain/Wire.js"
import * as Failure from "./Failure.js"

export interface Connection extends Pick<Transport.Transport, "drained" | "end"> {
  /** Writes messages in as few frames as hold them; returns the bytes not yet sent. */
  readonly send: (...messages: Arr.NonEmptyReadonlyArray<Protocol.ClientMessage>) => number
  /** Frames as they come, to be run once. `group` tells the newest group key whenever one is needed. */
  readonly received: (
    group: () => Keys.AnyKey | undefined
  ) => Stream.Stream<Wire.Received, Transport.TransportError | Fault>
}

/** Dials and shakes hands, for the life of the Scope. Whatever else but a good answer comes back, it is not this chat. */
export const open = Effect.fn("Connection.open")(function* (key: Keys.ServerKey) {
  const { address, dial } = yield* Transport.Dialer
  const fernet = yield* Fernet
  const transport = yield* Effect.mapError(dial, Failure.unreachable)
  const pull = yield* Stream.toPull(transport.lines)

  const initiated = Handshake.initiate(key, (yield* Entropy).bytes(32))
  transport.write(Buffer.from(`${initiated.line}\n`))
  const answer = yield* Effect.mapError(pull, () => Failure.wrongKey(address))
  const session = yield* Either.mapLeft(initiated.complete(Chunk.unsafeHead(answer)), (error) =>
    error.reason === "version" ? Failure.otherVersion(address, error) : Failure.wrongKey(address)
  )
  transport.trust()

  const reader = new Wire.DownReader(fernet, session.down)
  const writer = new Wire.Writer<Protocol.ClientMessage>(fernet, session.up, Protocol.maxMessages)
  const connection: Connection = {
    drained: transport.drained,
    end: transport.end,
    send: (...messages) => transport.write(writer.lines(messages)),
    received: (group) => Stream.mapEffect(Stream.fromPull(Effect.succeed(pull)), (line) => reader.read(line, group()))
  }
  return connection
})
