/** Those who never finish the handshake: they are sent away, however much they say, and come again. */
import { Buffer } from "node:buffer"
import * as Effect from "effect/Effect"
import { serverKeys } from "../../bench/utils/Setting.js"
import { Entropy } from "../../src/domain/Entropy.js"
import * as Handshake from "../../src/domain/Handshake.js"
import * as Transport from "../../src/domain/Transport.js"
import type { Dice } from "../simulation/Dice.js"
import type { Crowd } from "./Crowd.js"

const ways = {
  "a stranger says nothing": () => "",
  "a stranger says a part of a hello": (hello: string) => hello.slice(0, -1),
  "a stranger drips": () => "A",
  // As somebody does who replays what he has recorded.
  "a stranger says hello and no more": (hello: string) => hello
}

/** Calls and waits to be sent away; sometimes he does not wait for it. */
const call = Effect.fnUntraced(function* (dice: Dice, crowd: Crowd) {
  const [way, says] = dice.pick(Object.entries(ways))
  crowd.did(way)
  const transport = yield* Effect.flatMap(Transport.Dialer, ({ dial }) => dial)
  const hello = Handshake.initiate(serverKeys[0], (yield* Entropy).bytes(32))
  const text = Buffer.from(says(`${hello.line}\n`))
  const speak = Effect.sync(() => transport.write(text))
  const speaking =
    way === "a stranger drips"
      ? Effect.forever(Effect.zipRight(speak, Effect.sleep(200)))
      : Effect.zipRight(speak, Effect.never)
  const sent = Effect.repeat(transport.next, { until: (lines) => lines.length === 0 })
  yield* Effect.raceFirst(speaking, sent).pipe(
    Effect.raceFirst(crowd.rest(dice.chance(0.2) ? dice.scale(10, 1_000) : 60_000))
  )
}, Effect.scoped)

/** Comes again and again until the round is over. */
export const live = Effect.fnUntraced(function* (dice: Dice, crowd: Crowd) {
  while (!crowd.isOver) {
    // A connection that the server breaks is as good as one that it ends.
    yield* Effect.catchTags(call(dice, crowd), { TransportError: () => Effect.void, Fault: () => Effect.void })
    yield* crowd.rest(dice.scale(10, 1_000))
  }
})
