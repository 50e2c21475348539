/** The log: the ordered record of what happened in a room. */
import * as Arr from "effect/Array"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as Base64Url from "../domain/Base64Url.js"
import { Entropy } from "../domain/Entropy.js"
import * as Protocol from "../domain/Protocol.js"
import type { Membership, TicketHash } from "./Membership.js"
import { type Bounds, Tail } from "./Tail.js"

export type { Bounds }

/**
 * Why the log could not be opened, read or written: `full` (there is no room for more), `damaged` (what is stored is not
 * what was written), `foreign` (another key's log, or no log at all), `locked` (another process has it), `unavailable`
 * (anything else the disk or the database says). The message tells the operator what to do.
 */
export class LogError extends Schema.TaggedError<LogError>()("LogError", {
  reason: Schema.Literal("full", "damaged", "foreign", "locked", "unavailable"),
  message: Schema.String
}) {}

/** The error of a log, called `name`, that is not what was written. */
export const damaged = (name: string, detail: string): LogError =>
  new LogError({
    reason: "damaged",
    message:
      `${name} is damaged: ${detail}. Nothing in it was overwritten. ` +
      "Start with --new-log to move it aside and begin an empty log, also after restoring a backup"
  })

/** The log of one room. */
export class Log extends Context.Tag("fernet-chat/Log")<
  Log,
  {
    /** Of a new log, a new one. */
    readonly id: Protocol.LogId
    /** The newest `seq`; 0 in an empty log. */
    readonly head: Effect.Effect<Protocol.Position>
    /** The oldest `seq` there is; in an empty log the one that comes next. */
    readonly oldest: Effect.Effect<Protocol.Seq>
    /** All members there ever were, as of the last commit. */
    readonly members: Effect.Effect<ReadonlyArray<Membership>, LogError>
    /**
     * Makes a batch durable together with the members it changed, whole or not at all. Its first `seq` is `head + 1`;
     * without events, members alone have changed. One append at a time.
     */
    readonly append: (
      events: ReadonlyArray<Protocol.Event>,
      members: ReadonlyArray<Membership>
    ) => Effect.Effect<void, LogError>
    /**
     * Events in order from `after + 1` on, or from the oldest there is when that is later: at least one unless there is
     * none, at most `limit`, and no more once they hold `bytes`, roughly, so that nothing is read that is not wanted.
     */
    readonly read: (
      after: Protocol.Position,
      limit: number,
      bytes?: number
    ) => Effect.Effect<ReadonlyArray<Protocol.Event>, LogError>
    /** All events from `after + 1` on, where memory holds every one of them: at least the newest, at most a bounded number. */
    readonly recent: (after: Protocol.Position) => Option.Option<ReadonlyArray<Protocol.Event>>
    /** Drops the oldest events up to the first that is not older than `before` (ms), roughly; never the newest, and no member. */
    readonly trim: (before: number) => Effect.Effect<void, LogError>
  }
>() {}

/** The id of a new log. */
export const makeId = (entropy: Entropy["Type"]): Protocol.LogId =>
  Protocol.LogId.make(Base64Url.encode(entropy.bytes(16)))

/** How much of the newest {@link Log} gives out as `recent`: what may be written to one session in a turn of the Room. */
export const recentBounds: Bounds = { events: 1024, bytes: 1024 * 1024 }

/**
 * A log that ends with its process. It holds the newest events: as many as are within `capacity` (10,000) and
 * `maxBytes` (32 MiB), and at most twice as much.
 */
export const layerMemory = (options?: { readonly capacity?: number; readonly maxBytes?: number }): Layer.Layer<Log> =>
  Layer.effect(
    Log,
    Effect.gen(function* () {
      const id = makeId(yield* Entropy)
      const events = new Tail({ events: options?.capacity ?? 10_000, bytes: options?.maxBytes ?? 32 * 1024 * 1024 })
      const recent = new Tail(recentBounds)
      const members = new Map<TicketHash, Membership>()
      return {
        id,
        head: Effect.sync(() => events.head),
        oldest: Effect.sync(() => events.oldest),
        members: Effect.sync(() => Array.from(members.values())),
        append: (batch, changed) =>
          Effect.sync(() => {
            if (Arr.isNonEmptyReadonlyArray(batch)) {
              events.push(batch)
              recent.push(batch)
            }
            for (const member of changed) members.set(member.ticket, member)
          }),
        read: (after, limit, bytes) => Effect.sync(() => events.read(after, limit, bytes)),
        // What the log has dropped is not in it any more, wherever else it may be.
        recent: (after) => (after + 1 >= events.oldest ? recent.since(after) : Option.none()),
        trim: (before) => Effect.sync(() => events.forget((event) => event.at < before))
      }
    })
  )
