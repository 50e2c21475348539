/** Somebody who comes, talks and goes in every way there is, and comes back as the same member. */
import { Buffer } from "node:buffer"
import * as Arr from "effect/Array"
import * as Effect from "effect/Effect"
import * as RawSession from "../../bench/utils/RawSession.js"
import { keys, serverKeys } from "../../bench/utils/Setting.js"
import * as Base64Url from "../../src/domain/Base64Url.js"
import { Entropy } from "../../src/domain/Entropy.js"
import type { Fault as ProtocolFault } from "../../src/domain/Fault.js"
import type { Fernet } from "../../src/domain/Fernet.js"
import * as Handshake from "../../src/domain/Handshake.js"
import * as Keys from "../../src/domain/Keys.js"
import * as Protocol from "../../src/domain/Protocol.js"
import * as Seal from "../../src/domain/Seal.js"
import * as Transport from "../../src/domain/Transport.js"
import type { Dice } from "../simulation/Dice.js"
import type * as History from "../simulation/History.js"
import * as Act from "./Act.js"
import type { Crowd } from "./Crowd.js"
import * as Fault from "./Fault.js"
import * as Limits from "./Limits.js"
import * as Session from "./Session.js"

const messageKeys = Arr.map(keys, Keys.messageKey)
const otherKey = Keys.fromBytes<"server">(new Uint8Array(Keys.length).fill(9))

/** The beginning of a line. */
const half = Buffer.from("gAAAAABl".repeat(20))

/** A text that was said on this connection or an earlier one, and that it has not been told of. */
interface Said {
  readonly sealed: Protocol.Sealed
  readonly saying: History.Saying
}

export class Member implements Session.Owner {
  readonly name: string
  readonly ticket: Protocol.Ticket
  private nick: string
  private nicks = 0
  private texts = 0
  /** Where it goes on; nowhere yet, or it has forgotten. */
  private place: Session.Place | undefined
  /** The number of its newest text, and that of the newest that it knows to be in the log, which never falls. */
  private n = 0
  private acked = 0
  private readonly said = new Map<number, Said>()

  constructor(
    index: number,
    /** How many there are: their nicks may be taken. */
    private readonly members: number,
    private readonly dice: Dice,
    private readonly crowd: Crowd,
    private readonly fernet: Fernet["Type"]
  ) {
    this.name = `m${index}`
    this.nick = this.name
    this.ticket = Protocol.Ticket.make(Base64Url.encode(dice.bytes(16)))
  }

  freshNick(): string {
    this.nicks += 1
    return `${this.name}-${this.nicks}`
  }

  /** Somebody's nick. */
  private anybody(): string {
    return `m${this.dice.whole(1, this.members)}`
  }

  onWelcome({ acked, log }: Protocol.Welcome): void {
    if (acked < this.acked) this.crowd.problem(`${this.name} had ${this.acked} texts in the log, and now ${acked}`)
    for (const [n, { saying }] of this.said) {
      if (n <= acked) saying.outcome = { _tag: "Acknowledged", log, seq: undefined, at: 0 }
    }
    // What is not there now never will be: it went with the connection. Its number is another's.
    this.said.clear()
    this.acked = acked
    this.n = acked
  }

  onText({ n, sealed, seq }: Protocol.Chat, log: Protocol.LogId): void {
    const said = this.said.get(n)
    if (said === undefined) return
    this.said.delete(n)
    this.acked = Math.max(this.acked, n)
    if (said.sealed !== sealed) this.crowd.problem(`text ${n} of ${this.name} is not what it has said`)
    said.saying.outcome = { _tag: "Acknowledged", log, seq, at: 0 }
  }

  /** Comes and goes until the round is over. */
  get live() {
    return Effect.gen(this, function* () {
      const { crowd, dice } = this
      yield* crowd.rest(Act.arrival(dice, this.members))
      while (!crowd.isOver) {
        yield* this.knock(Act.door(dice))
        yield* Effect.scoped(this.visit)
        yield* crowd.rest(Act.absence(dice))
      }
    })
  }

  /** Calls, and comes no further than the door. */
  private knock(door: Act.Door) {
    const { crowd, nick, place, ticket } = this
    if (door === "does nothing of it") return Effect.void
    crowd.did(door)
    const call = Effect.gen(function* () {
      if (door === "crashes in the middle of its first frame" || door === "crashes after its first frame") {
        const { send, transport } = yield* RawSession.open
        if (door === "crashes after its first frame") send({ _tag: "Nick", nick, ticket, ...place })
        else transport.write(half)
        return
      }
      const transport = yield* Effect.flatMap(Transport.Dialer, ({ dial }) => dial)
      const key = door === "calls with another key" ? otherKey : serverKeys[0]
      const { line } = Handshake.initiate(key, (yield* Entropy).bytes(32))
      transport.write(Buffer.from(door === "crashes in the middle of a hello" ? line.slice(0, 40) : `${line}\n`))
      if (door === "calls with another key") yield* transport.next
    })
    return this.admitted(Effect.scoped(call))
  }

  /** What needs the server to open; nothing where it does not, which may be: it has limits. */
  private admitted<A, R>(
    effect: Effect.Effect<A, Effect.Effect.Error<typeof RawSession.open> | ProtocolFault, R>
  ): Effect.Effect<A | undefined, never, R> {
    const { crowd } = this
    return effect.pipe(
      Effect.timeoutFail({ duration: Limits.patience, onTimeout: () => "it was not answered" }),
      crowd.door.withPermits(1),
      Effect.catchAll((error) =>
        Effect.sync(() => {
          if (typeof error === "string" || error instanceof Handshake.HandshakeError) {
            crowd.problem(`${this.name} was turned away: ${error.toString()}`)
          } else crowd.met("was turned away")
          return undefined
        })
      )
    )
  }

  /** Comes, and waits until it is live; who is not let in goes away again. */
  private get come() {
    return Effect.gen(this, function* () {
      const session = yield* this.admitted(Session.open(this.crowd, this, this.place))
      if (session === undefined) return undefined
      // A nick that is taken is refused, and another one follows on the same connection.
      session.greet(this.dice.chance(0.05) ? this.anybody() : this.nick)
      yield* session.wait("be let in", Effect.raceFirst(session.live.await, session.ended.await))
      if (session.welcome === undefined) return yield* this.gone(session)
      this.crowd.did(this.place === undefined ? "comes" : "comes back")
      return session
    })
  }

  /** What follows on a connection that has ended, however it did. */
  private remember({ last, nick, welcome }: Session.Session): void {
    if (welcome === undefined || last === undefined) return
    this.nick = nick
    this.place = this.dice.chance(0.2) ? undefined : { log: welcome.log, after: last }
  }

  private get visit() {
    return Effect.gen(this, function* () {
      const { crowd, dice } = this
      let session = yield* this.come
      while (session !== undefined) {
        yield* Effect.raceFirst(crowd.rest(Act.pause(dice, this.members)), session.ended.await)
        if (session.isOver) return this.remember(session)
        const act: Act.Act = crowd.isOver ? dice.pick(["leaves", "crashes"]) : Act.next(dice)
        crowd.did(act)
        session.acts.push(act)
        session = yield* this.act(act, session)
      }
    })
  }

  /** Does something: with whom it goes on, if with anybody. */
  private act(act: Act.Act, session: Session.Session) {
    return Effect.gen(this, function* () {
      const { dice } = this
      const { raw } = session
      switch (act) {
        case "says a text":
          this.say(session, 1)
          return session
        case "says several at once":
          this.say(session, dice.scale(2, 30))
          return session
        case "asks for another nick":
          if (!session.isNaming) session.rename(this.freshNick())
          return session
        case "asks for a nick that may be taken":
          if (!session.isNaming) session.rename(this.anybody())
          return session
        case "fetches history":
          this.fetch(session, dice.scale(1, 500))
          return session
        case "asks whether the server is there":
          raw.send({ _tag: "Ping", at: 0 })
          return session
        case "stops reading": {
          session.reading.unsafeClose()
          // Now and then more than the system takes in place of a reader.
          if (dice.chance(0.1)) for (let times = 0; times < 8; times++) this.fetch(session, 500)
          this.say(session, dice.whole(0, 3))
          yield* this.crowd.rest(Act.stall(dice))
          if (dice.chance(0.6)) {
            session.reading.unsafeOpen()
            return session
          }
          return yield* this.gone(session)
        }
        case "takes over its older connection": {
          this.remember(session)
          // It may read what it is told, or may be too far gone.
          const isReading = dice.chance(0.7)
          if (!isReading) session.reading.unsafeClose()
          const newer = yield* this.come
          if (newer !== undefined && isReading) yield* session.wait("be taken over", session.ended.await)
          yield* session.crash
          return newer
        }
        case "breaks the rules":
          raw.transport.write(Buffer.from(Fault.line(dice, this.fernet, raw.up, otherKey), "latin1"))
          yield* session.wait("be sent away", session.ended.await)
          return yield* this.gone(session)
        case "leaves":
          raw.send({ _tag: "Leave" })
          yield* session.wait("be let go", session.ended.await)
          return yield* this.gone(session)
        case "crashes":
          return yield* this.gone(session)
        case "crashes in the middle of a line":
          raw.transport.write(half)
          return yield* this.gone(session)
      }
    })
  }

  /** Ends a connection without a word, if it has not ended. */
  private gone(session: Session.Session): Effect.Effect<undefined> {
    this.remember(session)
    return Effect.as(session.crash, undefined)
  }

  private fetch({ last = Protocol.start, raw }: Session.Session, limit: number): void {
    const before = Protocol.Seq.make(this.dice.whole(Math.min(limit, last), last) + 1)
    raw.send({ _tag: "Fetch", before, limit })
  }

  /** Says texts, unless it waits to be called otherwise. */
  private say({ isNaming, nick, raw, welcome }: Session.Session, count: number): void {
    if (isNaming || welcome === undefined) return
    const { log, member } = welcome
    const messages = Array.from({ length: count }, (): Protocol.Say => {
      this.n += 1
      this.texts += 1
      const n = Protocol.TextNumber.make(this.n)
      const text = `${this.name} ${this.texts}${this.dice.chance(0.1) ? ` ${"x".repeat(this.dice.scale(1, 3_000))}` : ""}`
      const sealed = Seal.seal(this.fernet, messageKeys, { log, member, n, nick, text: Seal.Text.make(text) })
      const saying: History.Saying = {
        client: this.name,
        text,
        // What goes with a connection it does not say again.
        owed: false,
        mayRepeat: false,
        outcome: { _tag: "Waiting" }
      }
      this.crowd.history.sayings.push(saying)
      this.said.set(n, { sealed, saying })
      return { _tag: "Say", n, sealed }
    })
    if (Arr.isNonEmptyArray(messages)) raw.send(...messages)
  }
}
