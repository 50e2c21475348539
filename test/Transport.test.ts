import { Buffer } from "node:buffer"
import { spawnSync } from "node:child_process"
import * as Fs from "node:fs"
import * as Net from "node:net"
import { join } from "node:path"
import { describe, expect, it } from "@effect/vitest"
import * as Arr from "effect/Array"
import * as Chunk from "effect/Chunk"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import { Fault } from "../src/domain/Fault.js"
import { lineLimit } from "../src/domain/Framer.js"
import * as SocketPath from "../src/domain/SocketPath.js"
import * as Transport from "../src/domain/Transport.js"
import * as TransportTcp from "../src/domain/TransportTcp.js"
import { directory } from "./utils/Command.js"
import { transports } from "./utils/Room.js"

const bytes = (text: string) => Buffer.from(text)
const write = (transport: Transport.Transport, text: string) => Effect.sync(() => transport.write(bytes(text)))

/** Both ends of a new connection, in the Scope there is. */
const connect = Effect.gen(function* () {
  const { dial } = yield* Transport.Dialer
  const { accept } = yield* Transport.Listener
  return yield* Effect.all({ client: dial, server: accept }, { concurrency: 2 })
})

/** All lines until the other side ends. */
const all = (transport: Transport.Transport) =>
  Effect.map(Stream.runCollect(transport.lines), (lines) => Chunk.toReadonlyArray(lines))

/** The next `count` lines. */
const some = (transport: Transport.Transport, count: number) =>
  Effect.map(Stream.runCollect(Stream.take(transport.lines, count)), (lines) => Chunk.toReadonlyArray(lines))

/** The rule that the lines break. */
const ruleBroken = (transport: Transport.Transport) =>
  Effect.map(Effect.flip(Stream.runDrain(transport.lines)), (error) =>
    error instanceof Fault ? error.rule : error.message
  )

/** So many lines there and back that all else that is due on this machine's loopback has happened as well. */
const roundTrips = Effect.fnUntraced(function* (client: Transport.Transport, server: Transport.Transport) {
  const pullClient = yield* Stream.toPull(client.lines)
  const pullServer = yield* Stream.toPull(server.lines)
  for (const _ of Arr.range(1, 300)) {
    yield* write(client, "there\n")
    yield* pullServer
    yield* write(server, "and back\n")
    yield* pullClient
  }
})

/** Lets happen what is due, without a clock: by round trips on a connection of its own. */
const settle = Effect.scoped(Effect.flatMap(connect, ({ client, server }) => roundTrips(client, server)))

const isWaiting = <A, E>(fiber: Fiber.RuntimeFiber<A, E>) => Effect.map(Fiber.poll(fiber), Option.isNone)

/** Ended in good order, or lost: what one sees of a connection that the other side has destroyed. */
const isOver = (exit: Exit.Exit<void, Transport.TransportError | Fault>) =>
  Exit.match(exit, {
    onSuccess: () => true,
    onFailure: (cause) =>
      cause._tag === "Fail" && cause.error._tag === "TransportError" && cause.error.reason === "lost"
  })

const longest = `${"x".repeat(lineLimit)}\n`

const suite = (layer: Layer.Layer<Transport.Listener | Transport.Dialer, Transport.TransportError>) => {
  type Needs = Scope.Scope | Transport.Listener | Transport.Dialer
  const test = <A, E>(name: string, body: Effect.Effect<A, E, Needs>) =>
    it.live(name, () => Effect.provide(Effect.scoped(body), layer))

  test(
    "lines arrive in order, both ways, however they were written",
    Effect.gen(function* () {
      const { client, server } = yield* connect
      const lines = Arr.makeBy(2_000, (n) => `line ${n} ${"x".repeat(n % 97)}`)
      const whole = lines.map((line) => `${line}\n`).join("")
      const send = (from: Transport.Transport, size: number) =>
        Effect.sync(() => {
          for (let at = 0; at < whole.length; at += size) from.write(bytes(whole.slice(at, at + size)))
        })
      const [up, down] = yield* Effect.all(
        [some(server, lines.length), some(client, lines.length), send(client, 1_000), send(server, 7)],
        { concurrency: "unbounded" }
      )
      expect(up).toEqual(lines)
      expect(down).toEqual(lines)
    })
  )

  test(
    "lines end when the other side ends, after all that it wrote",
    Effect.gen(function* () {
      const { client, server } = yield* connect
      yield* write(server, "one\ntwo\n")
      const ending = yield* Effect.fork(server.end)
      expect(yield* all(client)).toEqual(["one", "two"])
      yield* client.end
      yield* Fiber.join(ending)
    })
  )

  test(
    "a partial line at the end is a fault",
    Effect.gen(function* () {
      const { client, server } = yield* connect
      yield* write(client, "whole\npart")
      yield* Effect.fork(client.end)
      expect(yield* ruleBroken(server)).toBe("truncated")
    })
  )

  test(
    "an empty line is a fault",
    Effect.gen(function* () {
      const { client, server } = yield* connect
      yield* write(client, "whole\n\nwhole\n")
      expect(yield* ruleBroken(server)).toBe("line")
    })
  )

  test(
    "a line of more than 1 KiB is a fault until the other side is trusted",
    Effect.gen(function* () {
      const { client, server } = yield* connect
      const long = "y".repeat(1_025)
      yield* write(client, `hello\n${long}\n${long}\n`)
      const pull = yield* Stream.toPull(server.lines)
      expect(Chunk.toReadonlyArray(yield* pull)).toEqual(["hello"])
      server.trust()
      const lines = Stream.take(Stream.fromPull(Effect.succeed(pull)), 2)
      expect(Chunk.toReadonlyArray(yield* Stream.runCollect(lines))).toEqual([long, long])
      yield* write(server, `${long}\n`)
      expect(yield* ruleBroken(client)).toBe("line")
    })
  )

  test(
    "a line of more than 64 KiB is a fault whoever sends it",
    Effect.gen(function* () {
      const { client, server } = yield* connect
      server.trust()
      yield* write(client, `${longest}x${longest}`)
      const seen: Array<number> = []
      const watch = Stream.runForEach(server.lines, (line) => Effect.sync(() => seen.push(line.length)))
      expect(yield* Effect.flip(watch)).toMatchObject({ _tag: "Fault", rule: "line" })
      expect(seen).toEqual([lineLimit])
    })
  )

  test(
    "what is written after the end goes nowhere",
    Effect.gen(function* () {
      const { client, server } = yield* connect
      yield* write(client, "early\n")
      const ending = yield* Effect.fork(client.end)
      yield* settle
      yield* write(client, "late\n")
      yield* settle
      expect(yield* isWaiting(ending)).toBe(true)
      expect(yield* all(server)).toEqual(["early"])
      yield* server.end
      yield* Fiber.join(ending)
      expect(client.write(bytes("later still\n"))).toBe(0)
    })
  )

  test(
    "nothing is read ahead of who takes: it waits on the writer's side, and is all there in the end",
    Effect.gen(function* () {
      const { client, server } = yield* connect
      server.trust()
      const count = 512
      const sent = Arr.makeBy(count, (n) => String(n).padStart(60 * 1024, "0"))
      for (const line of sent) client.write(bytes(`${line}\n`))
      const total = count * (60 * 1024 + 1)
      const unsent = Effect.sync(() => client.write(new Uint8Array(0)))
      yield* settle
      // The operating system takes some megabytes; a side that reads ahead would have taken all 30.
      const before = yield* unsent
      expect(before).toBeGreaterThan(total / 2)
      const pull = yield* Stream.toPull(server.lines)
      const first = Chunk.toReadonlyArray(yield* pull)
      yield* settle
      expect(yield* unsent).toBeGreaterThan(total / 2)

      const drained = yield* Effect.fork(client.drained)
      yield* settle
      expect(yield* isWaiting(drained)).toBe(true)

      const rest = Stream.take(Stream.fromPull(Effect.succeed(pull)), count - first.length)
      const lines = [...first, ...Chunk.toReadonlyArray(yield* Stream.runCollect(rest))]
      yield* Fiber.join(drained)
      expect(lines.length).toBe(count)
      expect(lines.every((line, index) => line === sent[index])).toBe(true)
      yield* settle
      expect(yield* unsent).toBe(0)
    })
  )

  test(
    "a slow reader holds back its writer, not memory",
    Effect.gen(function* () {
      const { client, server } = yield* connect
      server.trust()
      const count = 400
      let most = 0
      const writer = Effect.gen(function* () {
        for (const _ of Arr.range(1, count)) {
          most = Math.max(most, client.write(bytes(longest)))
          yield* client.drained
        }
      })
      const writing = yield* Effect.fork(writer)
      yield* settle
      expect(yield* isWaiting(writing)).toBe(true)
      expect((yield* some(server, count)).length).toBe(count)
      yield* Fiber.join(writing)
      expect(most).toBeLessThanOrEqual(4 * longest.length)
    })
  )

  test(
    "there is nothing to wait for when nothing waits to be sent",
    Effect.gen(function* () {
      const { client, server } = yield* connect
      yield* client.drained
      yield* server.drained
    })
  )

  test(
    "who ends waits until the other side has ended as well",
    Effect.gen(function* () {
      const { client, server } = yield* connect
      const ending = yield* Effect.fork(client.end)
      expect(yield* all(server)).toEqual([])
      // What still comes is read off, so that the other side is not held up by it.
      for (const _ of Arr.range(1, 400)) server.write(bytes(longest))
      yield* server.drained
      yield* settle
      expect(yield* isWaiting(ending)).toBe(true)
      yield* server.end
      yield* Fiber.join(ending)
    })
  )

  test(
    "what comes when a reader was interrupted is there for the next",
    Effect.gen(function* () {
      const { client, server } = yield* connect
      const reading = yield* Effect.fork(server.next)
      yield* settle
      expect(yield* isWaiting(reading)).toBe(true)
      yield* Fiber.interrupt(reading)
      yield* write(client, "one\n")
      yield* settle
      yield* write(client, "two\n")
      yield* settle
      expect(yield* some(server, 2)).toEqual(["one", "two"])
    })
  )

  test(
    "both sides may end at once",
    Effect.gen(function* () {
      const { client, server } = yield* connect
      yield* write(client, "bye\n")
      yield* write(server, "bye\n")
      yield* Effect.all([client.end, server.end], { concurrency: 2 })
    })
  )

  for (const side of ["client", "server"] as const) {
    test(
      `a ${side} whose scope closes is seen to be gone, and nobody waits for it`,
      Effect.gen(function* () {
        const { accept } = yield* Transport.Listener
        const { dial } = yield* Transport.Dialer
        const scope = yield* Scope.make()
        const [gone, left] = yield* side === "client"
          ? Effect.all([Scope.extend(dial, scope), accept], { concurrency: 2 })
          : Effect.all([Scope.extend(accept, scope), dial], { concurrency: 2 })
        yield* write(gone, "so long\n")
        const watching = yield* Effect.fork(Effect.exit(Stream.runDrain(left.lines)))
        for (const _ of Arr.range(1, 512)) left.write(bytes(longest))
        const drained = yield* Effect.fork(left.drained)
        yield* settle
        expect(yield* isWaiting(watching)).toBe(true)
        expect(yield* isWaiting(drained)).toBe(true)
        yield* Scope.close(scope, Exit.void)
        expect(isOver(yield* Fiber.join(watching))).toBe(true)
        yield* Fiber.join(drained)
        yield* left.end
      })
    )
  }

  test(
    "a listener that is closed sends away who waits, lets nobody in, and leaves be who was accepted",
    Effect.gen(function* () {
      const { accept, close } = yield* Transport.Listener
      const { dial } = yield* Transport.Dialer
      const first = yield* dial
      const taken = yield* accept
      const waiting = yield* dial
      yield* roundTrips(first, taken)
      yield* close
      expect(isOver(yield* Effect.exit(Stream.runDrain(waiting.lines)))).toBe(true)
      expect((yield* Effect.flip(dial)).reason).toBe("refused")
      yield* roundTrips(first, taken)
    })
  )

  test(
    "who waits for a connection finds one that has ended meanwhile, and then the next",
    Effect.gen(function* () {
      const { dial } = yield* Transport.Dialer
      const { accept } = yield* Transport.Listener
      yield* Effect.scoped(dial)
      const client = yield* dial
      yield* write(client, "hello\n")
      const first = yield* accept
      expect(isOver(yield* Effect.exit(Stream.runDrain(first.lines)))).toBe(true)
      const second = yield* accept
      expect(yield* some(second, 1)).toEqual(["hello"])
    })
  )
}

describe("Transport in memory", () => suite(transports.memory))

describe("Transport on TCP", () => {
  suite(transports.tcp)

  const loopback = { host: "127.0.0.1", port: 0 }
  const portOf = (address: string) => Number(address.slice(address.lastIndexOf(":") + 1))
  const listen = Effect.map(Layer.build(TransportTcp.layerListener(loopback)), (context) =>
    portOf(Context.get(context, Transport.Listener).address)
  )
  const dial = (address: TransportTcp.Address) =>
    Effect.flatMap(Transport.Dialer, ({ dial }) => dial).pipe(Effect.provide(TransportTcp.layerDialer(address)))
  const whyNotListen = (address: TransportTcp.Address) =>
    Effect.flip(Effect.scoped(Layer.build(TransportTcp.layerListener(address))))

  it.scopedLive("a port in use is refused, with what to do about it", () =>
    Effect.gen(function* () {
      const port = yield* listen
      const error = yield* whyNotListen({ ...loopback, port })
      expect(error.reason).toBe("in-use")
      expect(error.message).toContain(`127.0.0.1:${port}`)
      expect(error.message).toContain("--port")
    })
  )

  it.live("an address of another machine is not listened on", () =>
    Effect.gen(function* () {
      // TEST-NET-1 of RFC 5737: no machine has it.
      const error = yield* whyNotListen({ host: "192.0.2.1", port: 0 })
      expect(error.reason).toBe("unreachable")
      expect(error.message).toContain("--host")
    })
  )

  it.scopedLive("nobody there: the connection is refused", () =>
    Effect.gen(function* () {
      const port = yield* Effect.scoped(listen)
      const error = yield* Effect.flip(dial({ ...loopback, port }))
      expect(error.reason).toBe("refused")
      expect(error.message).toContain(`127.0.0.1:${port}`)
    })
  )

  it.scopedLive("a host that cannot be is unreachable", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(dial({ host: "256.256.256.256", port: 1 }))
      expect(error.reason).toBe("unreachable")
      expect(error.message).toContain("256.256.256.256:1")
    })
  )

  it.scopedLive("closing the listener frees its port and ends the connections that nobody took", () =>
    Effect.gen(function* () {
      const scope = yield* Scope.make()
      const port = yield* Scope.extend(listen, scope)
      const untaken = yield* dial({ ...loopback, port })
      const watching = yield* Effect.fork(Effect.exit(Stream.runDrain(untaken.lines)))
      yield* Effect.scoped(dial({ ...loopback, port }))
      expect(yield* isWaiting(watching)).toBe(true)
      yield* Scope.close(scope, Exit.void)
      expect(isOver(yield* Fiber.join(watching))).toBe(true)
      expect((yield* Effect.flip(dial({ ...loopback, port }))).reason).toBe("refused")
      yield* Effect.scoped(Layer.build(TransportTcp.layerListener({ ...loopback, port })))
    })
  )

  it("an address is written as host and port, an IPv6 host in brackets", () => {
    expect(TransportTcp.format(TransportTcp.defaultAddress)).toBe("127.0.0.1:55555")
    expect(TransportTcp.format({ host: "chat.example", port: 1 })).toBe("chat.example:1")
    expect(TransportTcp.format({ host: "::1", port: 55555 })).toBe("[::1]:55555")
  })
})

describe("Transport on a socket of this machine", () => {
  const socket = Effect.map(directory, (made) => join(made, "socket"))
  suite(
    Layer.unwrapScoped(
      Effect.map(socket, (path) =>
        Layer.merge(TransportTcp.layerListener({ path }), TransportTcp.layerDialer({ path }))
      )
    )
  )

  const listen = (path: string) =>
    Effect.map(Layer.build(TransportTcp.layerListener({ path })), (context) => Context.get(context, Transport.Listener))
  const dial = (path: string) =>
    Effect.flatMap(Transport.Dialer, ({ dial }) => dial).pipe(Effect.provide(TransportTcp.layerDialer({ path })))
  const whyNotListen = (path: string) => Effect.flip(Effect.scoped(listen(path)))

  /** What a server that was killed leaves there. */
  const leave = (path: string) =>
    Effect.async<void>((resume) => {
      const server = Net.createServer()
      server.listen(`${path}.moved`, () => {
        // It removes the path that it was bound to, and nothing else.
        Fs.renameSync(`${path}.moved`, path)
        server.close(() => resume(Effect.void))
      })
    })

  it.scopedLive("is its owner's, whatever the process makes otherwise, and goes with the listener", () =>
    Effect.gen(function* () {
      const path = yield* socket
      const before = process.umask(0)
      yield* Effect.addFinalizer(() => Effect.sync(() => process.umask(before)))
      yield* Effect.scoped(
        Effect.gen(function* () {
          const { address } = yield* listen(path)
          expect(address).toBe(path)
          expect(Fs.statSync(path).mode & 0o7777).toBe(0o600)
          expect(process.umask()).toBe(0)
        })
      )
      expect(Fs.existsSync(path)).toBe(false)
    })
  )

  it.runIf(process.getuid?.() === 0)("is not for other users, in a directory that is for all", () =>
    Effect.gen(function* () {
      const path = yield* socket
      Fs.chmodSync(join(path, ".."), 0o777)
      yield* listen(path)
      const script = `require("node:net").connect(process.argv[1]).on("connect", () => process.exit(0)).on("error", (error) => {
        console.log(error.code)
        process.exit(1)
      })`
      const call = (uid: number) =>
        spawnSync(process.execPath, ["-e", script, path], { uid, cwd: "/", timeout: 10_000 }).stdout.toString().trim()
      expect([call(65_534), call(0)]).toEqual(["EACCES", ""])
    }).pipe(Effect.scoped, Effect.runPromise)
  )

  it.scopedLive("of a server that was killed is replaced", () =>
    Effect.gen(function* () {
      const path = yield* socket
      yield* leave(path)
      expect(Fs.statSync(path).isSocket()).toBe(true)
      expect(yield* Effect.flip(dial(path))).toMatchObject({
        reason: "refused",
        message: expect.stringContaining(path)
      })
      const { accept } = yield* listen(path)
      const client = yield* dial(path)
      yield* roundTrips(client, yield* accept)
    })
  )

  it.scopedLive("of a server that lives is not, be it one of ours or not", () =>
    Effect.gen(function* () {
      const path = yield* socket
      const { accept } = yield* listen(path)
      expect(yield* whyNotListen(path)).toMatchObject({
        reason: "in-use",
        message: expect.stringContaining("--socket")
      })
      const client = yield* dial(path)
      yield* roundTrips(client, yield* accept)

      const foreign = yield* socket
      const server = Net.createServer()
      yield* Effect.async<void>((resume) => void server.listen(foreign, () => resume(Effect.void)))
      yield* Effect.addFinalizer(() => Effect.sync(() => server.close()))
      expect((yield* whyNotListen(foreign)).reason).toBe("in-use")
      expect(Fs.statSync(foreign).isSocket()).toBe(true)
    })
  )

  it.scopedLive("is not made where there is something else, no directory, or no room for its path", () =>
    Effect.gen(function* () {
      const path = yield* socket
      Fs.writeFileSync(path, "a letter")
      Fs.symlinkSync("nowhere", `${path}2`)
      for (const taken of [path, `${path}2`]) {
        expect(yield* whyNotListen(taken)).toMatchObject({
          reason: "denied",
          message: expect.stringContaining("something else")
        })
      }
      expect(Fs.readFileSync(path, "utf8")).toBe("a letter")
      expect((yield* whyNotListen(join(path, "..", "missing", "socket"))).reason).toBe("denied")
      const longest = join(path, "..", "é").slice(0, -1)
      const bytes = SocketPath.maxPath - longest.length
      // It counts bytes, of which a letter may have two.
      expect(yield* whyNotListen(`${longest}${"x".repeat(bytes - 1)}é`)).toMatchObject({
        reason: "denied",
        message: expect.stringContaining(`${SocketPath.maxPath} bytes`)
      })
      expect((yield* Effect.flip(dial(`${longest}${"x".repeat(bytes + 1)}`))).reason).toBe("unreachable")
      yield* Effect.scoped(listen(`${longest}${"x".repeat(bytes)}`))
    })
  )
})
