/**
 * The writing half of a session: what goes to one client, in the order it is written. Everything here is synchronous,
 * so that counting, encrypting and writing a frame are one step, whoever does it: Room, Hub, CatchUp or the session.
 */
import * as Arr from "effect/Array"
import * as Effect from "effect/Effect"
import * as Protocol from "../domain/Protocol.js"
import type * as Transport from "../domain/Transport.js"
import type * as Wire from "../domain/Wire.js"

/** What a new member is told first: its Welcome, and the roster at the Welcome's head, in pages. */
export interface Admission {
  readonly welcome: Protocol.Welcome
  readonly roster: ReadonlyArray<Protocol.Members>
}

/** How long (ms) a client may be silent: until it is sent a Ping, and until Bye. */
export interface Patience {
  readonly pingAfter: number
  readonly silentAfter: number
}

export class Downlink {
  private written: Protocol.Position = Protocol.start
  private state: "new" | "welcomed" | "closed" = "new"
  private due: Admission | undefined
  private speaker: Protocol.MemberId | undefined
  private admitted = 0
  private parting: Protocol.ByeReason | undefined
  private told: Protocol.ByeReason | undefined
  private failed = false
  private isBehind = false
  private onClose: (() => void) | undefined
  /** How long (ms) nothing has come from this client, and whether anybody is there to read what comes. */
  private silence = 0
  private isRead = false

  constructor(
    private readonly transport: Transport.Transport,
    private readonly writer: Wire.Writer<Protocol.ServerMessage>,
    /** Has the log streamed to this session until it is {@link caughtUp}. */
    private readonly startCatchUp: (link: Downlink) => void
  ) {}

  /** The last `seq` written here; Welcome's `after` until an event was, 0 before Welcome. */
  get last(): Protocol.Position {
    return this.written
  }

  /** Whether Welcome was written, and Bye was not. */
  get isWelcomed(): boolean {
    return this.state === "welcomed"
  }

  /** Whether nothing will be written here any more. */
  get isClosed(): boolean {
    return this.state === "closed"
  }

  /** Waits until nothing will be written here any more. One at a time may wait. */
  get closed(): Effect.Effect<void> {
    return Effect.async((resume) => {
      if (this.state === "closed") return resume(Effect.void)
      this.onClose = () => resume(Effect.void)
      // Who waits no more is held no longer.
      return Effect.sync(() => {
        this.onClose = undefined
      })
    })
  }

  /** What comes from this client is read from now on. */
  listen(): void {
    this.silence = 0
    this.isRead = true
  }

  /** Something has come. What follows is not read before the next {@link listen}. */
  heard(): void {
    this.silence = 0
    this.isRead = false
  }

  /**
   * Counts `time` ms, up to `at`, in which nothing has come, and writes what is due then; whether anything was. One that is
   * not read is not to blame, and is told all the same that the server is there.
   */
  wait(time: number, at: number, { pingAfter, silentAfter }: Patience): boolean {
    if (this.state === "closed") return false
    const pings = Math.floor(this.silence / pingAfter)
    this.silence += time
    if (this.isRead && this.silence >= silentAfter) {
      this.bye("silent")
      return true
    }
    if (Math.floor(this.silence / pingAfter) === pings) return false
    this.send({ _tag: "Ping", at, last: this.written })
    return true
  }

  /** Writes messages to this client alone; returns the bytes not yet sent. */
  send(...messages: Arr.NonEmptyReadonlyArray<Protocol.ServerMessage>): number {
    return this.state === "closed" ? 0 : this.transport.write(this.writer.lines(messages))
  }

  /** The member has joined, at time `at` (ms): Welcome is due, then the log up to its head. */
  admit(admission: Admission, at: number): void {
    this.due = admission
    this.admitted = at
    this.speaker = admission.welcome.member
    this.catchUp()
  }

  /** The member that this is the session of, once it has joined. */
  get member(): Protocol.MemberId | undefined {
    return this.speaker
  }

  /** When (ms) the member joined with this session. */
  get since(): number {
    return this.admitted
  }

  /** What it was admitted with, until Welcome is written. */
  get admission(): Admission | undefined {
    return this.due
  }

  /** From now on the session has to stream from the log, which it may be doing already. */
  catchUp(): void {
    if (this.isBehind || this.state === "closed") return
    this.isBehind = true
    this.startCatchUp(this)
  }

  /** It has been written all there is, and waits to be made live. */
  caughtUp(): void {
    this.isBehind = false
  }

  /** Writes Welcome and the roster, if they are due, after which events follow on Welcome's `after`. */
  welcome(): void {
    if (this.state !== "new" || this.due === undefined) return
    const { roster, welcome } = this.due
    this.send(welcome, ...roster)
    this.written = welcome.after
    this.state = "welcomed"
    this.due = undefined
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

  /** Writes the last message, and reads no more. Only the first call counts. */
  bye(reason: Protocol.ByeReason): void {
    if (this.state === "closed") return
    this.send({ _tag: "Bye", reason })
    this.told = reason
    this.close()
  }

  /** The reason of the Bye that was written here, if any. */
  get outcome(): Protocol.ByeReason | undefined {
    return this.told
  }

  /** Ends the session without a word: it cannot be told what it has to be told. */
  close(): void {
    this.state = "closed"
    this.transport.stopReading()
    this.onClose?.()
  }

  /** The same by an error of this program, or of its log; only where it is the first to end it. */
  fail(): void {
    if (this.state === "closed") return
    this.failed = true
    this.close()
  }

  /** Whether it was ended by {@link fail}. */
  get hasFailed(): boolean {
    return this.failed
  }

  /** Leaves Bye to whoever streams the log to this session: it is due once that has come to the head. */
  byeAtHead(reason: Protocol.ByeReason): void {
    this.parting = reason
    this.catchUp()
  }

  /** The Bye that is due at the head of the log. */
  get farewell(): Protocol.ByeReason | undefined {
    return this.parting
  }

  /** Waits until this client has taken what it was written, all but a little. */
  get drained(): Effect.Effect<void> {
    return this.transport.drained
  }

  /** Whether the connection has ended, so that what is written here goes nowhere. */
  get isGone(): boolean {
    return this.transport.isGone
  }

  /** The client's address, for log lines. */
  get address(): string {
    return this.transport.address
  }

  /** The network that the client comes from, where it comes from any. */
  get network(): string | undefined {
    return this.transport.network
  }
}
