/** A client's connection: dialled, shaken hands, then frames both ways. */
import { Buffer } from "node:buffer"
import type * as Arr from "effect/Array"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
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
  /**
   * Reads frames as they come, to be run once, until the server has ended. `take` has each before the next is read,
   * and says what is to be done in between, if anything; `group` tells the newest group key.
   */
  readonly read: <E>(
    group: () => Keys.AnyKey | undefined,
    take: (received: Wire.Received) => Effect.Effect<void, E> | undefined
  ) => Effect.Effect<void, E | Transport.TransportError | Fault>
}

/** Dials and shakes hands, for the life of the Scope. Whatever else but a good answer comes back, it is not this chat. */
export const open = Effect.fn("Connection.open")(function* (key: Keys.ServerKey) {
  const { address, dial } = yield* Transport.Dialer
  const fernet = yield* Fernet
  const transport = yield* Effect.mapError(dial, Failure.unreachable)

  const initiated = Handshake.initiate(key, (yield* Entropy).bytes(32))
  transport.write(Buffer.from(`${initiated.line}\n`))
  const [answer] = yield* Effect.mapError(transport.next, () => Failure.wrongKey(address))
  if (answer === undefined) return yield* Failure.wrongKey(address)
  const session = yield* Either.mapLeft(initiated.complete(answer), (error) =>
    error.reason === "version" ? Failure.otherVersion(address, error) : Failure.wrongKey(address)
  )
  transport.trust()

  const reader = new Wire.DownReader(fernet, session.down)
  const writer = new Wire.Writer<Protocol.ClientMessage>(fernet, session.up, Protocol.maxMessages)
  const connection: Connection = {
    drained: transport.drained,
    end: transport.end,
    send: (...messages) => transport.write(writer.lines(messages)),
    read: <E>(
      group: () => Keys.AnyKey | undefined,
      take: (received: Wire.Received) => Effect.Effect<void, E> | undefined
    ) => {
      let lines: ReadonlyArray<string> = []
      let at = 0
      let hasEnded = false
      const more = Effect.map(transport.next, (next) => {
        lines = next
        at = 0
        hasEnded = next.length === 0
      })
      // All that has come is taken in one step: a step for each frame costs as much as a text does.
      const step = (): Effect.Effect<void, E | Transport.TransportError | Fault> => {
        for (let line = lines[at]; line !== undefined; line = lines[at]) {
          at += 1
          const frame = reader.read(line, group())
          if (Either.isLeft(frame)) return Effect.fail(frame.left)
          const due = take(frame.right)
          if (due !== undefined) return due
        }
        return more
      }
      return Effect.whileLoop({ while: () => !hasEnded, body: step, step: () => {} })
    }
  }
  return connection
})
