/**
 * Keeps a conversation connected: dials, carries frames both ways, and dials again when a connection is lost, for as long
 * as there is somebody to come back to.
 */
import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import * as Random from "effect/Random"
import type * as Subscribable from "effect/Subscribable"
import * as SubscriptionRef from "effect/SubscriptionRef"
import { EventLoop } from "../domain/EventLoop.js"
import type * as Keys from "../domain/Keys.js"
import * as Transport from "../domain/Transport.js"
import type * as Wire from "../domain/Wire.js"
import * as Backoff from "./Backoff.js"
import * as Connection from "./Connection.js"
import type { Conversation } from "./Conversation.js"
import * as Failure from "./Failure.js"

/** How long the server may take until Welcome, and to answer a Leave: of one it has let in, and of one at the door. */
const joinTime = "10 seconds"
const leaveTime = "5 seconds"
const doorTime = "1 second"

/** How often it is looked whether the server has been heard. */
const lookTime = "1 second"

/** How long the server may be silent. A client looks once a second. */
export interface Limits {
  /** How long nothing may come from the server until it is sent a Ping: 30 seconds. */
  readonly pingAfter: Duration.DurationInput
  /** How long nothing may come from the server until the connection is taken to be lost: 75 seconds. */
  readonly silentAfter: Duration.DurationInput
}

const defaultLimits: Limits = { pingAfter: "30 seconds", silentAfter: "75 seconds" }

/** What there is of a connection. */
export type Status =
  | { readonly _tag: "Online" }
  /** The connection was lost, or did not come about; the next try comes at `next` (ms since 1970). `message` says why. */
  | {
      readonly _tag: "Reconnecting"
      readonly next: number
      readonly reason: (Failure.JoinError | Failure.Disconnected)["reason"]
      readonly message: string
    }
  /** It is being tried again. */
  | { readonly _tag: "Connecting" }
  /** For good. */
  | { readonly _tag: "Closed"; readonly reason: Failure.Disconnected["reason"] }

export interface Presence {
  readonly status: Subscribable.Subscribable<Status>
  /** Waits until it is let in for the first time; fails when that does not come about. */
  readonly joined: Effect.Effect<void, Failure.JoinError>
  /** Sends what is due and leaves; see the client's `leave`. */
  readonly leave: Effect.Effect<void>
  /** Ends the conversation without another word to the server. */
  readonly drop: (error: Failure.Disconnected) => Effect.Effect<void>
}

export interface Options extends Partial<Limits> {
  readonly key: Keys.ServerKey
  /** Whether this client was let in there in an earlier run. */
  readonly wasIn: boolean
  /** Open while something may be due to be sent. */
  readonly due: Effect.Latch
  /** Done each time a connection has let it in, before anything else that comes over it is applied. */
  readonly onJoined: Effect.Effect<void, Failure.Disconnected>
}

/** Connects, for the life of the Scope. */
export const make = Effect.fnUntraced(function* (conversation: Conversation, options: Options) {
  const { due, key, onJoined, pingAfter, silentAfter, wasIn } = { ...defaultLimits, ...options }
  const { address } = yield* Transport.Dialer
  const clock = yield* Effect.clock
  const now = clock.currentTimeMillis
  const { turn: nextTurn } = yield* EventLoop
  const status = yield* SubscriptionRef.make<Status>({ _tag: "Connecting" })
  const joined = yield* Deferred.make<void, Failure.JoinError>()
  /** Done when there is nothing more to wait for on any connection. */
  const cut = yield* Deferred.make<void>()
  /** When this connection let us in (ms); never, until it does. */
  let since = Number.POSITIVE_INFINITY
  /** Whether this connection has been asked to let us in, and has not ended. */
  let isAsked = false
  /** When the newest frame came, and when one was last sent (ms). */
  let heard = 0
  let said = 0
  /** Connections in a row that have not lasted. */
  let failures = 0

  const end = Effect.fnUntraced(function* (error: Failure.Disconnected) {
    if (conversation.ended !== undefined) return
    conversation.end(error)
    yield* SubscriptionRef.set(status, { _tag: "Closed", reason: error.reason })
    // Where it comes before the first Welcome has been dealt with; later on this does nothing.
    yield* Deferred.fail(joined, new Failure.JoinError({ reason: error.reason, message: error.message }))
  })
  const drop = (error: Failure.Disconnected) => Effect.zipRight(end(error), Deferred.succeed(cut, undefined))

  const onLetIn = Effect.gen(function* () {
    yield* onJoined
    since = yield* now
    yield* SubscriptionRef.set(status, { _tag: "Online" })
    yield* Deferred.succeed(joined, undefined)
  })

  /** Takes in a frame, and says what is to be done before the next; fails with the end of the connection. */
  const take = (received: Wire.Received): Effect.Effect<void, Failure.JoinError | Failure.Disconnected> | undefined => {
    heard = clock.unsafeCurrentTimeMillis()
    const turn = conversation.receive(received)
    due.unsafeOpen()
    if (Either.isLeft(turn)) return Failure.broken(turn.left)
    if (turn.right === "none") return undefined
    return turn.right === "joined" ? onLetIn : turn.right
  }

  const send = Effect.fnUntraced(function* (connection: Connection.Connection) {
    yield* due.await
    // No faster than the network takes it.
    yield* connection.drained
    // Before what is due is looked for, so that nothing that comes meanwhile is overlooked.
    due.unsafeClose()
    const messages = conversation.next()
    if (messages === undefined) return
    connection.send(...messages)
    said = clock.unsafeCurrentTimeMillis()
    due.unsafeOpen()
  })

  /** Gives a server its time to let us in, and then all it wants. */
  const patience = Effect.gen(function* () {
    yield* Effect.sleep(joinTime)
    return since === Number.POSITIVE_INFINITY ? yield* Failure.silent(address) : yield* Effect.never
  })

  /**
   * Asks a server that is silent whether it is there, and waits for the answer, but not for ever. To one whose own question
   * waits behind much else on a slow way, it shows by asking that it is here.
   */
  const watch = Effect.fnUntraced(function* (connection: Connection.Connection) {
    const [asking, most] = [Duration.toMillis(pingAfter), Duration.toMillis(silentAfter)]
    /** What was heard last when it was asked. */
    let asked: number | undefined
    while (true) {
      yield* Effect.sleep(lookTime)
      // Where this process stood still, what has come meanwhile is read first.
      yield* nextTurn
      const at = yield* now
      // A clock that was set back makes nobody wait longer.
      heard = Math.min(heard, at)
      said = Math.min(said, at)
      if (at - heard >= most) return yield* Failure.unheard()
      const isSilent = at - heard >= asking && asked !== heard
      if (!isSilent && at - said < most / 2) continue
      if (isSilent) asked = heard
      said = at
      connection.send({ _tag: "Ping", at })
    }
  })

  /** What follows from the end of a connection: when (ms) the next is to be tried; without one, all is over. */
  const onEnd = Effect.fnUntraced(function* (error: Failure.JoinError | Failure.Disconnected) {
    if (conversation.present === undefined) {
      yield* Deferred.fail(joined, Failure.notWelcome(address, error, wasIn))
      return Option.none()
    }
    if (!Failure.comesBack(error)) {
      // Who has left at the door may have texts yet to be sent.
      const { isLasting, outbox } = conversation
      const final = () => Failure.disconnected(error, outbox.items.length, isLasting)
      yield* end(error.reason === "quit" ? conversation.farewell : final())
      return Option.none()
    }
    if (conversation.isLeaving) {
      yield* end(conversation.farewell)
      return Option.none()
    }
    const at = yield* now
    failures = at - since >= Backoff.stable ? 0 : failures + 1
    const next = at + Backoff.delay(failures, yield* Random.next)
    const { message, reason } = Failure.withoutWelcome(address, error)
    yield* SubscriptionRef.set(status, { _tag: "Reconnecting", next, reason, message })
    return Option.some(next)
  })

  /** One connection, from dialling to its end. */
  const connect = Effect.gen(function* () {
    since = Number.POSITIVE_INFINITY
    const connection = yield* Effect.timeoutFail(Connection.open(key), {
      duration: joinTime,
      onTimeout: () => Failure.silent(address)
    })
    connection.send(conversation.begin())
    isAsked = true
    heard = said = clock.unsafeCurrentTimeMillis()
    due.unsafeOpen()
    const reading = connection
      .read(() => conversation.group, take)
      .pipe(
        Effect.catchTags({ TransportError: Failure.broken, Fault: Failure.broken }),
        Effect.zipRight(Effect.suspend(() => Failure.broken()))
      )
    const error = yield* reading.pipe(
      Effect.raceFirst(patience),
      Effect.raceFirst(watch(connection)),
      Effect.raceFirst(Effect.forever(send(connection))),
      Effect.flip
    )
    isAsked = false
    const next = yield* onEnd(error)
    // Where it was not lost, the other side waits to see this one end.
    if (error.reason !== "lost") yield* Effect.timeoutOption(connection.end, leaveTime)
    return next
  }).pipe(Effect.scoped, Effect.catchAll(onEnd))

  const connecting = yield* Effect.gen(function* () {
    let next = yield* connect
    while (Option.isSome(next)) {
      yield* Effect.sleep(Math.max(next.value - (yield* now), 0))
      yield* SubscriptionRef.set(status, { _tag: "Connecting" })
      next = yield* connect
    }
  }).pipe(
    Effect.raceFirst(Deferred.await(cut)),
    // A bug: whoever waits must not wait for ever.
    Effect.tapDefect((cause) =>
      Effect.logFatal("the client has died", cause).pipe(
        Effect.zipRight(Deferred.failCause(joined, cause)),
        Effect.zipRight(drop(Failure.broken()))
      )
    ),
    Effect.forkScoped
  )

  const leaving = Effect.gen(function* () {
    // Who has asked for nothing has nothing to leave.
    if (conversation.present === undefined && !isAsked) return
    conversation.leave()
    due.unsafeOpen()
    const { _tag } = yield* SubscriptionRef.get(status)
    if (isAsked || _tag === "Closed") yield* Fiber.await(connecting)
    else yield* drop(conversation.farewell)
  })
  const leave = Effect.suspend(() =>
    leaving.pipe(
      Effect.interruptible,
      Effect.timeoutOption(conversation.present === undefined ? doorTime : leaveTime),
      Effect.flatMap(Option.match({ onNone: () => drop(Failure.unanswered()), onSome: () => Effect.void }))
    )
  )

  const presence: Presence = { status, joined: Deferred.await(joined), leave, drop }
  return presence
})
