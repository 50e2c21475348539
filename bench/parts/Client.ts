/**
 * What a client takes for a text, from the bytes of group frames to `client.events`, against a bare loop that opens the
 * same tokens, parses the same JSON, and does nothing else: both in turn, in one run.
 */
import { Buffer } from "node:buffer"
import * as Arr from "effect/Array"
import * as Chunk from "effect/Chunk"
import * as Console from "effect/Console"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Stream from "effect/Stream"
import * as Client from "../../src/client/Client.js"
import * as Fernet from "../../src/domain/Fernet.js"
import * as Keys from "../../src/domain/Keys.js"
import * as Protocol from "../../src/domain/Protocol.js"
import * as Seal from "../../src/domain/Seal.js"
import * as TransportMemory from "../../src/domain/TransportMemory.js"
import * as Wire from "../../src/domain/Wire.js"
import * as ScriptedServer from "../utils/ScriptedServer.js"
import { keys, text } from "../utils/Setting.js"
import { median } from "../utils/Statistics.js"
import * as Table from "../utils/Table.js"
import type { Part } from "./Part.js"

/** CPU time (µs) a text, and how many texts came in a frame. */
interface Row {
  readonly texts: number
  readonly client: number
  readonly bare: number
}

const sizes = [1, 16, 64] as const

/** Who talks: their texts come in turn. */
const authors = 16

/** Bytes that come at a time, as from a socket under load. */
const atOnce = 64 * 1024

const messageKeys = Arr.map(keys, Keys.messageKey)

/** Group frames of so many texts each, the first event being `first`. */
const frames = (fernet: Fernet.Shape, first: number, count: number, size: number) =>
  Arr.chunksOf(
    Arr.makeBy(count, (index): Protocol.Chat => {
      const at = first + index - ScriptedServer.head - 1
      const member = Protocol.MemberId.make(100 + (at % authors))
      const n = Protocol.TextNumber.make(Math.floor(at / authors) + 1)
      const nick = `member-${member}`
      const sealed = Seal.seal(fernet, messageKeys, { log: ScriptedServer.log, member, n, nick, text })
      return {
        _tag: "Chat",
        seq: Protocol.Seq.make(first + index),
        at: 1_700_000_000_000 + at,
        member,
        nick,
        n,
        sealed
      }
    }),
    size
  ).map((events) => Buffer.from(Wire.groupLines(fernet, ScriptedServer.groupKey, ScriptedServer.epoch, events)))

/** Opens and parses, and gives the number of texts. */
const bareLoop = (fernet: Fernet.Shape, lines: ReadonlyArray<string>): number => {
  const group = [ScriptedServer.groupKey] as const
  const parse = (keys: Keys.Ring, token: string) =>
    JSON.parse(Buffer.from(Either.getOrThrow(fernet.decrypt(keys, token))).toString())
  let count = 0
  for (const line of lines) {
    for (const { sealed } of parse(group, line).events) if (parse(messageKeys, sealed).text === text) count += 1
  }
  return count
}

const cpu = Effect.sync(() => {
  const { system, user } = process.cpuUsage()
  return user + system
})

/** CPU time (µs) that an effect takes. */
const timed = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.gen(function* () {
    const before = yield* cpu
    yield* effect
    return (yield* cpu) - before
  })

const measure = Effect.fn(
  function* (size: number, rounds: number, count: number) {
    const fernet = yield* Fernet.Fernet
    const accepting = yield* Effect.fork(ScriptedServer.accept)
    const client = yield* Client.make({ keys, nick: "reader" })
    const server = yield* accepting
    let last = 0
    let due = { seq: Number.POSITIVE_INFINITY, done: yield* Deferred.make<void>() }
    yield* client.events.pipe(
      Stream.runForEachChunk((entries) =>
        Effect.sync(() => {
          for (const entry of Chunk.toReadonlyArray(entries)) {
            if (!("seq" in entry) || entry.seq !== last + 1) throw new Error("a gap")
            if (entry._tag !== "Joined" && !(entry._tag === "Said" && entry.text === text)) throw new Error(entry._tag)
            last = entry.seq
          }
          if (last >= due.seq) Deferred.unsafeDone(due.done, Effect.void)
        })
      ),
      Effect.forkScoped
    )
    const figures: { readonly client: Array<number>; readonly bare: Array<number> } = { client: [], bare: [] }
    for (let round = 0; round <= rounds; round++) {
      const first = ScriptedServer.head + 1 + round * count
      const written = frames(fernet, first, count, size)
      const bytes = Buffer.concat(written)
      const lines = written.map((frame) => frame.toString("latin1").slice(0, -1))
      due = { seq: first + count - 1, done: yield* Deferred.make<void>() }
      const ofClient = yield* timed(
        Effect.suspend(() => {
          for (let at = 0; at < bytes.length; at += atOnce) server.send(bytes.subarray(at, at + atOnce))
          return Deferred.await(due.done)
        })
      )
      const ofBare = yield* timed(
        Effect.sync(() => {
          if (bareLoop(fernet, lines) !== count) throw new Error("a text is missing")
        })
      )
      // The first round is for warming up.
      if (round === 0) continue
      figures.client.push(ofClient / count)
      figures.bare.push(ofBare / count)
    }
    const row: Row = { texts: size, client: median(figures.client), bare: median(figures.bare) }
    return row
  },
  Effect.scoped,
  Effect.provide(TransportMemory.layer)
)

/** Most that a client may take, as a multiple of what the bare loop does. */
const limit = 1.5

export const part: Part = {
  scenarios: ["client"],
  run: ({ isQuick }) =>
    Effect.gen(function* () {
      const [rounds, count] = isQuick ? [3, 512] : [9, 2048]
      const rows = yield* Effect.forEach(sizes, (size) => measure(size, rounds, count))
      yield* Console.log(
        Table.render(
          `a client, from bytes to its events, beside a loop that opens and parses the same: medians of ${rounds} rounds`,
          ["texts a frame", "client µs/text", "bare loop µs/text", "ratio"],
          rows.map(({ bare, client, texts }) => [
            String(texts),
            client.toFixed(1),
            bare.toFixed(1),
            (client / bare).toFixed(2)
          ])
        )
      )
      const claims = rows.map(({ bare, client, texts }) => ({
        isMet: client <= limit * bare,
        text: `client, ${texts} texts a frame: CPU a text is ${(client / bare).toFixed(2)} times the bare loop's (at most ${limit})`
      }))
      return { rows: [], claims, failures: [] }
    }).pipe(Effect.provide(Fernet.layer), Effect.orDie)
}
