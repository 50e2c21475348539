/**
 * Brings a stored log under the first of its keys, while it is in use, so that the keys it was sealed under before are
 * needed no more. What a token holds stays as it is.
 */
import * as Arr from "effect/Array"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Option from "effect/Option"
import * as Schedule from "effect/Schedule"
import { EventLoop } from "../domain/EventLoop.js"
import { Fernet, type FernetError } from "../domain/Fernet.js"
import type * as Keys from "../domain/Keys.js"
import * as Protocol from "../domain/Protocol.js"
import { damaged, type LogError } from "./Log.js"
import { type MemberRow, type Resealed, type Row, Store } from "./Store.js"

export interface Options {
  /** The log keys: everything comes under the first, from whichever it is under. */
  readonly keys: Keys.Ring<Keys.LogKey>
  /** What messages call the log. */
  readonly name: string
}

/** Rows read at a time, as the log itself reads them: at most 0.5 MiB. */
const rowsAtOnce = 8

/** How many tokens, or bytes of them, are resealed in one transaction: what appends and reads may have to wait for. */
const batch = { tokens: 64, bytes: 256 * 1024 }

/** How long after the store has refused it is tried again. */
const retryTime = "1 minute"

/** Reseals a token: none where it is under the first key already, an error where it is under no key. */
const resealer =
  (fernet: Fernet["Type"], first: Keys.LogKey, old: Keys.Ring<Keys.LogKey>) =>
  (token: string): Either.Either<Option.Option<string>, FernetError> =>
    Either.isRight(fernet.decrypt([first], token))
      ? Either.right(Option.none())
      : // Undated, as the log seals.
        Either.map(fernet.decrypt(old, token), (bytes) =>
          Option.some(fernet.encrypt([first], bytes, { undated: true }))
        )

/**
 * Reseals all that is not under the first key, a bounded batch at a time, each one transaction: what is cut off goes on
 * when the log is next opened. Says when something is found, and when nothing is left, and with that it is done. With one
 * key there is nothing to do and to say.
 */
export const run = Effect.fn("Resealing.run")(function* ({ keys, name }: Options) {
  const [first, ...old] = keys
  if (!Arr.isNonEmptyReadonlyArray(old)) return
  const store = yield* Store
  const { aside } = yield* EventLoop
  const reseal = resealer(yield* Fernet, first, old)
  let isFound = false
  let refusal: string | undefined

  const pass = Effect.gen(function* () {
    const rows: Array<Resealed<Row>> = []
    const members: Array<Resealed<MemberRow>> = []
    let bytes = 0
    const broken: Array<string> = []

    const write = Effect.suspend(() => {
      bytes = 0
      return rows.length + members.length === 0 ? Effect.void : store.reseal(rows.splice(0), members.splice(0))
    })

    /** Takes what is sealed into the batch, if it is to be resealed, and writes the batch when that is full. */
    const take = Effect.fnUntraced(function* <Sealed extends { readonly token: string }>(
      sealed: Sealed,
      to: Array<Resealed<Sealed>>,
      what: string
    ) {
      // One in a turn of the event loop: those who talk do not wait for more than that.
      yield* aside
      const token = reseal(sealed.token)
      if (Either.isLeft(token)) return void broken.push(what)
      if (Option.isNone(token.right)) return
      if (!isFound) {
        isFound = true
        yield* Effect.logInfo(
          "a part of the log is under an old key: it is sealed anew under the first; until that is done, leave the old key in the key file"
        )
      }
      to.push({ ...sealed, token: token.right.value, was: sealed.token })
      bytes += sealed.token.length
      if (rows.length + members.length >= batch.tokens || bytes >= batch.bytes) yield* write
    })
    const takeRow = (row: Row) => take(row, rows, `the row of events ${row.first} to ${row.last}`)

    const newest = Option.match(yield* store.bounds, { onNone: () => Protocol.start, onSome: ([, head]) => head })
    const oldest = yield* store.rows(Protocol.start, 1)
    let after: Protocol.Position = oldest[0]?.last ?? newest
    // What is appended meanwhile is under the first key.
    while (after < newest) {
      const found = yield* store.rows(after, rowsAtOnce)
      yield* Effect.forEach(found, takeRow, { discard: true })
      after = found.at(-1)?.last ?? newest
    }
    yield* Effect.forEach(yield* store.members, (member) => take(member, members, "a member"), { discard: true })
    yield* write
    // Last, for it is opened whenever the log is: who takes the old key away too early is told so at once.
    yield* Effect.forEach(oldest, takeRow, { discard: true })
    yield* write
    return broken
  })

  const refused = ({ message }: LogError) => {
    // Once, however often it is tried.
    if (message === refusal) return Effect.void
    refusal = message
    return Effect.logError(`a part of the log stays under an old key, trying again: ${message}`)
  }
  const [broken, ...more] = yield* pass.pipe(Effect.tapError(refused), Effect.retry(Schedule.spaced(retryTime)))
  if (broken !== undefined) {
    const detail = `${broken}${more.length === 0 ? "" : `, and ${more.length} more,`} cannot be opened under any of the keys`
    yield* Effect.logError(damaged(name, detail).message)
  }
  yield* Effect.logInfo(
    `${broken === undefined ? "" : "but for that, "}all of the log is under the first key: the other keys can be taken out of the key file, which shuts out whoever has no other`
  )
})
