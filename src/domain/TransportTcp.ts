/** Transport on TCP: the one file that knows node:net. */
import { Buffer } from "node:buffer"
import * as Net from "node:net"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Scope from "effect/Scope"
import { type Address, format, network } from "./Address.js"
import * as Transport from "./Transport.js"

export { type Address, defaultAddress, format } from "./Address.js"

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
    this.host = socket.remoteAddress ?? "unknown"
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

  get network(): string {
    return network(this.host)
  }

  get stalledAt(): number | undefined {
    // Node has no public name for what the system has yet to take of the write that it is at.
    const { _handle: handle } = this.socket as { readonly _handle?: { readonly writeQueueSize?: number } | null }
    return handle?.writeQueueSize || undefined
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

const listenError = (address: Address, error: NodeJS.ErrnoException): Transport.TransportError => {
  const at = format(address)
  switch (error.code) {
    case "EADDRINUSE":
      return new Transport.TransportError({
        reason: "in-use",
        message: `${at} is in use: stop what listens there, or choose another port with --port`
      })
    case "EACCES":
      return new Transport.TransportError({
        reason: "denied",
        message: `not allowed to listen on ${at}: choose a port above 1023 with --port`
      })
    default:
      return new Transport.TransportError({
        reason: "unreachable",
        message: `cannot listen on ${at} (${error.message}): choose an address of this machine with --host`
      })
  }
}

/** Listens on `address` for the life of the layer. */
export const layerListener = (address: Address): Layer.Layer<Transport.Listener, Transport.TransportError> =>
  Layer.scoped(
    Transport.Listener,
    Effect.gen(function* () {
      const arrived: Array<Net.Socket> = []
      const arrival = yield* Effect.makeLatch()
      const next: Effect.Effect<Net.Socket> = Effect.suspend(() => {
        const socket = arrived.shift()
        if (socket !== undefined) return Effect.succeed(socket)
        arrival.unsafeClose()
        return Effect.zipRight(arrival.await, next)
      })
      const close = (server: Net.Server) =>
        Effect.sync(() => {
          server.close()
          for (const socket of arrived.splice(0)) socket.destroy()
        })
      const server = yield* Effect.acquireRelease(
        Effect.async<Net.Server, Transport.TransportError>((resume) => {
          const server = Net.createServer({ allowHalfOpen: true, pauseOnConnect: true }, (socket) => {
            // A socket may break while it waits its turn; who takes it finds it ended.
            socket.on("error", destroy)
            arrived.push(socket)
            if (arrived.length > backlog) arrived.shift()?.destroy()
            arrival.unsafeOpen()
          })
          server.once("error", (error) => resume(Effect.fail(listenError(address, error))))
          server.listen({ host: address.host, port: address.port, backlog }, () => resume(Effect.succeed(server)))
        }),
        close
      )
      const bound = server.address()
      const port = bound !== null && typeof bound === "object" ? bound.port : address.port
      return {
        address: format({ host: address.host, port }),
        accept: Effect.uninterruptibleMask((restore) => Effect.map(scoped(restore(next)), fromSocket)),
        close: close(server)
      }
    })
  )

const dialError = (address: Address, error: NodeJS.ErrnoException): Transport.TransportError => {
  const at = format(address)
  return error.code === "ECONNREFUSED"
    ? new Transport.TransportError({
        reason: "refused",
        message: `nobody answers at ${at}: is the server running (chat s), and are host and port right?`
      })
    : new Transport.TransportError({ reason: "unreachable", message: `cannot reach ${at} (${error.message})` })
}

const connected = (socket: Net.Socket, address: Address): Effect.Effect<void, Transport.TransportError> =>
  Effect.async((resume) => {
    // Listens on after it has connected, when the answer is given already: an error that nobody listens to is thrown.
    socket.on("error", (error) => resume(Effect.fail(dialError(address, error))))
    socket.once("connect", () => resume(Effect.void))
  })

/** Calls `address`, anew for each connection. */
export const layerDialer = (address: Address): Layer.Layer<Transport.Dialer> =>
  Layer.succeed(Transport.Dialer, {
    address: format(address),
    dial: Effect.gen(function* () {
      const socket = yield* scoped(
        Effect.sync(() => Net.connect({ host: address.host, port: address.port, allowHalfOpen: true }))
      )
      yield* connected(socket, address)
      return fromSocket(socket)
    })
  })
