/** Somebody who holds no key, on a socket of his own: he says whatever a test wants. */
import type { Buffer } from "node:buffer"
import * as Net from "node:net"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as Server from "../../src/server/Server.js"

/** Only Linux has all of 127.0.0.0/8 without being told. */
export const hasAddresses = process.platform === "linux"

/** An address of loopback for each `i` from 0 to 49,999, all from one where there are no others. */
export const addressOf = (i: number): string | undefined =>
  hasAddresses ? `127.1.${1 + Math.floor(i / 250)}.${1 + (i % 250)}` : undefined

export interface Stranger {
  readonly write: (bytes: string | Uint8Array) => void
  /** All that the server has said to him. */
  readonly heard: () => string
  /** Whether the server has closed. */
  readonly isOver: () => boolean
  /** Closes. */
  readonly leave: () => void
}

/** Connects from one of many addresses, for the life of the Scope; done when the system has connected it. */
export const connect = (i: number): Effect.Effect<Stranger, never, Server.Server | Scope.Scope> =>
  Effect.flatMap(Server.Server, ({ address }) => {
    const from = addressOf(i)
    const to = { host: "127.0.0.1", port: Number(address.slice(address.lastIndexOf(":") + 1)) }
    return Effect.acquireRelease(
      Effect.async<Stranger>((resume) => {
        let heard = ""
        let isOver = false
        const over = () => {
          isOver = true
        }
        const socket = Net.connect(from === undefined ? to : { ...to, localAddress: from })
        // Let go of when it is closed: tests look at what memory is left of many of them.
        let open: Net.Socket | undefined = socket
        socket.once("close", () => {
          open = undefined
        })
        socket.on("data", (bytes: Buffer) => {
          heard += bytes.toString("latin1")
        })
        // Reset, or written to when it was closed already.
        socket.on("error", over)
        socket.on("end", over)
        socket.once("connect", () => {
          const stranger: Stranger = {
            write: (bytes) => void open?.write(bytes),
            heard: () => heard,
            isOver: () => isOver,
            leave: () => open?.destroy()
          }
          resume(Effect.succeed(stranger))
        })
      }),
      (stranger) => Effect.sync(stranger.leave)
    )
  })
