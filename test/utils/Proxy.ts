/** Somebody on the path: between real clients and a real server, over TCP. Sees every line, and does with it as a test wants. */
import * as Net from "node:net"
import * as Effect from "effect/Effect"

export type Direction = "up" | "down"

/** A line on its way. Line 0 of each direction is of the handshake. */
export interface Passing {
  readonly connection: Connection
  readonly direction: Direction
  readonly at: number
  readonly line: string
}

/** What goes on in place of a line. */
export type Tamper = (passing: Passing) => ReadonlyArray<string>

const honest: Tamper = ({ line }) => [line]

/** A connection through the proxy, and all that was sent over it by those who speak: not what was made of that. */
export class Connection {
  readonly sent: Record<Direction, Array<string>> = { up: [], down: [] }
  /** Whether both sides have closed it. */
  isOver = false
  private readonly rest: Record<Direction, string> = { up: "", down: "" }
  private open = 2

  constructor(
    readonly number: number,
    private readonly client: Net.Socket,
    private readonly server: Net.Socket,
    private readonly tamper: () => Tamper
  ) {
    this.carry("up", client, server)
    this.carry("down", server, client)
  }

  /** Puts a line in. */
  inject(direction: Direction, line: string): void {
    const to = direction === "up" ? this.server : this.client
    if (to.writable) to.write(`${line}\n`, "latin1")
  }

  /** Breaks it, without a word to either side. */
  cut(): void {
    this.client.destroy()
    this.server.destroy()
  }

  private carry(direction: Direction, from: Net.Socket, to: Net.Socket): void {
    from.setNoDelay(true)
    from.on("data", (bytes) => {
      const lines = (this.rest[direction] + bytes.toString("latin1")).split("\n")
      this.rest[direction] = lines.pop() ?? ""
      for (const line of lines) this.pass(direction, line)
    })
    from.on("end", () => to.end(this.rest[direction], "latin1"))
    from.on("error", () => to.destroy())
    from.on("close", () => {
      this.open -= 1
      this.isOver = this.open === 0
    })
  }

  private pass(direction: Direction, line: string): void {
    const at = this.sent[direction].push(line) - 1
    for (const each of this.tamper()({ connection: this, direction, at, line })) this.inject(direction, each)
  }
}

export class Proxy {
  /** What is done with every line. */
  tamper: Tamper = honest
  readonly connections: Array<Connection> = []

  constructor(
    private readonly listener: Net.Server,
    private readonly serverPort: number
  ) {
    listener.on("connection", (client) => {
      const server = Net.connect({ host: "127.0.0.1", port: serverPort, allowHalfOpen: true })
      this.connections.push(new Connection(this.connections.length, client, server, () => this.tamper))
    })
  }

  get port(): number {
    const address = this.listener.address()
    return typeof address === "object" && address !== null ? address.port : 0
  }

  /** The newest connection. */
  get newest(): Connection {
    const newest = this.connections.at(-1)
    if (newest === undefined) throw new RangeError("nobody has connected")
    return newest
  }

  /** Lets everything pass from now on. */
  relent(): void {
    this.tamper = honest
  }

  /** Calls the server itself, says these lines and ends; tells what it answered until it has closed. */
  say(lines: ReadonlyArray<string>): Effect.Effect<ReadonlyArray<string>> {
    return Effect.async((resume) => {
      const socket = Net.connect({ host: "127.0.0.1", port: this.serverPort, allowHalfOpen: true })
      let heard = ""
      socket.on("data", (bytes) => {
        heard += bytes.toString("latin1")
      })
      socket.on("error", () => socket.destroy())
      socket.on("close", () => resume(Effect.succeed(heard.split("\n").filter((line) => line !== ""))))
      socket.end(lines.map((line) => `${line}\n`).join(""), "latin1")
      return Effect.sync(() => socket.destroy())
    })
  }

  close(): void {
    for (const connection of this.connections) connection.cut()
    this.listener.close()
  }
}

/** A proxy before the server that listens on that port, for the life of the Scope. */
export const make = (serverPort: number) =>
  Effect.acquireRelease(
    Effect.async<Proxy>((resume) => {
      const listener = Net.createServer({ allowHalfOpen: true })
      const proxy = new Proxy(listener, serverPort)
      listener.listen({ host: "127.0.0.1", port: 0 }, () => resume(Effect.succeed(proxy)))
    }),
    (proxy) => Effect.sync(() => proxy.close())
  )
