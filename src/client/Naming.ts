/** What a member is called, over however many connections: the nick it has, and another one while it asks for that. */
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as FiberId from "effect/FiberId"
import type * as Protocol from "../domain/Protocol.js"
import * as Failure from "./Failure.js"

/** Another nick that is asked for, one at a time. */
interface Renaming {
  readonly nick: string
  readonly before: number
  readonly done: Deferred.Deferred<string, Failure.RenameError>
}

export class Naming {
  /** The nick that our newest Nick asks for. */
  private asked = ""
  private renaming: Renaming | undefined

  constructor(
    /** The nick it has, or comes with. */
    private nick: string
  ) {}

  /** Texts with ids below this one were said before another nick was asked for, and go under the nick there was. */
  get before(): number | undefined {
    return this.renaming?.before
  }

  /** Begins a connection: the nick it has, for to come back needs no place in the log, and another nick does. */
  begin(): string {
    this.asked = this.nick
    return this.nick
  }

  /** After a refusal at the door: the nick that it was to have, or has. */
  again(): string {
    this.asked = this.renaming?.nick ?? this.nick
    return this.asked
  }

  /** The other nick that is to be asked for on this connection, if any is. */
  next(): string | undefined {
    if (this.renaming !== undefined) this.asked = this.renaming.nick
    return this.renaming?.nick
  }

  /** Takes another nick to ask for. Texts with ids from `before` on go under it. */
  rename(nick: string, before: number): Renaming["done"] {
    const done: Renaming["done"] = Deferred.unsafeMake(FiberId.none)
    this.renaming = { nick, before, done }
    return done
  }

  /** The server calls it so. */
  answered(nick: string): void {
    this.nick = nick
    if (this.renaming?.nick === this.asked) this.settle(Effect.succeed(nick))
  }

  /** The server refuses what was asked for; why it cannot come in, where it has no other nick to try. */
  rejected({ detail, reason }: Protocol.Rejected): Failure.JoinError | undefined {
    if (this.renaming === undefined) return new Failure.JoinError({ reason, message: detail })
    // At the door of a new connection there is another nick to try: the one we were to have, or the one we had.
    if (this.renaming.nick === this.asked) {
      this.settle(Effect.fail(new Failure.RenameError({ reason, message: detail })))
    }
    return undefined
  }

  /** There will be no other nick. */
  end({ message }: Failure.Disconnected): void {
    this.settle(Effect.fail(new Failure.RenameError({ reason: "closed", message })))
  }

  private settle(outcome: Effect.Effect<string, Failure.RenameError>): void {
    if (this.renaming !== undefined) Deferred.unsafeDone(this.renaming.done, outcome)
    this.renaming = undefined
  }
}
