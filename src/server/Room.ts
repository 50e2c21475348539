/**
 * The room: one fiber takes all commands that wait, decides each, has the log keep the outcome in one commit, and only
 * then tells anybody. While one batch commits, the next gathers.
 */
import * as Arr from "effect/Array"
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as HashMap from "effect/HashMap"
import * as Option from "effect/Option"
import * as Queue from "effect/Queue"
import { Entropy } from "../domain/Entropy.js"
import { Fernet } from "../domain/Fernet.js"
import * as Protocol from "../domain/Protocol.js"
import * as Wire from "../domain/Wire.js"
import type { Downlink } from "./Downlink.js"
import { Hub } from "./Hub.js"
import { Log } from "./Log.js"
import * as RoomState from "./RoomState.js"

export type Command = RoomState.Command<Downlink>

/** The limits of a room, each with its default. */
export interface Limits {
  /** Events that a newcomer is told of what was before: 100. */
  readonly history: number
  /** Unsent bytes of a session beyond which it goes back to catching up: 1 MiB. */
  readonly maxUnsent: number
  /** Commands that may wait before sessions are read no further: 1,024. */
  readonly queue: number
}

export const defaultLimits: Limits = { history: 100, maxUnsent: 1024 * 1024, queue: 1024 }

/** Events that a session reads from the log at a time. */
export const page = 256

export class Room extends Context.Tag("fernet-chat/Room")<
  Room,
  {
    /** Hands over commands in order. Waits while too many wait already. */
    readonly submit: (commands: Iterable<Command>) => Effect.Effect<void>
    /** Waits until everything submitted so far is decided, kept and told. */
    readonly flush: Effect.Effect<void>
    /** Members who are here. */
    readonly count: Effect.Effect<number>
    /** Ends only when the room's fiber does, which is a defect. */
    readonly join: Effect.Effect<never>
  }
>() {}

type Item = Command | { readonly _tag: "Flush"; readonly done: Deferred.Deferred<void> }

/** Builds a room over the Log, for the life of the Scope. */
export const make = Effect.fnUntraced(function* (options?: Partial<Limits>) {
  const limits = { ...defaultLimits, ...options }
  const log = yield* Log
  const hub = new Hub(yield* Fernet, yield* Entropy, limits.maxUnsent)
  const queue = yield* Effect.acquireRelease(Queue.bounded<Item>(limits.queue), Queue.shutdown)
  let state = RoomState.make<Downlink>(yield* log.head)

  /** Where a session starts: where it asks to go on in this log, else a little history; never before what there is. */
  const startOf = (resume: RoomState.Resume, oldest: Protocol.Seq) => {
    const known = Option.filter(resume, ({ log: id }) => id === log.id)
    const wanted = Option.match(known, {
      onNone: () => state.head - limits.history,
      onSome: ({ after }) => Math.min(after, state.head)
    })
    return Protocol.Position.make(Math.max(wanted, oldest - 1))
  }

  /**
   * Writes to a session what the log holds beyond where it stands; true when it then stands at the head, for in the
   * Room's turn nothing is added meanwhile. Where too much waits to be sent, the log fails, or it no longer holds what
   * comes next, the session has to see to it by itself.
   */
  const bringUp = Effect.fnUntraced(function* (link: Downlink) {
    for (;;) {
      const rest = yield* Effect.option(log.read(link.last, page))
      if (Option.isNone(rest)) return false
      if (!Arr.isNonEmptyReadonlyArray(rest.value)) return true
      if (rest.value[0].seq !== link.last + 1) return false
      for (const events of Wire.pages(rest.value)) {
        if (!link.isWelcomed || link.events(events) > limits.maxUnsent) return false
      }
    }
  })

  const act = Effect.fnUntraced(function* (reply: RoomState.Reply<Downlink>) {
    const { link } = reply
    switch (reply._tag) {
      case "Admitted": {
        const seat = RoomState.seatOf(state, link)
        // Left again within the same batch: its Bye follows.
        if (Option.isNone(seat)) return
        const { acked, member, nick } = seat.value
        const head = Protocol.Seq.make(state.head)
        const after = startOf(reply.resume, yield* log.oldest)
        const count = HashMap.size(state.roster)
        const welcome: Protocol.Welcome = { _tag: "Welcome", log: log.id, head, after, member, nick, acked, count }
        yield* Deferred.succeed(link.admitted, { welcome, roster: state.roster })
        return link.behind.unsafeOpen()
      }
      case "Rejected":
        return link.send({ _tag: "Rejected", reason: reply.reason, detail: reply.detail })
      case "Live":
        // Lost again within the same batch: it must not stay in the Hub.
        if (Option.isNone(RoomState.seatOf(state, link))) return
        return (yield* bringUp(link)) ? hub.add(link) : link.behind.unsafeOpen()
      case "Bye":
        hub.remove(link)
        // Who leaves has a right to see its last texts in the log, also when it was not live yet.
        if (reply.reason === "quit") yield* bringUp(link)
        return link.bye(reply.reason)
    }
  })

  /** Appends a batch to the log; what the log refuses now is tried again. */
  const keep = (events: Arr.NonEmptyReadonlyArray<Protocol.Event>): Effect.Effect<void> =>
    Effect.catchTag(log.append(events), "LogError", (error) =>
      Effect.logError(`the log takes no events, trying again: ${error.message}`).pipe(
        Effect.delay("1 second"),
        Effect.zipRight(Effect.suspend(() => keep(events)))
      )
    )

  const turn = Effect.fnUntraced(function* (items: ReadonlyArray<Item>) {
    const at = yield* Effect.clockWith((clock) => clock.currentTimeMillis)
    let next = state
    const events: Array<Protocol.Event> = []
    const replies: Array<RoomState.Reply<Downlink>> = []
    const flushed: Array<Deferred.Deferred<void>> = []
    for (const item of items) {
      if (item._tag === "Flush") {
        flushed.push(item.done)
        continue
      }
      if (item._tag === "Lost") hub.remove(item.link)
      const decision = RoomState.decide(next, item, at)
      next = decision.state
      events.push(...decision.events)
      replies.push(...decision.replies)
    }
    if (Arr.isNonEmptyReadonlyArray(events)) {
      // Nothing of a batch is told before it is kept.
      yield* keep(events)
      state = next
      hub.broadcast(events)
    } else {
      state = next
    }
    for (const reply of replies) yield* act(reply)
    for (const done of flushed) yield* Deferred.succeed(done, undefined)
  })

  const fiber = yield* Queue.takeBetween(queue, 1, limits.queue).pipe(
    Effect.flatMap((items) => turn(Arr.fromIterable(items))),
    Effect.forever,
    Effect.tapDefect((cause) => Effect.logFatal("the room has died", cause)),
    Effect.forkScoped
  )

  return Room.of({
    submit: (commands) => Effect.asVoid(Queue.offerAll(queue, commands)),
    flush: Effect.gen(function* () {
      const done = yield* Deferred.make<void>()
      yield* Queue.offer(queue, { _tag: "Flush", done })
      yield* Deferred.await(done)
    }),
    count: Effect.sync(() => HashMap.size(state.roster)),
    join: Fiber.join(fiber)
  })
})
