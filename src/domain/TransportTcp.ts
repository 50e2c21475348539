/** Transport on TCP, and on sockets of this machine: the one file that knows node:net. */
import { Buffer } from "node:buffer"
import * as Net from "node:net"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Scope from "effect/Scope"
import { type Address, format, network } from "./Address.js"
import * as SocketPath from "./SocketPath.js"
import * as Transport from "./Transport.js"

export { type Address, defaultAddress, format } from "./Address.js"

/** In place of an address where there is none: on a socket of this machine, or when the other side has gone already. */
const noHost = "unknown"

const lost = (error: Error) =>
  new Transport.TransportError({ reason: "lost", message: `the connection was lost (${error.message})` })

/** Apart from where it is used: what a closure sees, it holds. */
const destroying = (socket: Net.Socket): Effect.Effect<void> => Effect.sync(() => socket.destroy())

/**
 * A socket that its Scope destroys. Not by acquireRelease, which keeps a copy of the fiber's references with what it
 * acquires: more than a KiB for each connection.
 */
const scoped = <E, R>(socket: Effect.Effect<Net.Socket, E, R>): Effect.Effect<Net.Socket, E, R | Scope.Scope> =>
  Effect.uninterruptible(
    Effect.flatMap(Effect.scope, (scope) =>
      Effect.tap(socket, (opened) => Scope.addFinalizer(scope, destroying(opened)))
    )
  )

/**
 * A connected socket, on whose errors somebody listens. Reads are bounded by pause and resume: a chunk is taken off the
 * socket only when somebody asks, so one waits here, or two if another came before the first was taken. A class that
 * computes its effects when asked, because ten thousand of them may be idle.
 */
class TcpPipe implements Transport.Pipe {
  readonly host: string
  readonly port: number
  private waiting: Uint8Array | undefined
  private ended: Transport.Pipe["read"] | undefined
  private discarding = false
  private reader: ((read: Transport.Pipe["read"]) => void) | undefined

  constructor(private readonly socket: Net.Socket) {
    this.host = socket.remoteAddress ?? noHost
    this.port = socket.remotePort ?? 0
    socket.setNoDelay(true)
    socket.on("data", (chunk) => this.arrive(chunk))
    const end = () => this.finish(socket.errored === null ? noMore : Effect.fail(lost(socket.errored)))
    socket.on("end", end)
    socket.on("close", end)
    // It may have broken while it waited its turn, when nobody listened here.
    if (socket.destroyed) end()
    socket.pause()
  }

  get address(): string {
    return format(this)
  }

  get network(): string | undefined {
    return this.host === noHost ? undefined : network(this.host)
  }

  get stalledAt(): number | undefined {
    // Node has no public name for what the system has yet to take of the write that it is at.
    const { _handle: handle } = this.socket as { readonly _handle?: { readonly writeQueueSize?: number } | null }
    return handle?.writeQueueSize || undefined
  }

  get unsent(): number {
    return this.socket.writableLength
  }

  get isGone(): boolean {
    return this.socket.destroyed
  }

  get traffic(): Transport.Traffic {
    return { received: this.socket.bytesRead, written: this.socket.bytesWritten }
  }

  private arrive(chunk: Uint8Array): void {
    if (this.discarding) return
    const { reader, waiting } = this
    this.waiting = waiting === undefined ? chunk : Buffer.concat([waiting, chunk])
    if (reader === undefined) return void this.socket.pause()
    this.reader = undefined
    // Whoever was interrupted takes nothing: it waits for the next to ask.
    reader(Effect.sync(() => this.take()))
  }

  private take(): Uint8Array | undefined {
    const { waiting } = this
    this.waiting = undefined
    return waiting
  }

  private finish(read: Transport.Pipe["read"]): void {
    this.ended ??= read
    this.reader?.(this.ended)
    this.reader = undefined
  }

  /** Nothing is done when it is interrupted: to be ready for that takes a KiB for as long as it waits. */
  get read(): Transport.Pipe["read"] {
    return Effect.async((resume) => {
      if (this.waiting !== undefined) return resume(Effect.succeed(this.take()))
      if (this.ended !== undefined) return resume(this.ended)
      this.reader = resume
      if (this.socket.isPaused()) this.socket.resume()
    })
  }

  stopReading(): void {
    this.discarding = true
    this.waiting = undefined
    this.finish(noMore)
  }

  write(bytes: Uint8Array): number {
    if (this.socket.writable) this.socket.write(bytes)
    return this.socket.writableLength
  }

  private until(event: "drain" | "close", done: () => boolean): Effect.Effect<void> {
    const { socket } = this
    return Effect.async((resume) => {
      if (done()) return resume(Effect.void)
      const stop = () => {
        socket.off(event, proceed)
        socket.off("close", proceed)
      }
      const proceed = () => {
        stop()
        resume(Effect.void)
      }
      socket.on(event, proceed)
      socket.on("close", proceed)
      return Effect.sync(stop)
    })
  }

  get drained(): Effect.Effect<void> {
    return this.until("drain", () => this.socket.destroyed || !this.socket.writableNeedDrain)
  }

  get end(): Effect.Effect<void> {
    return Effect.suspend(() => {
      this.stopReading()
      this.socket.end()
      this.socket.resume()
      return this.until("close", () => this.socket.destroyed)
    })
  }
}

const noMore: Transport.Pipe["read"] = Effect.succeed(undefined)

const fromSocket = (socket: Net.Socket): Transport.Transport => Transport.make(new TcpPipe(socket))

/** What an error does to a socket, which tells the reason when it closes. One function for all of them. */
function destroy(this: Net.Socket): void {
  this.destroy()
}

/** Connections that may wait until they are accepted, as many as the system holds before; the oldest goes for one more. */
const backlog = 1024

class Arrivals {
  private readonly waiting: Array<Net.Socket> = []
  private readonly any = Effect.unsafeMakeLatch(false)

  /** A socket may break while it waits its turn; who takes it finds it ended. */
  add(socket: Net.Socket): void {
    socket.on("error", destroy)
    this.waiting.push(socket)
    if (this.waiting.length > backlog) this.waiting.shift()?.destroy()
    this.any.unsafeOpen()
  }

  readonly next: Effect.Effect<Net.Socket> = Effect.suspend(() => {
    const socket = this.waiting.shift()
    if (socket !== undefined) return Effect.succeed(socket)
    this.any.unsafeClose()
    return Effect.zipRight(this.any.await, this.next)
  })

  clear(): void {
    for (const socket of this.waiting.splice(0)) socket.destroy()
  }
}

const error = (reason: Transport.TransportError["reason"], message: string) =>
  new Transport.TransportError({ reason, message })

const listenError = (address: Address, cause: NodeJS.ErrnoException): Transport.TransportError => {
  const at = format(address)
  switch (cause.code) {
    case "EADDRINUSE":
      return error("in-use", `${at} is in use: stop what listens there, or choose another port with --port`)
    case "EACCES":
      return error("denied", `not allowed to listen on ${at}: choose a port above 1023 with --port`)
    default:
      return error(
        "unreachable",
        `cannot listen on ${at} (${cause.message}): choose an address of this machine with --host`
      )
  }
}

/** Puts the connections that come as `bind` has it into `arrived`, for the life of the Scope. */
const listen = (
  arrived: Arrivals,
  bind: (server: Net.Server, done: () => void) => void,
  failure: (cause: NodeJS.ErrnoException) => Transport.TransportError
) => {
  const close = (server: Net.Server) =>
    Effect.sync(() => {
      server.close()
      arrived.clear()
    })
  const listening = Effect.async<Net.Server, Transport.TransportError>((resume) => {
    const server = Net.createServer({ allowHalfOpen: true, pauseOnConnect: true }, (socket) => arrived.add(socket))
    // Also when it listens already, and has no more to be told: nobody need end because one could not be accepted.
    server.on("error", (cause) => resume(Effect.fail(failure(cause))))
    bind(server, () => resume(Effect.succeed(server)))
  })
  return Effect.map(Effect.acquireRelease(listening, close), (server) => ({ server, close: close(server) }))
}

const listenOnPort = Effect.fnUntraced(function* (at: Address, arrived: Arrivals) {
  const { close, server } = yield* listen(
    arrived,
    (server, done) => server.listen({ host: at.host, port: at.port, backlog }, done),
    (cause) => listenError(at, cause)
  )
  const bound = server.address()
  const port = bound !== null && typeof bound === "object" ? bound.port : at.port
  return { address: format({ host: at.host, port }), close }
})

/** Whether the socket at `path` is in use: only where nobody listens any more, it is not. */
const isInUse = (path: string) =>
  Effect.async<boolean>((resume) => {
    const socket = Net.connect({ path })
    socket.on("error", ({ code }: NodeJS.ErrnoException) => resume(Effect.succeed(code !== "ECONNREFUSED")))
    socket.once("connect", () => {
      socket.destroy()
      resume(Effect.succeed(true))
    })
  })

const listenOnPath = Effect.fnUntraced(function* ({ path }: SocketPath.SocketPath, arrived: Arrivals) {
  yield* SocketPath.claim(path, isInUse(path))
  const { close } = yield* listen(
    arrived,
    (server, done) => {
      // To listen is to bind at once: the socket is made with mode 0600, and nobody else could ever connect.
      const before = process.umask(0o177)
      try {
        server.listen({ path, backlog, exclusive: true }, done)
      } finally {
        process.umask(before)
      }
    },
    (cause) => (cause.code === "EADDRINUSE" ? SocketPath.inUse(path) : SocketPath.cannot(path, cause.message))
  )
  return { address: path, close }
})

/**
 * Listens for the life of the layer. A `SocketPath` is made with mode 0600; one of a server that was killed is
 * replaced, one in use is not (`in-use`), nor is anything else there (`denied`); beside it is a lock file, PATH.lock.
 */
export const layerListener = (
  at: Address | SocketPath.SocketPath
): Layer.Layer<Transport.Listener, Transport.TransportError> =>
  Layer.scoped(
    Transport.Listener,
    Effect.gen(function* () {
      const arrived = new Arrivals()
      const { address, close } = yield* "path" in at ? listenOnPath(at, arrived) : listenOnPort(at, arrived)
      return {
        address,
        accept: Effect.uninterruptibleMask((restore) => Effect.map(scoped(restore(arrived.next)), fromSocket)),
        close
      }
    })
  )

const dialError = (
  at: Address | SocketPath.SocketPath,
  { code, message }: NodeJS.ErrnoException
): Transport.TransportError => {
  if ("path" in at) {
    if (code === "EACCES") return error("denied", `${at.path} is another user's: call this as who runs the server`)
    return code === "ECONNREFUSED" || code === "ENOENT"
      ? error(
          "refused",
          `nobody answers at the socket ${at.path}: start the server (chat s), or name its socket with --socket`
        )
      : error("unreachable", `cannot use the socket ${at.path} (${message})`)
  }
  const name = format(at)
  return code === "ECONNREFUSED"
    ? error("refused", `nobody answers at ${name}: is the server running (chat s), and are host and port right?`)
    : error("unreachable", `cannot reach ${name} (${message})`)
}

const connected = (
  socket: Net.Socket,
  at: Address | SocketPath.SocketPath
): Effect.Effect<void, Transport.TransportError> =>
  Effect.async((resume) => {
    // Listens on after it has connected, when the answer is given already: an error that nobody listens to is thrown.
    socket.on("error", (cause) => resume(Effect.fail(dialError(at, cause))))
    socket.once("connect", () => resume(Effect.void))
  })

/** Calls a server, anew for each connection. */
export const layerDialer = (at: Address | SocketPath.SocketPath): Layer.Layer<Transport.Dialer> => {
  const where = "path" in at ? { path: at.path } : { host: at.host, port: at.port }
  return Layer.succeed(Transport.Dialer, {
    address: "path" in at ? at.path : format(at),
    dial: Effect.gen(function* () {
      // The system would cut it off, and call somebody else.
      if ("path" in at && SocketPath.isTooLong(at.path))
        return yield* error("unreachable", `${at.path} is too long for a socket`)
      const socket = yield* scoped(Effect.sync(() => Net.connect({ ...where, allowHalfOpen: true })))
      yield* connected(socket, at)
      return fromSocket(socket)
    })
  })
}
