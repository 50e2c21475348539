/** The log: the ordered record of what happened in a room. */
import type * as Arr from "effect/Array"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import * as Base64Url from "../domain/Base64Url.js"
import { Entropy } from "../domain/Entropy.js"
import * as Protocol from "../domain/Protocol.js"

/** The log could not be read or written now. */
export class LogError extends Schema.TaggedError<LogError>()("LogError", { message: Schema.String }) {}

export class Log extends Context.Tag("fernet-chat/Log")<
  Log,
  {
    readonly id: Protocol.LogId
    /** The newest `seq`; 0 in an empty log. */
    readonly head: Effect.Effect<Protocol.Position>
    /** The oldest `seq` there is; in an empty log the one that comes next. */
    readonly oldest: Effect.Effect<Protocol.Seq>
    /** Makes a batch durable, whole or not at all. Its first `seq` is `head + 1`. */
    readonly append: (events: Arr.NonEmptyReadonlyArray<Protocol.Event>) => Effect.Effect<void, LogError>
    /** At most `limit` events in order, from `after + 1` on, or from the oldest there is when that is later. */
    readonly read: (after: Protocol.Position, limit: number) => Effect.Effect<ReadonlyArray<Protocol.Event>, LogError>
  }
>() {}

/** Bytes that an event may be taken to hold: its seal, and a little for the rest. */
const sizeOf = (event: Protocol.Event): number => 200 + (event._tag === "Chat" ? event.sealed.length : 0)

/**
 * A log that ends with its process. It holds the newest events: at least `capacity` of them (10,000) or `maxBytes` of
 * them (32 MiB), whichever is less, and at most twice as much.
 */
export const layerMemory = (options?: { readonly capacity?: number; readonly maxBytes?: number }): Layer.Layer<Log> =>
  Layer.effect(
    Log,
    Effect.gen(function* () {
      const capacity = options?.capacity ?? 10_000
      const maxBytes = options?.maxBytes ?? 32 * 1024 * 1024
      const id = Protocol.LogId.make(Base64Url.encode((yield* Entropy).bytes(16)))
      const events: Array<Protocol.Event> = []
      let dropped = 0
      let bytes = 0

      /** Drops the oldest in bulk, so that an event is moved once in a while and not at every append. */
      const trim = () => {
        if (events.length <= 2 * capacity && bytes <= 2 * maxBytes) return
        let count = 0
        for (const event of events) {
          if (events.length - count <= capacity && bytes <= maxBytes) break
          bytes -= sizeOf(event)
          count += 1
        }
        events.splice(0, count)
        dropped += count
      }

      return {
        id,
        head: Effect.sync(() => Protocol.Position.make(dropped + events.length)),
        oldest: Effect.sync(() => Protocol.Seq.make(dropped + 1)),
        append: (batch) =>
          Effect.sync(() => {
            for (const event of batch) {
              events.push(event)
              bytes += sizeOf(event)
            }
            trim()
          }),
        read: (after, limit) =>
          Effect.sync(() => {
            const from = Math.max(after - dropped, 0)
            return events.slice(from, from + limit)
          })
      }
    })
  )
