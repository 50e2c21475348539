/**
 * A member that comes back whenever it is told to, takes what it has missed as fast as it comes, and leaves; a process
 * of its own. It looks at what it was told when it has all of it: whoever is slow spares the server.
 */
import { Buffer } from "node:buffer"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Queue from "effect/Queue"
import { Fernet } from "../../src/domain/Fernet.js"
import type * as Protocol from "../../src/domain/Protocol.js"
import * as TransportTcp from "../../src/domain/TransportTcp.js"
import type * as Wire from "../../src/domain/Wire.js"
import * as Child from "./Child.js"
import * as RawSession from "./RawSession.js"
import { host } from "./Setting.js"

/** Who it is, and where it is to go on. */
export interface Request {
  readonly port: number
  readonly ticket: Protocol.Ticket
  readonly log: Protocol.LogId
  /** The last event it has seen. */
  readonly after: Protocol.Position
}

export type Report =
  /** It has caught up and is live, so many ms after it began to dial. */
  | { readonly _tag: "Back"; readonly time: number }
  /** It has left. On the way to being live it was told of so many events: each one once, and in order. */
  | { readonly _tag: "Left"; readonly events: number }

export const nick = "away"

const now = Effect.map(Clock.currentTimeNanos, (nanos) => Number(nanos) / 1e6)

/** How many events the lines of one session hold. They have to be those after `after`, each in its place. */
const check = Effect.fnUntraced(function* (reader: Wire.DownReader, taken: ReadonlyArray<string>, after: number) {
  let last = after
  for (const line of taken) {
    const received = yield* reader.read(line, undefined)
    if (received._tag === "Group") continue
    for (const message of received.messages) {
      if (message._tag !== "Events") continue
      for (const { seq } of message.events) {
        if (seq !== last + 1) return yield* Effect.dieMessage(`it was told of event ${seq} after ${last}`)
        last = seq
      }
    }
  }
  return last - after
})

/** Comes back and leaves. */
const once = Effect.fnUntraced(function* (
  { after, log, ticket }: Request,
  report: (report: Report) => Effect.Effect<void>
) {
  const fernet = yield* Fernet
  const begin = yield* now
  const { down, lines, reader, send } = yield* RawSession.open
  send({ _tag: "Nick", nick, ticket, log, after })
  const taken: Array<string> = []
  let isLive = false
  while (!isLive) {
    for (const line of yield* lines) {
      taken.push(line)
      const plain = fernet.decrypt([down], line)
      isLive = Either.isRight(plain) && Buffer.from(plain.right).includes('"_tag":"Rekey"')
      // What else has come is told to all.
      if (isLive) break
    }
  }
  yield* report({ _tag: "Back", time: (yield* now) - begin })
  const events = yield* check(reader, taken, after)
  send({ _tag: "Leave" })
  yield* Effect.ignore(Effect.forever(lines))
  yield* report({ _tag: "Left", events })
})

/** Comes and goes for as long as the parent wants it. */
export const run = Effect.gen(function* () {
  const parent = yield* Child.parent<Request, Report>()
  const next = Effect.flatMap(Queue.take(parent.requests), (request) =>
    Effect.scoped(once(request, parent.report)).pipe(
      Effect.provide(TransportTcp.layerDialer({ host, port: request.port }))
    )
  )
  yield* Effect.raceFirst(Effect.forever(next), parent.gone)
})
