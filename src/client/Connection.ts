/** A client's connection: dialled, shaken hands, then frames both ways. */
import { Buffer } from "node:buffer"
import type * as Arr from "effect/Array"
import * as Chunk from "effect/Chunk"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Option from "effect/Option"
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
    received: (group) => {
      let lines: ReadonlyArray<string> = []
      let next = 0
      // On to where the group key may change: broadcasts, then one frame of this client's own, which may bring another.
      const read = (): Either.Either<Chunk.Chunk<Wire.Received>, Fault> => {
        const frames: Array<Wire.Received> = []
        const key = group()
        for (let line = lines[next]; line !== undefined; line = lines[next]) {
          const frame = reader.read(line, key)
          // A fault behind good frames comes again when those have been taken.
          if (Either.isLeft(frame)) {
            if (frames.length > 0) break
            return Either.left(frame.left)
          }
          next += 1
          frames.push(frame.right)
          if (frame.right._tag === "Down") break
        }
        return Either.right(Chunk.unsafeFromArray(frames))
      }
      const more = Effect.map(pull, (chunk) => {
        lines = Chunk.toReadonlyArray(chunk)
        next = 0
      })
      return Stream.repeatEffectChunkOption(
        Effect.suspend(() => {
          const reading = Effect.suspend(() => Either.mapLeft(read(), Option.some))
          return next < lines.length ? reading : Effect.zipRight(more, reading)
        })
      )
    }
  }
  return connection
})
