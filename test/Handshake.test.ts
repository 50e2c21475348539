import { Buffer } from "node:buffer"
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Option from "effect/Option"
import * as Base64Url from "../src/domain/Base64Url.js"
import * as Handshake from "../src/domain/Handshake.js"
import * as Keys from "../src/domain/Keys.js"
import * as Noise from "../src/domain/Noise.js"
import { keyFilledWith, keyOf, session as published, utf8 } from "./utils/Vectors.js"

const key = keyOf<"server">(published.serverKey)
const other = keyFilledWith<"server">(9)
const [clientEphemeral, serverEphemeral] = [published.initiatorEphemeralHex, published.responderEphemeralHex]
const start = Noise.begin({ psk: key, prologue: utf8(published.prologue) })

const shown = ({ down, up }: Handshake.Session) => ({ up: Keys.toBase64Url(up), down: Keys.toBase64Url(down) })
const publishedKeys = { up: published.up, down: published.down }

const respond = (line: string, keys: Keys.Ring<Keys.ServerKey> = [key]) =>
  Handshake.respond(keys, line, serverEphemeral)

/** The first line of a client that says `payload` instead of what ours says, and the Noise state behind it. */
const clientSaying = (payload: string) => {
  const initiated = Noise.initiate(start, clientEphemeral, utf8(payload))
  return { initiated, line: Base64Url.encode(initiated.message) }
}

/** What our client makes of a server that answers `payload` under the right key. */
const toldByServer = (payload: string) => {
  const client = Handshake.initiate(key, clientEphemeral)
  return Effect.gen(function* () {
    const message = Option.getOrThrow(Base64Url.decode(client.line))
    const answer = yield* Noise.respond(yield* Noise.accept(start, message), serverEphemeral, utf8(payload))
    return { told: client.complete(Base64Url.encode(answer.message)), session: answer.session }
  })
}

/** Everything wrong with a line before it is Noise. */
const notLines = (line: string) => [
  line.slice(0, -1),
  `${line}\n`,
  `${line}\r`,
  ` ${line}`,
  `${line}=`,
  line.replace(/[-_]/, "+"),
  `%${line.slice(1)}`,
  "hello"
]

describe("the published session", () => {
  it.effect("client and server write its lines byte for byte and end with its keys", () =>
    Effect.gen(function* () {
      const client = Handshake.initiate(key, clientEphemeral)
      expect(client.line).toBe(published.line1)
      const server = yield* respond(client.line)
      expect(server.line).toBe(published.line2)
      expect(shown(yield* server.session)).toEqual(publishedKeys)
      expect(shown(yield* client.complete(server.line))).toEqual(publishedKeys)
    })
  )

  it.effect("its payloads and its handshake hash are those of the Noise messages in the lines", () =>
    Effect.gen(function* () {
      const accepted = yield* Noise.accept(start, Option.getOrThrow(Base64Url.decode(published.line1)))
      expect(Buffer.from(accepted.payload).toString()).toBe(published.payload1)
      const answer = yield* Noise.respond(accepted, serverEphemeral, utf8(published.payload2))
      expect(Base64Url.encode(answer.message)).toBe(published.line2)
      expect(Base64Url.encode(answer.session.hash)).toBe(Base64Url.encode(published.handshakeHashHex))
    })
  )
})

describe("a handshake", () => {
  it.effect.each([
    ["the only one", [key]],
    ["the first", [key, other, keyFilledWith<"server">(8)]],
    ["the middle one", [other, key, keyFilledWith<"server">(8)]],
    ["the last", [keyFilledWith<"server">(8), other, key]]
  ] as const)("whoever holds any of a server's keys is let in: %s", ([, keys]) =>
    Effect.gen(function* () {
      const server = yield* respond(published.line1, keys)
      expect(server.line).toBe(published.line2)
      expect(shown(yield* server.session)).toEqual(publishedKeys)
    })
  )

  it.effect("whoever holds none of them is refused", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(respond(published.line1, [other, keyFilledWith<"server">(8)]))
      expect(error.reason).toBe("noise")
      const answer = yield* respond(Handshake.initiate(other, clientEphemeral).line, [other])
      expect((yield* Effect.flip(Handshake.initiate(key, clientEphemeral).complete(answer.line))).reason).toBe("noise")
    })
  )

  it.effect("the room key itself does not open a server", () =>
    Effect.gen(function* () {
      const room = Keys.fromBytes<"server">(published.roomKeyHex)
      expect((yield* Effect.flip(respond(Handshake.initiate(room, clientEphemeral).line))).reason).toBe("noise")
    })
  )

  it.effect.each(notLines(published.line1))("a first line that is not canonical base64url is refused: %j", (line) =>
    Effect.gen(function* () {
      expect((yield* Effect.flip(respond(line))).reason).toBe("line")
    })
  )

  it.effect.each(notLines(published.line2))("an answer that is not canonical base64url is refused: %j", (line) =>
    Effect.gen(function* () {
      const client = Handshake.initiate(key, clientEphemeral)
      expect((yield* Effect.flip(client.complete(line))).reason).toBe("line")
    })
  )

  it.effect("an empty line, a short one, a changed one and the client's own are refused", () =>
    Effect.gen(function* () {
      const changed = `A${published.line2.slice(1)}`
      for (const line of ["", "AAAA", published.line2.slice(0, 64), changed, published.line1]) {
        const client = Handshake.initiate(key, clientEphemeral)
        expect((yield* Effect.flip(client.complete(line))).reason).toBe("noise")
        if (line !== published.line1) expect((yield* Effect.flip(respond(line))).reason).toBe("noise")
      }
    })
  )

  it.effect("a replayed first line gets another session: its keys are not the first one's", () =>
    Effect.gen(function* () {
      const again = yield* Handshake.respond([key], published.line1, new Uint8Array(32).fill(5))
      const keys = shown(yield* again.session)
      expect(keys.up).not.toBe(published.up)
      expect(keys.down).not.toBe(published.down)
    })
  )
})

describe("the payloads of a handshake", () => {
  it.effect.each([
    ["unknown keys", '{"versions":[1],"name":"a later client","more":{"x":[1]}}'],
    ["more versions than ours, which is not first", '{"versions":[7,3,1]}'],
    ["white space and another order", '{ "later": null, "versions": [ 1 ] }']
  ] as const)("a client may say %s", ([, payload]) =>
    Effect.gen(function* () {
      const { initiated, line } = clientSaying(payload)
      const server = yield* respond(line)
      const read = yield* Noise.complete(initiated, Option.getOrThrow(Base64Url.decode(server.line)))
      expect(Buffer.from(read.payload).toString()).toBe('{"version":1}')
      expect(shown(yield* server.session).up).toBe(Base64Url.encode(read.session.up))
    })
  )

  it.effect("a server may say unknown keys", () =>
    Effect.gen(function* () {
      const { session, told } = yield* toldByServer('{"motd":"hi","version":1}')
      expect(shown(yield* told)).toEqual({
        up: Base64Url.encode(session.up),
        down: Base64Url.encode(session.down)
      })
    })
  )

  it.effect.each(['{"versions":[2,3]}', '{"versions":[]}', '{"versions":[0]}'])(
    "without a version in common the server says which it speaks, and there is no session: %s",
    (payload) =>
      Effect.gen(function* () {
        const { initiated, line } = clientSaying(payload)
        const server = yield* respond(line)
        expect(server.session).toEqual(Option.none())
        const read = yield* Noise.complete(initiated, Option.getOrThrow(Base64Url.decode(server.line)))
        expect(Buffer.from(read.payload).toString()).toBe('{"versions":[1]}')
      })
  )

  it.effect.each([
    ['{"versions":[1]}', [1]],
    ['{"versions":[2,3]}', [2, 3]],
    ['{"versions":[]}', []],
    ['{"version":2}', [2]]
  ] as const)("a client that is answered %s fails with the versions offered", ([payload, offered]) =>
    Effect.gen(function* () {
      const error = yield* Effect.flip((yield* toldByServer(payload)).told)
      expect(error.reason).toBe("version")
      expect(error.offered).toEqual(offered)
      expect(error.message).toContain(`there ${offered.join(", ") || "none"}`)
    })
  )

  const junk: ReadonlyArray<string> = [
    "",
    "null",
    "[]",
    "1",
    "{}",
    "hello",
    '{"versions":1}',
    '{"versions":["1"]}',
    '{"versions":[1.5]}'
  ]

  it.effect.each([...junk, '{"version":1}', '{"versions":[-1]}'])("a client that says %j is refused", (payload) =>
    Effect.gen(function* () {
      expect((yield* Effect.flip(respond(clientSaying(payload).line))).reason).toBe("payload")
    })
  )

  it.effect.each([...junk, '{"version":"1"}', '{"version":1.5}', '{"version":1'])(
    "a server that says %j is refused",
    (payload) =>
      Effect.gen(function* () {
        const error = yield* Effect.flip((yield* toldByServer(payload)).told)
        expect(error.reason).toBe("payload")
        expect(error.offered).toEqual([])
      })
  )

  it.effect("a payload that is not UTF-8 is refused", () =>
    Effect.gen(function* () {
      const bytes = Uint8Array.from([...utf8('{"versions":[1],"x":"'), 0xff, ...utf8('"}')])
      const { message } = Noise.initiate(start, clientEphemeral, bytes)
      expect((yield* Effect.flip(respond(Base64Url.encode(message)))).reason).toBe("payload")
    })
  )

  it("what is said of a failed handshake shows no key", () => {
    const failed = Either.getOrThrow(Either.flip(respond(published.line1, [other])))
    expect(failed.message).toContain("another key, or not this protocol")
    expect(JSON.stringify(failed)).toBe('{"reason":"noise","offered":[],"_tag":"HandshakeError"}')
  })
})
