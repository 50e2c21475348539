/** Those who come and go, a process of its own that gives way to others: one after the other, or all at once. */
import { Buffer } from "node:buffer"
import { setPriority } from "node:os"
import * as Arr from "effect/Array"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Queue from "effect/Queue"
import * as Stream from "effect/Stream"
import * as Base64Url from "../../src/domain/Base64Url.js"
import { Entropy } from "../../src/domain/Entropy.js"
import { Fernet } from "../../src/domain/Fernet.js"
import * as Protocol from "../../src/domain/Protocol.js"
import * as Transport from "../../src/domain/Transport.js"
import * as TransportTcp from "../../src/domain/TransportTcp.js"
import * as Child from "./Child.js"
import * as RawSession from "./RawSession.js"
import { host } from "./Setting.js"

/** How far a newcomer goes: a line and its answer, whatever they say; a handshake; or until it is live, and has left. */
export type Visit = "line" | "handshake" | "join"

export type Request =
  /** So many visits, so many at most at a time. */
  | {
      readonly _tag: "Series"
      readonly port: number
      readonly visit: Visit
      readonly visits: number
      readonly atOnce: number
    }
  /** So many come, all at once, and leave when the last of them is live. */
  | { readonly _tag: "Crowd"; readonly port: number; readonly size: number }

export type Report =
  /** All that was asked for has been done, and every connection is closed. */
  | { readonly _tag: "Gone" }
  /** The last of a crowd is live. */
  | { readonly _tag: "Live" }

/** As long as the first line of a handshake. */
const line = `${"A".repeat(88)}\n`

/** Writes a line that says nothing, and waits for its answer. */
const exchange = Effect.gen(function* () {
  const transport = yield* Effect.flatMap(Transport.Dialer, ({ dial }) => dial)
  transport.write(Buffer.from(line))
  yield* Stream.runDrain(Stream.take(transport.lines, 1))
})

/** Joins under `nick`; done when it is live. */
export const join = Effect.fnUntraced(function* (nick: string) {
  const fernet = yield* Fernet
  const session = yield* RawSession.open
  const { down, lines, send } = session
  send({ _tag: "Nick", nick, ticket: Protocol.Ticket.make(Base64Url.encode((yield* Entropy).bytes(16))) })
  const isLive = (text: string) =>
    Option.exists(Option.getRight(fernet.decrypt([down], text)), (plain) =>
      Buffer.from(plain).includes('"_tag":"Rekey"')
    )
  // What comes after its Rekey is told to all, and does not open under its own key.
  yield* Effect.repeat(lines, { until: Arr.some(isLive) })
  return session
})

type Session = Effect.Effect.Success<ReturnType<typeof join>>

/** Takes what comes, and does not look at it, until the server has ended; says that it leaves after `stay`. */
export const leave = ({ lines, send }: Session, stay: Effect.Effect<void> = Effect.void) =>
  Effect.all(
    [
      Effect.ignore(Effect.forever(lines)),
      Effect.zipRight(
        stay,
        Effect.sync(() => send({ _tag: "Leave" }))
      )
    ],
    { concurrency: 2, discard: true }
  )

const visits: Record<Visit, (nick: string) => Effect.Effect<void, unknown, Fernet | Transport.Dialer>> = {
  line: () => Effect.scoped(exchange),
  handshake: () => Effect.scoped(RawSession.open),
  join: (nick) => Effect.scoped(Effect.flatMap(join(nick), (session) => leave(session)))
}

const nickOf = (i: number) => `newcomer-${i}`

const crowd = Effect.fnUntraced(function* (size: number, live: Effect.Effect<void>) {
  const everybody = yield* Deferred.make<void>()
  let here = 0
  const come = Effect.fnUntraced(function* (i: number) {
    const session = yield* join(nickOf(i))
    here += 1
    if (here === size) yield* Effect.zipRight(live, Deferred.succeed(everybody, undefined))
    yield* leave(session, Deferred.await(everybody))
  })
  yield* Effect.forEach(Arr.range(1, size), (i) => Effect.scoped(come(i)), { concurrency: "unbounded", discard: true })
})

const answer = (request: Request, report: (report: Report) => Effect.Effect<void>) => {
  const work =
    request._tag === "Crowd"
      ? crowd(request.size, report({ _tag: "Live" }))
      : Effect.forEach(Arr.range(1, request.visits), (i) => visits[request.visit](nickOf(i)), {
          concurrency: request.atOnce,
          discard: true
        })
  return work.pipe(
    Effect.zipRight(report({ _tag: "Gone" })),
    Effect.provide(TransportTcp.layerDialer({ host, port: request.port }))
  )
}

/** Comes and goes for as long as the parent wants it. */
export const run = Effect.gen(function* () {
  setPriority(19)
  const parent = yield* Child.parent<Request, Report>()
  const next = Effect.flatMap(Queue.take(parent.requests), (request) => answer(request, parent.report))
  yield* Effect.raceFirst(Effect.forever(next), parent.gone)
})
