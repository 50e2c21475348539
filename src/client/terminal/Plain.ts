/** The client without a terminal: each line of input is said, each entry is a line of output. */
import * as Arr from "effect/Array"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import * as Ref from "effect/Ref"
import * as Stream from "effect/Stream"
import type * as Protocol from "../../domain/Protocol.js"
import * as Seal from "../../domain/Seal.js"
import { Client } from "../Client.js"
import * as Display from "./Display.js"
import * as EntryJson from "./EntryJson.js"
import * as Feed from "./Feed.js"
import * as Lines from "./Lines.js"
import * as Troubles from "./Troubles.js"

/** Texts that may wait for their acknowledgement at once. No more is read meanwhile. */
const concurrency = 256

/** Most bytes of a line: a code point takes up to 4 in UTF-8. */
const mostText = 4 * Seal.maxText
/** In JSON it takes up to 12, and the rest of the object has its place as well. */
const mostJson = 65_536

/** Entries that are written at once. */
const block = 256

/** Where lines come from and go to. */
export interface Pipes<E, E2> {
  /** Bytes of UTF-8: lines to say. Empty ones are skipped. */
  readonly input: Stream.Stream<Uint8Array, E>
  /** Takes whole lines; done when there is room for more. */
  readonly output: (lines: string) => Effect.Effect<void, E2>
  /** For what cannot be said. */
  readonly problem: (line: string) => Effect.Effect<void>
}

export interface Options {
  /** Lines are JSON both ways: see {@link EntryJson}. */
  readonly json: boolean
  /** Stays when the input has ended. */
  readonly listen: boolean
  /** Prints what comes after this event, whatever this member has seen. */
  readonly since: Option.Option<Protocol.Position>
  /** Leaves when so many events are printed. */
  readonly count: Option.Option<number>
}

/** What a line asks to be said, if anything; on the left why it cannot be said. */
const read = (line: Lines.Line, json: boolean): Either.Either<Option.Option<EntryJson.Saying>, string> => {
  if (line._tag === "Refused") {
    if (line.reason === "utf8") return Either.left("it is not UTF-8")
    return Either.left(json ? `it has more than ${mostJson} bytes` : `a text has 1 to ${Seal.maxText} characters`)
  }
  if (line.text.trim() === "") return Either.right(Option.none())
  return json ? EntryJson.read(line.text) : Either.right(Option.some({ text: line.text, me: false }))
}

const linesOf = <E>(input: Stream.Stream<Uint8Array, E>, most: number): Stream.Stream<Lines.Line, E> =>
  input.pipe(
    Stream.map(Option.some),
    Stream.concat(Stream.succeed(Option.none<Uint8Array>())),
    Stream.mapAccum(Lines.make(most), (state, chunk) =>
      Option.isSome(chunk) ? Lines.push(state, chunk.value) : [state, Lines.end(state)]
    ),
    Stream.flattenIterables
  )

/**
 * Says all of the input, waits until the log has it, leaves, and returns how many lines could not be said. Fails as
 * soon as the session ends by itself.
 */
export const run = Effect.fn("Plain.run")(function* <E, E2>(
  { input, output, problem }: Pipes<E, E2>,
  { count, json, listen, since }: Options
) {
  const client = yield* Client
  const refused = yield* Ref.make(0)
  const begun = yield* Deferred.make<void>()
  const counted = yield* Deferred.make<void>()
  const format = json ? EntryJson.format : (entry: Feed.Told) => Display.format(entry, Display.oneLine)

  /** The newest event that is printed, and the newest of this member's own texts in the log. */
  let printed = 0
  let acknowledged = 0
  /** Opened when more is printed. */
  const progress = yield* Effect.makeLatch(false)

  let left = Option.getOrElse(count, () => Number.POSITIVE_INFINITY)
  /** As many of `entries` as are to be printed. Only what has a place in the log counts. */
  const counting = (entries: Arr.NonEmptyReadonlyArray<Feed.Told>): ReadonlyArray<Feed.Told> =>
    Arr.takeWhile(entries, (entry) => left > 0 && ("seq" in entry ? left-- > 0 : true))

  const tell = Effect.fnUntraced(function* (entries: Arr.NonEmptyReadonlyArray<Feed.Told>) {
    // Whatever comes after the last one has not been seen.
    if (left === 0) return yield* Effect.never
    for (const some of Arr.chunksOf(counting(entries), block)) {
      yield* output(some.map((entry) => `${format(entry)}\n`).join(""))
      for (const entry of some) {
        if ("seq" in entry) printed = entry.seq
        // What was said before has no place in it.
        else if (entry._tag === "NewLog") printed = acknowledged = 0
      }
      progress.unsafeOpen()
    }
    if (left === 0) yield* Deferred.succeed(counted, undefined)
  })

  const printing = yield* Effect.fork(
    Feed.run(
      // One at a time, where it is to go on after the last one that was printed.
      { ...client, events: Option.isSome(count) ? client.eventsSingly : client.events },
      { since, begun, tell }
    )
  )
  yield* Effect.fork(Stream.runForEach(Troubles.of(client), (trouble) => problem(Display.trouble(trouble))))

  const refuse = (line: Lines.Line, why: string) =>
    Effect.zipRight(
      problem(`line ${line.number} was not said: ${why}`),
      Ref.update(refused, (lines) => lines + 1)
    )
  const say = Effect.fnUntraced(function* (line: Lines.Line) {
    const asked = read(line, json)
    if (Either.isLeft(asked)) return yield* refuse(line, asked.left)
    if (Option.isNone(asked.right)) return
    const { me, text } = asked.right.value
    const said = yield* Effect.either(client.say(text, { me }))
    if (Either.isRight(said))
      acknowledged = Math.max(acknowledged, Option.match(said.right, { onNone: () => 0, onSome: ({ seq }) => seq }))
    else yield* said.left.reason === "text" ? refuse(line, said.left.message) : said.left
  })
  /** Waits until all that was said is printed: who leaves can ask for nothing more, should the reader be behind. */
  const shown = Effect.whileLoop({
    while: () => printed < acknowledged,
    body: () => {
      progress.unsafeClose()
      return progress.await
    },
    step: () => {}
  })
  const saying = linesOf(input, json ? mostJson : mostText).pipe(
    Stream.mapEffect(say, { concurrency }),
    Stream.runDrain,
    Effect.zipRight(listen ? Effect.never : Effect.zipRight(Deferred.await(begun), shown))
  )
  const leaving = Effect.raceFirst(saying, Deferred.await(counted)).pipe(
    Effect.zipRight(client.leave),
    Effect.zipRight(Effect.suspend(() => (left === 0 ? Effect.void : Effect.never)))
  )
  // After Leave the entries end, once the last of them is printed, or fail when the server does not answer it.
  yield* Effect.raceFirst(Fiber.join(printing), leaving)
  return yield* Ref.get(refused)
})
