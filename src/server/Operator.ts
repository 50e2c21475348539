/**
 * The server's ear for its operator: answers the requests that come over a Listener, which is to be one that nobody else
 * can reach, such as `TransportTcp.layerListener({ path })`.
 */
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Admin from "../domain/Admin.js"
import { Listener, type Transport } from "../domain/Transport.js"
import { Server } from "./Server.js"

/** How many connections are served at once; more wait. */
const atOnce = 8

/** How long a connection may be silent, and how long an answer may wait to be read. */
const patience = "30 seconds"

/** How long who has asked for the end may take to read that it comes. */
const farewellTime = "1 second"

export interface Options {
  /** What is to be told of the process, beside what the server knows. */
  readonly process?: Effect.Effect<Admin.Process>
}

/** Carries out a request, but for the end. */
const answer = Effect.fn("Operator.answer")(function* (line: string, { process }: Options) {
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
    case "ListNames":
      return Admin.pageOfNames(yield* server.names, request.after)
    case "Say":
      return yield* server.say(request.text)
    case "AskStats": {
      const stats = yield* server.stats
      return process === undefined ? stats : { ...stats, process: yield* process }
    }
    case "Stop":
      yield* Effect.logInfo("ending, as the operator has asked")
      return { _tag: "Stopping" } satisfies Admin.Answer
  }
})

const failed = ({ message, reason }: Admin.OperatorError): Admin.Answer => ({ _tag: "Failed", reason, message })

/** Answers lines until there are no more, or one asks for the end; whether one did. */
const serve = Effect.fnUntraced(function* (transport: Transport, options: Options) {
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
      const answered = yield* Effect.catchTag(answer(line, options), "OperatorError", (error) =>
        Effect.succeed(failed(error))
      )
      transport.write(Admin.encodeAnswer(answered))
      if (answered._tag !== "Stopping") continue
      yield* Effect.timeoutOption(transport.end, farewellTime)
      return true
    }
    yield* Effect.timeoutOption(transport.drained, patience)
  }
  yield* Effect.timeoutOption(transport.end, patience)
  return false
})

const one = Effect.fnUntraced(function* (options: Options, stopping: Deferred.Deferred<void>) {
  const { accept } = yield* Listener
  const transport = yield* accept
  const isOver = yield* serve(transport, options).pipe(
    Effect.catchTags({
      Fault: ({ message }) => Effect.as(Effect.logInfo(`an operator's connection was closed: ${message}`), false),
      TransportError: ({ message }) =>
        Effect.as(Effect.logDebug(`an operator's connection was lost: ${message}`), false)
    }),
    Effect.catchAllDefect((defect) => Effect.as(Effect.logError("an operator's request has died", defect), false))
  )
  if (isOver) yield* Deferred.succeed(stopping, undefined)
}, Effect.scoped)

/**
 * Answers whoever connects, until the operator has asked the server to end. To end it is then for whoever runs it: it does
 * with its Scope.
 */
export const run = Effect.fnUntraced(function* (options: Options = {}) {
  const stopping = yield* Deferred.make<void>()
  const answering = Effect.forEach(Array.from({ length: atOnce }), () => Effect.forever(one(options, stopping)), {
    concurrency: "unbounded",
    discard: true
  })
  yield* Effect.raceFirst(answering, Deferred.await(stopping))
})
