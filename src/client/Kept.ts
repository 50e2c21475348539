/**
 * What a client keeps between connections, and in files between runs: its ticket, its outbox, and how far it has seen
 * the log. Values are sealed under the state key, wherever the KeyValueStore puts them.
 */
import type { PlatformError } from "@effect/platform/Error"
import { KeyValueStore } from "@effect/platform/KeyValueStore"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as Base64Url from "../domain/Base64Url.js"
import { Entropy } from "../domain/Entropy.js"
import { Fernet } from "../domain/Fernet.js"
import * as Json from "../domain/Json.js"
import type * as Keys from "../domain/Keys.js"
import * as Protocol from "../domain/Protocol.js"
import * as Failure from "./Failure.js"
import * as Outbox from "./Outbox.js"
import * as Seen from "./Seen.js"

export interface Kept {
  /** Makes this client the same member on every connection. */
  readonly ticket: Protocol.Ticket
  readonly outbox: Outbox.Outbox
  /** How far this client had come; none for one that was never let in. */
  readonly seen: Option.Option<Seen.Seen>
  /** Whether it is there again for the next run. */
  readonly isLasting: boolean
  readonly saveOutbox: (outbox: Outbox.Outbox) => Effect.Effect<void, PlatformError>
  readonly saveSeen: (seen: Seen.Seen) => Effect.Effect<void, PlatformError>
}

/** A value with its name, both ways. */
const slot = <A, I>(name: string, schema: Schema.Schema<A, I>) => ({
  name,
  decode: Json.strict(schema),
  encode: Schema.encodeSync(schema)
})

const slots = {
  ticket: slot("ticket", Protocol.Ticket),
  outbox: slot("outbox", Outbox.Stored),
  seen: slot("seen", Seen.Seen)
}

/** The key of the one value of a client that was never let in. */
export const ticketKey = slots.ticket.name

/**
 * `store` without a position in it: a client on it is the same member with the same outbox, begins with what came last,
 * and leaves what it does not show for the next one to see.
 */
export const withoutPosition = (store: KeyValueStore): KeyValueStore => ({
  ...store,
  get: (key) => (key === slots.seen.name ? Effect.succeedNone : store.get(key)),
  set: (key, value) => (key === slots.seen.name ? Effect.void : store.set(key, value))
})

const newTicket = (entropy: Entropy["Type"]) => Protocol.Ticket.make(Base64Url.encode(entropy.bytes(16)))

/** Nothing, for a client that ends with its process. */
export const transient = Effect.map(
  Entropy,
  (entropy): Kept => ({
    ticket: newTicket(entropy),
    outbox: Outbox.empty,
    seen: Option.none(),
    isLasting: false,
    saveOutbox: () => Effect.void,
    saveSeen: () => Effect.void
  })
)

/** Reads what was kept, and makes a ticket where there is none. The first key seals, all of them open. */
export const open = Effect.fn("Kept.open")(function* (keys: Keys.Ring<Keys.StateKey>) {
  const store = yield* KeyValueStore
  const fernet = yield* Fernet
  const entropy = yield* Entropy

  const read = <A>({ decode, name }: { name: string; decode: (bytes: Uint8Array) => Either.Either<A, unknown> }) =>
    Effect.gen(function* () {
      const token = yield* Effect.mapError(store.get(name), Failure.unreadable)
      if (Option.isNone(token)) return Option.none<A>()
      const value = fernet.decrypt(keys, token.value).pipe(Either.flatMap(decode), Either.getRight)
      return Option.isSome(value) ? value : yield* Failure.damaged(name)
    })
  const write = <A>({ encode, name }: { name: string; encode: (value: A) => unknown }, value: A) =>
    Effect.suspend(() => store.set(name, fernet.encrypt(keys, Json.encode(encode(value)))))

  const known = yield* read(slots.ticket)
  const ticket = Option.getOrElse(known, () => newTicket(entropy))
  // Written each time: a room that has moved to a new key keeps its members.
  yield* Effect.mapError(write(slots.ticket, ticket), Failure.unreadable)
  const kept: Kept = {
    ticket,
    outbox: Option.match(yield* read(slots.outbox), { onNone: () => Outbox.empty, onSome: Outbox.restore }),
    seen: yield* read(slots.seen),
    isLasting: true,
    saveOutbox: (outbox) => write(slots.outbox, Outbox.store(outbox)),
    saveSeen: (seen) => write(slots.seen, seen)
  }
  return kept
})
