/**
 * The room: one fiber takes all commands that wait, decides each, has the log keep the outcome in one commit, and only
 * then tells anybody. While one batch commits, the next gathers.
 */
import * as Arr from "effect/Array"
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Fiber from "effect/Fiber"
import * as HashMap from "effect/HashMap"
import * as Option from "effect/Option"
import type { BanEntry, Name, OperatorError } from "../domain/Admin.js"
import { Entropy } from "../domain/Entropy.js"
import { EventLoop } from "../domain/EventLoop.js"
import { Fernet } from "../domain/Fernet.js"
import type * as Nickname from "../domain/Nickname.js"
import type * as Protocol from "../domain/Protocol.js"
import type { Downlink } from "./Downlink.js"
import { Hub } from "./Hub.js"
import { Inbox } from "./Inbox.js"
import * as Item from "./Item.js"
import type { Limits } from "./Limits.js"
import { Log, type LogError } from "./Log.js"
import * as Moderation from "./Moderation.js"
import * as Operation from "./Operation.js"
import * as Overview from "./Overview.js"
import * as RoomMetrics from "./RoomMetrics.js"
import * as RoomState from "./RoomState.js"
import * as Telling from "./Telling.js"

export type Command = Item.Command

/**
 * How long (ms) after the last batch those who come and go are announced, where so many are live: to tell all of one
 * newcomer takes as long as to tell them of fifty, about 10 µs each, and that is to take a tenth of the time at most.
 */
const patience = (live: number): number => Math.min(10 * Math.floor(live / 100), 100)

/**
 * Turns of the event loop in which a batch gathers while each brings more. To write a batch to all takes longer than to
 * read a text, and in that time the texts of the next have come: gathered they are one write to each and not several.
 */
const turnsAtMost = 4

/**
 * How many bytes of texts wait for the next batch before who says more is read no further. All of a batch is kept before any
 * of it is told: one much larger would hold up what others say, and be more than who is live may have waiting.
 */
const batchBytes = 256 * 1024

/** How long what the log has refused waits for the next try. */
const retryTime = "1 second"

export class Room extends Context.Tag("fernet-chat/Room")<
  Room,
  {
    /** Hands over commands in order. Waits while too many wait already. */
    readonly submit: (commands: ReadonlyArray<Command>) => Effect.Effect<void>
    /** The same for what a member asks, once it has said who it is: it also waits while the log takes nothing. */
    readonly ask: (commands: ReadonlyArray<Command>) => Effect.Effect<void>
    /** Whether the log takes what it is given. */
    readonly isTaking: () => boolean
    /** Waits until everything submitted so far is decided, kept and told. */
    readonly flush: Effect.Effect<void>
    /** Acts in its turn; done when the outcome is kept and told. Fails with reason `log` while the log takes nothing. */
    readonly operate: <A>(act: Moderation.Act<A>) => Effect.Effect<A, OperatorError>
    /** Who is barred, by member. */
    readonly bans: Effect.Effect<ReadonlyArray<BanEntry>>
    /** Who is here, by member. */
    readonly names: Effect.Effect<ReadonlyArray<Name>>
    /** How it is. */
    readonly overview: Effect.Effect<Overview.Overview>
    /** Members who are here. */
    readonly count: Effect.Effect<number>
    /** What a member is called, or was when it left. */
    readonly nick: (member: Protocol.MemberId) => Option.Option<string>
    /** Ends only when the room's fiber does, which is a defect. */
    readonly join: Effect.Effect<never>
  }
>() {}

const needsLog = ({ events, members }: RoomState.Decision<Downlink>): boolean => events.length > 0 || members.length > 0

/** Builds a room over the Log, for the life of the Scope. */
export const make = Effect.fnUntraced(function* (limits: Limits, judge?: Nickname.Judge) {
  const clock = yield* Effect.clock
  const log = RoomMetrics.counted(yield* Log, clock)
  const hub = new Hub(yield* Fernet, yield* Entropy, limits.maxUnsent)
  yield* Effect.addFinalizer(() => Effect.sync(() => hub.end()))
  const { turn: nextTurn } = yield* EventLoop
  const scope = yield* Effect.scope
  let state = RoomState.make<Downlink>(yield* log.head, yield* log.members, clock.unsafeCurrentTimeMillis(), judge)
  const inbox = new Inbox({ items: limits.queue, bytes: batchBytes }, Item.sizeOf, Item.isUrgent)
  /** Open while the log takes what it is given. */
  const taking = yield* Effect.makeLatch(true)
  let isTaking = true

  /** Departs those of `away` who have not come back within the grace time. */
  const expire = (away: Iterable<readonly [Protocol.MemberId, number]>) =>
    Effect.when(
      inbox
        .offer(Array.from(away, ([member, since]) => ({ _tag: "Overdue", member, since })))
        .pipe(Effect.delay(limits.grace), Effect.forkIn(scope)),
      () => Duration.isFinite(Duration.decode(limits.grace))
    )
  yield* expire(Array.from(state.away))
  yield* Effect.forkScoped(hub.renewal(limits.epoch))

  const tell = Telling.make({ log, hub, limits, clock, state: () => state, expire })

  /** The newest refusal of the log that the operator was told of, and whether it is to be asked again in a while. */
  let refusal: string | undefined
  let isRetryDue = false

  const refused = Effect.fnUntraced(function* ({ message }: LogError) {
    isTaking = false
    taking.unsafeClose()
    // Once, however often it is tried.
    if (refusal !== message) yield* Effect.logError(`nothing said is acknowledged, trying again: ${message}`)
    refusal = message
    if (isRetryDue) return
    isRetryDue = true
    yield* inbox.offer([{ _tag: "Retry" }]).pipe(Effect.delay(retryTime), Effect.forkIn(scope))
  })

  const taken = Effect.suspend(() => {
    refusal = undefined
    return Effect.logInfo("the log takes events again")
  })

  /** Decides a batch, has it kept, and tells of it. Gives back what has to be tried again: all of it or nothing. */
  const turn = Effect.fnUntraced(function* (items: ReadonlyArray<Item.Item>) {
    const at = clock.unsafeCurrentTimeMillis()
    let next = state
    const events: Array<Protocol.Event> = []
    const members: Array<Protocol.MemberId> = []
    const replies: Array<RoomState.Reply<Downlink>> = []
    const settled: Array<Effect.Effect<void>> = []
    for (const item of items) {
      if (item._tag === "Retry") continue
      if (item._tag === "Flush") {
        settled.push(Effect.asVoid(Deferred.succeed(item.done, undefined)))
        continue
      }
      if (item._tag === "Operation") settled.push(item.settle)
      const decision = Item.decide(next, item, at)
      next = decision.state
      events.push(...decision.events)
      members.push(...decision.members)
      replies.push(...decision.replies)
    }
    if (events.length > 0 || members.length > 0) {
      // Nothing of a batch is told before it is kept.
      const kept = yield* Effect.either(log.append(events, RoomState.changed(next, events, members)))
      if (Either.isLeft(kept)) {
        yield* refused(kept.left)
        return items
      }
      if (refusal !== undefined) yield* taken
      if (Arr.isNonEmptyReadonlyArray(events)) hub.broadcast(events)
    }
    // Also where nothing is left to be refused: who said it may be gone, and only the next text can tell.
    isTaking = true
    taking.unsafeOpen()
    state = next
    if (replies.length > 0) yield* tell(replies)
    for (const settle of settled) yield* settle
    return []
  })

  /**
   * Does what needs no commit, while the log takes none: readers come back, catch up and go live. Gives back the rest;
   * of one session nothing overtakes what it said before. Who is gone before it was let in has never been here.
   */
  const spare = Effect.fnUntraced(function* (items: ReadonlyArray<Item.Item>) {
    const at = clock.unsafeCurrentTimeMillis()
    const bound = new Set<Downlink>()
    let rest: Array<Item.Item> = []
    for (const item of items) {
      if (item._tag === "Retry") continue
      if (item._tag === "Flush") {
        rest.push(item)
        continue
      }
      if (item._tag === "Operation") {
        // An operator need not wait: without the log nothing is done.
        yield* needsLog(item.decide(state, at)) ? item.refuse(refusal) : item.settle
        continue
      }
      const link = item._tag === "Overdue" ? undefined : item.link
      const isGoing = item._tag === "Lost" || item._tag === "Leave"
      if (isGoing && bound.has(item.link) && !HashMap.has(state.seats, item.link)) {
        rest = rest.filter((other) => !("link" in other) || other.link !== link)
        bound.delete(item.link)
      }
      const decision = RoomState.decide(state, item, at)
      if (needsLog(decision) || (link !== undefined && bound.has(link))) {
        if (link !== undefined) bound.add(link)
        rest.push(item)
        continue
      }
      state = decision.state
      yield* tell(decision.replies)
      // It may have been made live only now.
      if (item._tag === "Lost") hub.remove(item.link)
    }
    return rest
  })

  const setGauges = yield* RoomMetrics.gauges(() => [HashMap.size(state.roster), hub.size, isTaking ? 1 : 0])

  let held: ReadonlyArray<Item.Item> = []
  /** When (ms) the last batch was done. */
  let rested = 0
  /** Deals with all that waits. A step of its own, so that nothing of it is held for as long as nothing more comes. */
  const step = Effect.gen(function* () {
    yield* inbox.arrival
    // What other sockets have brought by now goes into the same batch; while more keeps coming, so does that.
    for (let turns = 0, size = 0; turns < turnsAtMost && inbox.size > size; turns++) {
      size = inbox.size
      yield* nextTurn
    }
    // A clock that was set back keeps nobody waiting.
    yield* inbox.urgency(patience(hub.size) - Math.max(clock.unsafeCurrentTimeMillis() - rested, 0))
    const items = inbox.take()
    // Whatever becomes of what it said: a session that has ended is written nothing more.
    for (const item of items) if (item._tag === "Lost") hub.remove(item.link)
    const isRetry = items.some(({ _tag }) => _tag === "Retry")
    if (isRetry) isRetryDue = false
    const isRefused = held.length > 0 && !isRetry
    const all = held.length > 0 ? [...held, ...items] : items
    const refusedAgain = isRefused ? all : yield* turn(all)
    held = refusedAgain.length === 0 ? [] : yield* spare(refusedAgain)
    rested = clock.unsafeCurrentTimeMillis()
    setGauges()
  })
  const fiber = yield* Effect.gen(function* () {
    while (true) yield* step
  }).pipe(
    Effect.tapDefect((cause) => Effect.logFatal("the room has died", cause)),
    Effect.ensuring(
      Effect.sync(() => {
        inbox.end()
        taking.unsafeOpen()
      })
    ),
    Effect.forkScoped
  )

  return Room.of({
    submit: (commands) => inbox.offer(commands),
    ask: (commands) =>
      Effect.suspend(() => (isTaking ? inbox.offer(commands) : Effect.zipRight(taking.await, inbox.offer(commands)))),
    isTaking: () => isTaking,
    flush: Effect.gen(function* () {
      const done = yield* Deferred.make<void>()
      yield* inbox.offer([{ _tag: "Flush", done }])
      yield* Deferred.await(done)
    }),
    operate: (act) =>
      Effect.flatMap(Operation.make(act), ({ answer, operation }) =>
        Effect.zipRight(
          inbox.offer([operation]),
          Effect.raceFirst(answer, Effect.zipRight(Fiber.await(fiber), Operation.closed))
        )
      ),
    bans: Effect.sync(() => Moderation.bans(state)),
    names: Effect.sync(() => Overview.names(state, hub)),
    overview: Effect.map(log.oldest, (oldest) => Overview.of(state, hub, oldest, isTaking)),
    count: Effect.sync(() => HashMap.size(state.roster)),
    nick: (member) => Option.map(HashMap.get(state.members, member), ({ nick }) => nick),
    join: Fiber.join(fiber)
  })
})
