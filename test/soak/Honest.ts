/** The client itself, which says texts all the time and writes down what has become of each, and what it was shown. */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as FiberSet from "effect/FiberSet"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import { keys } from "../../bench/utils/Setting.js"
import * as Client from "../../src/client/Client.js"
import * as Protocol from "../../src/domain/Protocol.js"
import type { Dice } from "../simulation/Dice.js"
import * as History from "../simulation/History.js"
import type { Crowd } from "./Crowd.js"
import * as Limits from "./Limits.js"

/** Joins, talks until the round is over, waits until all it has said is in the log, and leaves. */
export const live = (name: string, dice: Dice, crowd: Crowd) =>
  Effect.scoped(talk(name, dice, crowd)).pipe(
    Effect.catchTag("JoinError", ({ message }) =>
      Effect.sync(() => crowd.problem(`${name} could not join: ${message}`))
    )
  )

const talk = Effect.fnUntraced(function* (name: string, dice: Dice, crowd: Crowd) {
  const client = yield* Client.make({ keys, nick: name })
  const log = yield* client.log
  const life: History.Life = { client: name, log, member: yield* client.member, shown: [], end: "present" }
  crowd.history.lives.push(life)
  const watching = yield* Effect.fork(
    Stream.runForEach(client.events, (entry) => Effect.sync(() => life.shown.push(History.shown(entry))))
  )
  const working = yield* FiberSet.make<void>()
  const tell = (what: string) => (cause: Cause.Cause<unknown>) =>
    Effect.sync(() => crowd.problem(`${name} could not ${what}: ${Cause.pretty(cause)}`))

  const say = (text: string) => {
    const saying: History.Saying = { client: name, text, owed: true, mayRepeat: false, outcome: { _tag: "Waiting" } }
    crowd.history.sayings.push(saying)
    return client.say(text).pipe(
      Effect.andThen((entry) => {
        saying.outcome = { _tag: "Acknowledged", log, seq: Option.getOrUndefined(entry)?.seq, at: 0 }
      }),
      Effect.catchAllCause(tell("say a text"))
    )
  }
  const look = Effect.gen(function* () {
    const newest = life.shown.findLast((item) => item._tag === "Event")
    if (newest?._tag !== "Event") return
    const before = Protocol.Seq.make(dice.whole(1, newest.seq))
    const limit = dice.scale(1, 1_000)
    const { events, oldest } = yield* client.history({ before, limit })
    crowd.history.pieces.push({ client: name, log, before, limit, events: events.map(History.event), oldest })
  }).pipe(Effect.catchAllCause(tell("look back")))

  for (let texts = 1; !crowd.isOver; texts++) {
    yield* crowd.rest(dice.scale(50, 1_000))
    const padding = dice.chance(0.1) ? ` ${"x".repeat(dice.scale(1, 3_000))}` : ""
    yield* FiberSet.run(working, say(`${name} ${texts}${padding}`))
    if (dice.chance(0.03)) yield* FiberSet.run(working, look)
  }
  const isDone = yield* Effect.timeoutOption(FiberSet.awaitEmpty(working), Limits.patience)
  if (Option.isNone(isDone)) crowd.problem(`${name} has waited in vain for what it has asked`)
  yield* client.leave
  const end = yield* watching.await
  life.end = Exit.isSuccess(end) ? "closed" : "failed"
  if (Exit.isFailure(end)) yield* tell("go on")(end.cause)
})
