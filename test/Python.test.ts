import * as ChildProcess from "node:child_process"
import { fileURLToPath } from "node:url"
import { describe, expect, it } from "@effect/vitest"
import * as Arr from "effect/Array"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as fc from "effect/FastCheck"
import * as Schema from "effect/Schema"
import * as Base64Url from "../src/domain/Base64Url.js"
import { Entropy } from "../src/domain/Entropy.js"
import * as Fernet from "../src/domain/Fernet.js"
import * as Handshake from "../src/domain/Handshake.js"
import * as Keys from "../src/domain/Keys.js"
import * as Seal from "../src/domain/Seal.js"
import { chatOf, contentOf } from "./utils/SealedText.js"
import { keyOf } from "./utils/Vectors.js"

/** Why the peer cannot run here, or nothing. */
const missing = ((): string => {
  const { error, status, stderr } = ChildProcess.spawnSync("python3", ["-c", "import cryptography"], {
    encoding: "utf8"
  })
  if (error !== undefined) return `no python3: ${error.message}`
  return status === 0 ? "" : `python3 has no cryptography: ${stderr.trim().split("\n").at(-1)}`
})()
if (missing !== "") console.warn(`test/Python.test.ts is skipped: ${missing}`)

const peer = fileURLToPath(new URL("utils/peer.py", import.meta.url))

type Request = { readonly command: string } & Readonly<Record<string, string | ReadonlyArray<string>>>

/** Asks the peer all `requests` in one run, and reads each answer as `shape`. */
const ask = <A, I>(shape: Schema.Schema<A, I>, requests: ReadonlyArray<Request>): ReadonlyArray<A> => {
  const input = requests.map((request) => `${JSON.stringify(request)}\n`).join("")
  const lines = ChildProcess.execFileSync("python3", [peer], { input, encoding: "utf8" }).trimEnd().split("\n")
  const decode = Schema.decodeSync(Schema.parseJson(shape), { onExcessProperty: "error" })
  const answers = lines.map((line) => decode(line))
  expect(answers.length).toBe(requests.length)
  return answers
}

const Session = { up: Schema.String, down: Schema.String, payload: Schema.String }
const Line = Schema.Struct({ line: Schema.String })
const Token = Schema.Struct({ token: Schema.String })
const Text = Schema.Struct({ text: Schema.String })
const Refused = Schema.Struct({ refused: Schema.String })

const shown = ({ down, up }: Handshake.Session) => ({ up: Keys.toBase64Url(up), down: Keys.toBase64Url(down) })
const fresh = Effect.map(Entropy, (entropy) => entropy.bytes(32))
const makeFernet = Effect.provide(Fernet.Fernet, Fernet.layer)

/** How many handshakes and texts each test tries. */
const handshakes = 20
const texts = 50

describe.skipIf(missing !== "")(`a peer in Python${missing && ` (skipped: ${missing})`}`, () => {
  it.effect("makes room keys that are ours, and derives the same keys from them", () =>
    Effect.gen(function* () {
      const Key = Schema.Struct({ key: Schema.String })
      const [made] = ask(Key, [{ command: "generate" }])
      const rooms = [keyOf<"room">(made?.key ?? ""), yield* Keys.generate]
      const derived = ask(
        Schema.Struct({ server: Schema.String, message: Schema.String, state: Schema.String, log: Schema.String }),
        rooms.map((room) => ({ command: "derive", key: Keys.toBase64Url(room) }))
      )
      expect(derived).toEqual(
        rooms.map((room) => ({
          server: Keys.toBase64Url(Keys.serverKey(room)),
          message: Keys.toBase64Url(Keys.messageKey(room)),
          state: Keys.toBase64Url(Keys.stateKey(room)),
          log: Keys.toBase64Url(Keys.logKey(Keys.serverKey(room)))
        }))
      )
    })
  )

  it.effect("as the server, ends our client's handshake with the same keys", () =>
    Effect.gen(function* () {
      const clients = yield* Effect.replicateEffect(
        Effect.gen(function* () {
          const key = Keys.serverKey(yield* Keys.generate)
          const ephemeral = Base64Url.encode(yield* fresh)
          return { key, ephemeral, ...Handshake.initiate(key, yield* fresh) }
        }),
        handshakes
      )
      const answers = ask(
        Schema.Struct({ ...Session, line: Schema.String }),
        clients.map(({ ephemeral, key, line }) => ({
          command: "respond",
          key: Keys.toBase64Url(key),
          ephemeral,
          line
        }))
      )
      for (const [client, { down, line, payload, up }] of Arr.zip(clients, answers)) {
        expect(payload).toBe('{"versions":[1]}')
        expect(shown(yield* client.complete(line))).toEqual({ up, down })
      }
    })
  )

  it.effect("as the client, ends our server's handshake with the same keys", () =>
    Effect.gen(function* () {
      const clients = yield* Effect.replicateEffect(
        Effect.gen(function* () {
          const key = Keys.serverKey(yield* Keys.generate)
          return { key: Keys.toBase64Url(key), ephemeral: Base64Url.encode(yield* fresh) }
        }),
        handshakes
      )
      const firsts = ask(
        Line,
        clients.map((client) => ({ command: "initiate", ...client }))
      )
      const servers = yield* Effect.forEach(Arr.zip(clients, firsts), ([{ key }, { line }]) =>
        Effect.flatMap(fresh, (ephemeral) => Handshake.respond([keyOf<"server">(key)], line, ephemeral))
      )
      const sessions = ask(
        Schema.Struct(Session),
        Arr.zipWith(clients, servers, (client, { line }) => ({ command: "complete", ...client, line }))
      )
      for (const [server, { down, payload, up }] of Arr.zip(servers, sessions)) {
        expect(payload).toBe('{"version":1}')
        expect(shown(yield* server.session)).toEqual({ up, down })
      }
    })
  )

  it.effect("without the key gets no further with our client or our server", () =>
    Effect.gen(function* () {
      const ours = Keys.serverKey(yield* Keys.generate)
      const theirs = { key: Keys.toBase64Url(yield* Keys.generate), ephemeral: Base64Url.encode(yield* fresh) }
      const { line } = Handshake.initiate(ours, yield* fresh)
      expect(ask(Refused, [{ command: "respond", ...theirs, line }])).toEqual([{ refused: "InvalidTag" }])
      const [first] = ask(Line, [{ command: "initiate", ...theirs }])
      const refused = yield* Effect.flip(Handshake.respond([ours], first?.line ?? "", yield* fresh))
      expect(refused.reason).toBe("noise")
    })
  )

  const place = { log: "QEFCQ0RFRkdISUpLTE1OTw==", member: 1, n: 1, nick: "Zoë" }
  const contents = fc
    .sample(fc.string({ unit: "binary", minLength: 1, maxLength: 300 }), { numRuns: texts, seed: 1 })
    .map((text) => contentOf({ ...place, text }))

  it.effect("opens every text that we seal", () =>
    Effect.gen(function* () {
      const fernet = yield* makeFernet
      const key = Keys.messageKey(yield* Keys.generate)
      const keys = [Keys.toBase64Url(key)]
      const sealed = contents.map((content) => Seal.seal(fernet, [key], content))
      const opened = ask(
        Text,
        sealed.map((token) => ({ command: "open", keys, token }))
      )
      expect(opened.map(({ text }) => JSON.parse(text))).toEqual(contents)
    })
  )

  it.effect("seals every text so that we open it, in either implementation of Fernet", () =>
    Effect.gen(function* () {
      const key = Keys.messageKey(yield* Keys.generate)
      const keys = [Keys.toBase64Url(key)]
      const sealed = ask(
        Token,
        contents.map((content) => ({ command: "seal", keys, text: JSON.stringify(content) }))
      )
      for (const layer of [Fernet.layer, Fernet.layerPure]) {
        const fernet = yield* Effect.provide(Fernet.Fernet, layer)
        const opened = Arr.zipWith(contents, sealed, (content, { token }) =>
          Seal.open(fernet, [key], content.log, chatOf(content, token))
        )
        expect(opened).toEqual(contents.map(Either.right))
      }
    })
  )

  it.effect("uses a ring of keys as we do: the first seals, any opens", () =>
    Effect.gen(function* () {
      const fernet = yield* makeFernet
      const [a, b] = [yield* Keys.generate, yield* Keys.generate]
      const [textA, textB] = [Keys.toBase64Url(a), Keys.toBase64Url(b)]
      const token = fernet.encrypt([b, a], new TextEncoder().encode("rotated"))
      expect(ask(Text, [{ command: "open", keys: [textA, textB], token }])).toEqual([{ text: "rotated" }])
      expect(ask(Refused, [{ command: "open", keys: [textA], token }])).toEqual([{ refused: "InvalidToken" }])
      const [made] = ask(Token, [{ command: "seal", keys: [textB, textA], text: "rotated" }])
      const opened = (keys: Keys.Ring) => Either.isRight(fernet.decrypt(keys, made?.token ?? ""))
      expect([opened([a, b]), opened([b]), opened([a])]).toEqual([true, true, false])
    })
  )
})
