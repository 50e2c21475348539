/**
 * How long a key takes to the screen while a thousand messages a second arrive: `chat c` on a pseudo terminal (the command
 * `script`) is typed at, and its output watched for what was typed. Server, talker and terminal are processes of their own;
 * whoever measures is this one.
 *
 *     node scripts/run.mjs bench/typing.ts
 */
import { spawn } from "node:child_process"
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as Arr from "effect/Array"
import * as Console from "effect/Console"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Stream from "effect/Stream"
import * as Client from "../src/client/Client.js"
import * as Fernet from "../src/domain/Fernet.js"
import * as Keys from "../src/domain/Keys.js"
import * as TransportTcp from "../src/domain/TransportTcp.js"
import * as Child from "./utils/Child.js"
import * as Directory from "./utils/Directory.js"
import * as Limits from "./utils/Limits.js"
import * as NodeServer from "./utils/NodeServer.js"
import { host, keys, text } from "./utils/Setting.js"
import { median, quantile } from "./utils/Statistics.js"
import * as Table from "./utils/Table.js"

/** Texts a second, and how many at a time. */
const rate = 1000
const atOnce = 10

/** Keys that are typed, and ms between one and the next. */
const keysTyped = 300
const pause = 23

/** Most ms from a key to the screen, for 99 of 100 keys. */
const limit = 50

interface Talk {
  readonly port: number
  /** Texts a second. */
  readonly rate: number
}

/** Says texts from the first request on, as many as the newest asks for. It reports texts a second that were told to all. */
const talk = Effect.gen(function* () {
  const parent = yield* Child.parent<Talk, number>()
  const first = yield* parent.requests.take
  let wanted = first.rate
  const client = Context.get(
    yield* Layer.build(
      Client.layer({ keys, nick: "talker" }).pipe(
        Layer.provide([TransportTcp.layerDialer({ host, port: first.port }), Fernet.layer])
      )
    ),
    Client.Client
  )
  let said = 0
  let since = performance.now()
  yield* Effect.fork(
    Stream.runForEach(client.events, (entry) => Effect.sync(() => void (entry._tag === "Said" && said++)))
  )
  const some = Effect.suspend(() =>
    Effect.forEach(Arr.range(1, atOnce), () => Effect.forkDaemon(client.say(text)), { discard: true })
  )
  yield* Effect.fork(
    Effect.forever(
      Effect.suspend(() =>
        wanted === 0 ? Effect.sleep("10 millis") : Effect.zipRight(some, Effect.sleep((atOnce / wanted) * 1000))
      )
    )
  )
  yield* Effect.fork(
    Effect.forever(
      Effect.flatMap(parent.requests.take, ({ rate }) => {
        const told = said / ((performance.now() - since) / 1000)
        wanted = rate
        said = 0
        since = performance.now()
        return parent.report(told)
      })
    )
  )
  yield* parent.gone
}).pipe(Effect.scoped)

/** A terminal with `chat c` on it: what is typed, and when the screen was told of it. */
const terminal = (directory: string, keyFile: string, port: number) =>
  Effect.acquireRelease(
    Effect.sync(() => {
      const chat = `stty cols 100 rows 30; exec "${process.execPath}" dist/bin/chat.js c --nick typist --port ${port} --key-file ${keyFile}`
      const child = spawn("script", ["-qefc", chat, "/dev/null"], {
        env: { ...process.env, TERM: "xterm-256color", XDG_STATE_HOME: directory },
        stdio: ["pipe", "pipe", "ignore"]
      })
      let watch: ((output: string) => void) | undefined
      child.stdout.setEncoding("utf8").on("data", (output: string) => watch?.(output))
      return {
        child,
        /** Waits until the output holds `shown`, a single character that nobody says. */
        shows: (shown: string) =>
          Effect.async<void>((resume) => {
            watch = (output) => {
              if (output.includes(shown)) resume(Effect.void)
            }
          }),
        type: (key: string) => Effect.sync(() => void child.stdin.write(key))
      }
    }),
    ({ child }) => Effect.sync(() => child.kill("SIGTERM"))
  )

/** The keys: characters of one column that are in no message. */
const keyAt = (index: number) => String.fromCodePoint(0x3b1 + (index % 24))

const measure = Effect.gen(function* () {
  const directory = yield* Directory.temporary
  const keyFile = join(directory, "secret.key")
  yield* Effect.sync(() => writeFileSync(keyFile, Keys.format({ _tag: "RoomKeys", keys }), { mode: 0o600 }))
  const { port } = yield* NodeServer.start(
    ["dist/bin/chat.js", "s", "--port", "0", "--key-file", keyFile, "--ephemeral"],
    (line) => /^serving on .*:(\d+) /.exec(line)?.[1],
    { env: Limits.environment(Limits.load) }
  )
  const talker = yield* Child.start<Talk, number>(import.meta.url, "talk")
  const typist = yield* terminal(directory, keyFile, port)
  yield* typist.shows("online")

  const latencies = Effect.gen(function* () {
    const found: Array<number> = []
    for (let index = 0; index < keysTyped; index++) {
      const key = keyAt(index)
      const shown = yield* Effect.fork(typist.shows(key))
      yield* Effect.yieldNow()
      const before = performance.now()
      yield* typist.type(key)
      yield* shown
      found.push(performance.now() - before)
      // The key leaves the screen again, so that its next appearance is the next time it is typed.
      yield* typist.type("\u007f")
      yield* Effect.sleep(pause)
    }
    return found
  })

  const quiet = yield* latencies
  yield* talker.send({ port, rate })
  yield* Effect.sleep("2 seconds")
  yield* talker.send({ port, rate })
  yield* talker.report
  const busy = yield* latencies
  yield* talker.send({ port, rate: 0 })
  const told = yield* talker.report
  const row = (name: string, found: ReadonlyArray<number>) => [
    name,
    median(found).toFixed(1),
    quantile(found, 0.99).toFixed(1),
    Math.max(...found).toFixed(1)
  ]
  yield* Console.log(
    Table.render(
      `from a key to the screen (ms), ${keysTyped} keys`,
      ["", "p50", "p99", "most"],
      [row("nobody talks", quiet), row(`${told.toFixed(0)} messages a second arrive`, busy)]
    )
  )
  const p99 = quantile(busy, 0.99)
  yield* Console.log(`${p99 <= limit ? "met    " : "not met"}  p99 of ${p99.toFixed(1)} ms (at most ${limit})`)
}).pipe(Effect.scoped)

const program = process.argv[2] === "talk" ? talk : measure
NodeRuntime.runMain(Effect.provide(program, Fernet.layer), { disablePrettyLogger: true })
