/** Ours: the command that users start, and members that speak its protocol as it is written. */
import { Buffer } from "node:buffer"
import { writeFileSync } from "node:fs"
import * as Net from "node:net"
import { join } from "node:path"
import * as Arr from "effect/Array"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Option from "effect/Option"
import packageJson from "../../package.json" with { type: "json" }
import * as Base64Url from "../../src/domain/Base64Url.js"
import { Entropy } from "../../src/domain/Entropy.js"
import * as Fernet from "../../src/domain/Fernet.js"
import * as Handshake from "../../src/domain/Handshake.js"
import * as Keys from "../../src/domain/Keys.js"
import * as Protocol from "../../src/domain/Protocol.js"
import * as Seal from "../../src/domain/Seal.js"
import * as Wire from "../../src/domain/Wire.js"
import * as Connection from "../utils/Connection.js"
import * as Directory from "../utils/Directory.js"
import * as FreePort from "../utils/FreePort.js"
import * as Limits from "../utils/Limits.js"
import * as NodeServer from "../utils/NodeServer.js"
import { host, keys, serverKeys } from "../utils/Setting.js"
import type { Dialect, Framing, Member, Peer } from "./Peer.js"

const messageKeys = Arr.map(keys, Keys.messageKey)

const newline = 0x0a
const empty = Buffer.alloc(0)

/** Longest line (bytes) that may be a Rekey: pages of the roster and of the log are longer, and not looked at. */
const rekeyLimit = 1024

/**
 * Members who come at the same time say their nicks together, so often (ms): one after the other, each would be announced
 * to all others in a frame of its own, which is not what is measured here.
 */
const admission = 100

/** Who it is in the log, from its Welcome. */
type Identity = Pick<Protocol.Welcome, "log" | "member" | "nick">

interface Said {
  readonly text: string
  readonly message: Protocol.Say
}

/** A member that is live. */
class Live implements Member {
  readonly speaks: Net.Socket
  /** What it has said, or has ready to say; what all have heard is dropped. */
  private readonly said = new Map<number, Said>()
  private last = 0
  private ready = 0

  constructor(
    readonly hears: Net.Socket,
    readonly rest: Uint8Array,
    readonly identity: Identity,
    readonly groupKey: Keys.Key<"group">,
    private readonly writer: Wire.Writer<Protocol.ClientMessage>,
    readonly fernet: Fernet.Shape
  ) {
    this.speaks = hears
  }

  prepare(texts: ReadonlyArray<string>): void {
    for (const text of texts) {
      const n = Protocol.TextNumber.make(++this.ready)
      // The text is one of ours, of ASCII and within the bounds.
      const content = { ...this.identity, n, text: text as Seal.Text }
      this.said.set(n, { text, message: { _tag: "Say", n, sealed: Seal.seal(this.fernet, messageKeys, content) } })
    }
  }

  say(texts: ReadonlyArray<string>, framing: Framing): Uint8Array {
    if (this.last + texts.length > this.ready) this.prepare(texts.slice(this.ready - this.last))
    const messages = texts.map((text): Protocol.Say => {
      const next = this.said.get(++this.last)
      if (next?.text !== text) throw new Error("what is said is not what was prepared")
      return next.message
    })
    if (!Arr.isNonEmptyReadonlyArray(messages)) return empty
    if (framing === "packed") return this.writer.lines(messages)
    return Buffer.concat(messages.map((message) => this.writer.lines([message])))
  }

  /** That all have heard this. Throws if it is not what was said. */
  heard({ n, sealed }: Protocol.Chat): void {
    if (this.said.get(n)?.message.sealed !== sealed) throw new Error(`text ${n} is not what was said`)
    this.said.delete(n)
  }
}

/** The messages of a line for one session. They are not checked as a client would: there are 10,000 sessions here. */
const open = (fernet: Fernet.Shape, key: Keys.AnyKey, line: string): ReadonlyArray<Protocol.ServerMessage> => {
  const plaintext = Either.getOrThrow(fernet.decrypt([key], line))
  // It opens under the session's key, so that it comes from our server, which is of the same build.
  return (JSON.parse(Buffer.from(plaintext).toString()) as Protocol.DownFrame).messages
}

/** Shakes hands, says its nick, and reads until it is live. */
const enter = (socket: Net.Socket, index: number, fernet: Fernet.Shape, entropy: Entropy["Type"]) =>
  Effect.async<Live, unknown>((resume) => {
    const hello = Handshake.initiate(serverKeys[0], entropy.bytes(32))
    let session: { readonly writer: Wire.Writer<Protocol.ClientMessage>; readonly down: Keys.AnyKey } | undefined
    let identity: Identity | undefined

    /** Gives the member when this line makes it live; `rest` is what follows. */
    const take = (line: Buffer, rest: Buffer): Live | undefined => {
      if (session === undefined) {
        const { down, up } = Either.getOrThrow(hello.complete(line.toString("latin1")))
        const writer = new Wire.Writer<Protocol.ClientMessage>(fernet, up, Protocol.maxMessages)
        const ticket = Protocol.Ticket.make(Base64Url.encode(entropy.bytes(16)))
        const nick = () => socket.write(writer.lines([{ _tag: "Nick", nick: `member-${index}`, ticket }]))
        setTimeout(nick, admission - (performance.now() % admission))
        session = { writer, down }
        return undefined
      }
      if (identity !== undefined && line.length > rekeyLimit) return undefined
      for (const message of open(fernet, session.down, line.toString("latin1"))) {
        if (message._tag === "Welcome") identity = { log: message.log, member: message.member, nick: message.nick }
        if (message._tag !== "Rekey" || identity === undefined) continue
        const key = Option.getOrThrow(Keys.fromBase64Url<"group">(message.key))
        return new Live(socket, rest, identity, key, session.writer, fernet)
      }
      return undefined
    }

    let rest: Buffer = empty
    const onData = (chunk: Buffer) => {
      rest = rest.length === 0 ? chunk : Buffer.concat([rest, chunk])
      try {
        for (let end = rest.indexOf(newline); end !== -1; end = rest.indexOf(newline)) {
          const line = rest.subarray(0, end)
          rest = rest.subarray(end + 1)
          const live = take(line, rest)
          if (live === undefined) continue
          socket.off("data", onData).pause()
          return resume(Effect.succeed(live))
        }
      } catch (error) {
        resume(Effect.fail(error))
      }
    }
    socket.on("data", onData)
    socket.write(`${hello.line}\n`)
  })

/** Understands group frames, and checks that every text is the one that was said. */
const listen: Dialect["listen"] = (members, heard) => {
  const speakers = new Map<number, { readonly index: number; readonly live: Live }>()
  for (const [index, live] of members.entries()) {
    if (live instanceof Live) speakers.set(live.identity.member, { index, live })
  }
  const { fernet, groupKey } = Arr.unsafeGet(Array.from(speakers.values()), 0).live
  let rest: Buffer = empty
  let taken = 0
  return (chunk) => {
    rest = Buffer.concat([rest, chunk])
    for (let end = rest.indexOf(newline); end !== -1; end = rest.indexOf(newline)) {
      const plaintext = Either.getOrThrow(fernet.decrypt([groupKey], rest.toString("latin1", 0, end)))
      rest = rest.subarray(end + 1)
      taken += end + 1
      // As above: it comes from our server.
      const { events } = JSON.parse(Buffer.from(plaintext).toString()) as Protocol.GroupFrame
      for (const event of events) {
        // Others may come and go meanwhile; all who hear alike are told of it alike.
        if (event._tag === "Joined" || event._tag === "Left") continue
        const speaker = event._tag === "Chat" ? speakers.get(event.member) : undefined
        if (event._tag !== "Chat" || speaker === undefined) throw new Error(`nobody said this: ${event._tag}`)
        speaker.live.heard(event)
        heard(speaker.index, taken)
      }
    }
  }
}

const dialect: Dialect = {
  echoes: true,
  join: (port, index) =>
    Effect.gen(function* () {
      const socket = yield* Connection.open("connect", () => Net.connect({ host, port }))
      return yield* enter(socket, index, yield* Fernet.Fernet, yield* Entropy)
    }).pipe(Effect.provide(Fernet.layer)),
  listen
}

const portOf = (line: string) => /^serving on .*:(\d+) /.exec(line)?.[1]

/** Starts the command as users do, with `args` and these limits, for the life of the Scope; `errors` takes what it logs. */
export const serve = (
  directory: string,
  args: ReadonlyArray<string>,
  limits: Partial<typeof Limits.load>,
  errors?: string
) =>
  Effect.suspend(() => {
    const keyFile = join(directory, "secret.key")
    writeFileSync(keyFile, Keys.format({ _tag: "RoomKeys", keys }), { mode: 0o600 })
    return NodeServer.start(["dist/bin/chat.js", "s", "--port", "0", "--key-file", keyFile, ...args], portOf, {
      // What is not kept is not asked for: a line for each member at the end.
      env: { ...Limits.environment(limits), CHAT_LOG_LEVEL: errors === undefined ? "warning" : "info" },
      ...(errors === undefined ? {} : { errors })
    })
  })

const peer = (name: string, log: (directory: string) => ReadonlyArray<string>): Peer => ({
  name,
  version: Effect.succeedSome(packageJson.version),
  install: "",
  collect: NodeServer.collect,
  start: () => Effect.flatMap(Directory.temporary, (directory) => serve(directory, log(directory), Limits.load)),
  dialect
})

/** Keeps its log in memory. */
export const inMemory = peer("fernet-chat", () => ["--ephemeral"])

/** Keeps it on disk, and tells nobody of a text before it is there. */
export const durable = peer("fernet-chat, durable", (directory) => ["--db", join(directory, "log")])

/** How often it is asked for its metrics: fifteen times as often as usual. */
const scrapeTime = "1 second"

const scrape = (port: number) =>
  Effect.tryPromise(async () => {
    const response = await fetch(`http://${host}:${port}/metrics`)
    if (!response.ok || !(await response.text()).includes("chat_deliveries_total"))
      throw new Error("it shows no metrics")
  }).pipe(Effect.orDie)

/** Keeps its log in memory, shows its metrics to somebody who asks every second, and logs JSON. */
export const observed: Peer = {
  ...inMemory,
  name: "fernet-chat, observed",
  start: () =>
    Effect.gen(function* () {
      const directory = yield* Directory.temporary
      const port = yield* FreePort.find
      const args = ["--ephemeral", "--metrics", `${host}:${port}`, "--log-format", "json"]
      const server = yield* serve(directory, args, Limits.load, join(directory, "errors"))
      yield* scrape(port)
      yield* Effect.forkScoped(Effect.forever(Effect.zipRight(Effect.sleep(scrapeTime), scrape(port))))
      return server
    })
}
