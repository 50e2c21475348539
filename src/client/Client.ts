/**
 * A member of a room: joins over any Transport, follows the log, opens and seals texts. What comes is applied as it
 * arrives, whether or not anybody watches.
 */
import * as Arr from "effect/Array"
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import type * as Subscribable from "effect/Subscribable"
import * as SubscriptionRef from "effect/SubscriptionRef"
import * as Base64Url from "../domain/Base64Url.js"
import { Entropy } from "../domain/Entropy.js"
import { Fault } from "../domain/Fault.js"
import { Fernet } from "../domain/Fernet.js"
import * as Keys from "../domain/Keys.js"
import * as Nickname from "../domain/Nickname.js"
import * as Protocol from "../domain/Protocol.js"
import * as Roster from "../domain/Roster.js"
import * as Seal from "../domain/Seal.js"
import * as Transport from "../domain/Transport.js"
import type * as Wire from "../domain/Wire.js"
import * as Backlog from "./Backlog.js"
import * as Connection from "./Connection.js"
import * as Entry from "./Entry.js"
import * as Failure from "./Failure.js"
import * as Outbox from "./Outbox.js"
import * as Replica from "./Replica.js"

/** Entries that a subscriber of `events` may be behind before it fails with `Lagged`. */
export const backlog = 10_000

/** How long the server may take until Welcome, and to answer a Leave. */
const joinTime = "10 seconds"
const leaveTime = "5 seconds"

export type Status =
  | { readonly _tag: "Online" }
  /** For good: a client is one session. */
  | { readonly _tag: "Closed"; readonly reason: Failure.Disconnected["reason"] }

export interface Shape {
  /** This member's id: entries with a smaller `seq` are from before it joined. */
  readonly member: Protocol.MemberId
  /** The id of the log that `seq` counts in. */
  readonly log: Protocol.LogId
  /** The nick as it is now. */
  readonly nick: Effect.Effect<string>
  /**
   * What the log holds, in order, from the oldest entry this client keeps (the history it was told, up to 10,000) and
   * on. It ends when the member has left, and fails when the session ended otherwise or the subscriber fell behind.
   */
  readonly events: Stream.Stream<Entry.Entry, Failure.Disconnected | Backlog.Lagged>
  /**
   * Says a text of 1 to 4,000 code points; done when it is in the log. `me` makes it an action. To interrupt it is to
   * wait no more: the text may be said all the same.
   */
  readonly say: (text: string, options?: { readonly me?: boolean }) => Effect.Effect<Entry.Said, Failure.SayError>
  /** Takes another nick; done when the log says so. Texts said meanwhile wait for it. */
  readonly rename: (nick: string) => Effect.Effect<string, Failure.RenameError>
  /** Who is here, oneself included, in the order they first came. */
  readonly members: Effect.Effect<ReadonlyArray<Protocol.Member>>
  readonly status: Subscribable.Subscribable<Status>
  /**
   * Leaves the room: sends what waits to be sent, then waits for the server's Bye, 5 seconds at most, after which the
   * session has ended with reason `silent`. Texts that are not in the log by then fail. Closing the Scope does the same.
   */
  readonly leave: Effect.Effect<void>
}

export class Client extends Context.Tag("fernet-chat/Client")<Client, Shape>() {}

export interface Options {
  /** The room keys: the first joins and seals, all of them open. */
  readonly keys: Keys.Ring<Keys.RoomKey>
  readonly nick: string
}

const decodeText = Schema.decodeUnknownEither(Seal.Text)

/** Joins a room, and stays for the life of the Scope. */
export const make = Effect.fn("Client.make")(function* (options: Options) {
  const { address } = yield* Transport.Dialer
  const fernet = yield* Fernet
  const entropy = yield* Entropy
  const messageKeys = Arr.map(options.keys, Keys.messageKey)
  if (!Nickname.fits(options.nick)) {
    return yield* new Failure.JoinError({ reason: "nick-invalid", message: Failure.longNick })
  }
  const late = { duration: joinTime, onTimeout: () => Failure.silent(address) } as const
  const connection = yield* Effect.timeoutFail(Connection.open(Keys.serverKey(options.keys[0])), late)
  const { drained, send } = connection

  let state = Replica.joining
  let outbox = Outbox.make(0)
  /** Who waits to see a text in the log, by its number. */
  const waiting = new Map<
    number,
    { readonly text: string; readonly done: Deferred.Deferred<Entry.Said, Failure.SayError> }
  >()
  /** The answer to our newest Nick, or the end of the session that came first. */
  let answer = yield* Deferred.make<void, Protocol.Rejected | Failure.Disconnected>()
  /** When the server's newest Ping that waits for its Pong was sent. */
  let pinged: number | undefined
  /** Open while something waits that may be sent. */
  const unsent = yield* Effect.makeLatch(false)
  const entries = new Backlog.Backlog<Entry.Entry, Failure.Disconnected>(backlog)
  const status = yield* SubscriptionRef.make<Status>({ _tag: "Online" })
  const ended = yield* Deferred.make<never, Failure.Disconnected>()

  const settle = (entry: Entry.Entry, n: Protocol.TextNumber) => {
    outbox = Outbox.settle(outbox, n)
    const waiter = waiting.get(n)
    if (waiter === undefined) return
    waiting.delete(n)
    const same = entry._tag === "Said" && entry.text === waiter.text
    Deferred.unsafeDone(waiter.done, same ? Effect.succeed(entry) : Effect.fail(Failure.altered()))
  }

  /** Applies events as they come. Every entry passes here, so it is a plain loop. */
  const apply = (events: ReadonlyArray<Protocol.Event>): Either.Either<void, Fault> => {
    for (const event of events) {
      const own = event._tag === "Chat" && state._tag === "Present" && event.member === state.member
      if (own && event.n > outbox.sent) {
        return Either.left(new Fault({ rule: "text-number", detail: `text ${event.n} of ours was never said` }))
      }
      const next = Replica.event(state, event)
      if (Either.isLeft(next)) return Either.left(next.left)
      if (state._tag === "Present") {
        const entry = Entry.read(fernet, messageKeys, state, event)
        entries.push(entry)
        if (own) settle(entry, event.n)
      }
      state = next.right
    }
    return Either.right(undefined)
  }

  const answered = (outcome: Effect.Effect<void, Protocol.Rejected>) => {
    Deferred.unsafeDone(answer, outcome)
    unsent.unsafeOpen()
  }

  /** Takes in what the server says, whole frames at a time; the reason of its Bye, once that has come. */
  const receive = (received: Wire.Received): Either.Either<Option.Option<Protocol.ByeReason>, Fault> =>
    Either.gen(function* () {
      const { asking } = state
      let bye = Option.none<Protocol.ByeReason>()
      if (received._tag === "Group") {
        state = yield* Replica.group(state, received.frame)
        yield* apply(received.frame.events)
      } else {
        for (const message of received.messages) {
          state = yield* Replica.message(state, message)
          if (message._tag === "Events") yield* apply(message.events)
          else if (message._tag === "Ping") {
            // Answered when there is room for it, the newest only: who pings and never reads fills no memory.
            pinged = message.at
            unsent.unsafeOpen()
          } else if (message._tag === "Rejected") answered(Effect.fail(message))
          else if (message._tag === "Bye") bye = Option.some(message.reason)
        }
      }
      if (asking && !state.asking) answered(Effect.void)
      return bye
    })

  /** The end of the session, for whoever waits for anything. Only the first reason counts. */
  const close = Effect.fnUntraced(function* (error: Failure.Disconnected) {
    if (!(yield* Deferred.fail(ended, error))) return
    yield* SubscriptionRef.set(status, { _tag: "Closed", reason: error.reason })
    yield* Deferred.fail(answer, error)
    entries.end(error.reason === "quit" ? Option.none() : Option.some(error))
    for (const { done } of waiting.values()) yield* Deferred.fail(done, Failure.unsaid(error))
    waiting.clear()
  })

  const reading = yield* connection
    .received(() => (state._tag === "Present" ? Option.getOrUndefined(state.group)?.key : undefined))
    .pipe(
      Stream.mapEffect(receive),
      Stream.filterMap((bye) => bye),
      Stream.runHead,
      Effect.match({
        onFailure: Failure.broken,
        onSuccess: Option.match({ onNone: () => Failure.broken(), onSome: Failure.bye })
      }),
      Effect.flatMap(close),
      Effect.zipRight(Effect.timeoutOption(connection.end, leaveTime)),
      Effect.forkScoped
    )

  /** Sends one frame of what waits; tells whether there was something. */
  const flush = (): boolean => {
    if (pinged !== undefined) {
      send({ _tag: "Pong", at: pinged })
      pinged = undefined
    }
    // While a Nick of ours waits for its answer, nobody knows which nick to seal under.
    if (state._tag === "Joining" || state.asking) return false
    const { log, member, nick } = state
    const [next, items] = Outbox.take(outbox, Protocol.maxMessages)
    outbox = next
    if (!Arr.isNonEmptyReadonlyArray(items)) return false
    const says = Arr.map(items, ({ me, n, text }): Protocol.Say => {
      const content = { log, member, n, nick, text }
      return { _tag: "Say", n, sealed: Seal.seal(fernet, messageKeys, me ? { ...content, me } : content) }
    })
    send(...says)
    return true
  }
  yield* Effect.gen(function* () {
    yield* unsent.await
    // No faster than the network takes it.
    yield* drained
    // In one step, so that nothing added meanwhile is overlooked.
    unsent.unsafeClose()
    if (flush()) unsent.unsafeOpen()
  }).pipe(Effect.forever, Effect.forkScoped)

  let gaveUp = false
  const giveUp = Effect.suspend(() => {
    gaveUp = true
    return close(Failure.unanswered())
  })
  const leave = Effect.gen(function* () {
    // Who has not been let in has nothing to leave, and who has waited in vain does not wait again.
    if (state._tag === "Joining" || gaveUp) return
    if (!(yield* Deferred.isDone(ended))) {
      // Texts may wait for the answer to a Nick: they are sent before the Leave.
      yield* Effect.ignore(Deferred.await(answer))
      while (flush());
      send({ _tag: "Leave" })
    }
    yield* Fiber.await(reading)
  }).pipe(
    Effect.interruptible,
    Effect.timeoutOption(leaveTime),
    Effect.flatMap(Option.match({ onNone: () => giveUp, onSome: () => Effect.void }))
  )
  yield* Effect.addFinalizer(() => leave)

  const ticket = Protocol.Ticket.make(Base64Url.encode(entropy.bytes(16)))
  send({ _tag: "Nick", nick: options.nick, ticket })
  yield* Deferred.await(answer).pipe(
    Effect.catchTags({
      Rejected: ({ detail, reason }) => new Failure.JoinError({ reason, message: detail }),
      Disconnected: (error) => Failure.notWelcome(address, error)
    }),
    Effect.timeoutFail(late)
  )
  const present = state
  if (present._tag === "Joining") return yield* Effect.dieMessage("a Nick was answered without a Welcome")
  const { log, member } = present

  /** One Nick of ours at a time: answers carry no name of what they answer. */
  const renaming = yield* Effect.makeSemaphore(1)
  const scope = yield* Effect.scope
  /** Fails with the reason once the session has ended. */
  const isOpen = Effect.flatMap(
    Deferred.poll(ended),
    Option.getOrElse(() => Effect.void)
  )
  const current = Effect.sync(() => (state._tag === "Present" ? state : present))

  return Client.of({
    log,
    member,
    nick: Effect.map(current, ({ nick }) => nick),
    events: entries.stream,
    members: Effect.map(current, ({ roster }) => Roster.members(roster)),
    status,
    leave,
    say: Effect.fn("Client.say")(function* (text, { me = false } = {}) {
      const valid = yield* Either.mapLeft(decodeText(text), () => Failure.invalidText(text))
      const done = yield* Deferred.make<Entry.Said, Failure.SayError>()
      yield* Effect.mapError(isOpen, Failure.unsaid)
      const [next, item] = Outbox.add(outbox, valid, me)
      outbox = next
      waiting.set(item.n, { text, done })
      unsent.unsafeOpen()
      return yield* Deferred.await(done)
    }),
    rename: Effect.fn("Client.rename")(function* (nick) {
      if (!Nickname.fits(nick)) {
        return yield* new Failure.RenameError({ reason: "nick-invalid", message: Failure.longNick })
      }
      return yield* Effect.uninterruptibleMask((restore) =>
        Effect.gen(function* () {
          yield* restore(renaming.take(1))
          const asked = yield* Deferred.make<void, Protocol.Rejected | Failure.Disconnected>()
          yield* Effect.onError(isOpen, () => renaming.release(1))
          // What was said before is said under the nick it was said with.
          while (flush());
          answer = asked
          state = Replica.ask(state)
          send({ _tag: "Nick", nick })
          // Whether or not anybody still waits for it, the next one waits for the answer to this one.
          const answered = Effect.exit(Deferred.await(asked))
          yield* Effect.forkIn(Effect.ensuring(answered, renaming.release(1)), scope)
          yield* restore(Deferred.await(asked))
        })
      ).pipe(
        Effect.catchTags({
          Rejected: ({ detail, reason }) => new Failure.RenameError({ reason, message: detail }),
          Disconnected: ({ message }) => new Failure.RenameError({ reason: "closed", message })
        }),
        Effect.zipRight(current),
        Effect.map((present) => present.nick)
      )
    })
  })
})

/** A member of a room as a Layer: give it a Dialer and a Fernet. */
export const layer = (options: Options): Layer.Layer<Client, Failure.JoinError, Transport.Dialer | Fernet> =>
  Layer.scoped(Client, make(options))
