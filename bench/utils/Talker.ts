/**
 * Members who say texts and wait until they are told of them. Fifty whole clients in one process would keep it busy, and
 * each would wait for the others: what is told to all is therefore opened once, by whoever hears it first.
 */
import * as Arr from "effect/Array"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as FiberId from "effect/FiberId"
import * as Option from "effect/Option"
import * as Base64Url from "../../src/domain/Base64Url.js"
import { Entropy } from "../../src/domain/Entropy.js"
import { Fernet } from "../../src/domain/Fernet.js"
import * as Keys from "../../src/domain/Keys.js"
import * as Protocol from "../../src/domain/Protocol.js"
import * as Seal from "../../src/domain/Seal.js"
import type * as Wire from "../../src/domain/Wire.js"
import * as RawSession from "./RawSession.js"
import { keys, text } from "./Setting.js"

/** What was told to all, by its line: the newest. */
export class Heard {
  private readonly frames = new Map<string, Wire.Received>()
  /** Gives what `line` holds, after `read` if nobody has heard it yet and it is for all. */
  read<E>(line: string, read: () => Either.Either<Wire.Received, E>): Either.Either<Wire.Received, E> {
    const known = this.frames.get(line)
    if (known !== undefined) return Either.right(known)
    const received = read()
    if (Either.isRight(received) && received.right._tag === "Group") {
      this.frames.set(line, received.right)
      for (const oldest of this.frames.keys()) {
        if (this.frames.size <= 256) break
        this.frames.delete(oldest)
      }
    }
    return received
  }
}

export interface Talker {
  /** Says a text; done when this member is told that it is in the log: its place there. */
  readonly say: Effect.Effect<Protocol.Seq>
  /** Ends only when the connection does. */
  readonly join: Effect.Effect<never, unknown>
}

/** Joins, for the life of the Scope; done when it is live. */
export const join = Effect.fnUntraced(function* (nick: string, heard: Heard) {
  const fernet = yield* Fernet
  const messageKeys = Arr.map(keys, Keys.messageKey)
  const { lines, reader, send } = yield* RawSession.open
  send({ _tag: "Nick", nick, ticket: Protocol.Ticket.make(Base64Url.encode((yield* Entropy).bytes(16))) })

  let welcome: Protocol.Welcome | undefined
  let group: Keys.Key<"group"> | undefined
  const waiting = new Map<number, Deferred.Deferred<Protocol.Seq>>()
  const apply = (events: ReadonlyArray<Protocol.Event>) => {
    for (const event of events) {
      if (event._tag !== "Chat" || event.member !== welcome?.member) continue
      const said = waiting.get(event.n)
      waiting.delete(event.n)
      if (said !== undefined) Deferred.unsafeDone(said, Effect.succeed(event.seq))
    }
  }
  const take = Effect.gen(function* () {
    for (const line of yield* lines) {
      const received = yield* heard.read(line, () => reader.read(line, group))
      if (received._tag === "Group") apply(received.frame.events)
      else {
        for (const message of received.messages) {
          if (message._tag === "Welcome") welcome = message
          else if (message._tag === "Events") apply(message.events)
          else if (message._tag === "Rekey") group = Option.getOrUndefined(Keys.fromBase64Url<"group">(message.key))
        }
      }
    }
  })
  yield* Effect.repeat(take, { until: () => group !== undefined })
  const { log, member } = yield* Effect.fromNullable(welcome)

  let n = 0
  const talker: Talker = {
    say: Effect.suspend(() => {
      n += 1
      const content = { log, member, n: Protocol.TextNumber.make(n), nick, text }
      const told: Deferred.Deferred<Protocol.Seq> = Deferred.unsafeMake(FiberId.none)
      waiting.set(n, told)
      send({ _tag: "Say", n: content.n, sealed: Seal.seal(fernet, messageKeys, content) })
      return Deferred.await(told)
    }),
    join: Effect.forever(take)
  }
  return talker
})
