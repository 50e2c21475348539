/** The way to the server from an address of one's own. */
import * as Net from "node:net"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Connection from "../../bench/utils/Connection.js"
import { host } from "../../bench/utils/Setting.js"
import * as Transport from "../../src/domain/Transport.js"

/**
 * Whoever does not ask reads nothing: then the socket takes what its buffer holds, and the server's begins to fill. It is
 * none of the server's own code, which might do the same wrong at both ends.
 */
class Pipe implements Transport.Pipe {
  readonly address = `${host}:0`
  readonly network = undefined
  readonly stalledAt = undefined
  readonly traffic = { received: 0, written: 0 }
  private reader: ((read: Transport.Pipe["read"]) => void) | undefined

  constructor(private readonly socket: Net.Socket) {
    for (const event of ["readable", "end", "close"]) socket.on(event, () => this.look())
  }

  private look(): void {
    if (this.reader === undefined) return
    const bytes: Uint8Array | null = this.socket.read()
    if (bytes === null && !this.socket.readableEnded && !this.socket.destroyed) return
    this.reader(Effect.succeed(bytes ?? undefined))
    this.reader = undefined
  }

  get unsent(): number {
    return this.socket.writableLength
  }

  get isGone(): boolean {
    return this.socket.destroyed
  }

  get read(): Transport.Pipe["read"] {
    return Effect.async((resume) => {
      this.reader = resume
      this.look()
    })
  }

  write(bytes: Uint8Array): number {
    if (this.socket.writable) this.socket.write(bytes)
    return this.socket.writableLength
  }

  stopReading(): void {
    this.socket.destroy()
  }

  readonly drained = Effect.void
  readonly end = Effect.sync(() => this.socket.end())
}

/** Linux has all of 127.0.0.0/8; elsewhere all call from one address. */
const hasMany = process.platform === "linux"

/** Calls the server on `port`, as one of those on a machine of a network: both numbers from 1 to 254. */
export const layerDialer = (port: number, network: number, machine: number): Layer.Layer<Transport.Dialer> => {
  const local = hasMany ? { localAddress: `127.0.${network}.${machine}` } : {}
  const open = Connection.open("connect", () => Net.connect({ host, port, ...local }))
  return Layer.succeed(Transport.Dialer, {
    address: `${host}:${port}`,
    dial: open.pipe(
      Effect.map((socket) => Transport.make(new Pipe(socket))),
      Effect.mapError(({ message }) => new Transport.TransportError({ reason: "lost", message }))
    )
  })
}
