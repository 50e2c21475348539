/**
 * A member of a room: joins over any Transport, follows the log, opens and seals texts, and comes back by itself when
 * the connection is lost. What comes is applied as it arrives, whether or not anybody watches.
 */
import type { KeyValueStore } from "@effect/platform/KeyValueStore"
import * as Arr from "effect/Array"
import * as Chunk from "effect/Chunk"
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as HashMap from "effect/HashMap"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import type * as Stream from "effect/Stream"
import type * as Subscribable from "effect/Subscribable"
import { Fernet } from "../domain/Fernet.js"
import * as Keys from "../domain/Keys.js"
import * as Nickname from "../domain/Nickname.js"
import * as Protocol from "../domain/Protocol.js"
import * as Roster from "../domain/Roster.js"
import * as Seal from "../domain/Seal.js"
import type * as Transport from "../domain/Transport.js"
import type * as Backlog from "./Backlog.js"
import { Conversation } from "./Conversation.js"
import type * as Entry from "./Entry.js"
import * as Failure from "./Failure.js"
import * as Fetching from "./Fetching.js"
import * as Kept from "./Kept.js"
import type * as Outbox from "./Outbox.js"
import * as Presence from "./Presence.js"

export type { Item as Pending } from "./Outbox.js"
export type { Limits, Status } from "./Presence.js"

/** How often the position, and what of the outbox is in the log, is kept where it has changed. */
const positionTime = "1 second"

/** What a member does and knows. */
export interface Shape {
  /** This member's id: entries with a smaller `seq` are from before it first joined. */
  readonly member: Effect.Effect<Protocol.MemberId>
  /** The id of the log that `seq` counts in. */
  readonly log: Effect.Effect<Protocol.LogId>
  /** The nick as it is now. */
  readonly nick: Effect.Effect<string>
  /**
   * What the log holds, in order, from the oldest entry this client keeps (what it was told since it was made, up to
   * 10,000) and on, across lost connections. It ends when the member has left, and fails when the client has ended
   * otherwise or the subscriber fell behind. A client that is started again goes on after what every subscriber had
   * dealt with, or a little before: an entry may come again, and its `seq` tells.
   */
  readonly events: Stream.Stream<Entry.Entry, Failure.Disconnected | Backlog.Lagged>
  /** The same one by one: a client that is started again goes on exactly after those that were dealt with. */
  readonly eventsSingly: Stream.Stream<Entry.Entry, Failure.Disconnected | Backlog.Lagged>
  /**
   * Says a text of 1 to 4,000 code points; done when it is in the log, over however many connections that takes. `me`
   * makes it an action. Its entry is none where the log no longer held it when this client came back. To interrupt it is
   * to wait no more: the text is said all the same.
   */
  readonly say: (
    text: string,
    options?: { readonly me?: boolean }
  ) => Effect.Effect<Option.Option<Entry.Said>, Failure.SayError>
  /** Takes another nick; done when the log says so. Texts said meanwhile wait for it. */
  readonly rename: (nick: string) => Effect.Effect<string, Failure.RenameError>
  /** Who is here, oneself included, in the order they first came; while there is no connection, who was. */
  readonly members: Effect.Effect<ReadonlyArray<Protocol.Member>>
  /** How many are here, oneself included. */
  readonly count: Effect.Effect<number>
  /** What waits to be in the log, oldest first: all that was said and is not yet in `events`. */
  readonly pending: Effect.Effect<ReadonlyArray<Outbox.Item>>
  /**
   * The newest `limit` entries (1 at least, infinite for all) before `before`, oldest first: contiguous, and up to
   * `before - 1` or the newest this client has seen; `oldest` is the oldest event that the log still has. It is fetched
   * in steps of 500, over however many connections that takes, and moves nothing else. The texts of an author have to
   * follow on each other from the first of these on. To interrupt it is to ask no more.
   */
  readonly history: (options: {
    readonly before: Protocol.Seq
    readonly limit: number
  }) => Effect.Effect<
    { readonly events: ReadonlyArray<Entry.Logged>; readonly oldest: Protocol.Seq },
    Failure.HistoryError
  >
  /** Whether there is a connection, and when the next try comes; its changes, too. */
  readonly status: Subscribable.Subscribable<Presence.Status>
  /**
   * Leaves the room: sends what waits to be sent, then waits for the server's Bye, 5 seconds at most, after which the
   * client has ended with reason `silent`. Without a connection, or where one has yet to let it in, nothing more is sent
   * than the Leave, and it ends with reason `lost` if it owes the log a text. Texts that are not in the log by then fail.
   * Closing the Scope does the same.
   */
  readonly leave: Effect.Effect<void>
}

/** A member of a room, for as long as its Layer lives. */
export class Client extends Context.Tag("fernet-chat/Client")<Client, Shape>() {}

/** Beside how long the server may be silent, which has defaults. */
export interface Options extends Partial<Presence.Limits> {
  /** The room keys: the first joins and seals, all of them open. */
  readonly keys: Keys.Ring<Keys.RoomKey>
  /** Which nick is asked for. */
  readonly nick: string
}

const decodeText = Schema.decodeUnknownEither(Seal.Text)

/** A member on what it has kept. */
const member = Effect.fnUntraced(function* (options: Options, kept: Kept.Kept) {
  const fernet = yield* Fernet
  const messageKeys = Arr.map(options.keys, Keys.messageKey)
  const conversation = new Conversation({
    fernet,
    keys: messageKeys,
    nick: options.nick,
    kept
  })
  const scope = yield* Effect.scope
  /** Open while something may be due to be sent. */
  const due = yield* Effect.makeLatch(false)
  /** Open while the outbox holds texts that are not kept. */
  const unkept = yield* Effect.makeLatch(false)

  let keptAcked = kept.outbox.acked
  // One at a time, so that the newest is the one that stays.
  const keeping = yield* Effect.makeSemaphore(1)
  const keepOutbox = Effect.gen(function* () {
    const { outbox } = conversation
    yield* kept.saveOutbox(outbox)
    keptAcked = outbox.acked
    conversation.keep(outbox)
    due.unsafeOpen()
  }).pipe(keeping.withPermits(1))
  // What is in the log must not be said again in another one.
  const keepAcked = Effect.suspend(() => (conversation.outbox.acked === keptAcked ? Effect.void : keepOutbox))
  // Nothing yet, so that it is sealed anew after a change of keys.
  let keptSeen: typeof conversation.seen = Option.none()
  const keepSeen = Effect.suspend(() => {
    // Who forgets it all need not know: to go through what was seen costs a little for each text.
    if (!kept.isLasting) return Effect.void
    const { seen } = conversation
    if (Option.isNone(seen) || seen === keptSeen) return Effect.void
    return Effect.tap(kept.saveSeen(seen.value), () => {
      keptSeen = seen
    })
  })
  // Last of all, when nothing changes any more. Who was not let in has said nothing.
  const keepAll = Effect.suspend(() =>
    conversation.present === undefined ? Effect.void : Effect.zipRight(keepOutbox, keepSeen)
  )
  yield* Effect.addFinalizer(() => Effect.ignoreLogged(keepAll))

  const { pingAfter, silentAfter } = options
  const presence = yield* Presence.make(conversation, {
    ...(pingAfter === undefined ? {} : { pingAfter }),
    ...(silentAfter === undefined ? {} : { silentAfter }),
    key: Keys.serverKey(options.keys[0]),
    wasIn: Option.isSome(kept.seen),
    due,
    onJoined: Effect.suspend(() => {
      // In another log what waits is numbered afresh.
      unkept.unsafeOpen()
      // A new member goes on from here, whatever becomes of this run.
      return Effect.mapError(keepSeen, Failure.unkept)
    })
  })

  const keepSaid = Effect.gen(function* () {
    yield* unkept.await
    // Before the outbox is read, so that nothing added meanwhile is overlooked.
    unkept.unsafeClose()
    yield* keepOutbox
  })
  yield* Effect.forever(keepSaid).pipe(
    Effect.raceFirst(Effect.forever(Effect.zipRight(Effect.sleep(positionTime), Effect.zipRight(keepSeen, keepAcked)))),
    Effect.catchAll((error) => presence.drop(Failure.unkept(error))),
    Effect.forkScoped
  )
  // Added last, so that it comes first: what is said until then is kept and sent.
  yield* Effect.addFinalizer(() => presence.leave)

  yield* presence.joined
  const present = Effect.suspend(() =>
    conversation.present === undefined
      ? Effect.dieMessage("let in without a Welcome")
      : Effect.succeed(conversation.present)
  )
  /** One Nick of ours at a time: answers carry no name of what they answer. */
  const renaming = yield* Effect.makeSemaphore(1)

  return Client.of({
    member: Effect.map(present, ({ member }) => member),
    log: Effect.map(present, ({ log }) => log),
    nick: Effect.map(present, ({ nick }) => nick),
    members: Effect.map(present, ({ roster }) => Roster.members(roster)),
    count: Effect.map(present, ({ roster }) => HashMap.size(roster)),
    pending: Effect.sync(() => Chunk.toReadonlyArray(conversation.outbox.items)),
    history: Effect.fn("Client.history")(function* ({ before, limit }) {
      const { last, log, member } = yield* present
      // Beyond that there is nothing older than what comes by itself.
      const end = before <= last ? before : Protocol.next(last)
      const { events, oldest } = yield* Effect.acquireUseRelease(
        Effect.sync(() => {
          due.unsafeOpen()
          return conversation.fetching.ask(log, end, limit)
        }),
        ({ done }) => Deferred.await(done),
        (request) => Effect.sync(() => conversation.fetching.giveUp(request))
      )
      return { events: yield* Fetching.open(fernet, messageKeys, { log, member }, events), oldest }
    }),
    events: conversation.entries.stream,
    eventsSingly: conversation.entries.singly,
    status: presence.status,
    leave: presence.leave,
    say: Effect.fn("Client.say")(function* (text, { me = false } = {}) {
      const valid = yield* Either.mapLeft(decodeText(text), () => Failure.invalidText(text))
      const outcome = yield* conversation.say(valid, me)
      unkept.unsafeOpen()
      return yield* Deferred.await(outcome)
    }),
    rename: Effect.fn("Client.rename")(function* (nick) {
      if (!Nickname.fits(nick)) {
        return yield* new Failure.RenameError({ reason: "nick-invalid", message: Failure.longNick })
      }
      return yield* Effect.uninterruptibleMask((restore) =>
        Effect.gen(function* () {
          yield* restore(renaming.take(1))
          const done = yield* Effect.onError(conversation.rename(nick), () => renaming.release(1))
          due.unsafeOpen()
          // Whether or not anybody still waits for it, the next one waits for the answer to this one.
          const answered = Effect.exit(Deferred.await(done))
          yield* Effect.forkIn(Effect.ensuring(answered, renaming.release(1)), scope)
          return yield* restore(Deferred.await(done))
        })
      )
    })
  })
})

const checkNick = ({ nick }: Options) =>
  Nickname.fits(nick)
    ? Effect.void
    : Effect.fail(new Failure.JoinError({ reason: "nick-invalid", message: Failure.longNick }))

/** Joins a room, and stays for the life of the Scope. What it has to remember it forgets with that. */
export const make = Effect.fn("Client.make")(function* (options: Options) {
  yield* checkNick(options)
  return yield* member(options, yield* Kept.transient)
})

/**
 * Joins a room, and stays for the life of the Scope. What it has to remember is in the KeyValueStore, sealed: made again
 * on the same one it is the same member, goes on where it was, and sends what it owed. One client at a time may use it.
 */
export const makeKept = Effect.fn("Client.makeKept")(function* (options: Options) {
  yield* checkNick(options)
  return yield* member(options, yield* Kept.open(Arr.map(options.keys, Keys.stateKey)))
})

/** A member of a room as a Layer: give it a Dialer and a Fernet. */
export const layer = (options: Options): Layer.Layer<Client, Failure.JoinError, Transport.Dialer | Fernet> =>
  Layer.scoped(Client, make(options))

/** A member that outlives its process: give it a KeyValueStore as well. See {@link makeKept}. */
export const layerKept = (
  options: Options
): Layer.Layer<Client, Failure.JoinError, Transport.Dialer | Fernet | KeyValueStore> =>
  Layer.scoped(Client, makeKept(options))
