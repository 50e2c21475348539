/**
 * The writing half of a session: what goes to one client, in the order it is written. Everything here is synchronous,
 * so that counting, encrypting and writing a frame are one step, whoever does it: Room, Hub or the session's own fiber.
 */
import * as Arr from "effect/Array"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import type * as Fernet from "../domain/Fernet.js"
import type * as Keys from "../domain/Keys.js"
import * as Protocol from "../domain/Protocol.js"
import * as Roster from "../domain/Roster.js"
import type * as Transport from "../domain/Transport.js"
import * as Wire from "../domain/Wire.js"
import type { LogError } from "./Log.js"

/** What a new member is told first: its Welcome, and the roster at the Welcome's head. */
export interface Admission {
  readonly welcome: Protocol.Welcome
  readonly roster: Roster.Roster
}

export class Downlink {
  private written: Protocol.Position = Protocol.start
  private state: "new" | "welcomed" | "closed" = "new"
  private parting: Protocol.ByeReason | undefined

  private constructor(
    private readonly transport: Transport.Transport,
    private readonly writer: Wire.Writer<Protocol.ServerMessage>,
    /** Done by the Room when the member has joined. */
    readonly admitted: Deferred.Deferred<Admission>,
    /** Open while the session has to stream from the log; closed while it is live, or waits to be. */
    readonly behind: Effect.Latch,
    /** Done when Bye was written, after which nothing follows; failed when the log cannot be read for this session. */
    readonly closed: Deferred.Deferred<Protocol.ByeReason, LogError>
  ) {}

  /** The downlink of a session whose `down` key is `key`. */
  static make = Effect.fnUntraced(function* (
    transport: Transport.Transport,
    fernet: Fernet.Shape,
    key: Keys.Key<"down">
  ) {
    return new Downlink(
      transport,
      new Wire.Writer<Protocol.ServerMessage>(fernet, key),
      yield* Deferred.make<Admission>(),
      yield* Effect.makeLatch(false),
      yield* Deferred.make<Protocol.ByeReason, LogError>()
    )
  })

  /** The last `seq` written here; Welcome's `after` until an event was, 0 before Welcome. */
  get last(): Protocol.Position {
    return this.written
  }

  /** Whether Welcome was written, and Bye was not. */
  get isWelcomed(): boolean {
    return this.state === "welcomed"
  }

  /** Writes messages to this client alone; returns the bytes not yet sent. */
  send(...messages: Arr.NonEmptyReadonlyArray<Protocol.ServerMessage>): number {
    return this.state === "closed" ? 0 : this.transport.write(this.writer.lines(messages))
  }

  /** Writes Welcome and the roster, after which events follow on Welcome's `after`. */
  welcome({ roster, welcome }: Admission): void {
    if (this.state !== "new") return
    const members = Roster.members(roster)
    // Whoever is welcomed is here as well, so the roster is never empty.
    const pages = Arr.isNonEmptyReadonlyArray(members) ? Wire.pages(members) : []
    this.send(welcome, ...pages.map((page): Protocol.Members => ({ _tag: "Members", members: page })))
    this.written = welcome.after
    this.state = "welcomed"
  }

  /** Writes a page of the log, as {@link Wire.pages} cuts it, that follows on {@link last}; returns as `send` does. */
  events(page: Arr.NonEmptyReadonlyArray<Protocol.Event>): number {
    if (!this.isWelcomed) return 0
    this.written = Arr.lastNonEmpty(page).seq
    return this.send({ _tag: "Events", events: page })
  }

  /** Writes lines that all live sessions share, the newest event in them being `last`; returns as `send` does. */
  relay(lines: Uint8Array, last: Protocol.Position): number {
    if (!this.isWelcomed) return 0
    this.written = last
    return this.transport.write(lines)
  }

  /** Writes the last message. Only the first call counts. */
  bye(reason: Protocol.ByeReason): void {
    if (this.state === "closed") return
    this.send({ _tag: "Bye", reason })
    this.state = "closed"
    Deferred.unsafeDone(this.closed, Effect.succeed(reason))
  }

  /** Leaves Bye to whoever streams the log to this session: it is due once that has come to the head. */
  byeAtHead(reason: Protocol.ByeReason): void {
    this.parting = reason
    this.behind.unsafeOpen()
  }

  /** The Bye that is due at the head of the log. */
  get farewell(): Protocol.ByeReason | undefined {
    return this.parting
  }
}
