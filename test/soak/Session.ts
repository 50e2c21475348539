/** A connection of a member, from its handshake on: it reads what comes, unless it stalls, and sees that all is in order. */
import { Buffer } from "node:buffer"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import * as Scope from "effect/Scope"
import * as RawSession from "../../bench/utils/RawSession.js"
import { Fault } from "../../src/domain/Fault.js"
import * as Fernet from "../../src/domain/Fernet.js"
import * as Keys from "../../src/domain/Keys.js"
import type * as Protocol from "../../src/domain/Protocol.js"
import type * as Wire from "../../src/domain/Wire.js"
import type { Crowd } from "./Crowd.js"
import * as Limits from "./Limits.js"

/** Where a member goes on. */
export interface Place {
  readonly log: Protocol.LogId
  readonly after: Protocol.Position
}

/** Whose session it is: it is told of what concerns it. */
export interface Owner {
  readonly name: string
  readonly ticket: Protocol.Ticket
  /** Another nick that looks like nobody else's. */
  readonly freshNick: () => string
  readonly onWelcome: (welcome: Protocol.Welcome) => void
  /** A text of its own is in the log. */
  readonly onText: (event: Protocol.Chat, log: Protocol.LogId) => void
}

const textOf = (bytes: Uint8Array): string => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString()

type Raw = Effect.Effect.Success<typeof RawSession.open>

export class Session {
  /** Open when it is live, when nothing more comes, and while it reads. */
  readonly live = Effect.unsafeMakeLatch(false)
  readonly ended = Effect.unsafeMakeLatch(false)
  readonly reading = Effect.unsafeMakeLatch(true)
  welcome: Protocol.Welcome | undefined
  /** The newest event it was told of. */
  last: Protocol.Position | undefined
  /** What the log calls its member, and whether it has asked for another nick. */
  nick = ""
  isNaming = false
  isOver = false
  /** What its member has done here. */
  readonly acts: Array<string> = []
  private frames = 0
  private group: Keys.Key<"group"> | undefined

  constructor(
    readonly raw: Raw,
    /** Ends it without a word. */
    readonly crash: Effect.Effect<void>,
    private readonly fernet: Fernet.Shape,
    private readonly crowd: Crowd,
    private readonly owner: Owner,
    private readonly place: Place | undefined
  ) {}

  /** Says who it is. */
  greet(nick: string): void {
    this.raw.send({ _tag: "Nick", nick, ticket: this.owner.ticket, ...this.place })
  }

  rename(nick: string): void {
    this.isNaming = true
    this.raw.send({ _tag: "Nick", nick })
  }

  /** Reads until nothing more comes. */
  get read(): Effect.Effect<void> {
    const { crowd, owner, raw, reading } = this
    const next = Effect.andThen(Effect.zipRight(reading.await, raw.lines), (lines) => {
      for (const line of lines) this.take(line)
    })
    return Effect.forever(next).pipe(
      // It ends with the connection, which may be lost, also in the middle of a line.
      Effect.catchAll((error) =>
        Effect.sync(() => {
          const fault = Option.filter(error, (failure) => failure instanceof Fault && failure.rule !== "truncated")
          if (Option.isSome(fault)) crowd.problem(`${owner.name} was sent no lines: ${fault.value.message}`)
        })
      ),
      Effect.ensuring(
        Effect.sync(() => {
          this.isOver = true
          this.ended.unsafeOpen()
        })
      )
    )
  }

  private take(line: string): void {
    const received = this.crowd.heard.read(line, () => this.open(line))
    if (Either.isLeft(received)) this.crowd.problem(`${this.owner.name} was sent a line that nothing opens`)
    else if (received.right._tag === "Group") this.apply(received.right.frame.events)
    else for (const message of received.right.messages) this.hear(message)
  }

  /** It is not checked as a client would, of which there are some: here are hundreds, who would do nothing else. */
  private open(line: string): Either.Either<Wire.Received, unknown> {
    const { fernet, group, raw } = this
    const told = group === undefined ? Option.none() : Either.getRight(fernet.decrypt([group], line))
    if (Option.isSome(told)) {
      // It opens, here and below, under a key of our server, which is of the same build.
      return Either.right({ _tag: "Group", frame: JSON.parse(textOf(told.value)) as Protocol.GroupFrame })
    }
    return Either.map(fernet.decrypt([raw.down], line), (plaintext) => {
      const { frame, messages } = JSON.parse(textOf(plaintext)) as Protocol.DownFrame
      if (frame !== this.frames) this.crowd.problem(`${this.owner.name} was sent frame ${frame}, not ${this.frames}`)
      this.frames += 1
      return { _tag: "Down", messages }
    })
  }

  private hear(message: Protocol.ServerMessage): void {
    const { crowd, owner, place, raw } = this
    switch (message._tag) {
      case "Welcome": {
        if (place !== undefined && (message.log !== place.log || message.after !== place.after)) {
          crowd.problem(`${owner.name} wanted to go on after ${place.after} and was let in after ${message.after}`)
        }
        this.welcome = message
        this.last = message.after
        this.nick = message.nick
        owner.onWelcome(message)
        break
      }
      case "Events":
        this.apply(message.events)
        break
      case "Rekey":
        this.group = Option.getOrUndefined(Keys.fromBase64Url<"group">(message.key))
        this.live.unsafeOpen()
        break
      case "Rejected":
        crowd.met("was refused a nick")
        if (this.welcome === undefined) this.greet(owner.freshNick())
        this.isNaming = false
        break
      case "Ping":
        raw.send({ _tag: "Pong", at: message.at })
        break
      case "Bye":
        crowd.met(`was told Bye ${message.reason}`)
    }
  }

  private apply(events: ReadonlyArray<Protocol.Event>): void {
    for (const event of events) {
      if (this.last === undefined || event.seq !== this.last + 1) {
        this.crowd.problem(`${this.owner.name} was told of event ${event.seq} after ${this.last}`)
      }
      this.last = event.seq
      if (event._tag === "Notice" || event.member !== this.welcome?.member) continue
      if (event._tag === "Chat") this.owner.onText(event, this.welcome.log)
      // What comes up to the Welcome's head was before.
      if (event._tag === "Renamed" && event.seq > this.welcome.head) {
        this.nick = event.nick
        this.isNaming = false
      }
    }
  }

  /** Waits until something has come about, and takes it down where it takes too long. */
  wait(what: string, ready: Effect.Effect<unknown>): Effect.Effect<void> {
    return Effect.andThen(Effect.timeoutOption(ready, Limits.patience), (done) => {
      if (Option.isSome(done)) return
      this.crowd.problem(`${this.owner.name} has waited in vain to ${what}, after: ${this.acts.join(", ")}`)
    })
  }
}

/** Dials, shakes hands and begins to read, for the life of the Scope or until it crashes. */
export const open = Effect.fnUntraced(function* (crowd: Crowd, owner: Owner, place: Place | undefined) {
  const scope = yield* Effect.acquireRelease(Scope.make(), (scope) => Scope.close(scope, Exit.void))
  const raw = yield* Scope.extend(RawSession.open, scope)
  const session = new Session(raw, Scope.close(scope, Exit.void), yield* Fernet.Fernet, crowd, owner, place)
  yield* Effect.forkIn(session.read, scope)
  return session
})
