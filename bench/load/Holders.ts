/** Those who hold the key and come as anybody does, with the client that users have, one when asked to; a process of its own. */
import { setPriority } from "node:os"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Queue from "effect/Queue"
import * as Schedule from "effect/Schedule"
import * as Client from "../../src/client/Client.js"
import * as TransportTcp from "../../src/domain/TransportTcp.js"
import * as Child from "../utils/Child.js"
import { host, keys } from "../utils/Setting.js"

/** One comes under this nick, and leaves as soon as it is let in. */
export interface Request {
  readonly port: number
  readonly nick: string
}

export type Report =
  /** It had its Welcome so long (ms) after it first dialled, having been started so many times. */
  | { readonly _tag: "In"; readonly time: number; readonly tries: number }
  /** It gave up. */
  | { readonly _tag: "Out"; readonly reason: string; readonly tries: number }

/** How long one tries to get in. */
const patience = "30 seconds"
/** A client that was sent away before its first Welcome ends: whoever it is for starts it again. */
const again = Schedule.spaced("100 millis")

const come = Effect.fnUntraced(function* ({ nick, port }: Request, report: (report: Report) => Effect.Effect<void>) {
  const begin = performance.now()
  let tries = 0
  const enter = Effect.suspend(() => {
    tries += 1
    const client = Client.make({ keys, nick })
    return Effect.scoped(
      Effect.flatMap(client, () => Effect.suspend(() => report({ _tag: "In", time: performance.now() - begin, tries })))
    )
  })
  const exit = yield* enter.pipe(
    Effect.retry(again),
    Effect.timeout(patience),
    Effect.provide(TransportTcp.layerDialer({ host, port })),
    Effect.exit
  )
  if (Exit.isFailure(exit)) yield* report({ _tag: "Out", reason: Cause.pretty(exit.cause), tries })
})

/** Comes for as long as the parent wants it. */
export const run = Effect.gen(function* () {
  // Before strangers, and behind those who talk: to join is not to keep them waiting.
  setPriority(10)
  const parent = yield* Child.parent<Request, Report>()
  const next = Effect.flatMap(Queue.take(parent.requests), (request) => come(request, parent.report))
  yield* Effect.raceFirst(Effect.forever(next), parent.gone)
})
