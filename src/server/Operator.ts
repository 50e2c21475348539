/**
 * The server's ear for its operator: answers the requests that come over a Listener, which is to be one that nobody else
 * can reach, such as `TransportTcp.layerListener({ path })`.
 */
import * as Effect from "effect/Effect"
import * as Admin from "../domain/Admin.js"
import { Listener, type Transport } from "../domain/Transport.js"
import { Server } from "./Server.js"

/** How many connections are served at once; more wait. */
const atOnce = 8

/** How long a connection may be silent, and how long an answer may wait to be read. */
const patience = "30 seconds"

/** Carries out a request. */
const answer = Effect.fn("Operator.answer")(function* (line: string) {
  const server = yield* Server
  const request = yield* Admin.decodeRequest(line)
  switch (request._tag) {
    case "Kick":
      return yield* server.kick(request.who)
    case "Ban":
      return yield* server.ban(request.who, { ticketOnly: request.ticketOnly })
    case "Unban":
      return yield* server.unban(request.who)
    case "ListBans":
      return Admin.page(yield* server.bans, request.after)
  }
})

const failed = ({ message, reason }: Admin.OperatorError): Admin.Answer => ({ _tag: "Failed", reason, message })

/** Answers lines until there are no more. */
const serve = Effect.fnUntraced(function* (transport: Transport) {
  // Whoever can connect is trusted with more than this.
  transport.trust()
  while (true) {
    const lines = yield* Effect.timeoutTo(transport.next, {
      duration: patience,
      onTimeout: () => [],
      onSuccess: (lines) => lines
    })
    if (lines.length === 0) break
    for (const line of lines) {
      const answered = Effect.catchTag(answer(line), "OperatorError", (error) => Effect.succeed(failed(error)))
      transport.write(Admin.encodeAnswer(yield* answered))
    }
    yield* Effect.timeoutOption(transport.drained, patience)
  }
  yield* Effect.timeoutOption(transport.end, patience)
})

const one = Effect.gen(function* () {
  const { accept } = yield* Listener
  const transport = yield* accept
  yield* serve(transport).pipe(
    Effect.catchTags({
      Fault: ({ message }) => Effect.logInfo(`an operator's connection was closed: ${message}`),
      TransportError: ({ message }) => Effect.logDebug(`an operator's connection was lost: ${message}`)
    }),
    Effect.catchAllDefect((defect) => Effect.logError("an operator's request has died", defect))
  )
}).pipe(Effect.scoped)

/** Answers whoever connects, until it is interrupted. */
export const run: Effect.Effect<never, never, Server | Listener> = Effect.zipRight(
  Effect.forEach(Array.from({ length: atOnce }), () => Effect.forever(one), {
    concurrency: "unbounded",
    discard: true
  }),
  Effect.never
)
