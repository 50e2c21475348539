/** Messages and events for tests, written in their encoded form and decoded by the schemas that tests trust. */
import * as FastCheck from "effect/FastCheck"
import * as Schema from "effect/Schema"
import * as Base64Url from "../../src/domain/Base64Url.js"
import * as Protocol from "../../src/domain/Protocol.js"

/** Canonical base64url of `length` bytes, all of them `byte`. */
export const base64Url = (length: number, byte = 0xa5): string => Base64Url.encode(new Uint8Array(length).fill(byte))

export const event = Schema.decodeSync(Protocol.Event)
export const member = Schema.decodeSync(Protocol.Member)
export const clientMessage = Schema.decodeSync(Protocol.ClientMessage)
export const serverMessage = Schema.decodeSync(Protocol.ServerMessage)
export const groupFrame = Schema.decodeSync(Protocol.GroupFrame)

const integer = FastCheck.maxSafeNat()
const positive = FastCheck.maxSafeInteger().map((n) => Math.max(1, Math.abs(n)))
/** Any well-formed text, controls and astral characters included. */
export const text = FastCheck.string({ unit: "binary", maxLength: 40 })
const bytes = (length: number) =>
  FastCheck.uint8Array({ minLength: length, maxLength: length }).map((bytes) => Base64Url.encode(bytes))
const sealed = FastCheck.uint8Array({ minLength: 1, maxLength: 80 }).map((bytes) => Base64Url.encode(bytes))

const tagged = <Tag extends string, Fields extends object>(
  tag: Tag,
  fields: { [K in keyof Fields]: FastCheck.Arbitrary<Fields[K]> }
) => FastCheck.record({ _tag: FastCheck.constant(tag), ...fields })

const some = <A>(item: FastCheck.Arbitrary<A>): FastCheck.Arbitrary<readonly [A, ...Array<A>]> =>
  FastCheck.tuple(item, FastCheck.array(item, { maxLength: 5 })).map(([first, rest]) => [first, ...rest])

const common = { seq: positive, at: integer, member: positive, nick: text }

const events: FastCheck.Arbitrary<typeof Protocol.Event.Encoded> = FastCheck.oneof(
  tagged("Chat", { ...common, n: positive, sealed }),
  tagged("Joined", common),
  tagged("Left", { ...common, reason: FastCheck.constantFrom(...Protocol.LeftReason.literals) }),
  tagged("Renamed", { ...common, was: text }),
  tagged("Notice", { seq: positive, at: integer, text })
)

const clientMessages: FastCheck.Arbitrary<typeof Protocol.ClientMessage.Encoded> = FastCheck.oneof(
  tagged("Nick", { nick: text }),
  tagged("Nick", { nick: text, ticket: bytes(16) }),
  tagged("Nick", { nick: text, ticket: bytes(16), log: bytes(16), after: integer }),
  tagged("Say", { n: positive, sealed }),
  tagged("Fetch", { before: positive, limit: FastCheck.integer({ min: 1, max: 500 }) }),
  tagged("Leave", {}),
  tagged("Ping", { at: integer }),
  tagged("Pong", { at: integer })
)

const serverMessages: FastCheck.Arbitrary<typeof Protocol.ServerMessage.Encoded> = FastCheck.oneof(
  tagged("Welcome", {
    log: bytes(16),
    head: positive,
    after: integer,
    member: positive,
    nick: text,
    acked: integer,
    count: positive
  }),
  tagged("Members", { members: some(FastCheck.record({ member: positive, nick: text })) }),
  tagged("Events", { events: some(events) }),
  tagged("History", { events: some(events), oldest: positive }),
  tagged("Rekey", { epoch: integer, key: bytes(32) }),
  tagged("Rejected", { reason: FastCheck.constantFrom(...Protocol.RejectedReason.literals), detail: text }),
  tagged("Bye", { reason: FastCheck.constantFrom(...Protocol.ByeReason.literals) }),
  tagged("Ping", { at: integer, last: integer }),
  tagged("Pong", { at: integer, last: integer })
)

export const upFrames: FastCheck.Arbitrary<typeof Protocol.UpFrame.Encoded> = FastCheck.record({
  frame: integer,
  messages: some(clientMessages)
})
export const downFrames: FastCheck.Arbitrary<typeof Protocol.DownFrame.Encoded> = FastCheck.record({
  frame: integer,
  messages: some(serverMessages)
})
export const groupFrames: FastCheck.Arbitrary<typeof Protocol.GroupFrame.Encoded> = FastCheck.record({
  epoch: integer,
  events: some(events)
})
