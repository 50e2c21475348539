/**
 * A member's part in the room, over however many connections it takes: applies what arrives, knows what is due to be
 * sent, and answers those who wait. Nothing here waits or does input and output, so every step is whole: a connection
 * may end between any two of them.
 */
import * as Arr from "effect/Array"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as FiberId from "effect/FiberId"
import * as HashMap from "effect/HashMap"
import * as Option from "effect/Option"
import { Fault } from "../domain/Fault.js"
import type * as Fernet from "../domain/Fernet.js"
import type * as Keys from "../domain/Keys.js"
import * as Protocol from "../domain/Protocol.js"
import * as Seal from "../domain/Seal.js"
import type * as Wire from "../domain/Wire.js"
import * as Backlog from "./Backlog.js"
import * as Entry from "./Entry.js"
import * as Failure from "./Failure.js"
import * as Fetching from "./Fetching.js"
import type * as Kept from "./Kept.js"
import { Naming } from "./Naming.js"
import * as Outbox from "./Outbox.js"
import * as Replica from "./Replica.js"
import * as Seen from "./Seen.js"

/** Entries that a subscriber of {@link Conversation.entries} may be behind before it fails with `Lagged`. */
const backlog = 10_000

/** The outcome of a text: its entry, or none where the log had it and dropped it before this client came to see it. */
export type Outcome = Deferred.Deferred<Option.Option<Entry.Said>, Failure.SayError>

/** What has come of a frame: nothing to speak of, being let in, or the end of the connection. */
export type Turn = "none" | "joined" | Failure.JoinError | Failure.Disconnected

export interface Options {
  readonly fernet: Fernet.Shape
  readonly keys: Keys.Ring<Keys.MessageKey>
  readonly nick: string
  readonly kept: Pick<Kept.Kept, "ticket" | "outbox" | "seen" | "isLasting">
}

export class Conversation {
  /** What the log holds, opened, for all who watch. */
  readonly entries = new Backlog.Backlog<Entry.Entry, Failure.Disconnected>(backlog)
  /** What is asked of the log from before that. */
  readonly fetching = new Fetching.Fetching()

  private readonly fernet: Fernet.Shape
  private readonly keys: Keys.Ring<Keys.MessageKey>
  private readonly ticket: Protocol.Ticket
  readonly isLasting: boolean
  private replica: Replica.State
  /** The newest picture with a whole roster. */
  private picture: Replica.Present | undefined
  private items: Outbox.Outbox
  /** Who waits for a text, by its id. */
  private readonly waiting = new Map<number, Outcome>()
  private readonly naming: Naming
  private leaving: "no" | "due" | "said" = "no"
  /** When the server's newest Ping that waits for its Pong was sent. */
  private pinged: number | undefined
  /** What all who watch have dealt with, and how many entries that are. */
  private watched: Option.Option<Seen.Seen>
  private counted = 0
  private over: Failure.Disconnected | undefined

  constructor({ fernet, keys, kept, nick }: Options) {
    this.fernet = fernet
    this.keys = keys
    this.naming = new Naming(nick)
    this.ticket = kept.ticket
    this.isLasting = kept.isLasting
    this.items = kept.outbox
    this.watched = kept.seen
    this.replica = Replica.joining(kept.seen)
  }

  /** The newest picture of the room with a whole roster; nothing before this client was let in for the first time. */
  get present(): Replica.Present | undefined {
    return this.picture
  }

  get outbox(): Outbox.Outbox {
    return this.items
  }

  /** Why it is over, once it is. */
  get ended(): Failure.Disconnected | undefined {
    return this.over
  }

  /** The newest group key of this connection. */
  get group(): Keys.Key<"group"> | undefined {
    return this.replica._tag === "Present" ? Option.getOrUndefined(this.replica.group)?.key : undefined
  }

  /** Goes over to a new connection: the message to begin it with. */
  begin(): Protocol.Nick {
    const { replica } = this
    this.pinged = undefined
    this.fetching.lose()
    const seen =
      replica._tag === "Present"
        ? Option.some({ log: replica.log, member: replica.member, last: replica.last, said: replica.said })
        : replica.seen
    this.replica = Replica.joining(seen)
    return this.introduce(seen, this.naming.begin())
  }

  private introduce(seen: Option.Option<Seen.Seen>, nick: string): Protocol.Nick {
    const who = { _tag: "Nick", nick, ticket: this.ticket } as const
    return Option.match(seen, { onNone: () => who, onSome: ({ last, log }) => ({ ...who, log, after: last }) })
  }

  /** Takes in what the server says, a whole frame at a time. Every frame passes here, so it is plain. */
  receive(received: Wire.Received): Either.Either<Turn, Fault> {
    const before = this.replica
    let turn: Turn = "none"
    if (received._tag === "Group") {
      const taken = this.takeGroup(received.frame)
      if (Either.isLeft(taken)) return Either.left(taken.left)
    } else {
      for (const message of received.messages) {
        const taken = this.takeMessage(before, message)
        if (Either.isLeft(taken)) return taken
        if (taken.right !== "none") turn = taken.right
      }
    }
    const { replica } = this
    if (replica._tag === "Joining" || replica.missing > 0) return Either.right(turn)
    this.picture = replica
    if (before._tag === "Present" && before.missing === 0) {
      if (before.asking && !replica.asking) this.naming.answered(replica.nick)
      return Either.right(turn)
    }
    this.naming.answered(replica.nick)
    this.settleAcked()
    this.fetching.welcome(replica.log)
    return Either.right(turn === "none" ? "joined" : turn)
  }

  private takeGroup(frame: Protocol.GroupFrame): Either.Either<void, Fault> {
    const next = Replica.group(this.replica, frame)
    if (Either.isLeft(next)) return Either.left(next.left)
    this.replica = next.right
    return this.apply(frame.events)
  }

  /** What a message means here; `before` is the picture before its frame. */
  private takeMessage(before: Replica.State, message: Protocol.ServerMessage): Either.Either<Turn, Fault> {
    const next = Replica.message(this.replica, message)
    if (Either.isLeft(next)) return Either.left(next.left)
    this.replica = next.right
    switch (message._tag) {
      case "Welcome":
        return Either.map(this.welcomed(before, message), () => "none")
      case "Events":
        return Either.map(this.apply(message.events), () => "none")
      case "History":
        this.fetching.receive(message, next.right._tag === "Present" && next.right.fetch === undefined)
        return Either.right("none")
      case "Ping":
        // Answered when there is room for it, the newest only: who pings and never reads fills no memory.
        this.pinged = message.at
        return Either.right("none")
      case "Rejected":
        return Either.right(this.naming.rejected(message) ?? "none")
      case "Bye":
        return Either.right(Failure.bye(message.reason))
      default:
        return Either.right("none")
    }
  }

  private welcomed(before: Replica.State, welcome: Protocol.Welcome): Either.Either<void, Fault> {
    const seen = before._tag === "Joining" ? before.seen : Option.none()
    if (Option.exists(this.items.log, (log) => log === welcome.log) && welcome.acked < this.items.acked) {
      return Either.left(new Fault({ rule: "log", detail: "what it had acknowledged is no longer in its log" }))
    }
    this.items = Outbox.welcome(this.items, welcome.log, welcome.acked)
    for (const entry of Entry.onWelcome(seen, welcome)) this.entries.push(entry)
    if (Option.isNone(this.watched)) {
      this.watched = Option.some(Seen.from(welcome.log, welcome.member, welcome.after))
    }
    return Either.right(undefined)
  }

  /** Applies events as they come. Every entry passes here, so it is a plain loop. */
  private apply(events: ReadonlyArray<Protocol.Event>): Either.Either<void, Fault> {
    for (const event of events) {
      const { replica } = this
      const next = Replica.event(replica, event)
      if (Either.isLeft(next)) return Either.left(next.left)
      if (replica._tag === "Joining") continue
      const own = event._tag === "Chat" && event.member === replica.member
      if (own && event.n > this.items.sent) {
        return Either.left(new Fault({ rule: "text-number", detail: `text ${event.n} of ours was never said` }))
      }
      const entry = Entry.read(this.fernet, this.keys, replica, event)
      this.entries.push(entry)
      this.replica = next.right
      if (own) this.settle(event.n, entry)
      if (event.seq === replica.head) this.settleAcked()
    }
    return Either.right(undefined)
  }

  /** What was in the log at Welcome, and could not be seen on the way up to there, is done with all the same. */
  private settleAcked(): void {
    if (this.replica._tag === "Present" && this.replica.last >= this.replica.head) this.settle(this.items.logged)
  }

  /** The texts up to number `n` are in the log, the last of them as `entry`. */
  private settle(n: number, entry?: Entry.Logged): void {
    const first = this.items.acked + 1
    const [next, settled] = Outbox.settle(this.items, n)
    this.items = next
    for (const [index, { id, text }] of settled.entries()) {
      const outcome = this.waiting.get(id)
      this.waiting.delete(id)
      if (outcome === undefined) continue
      if (entry === undefined || first + index !== n) Deferred.unsafeDone(outcome, Effect.succeedNone)
      else {
        const same = entry._tag === "Said" && entry.text === text
        Deferred.unsafeDone(outcome, same ? Effect.succeedSome(entry) : Effect.fail(Failure.altered()))
      }
    }
  }

  /** What is to be sent next, in one frame; nothing when nothing is due, or it has to wait for an answer. */
  next(): Arr.NonEmptyReadonlyArray<Protocol.ClientMessage> | undefined {
    if (this.pinged !== undefined) {
      const pong: Protocol.ClientMessage = { _tag: "Pong", at: this.pinged }
      this.pinged = undefined
      return [pong]
    }
    const { replica } = this
    if (replica.ended || this.leaving === "said") return undefined
    // At the door there is nothing to be sent first. The server may have let us in already, and waits for no answer.
    if (replica._tag === "Joining" && this.leaving === "due") return this.sayLeave()
    // While a Nick of ours waits for its answer, nobody knows which nick to seal under.
    if (replica.asking) return undefined
    if (replica._tag === "Joining") {
      this.replica = Replica.ask(replica)
      return [this.introduce(replica.seen, this.naming.again())]
    }
    const fetch = this.leaving === "no" ? this.fetching.next() : undefined
    if (fetch !== undefined) {
      this.replica = Replica.fetch(replica, fetch)
      return [fetch]
    }
    const { before } = this.naming
    const [outbox, items] = Outbox.take(this.items, Protocol.maxMessages, before)
    this.items = outbox
    if (Arr.isNonEmptyReadonlyArray(items)) return Arr.map(items, (item) => this.seal(replica, item))
    if (Outbox.isUnsent(outbox, before)) return undefined
    const nick = this.naming.next()
    if (nick !== undefined) {
      this.replica = Replica.ask(replica)
      return [{ _tag: "Nick", nick }]
    }
    return this.leaving === "due" ? this.sayLeave() : undefined
  }

  private sayLeave(): Arr.NonEmptyReadonlyArray<Protocol.Leave> {
    this.leaving = "said"
    return [{ _tag: "Leave" }]
  }

  private seal({ log, member, nick }: Replica.Present, { me, n, text }: Outbox.Numbered): Protocol.Say {
    const content = { log, member, n, nick, text }
    return { _tag: "Say", n, sealed: Seal.seal(this.fernet, this.keys, me ? { ...content, me } : content) }
  }

  /** Takes a text into the outbox. */
  say(text: Seal.Text, me: boolean): Either.Either<Outcome, Failure.SayError> {
    if (this.over !== undefined) return Either.left(Failure.unsaid(this.over))
    if (this.items.items.length >= Outbox.capacity) return Either.left(Failure.full())
    const [outbox, item] = Outbox.add(this.items, text, me)
    this.items = outbox
    const outcome: Outcome = Deferred.unsafeMake(FiberId.none)
    this.waiting.set(item.id, outcome)
    return Either.right(outcome)
  }

  /** Asks for another nick. One at a time. */
  rename(nick: string): Either.Either<ReturnType<Naming["rename"]>, Failure.RenameError> {
    if (this.over !== undefined) {
      return Either.left(new Failure.RenameError({ reason: "closed", message: this.over.message }))
    }
    return Either.right(this.naming.rename(nick, this.items.next))
  }

  /** Leaves once all that was said is sent. */
  leave(): void {
    if (this.leaving === "no") this.leaving = "due"
  }

  get isLeaving(): boolean {
    return this.leaving !== "no"
  }

  /** How it ends for who leaves without a connection. */
  get farewell(): Failure.Disconnected {
    const owed = this.items.items.length
    return owed === 0 ? Failure.bye("quit") : Failure.owing(owed, this.isLasting)
  }

  /** An earlier state of the outbox is kept: what is in it may be sent. */
  keep(stored: Outbox.Outbox): void {
    this.items = Outbox.keep(this.items, stored)
  }

  /** How far all who watch have come; none for a client that was never let in. */
  get seen(): Option.Option<Seen.Seen> {
    const to = this.entries.taken
    if (to > this.counted) {
      const { isWhole, items } = this.entries.between(this.counted, to)
      this.counted = to
      this.watched = Option.map(this.watched, (seen) =>
        // What was dropped in between leaves a hole, across which nobody's numbers go on.
        Seen.advance(isWhole ? seen : { ...seen, said: HashMap.empty() }, items)
      )
    }
    return this.watched
  }

  /** The end, for whoever waits for anything. Only the first reason counts. */
  end(error: Failure.Disconnected): void {
    if (this.over !== undefined) return
    this.over = error
    this.entries.end(error.reason === "quit" ? Option.none() : Option.some(error))
    for (const outcome of this.waiting.values()) Deferred.unsafeDone(outcome, Effect.fail(Failure.unsaid(error)))
    this.waiting.clear()
    this.fetching.end(error)
    this.naming.end(error)
  }
}
