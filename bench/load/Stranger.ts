/** One connection of somebody who holds no key: plain listeners and no runtime, as thousands of them share a process. */
import { Buffer } from "node:buffer"
import { randomBytes, randomInt } from "node:crypto"
import * as Net from "node:net"
import * as Base64Url from "../../src/domain/Base64Url.js"
import { host } from "../utils/Setting.js"

/**
 * What they do: say nothing; say a byte now and then; a line without an end; close at once; say a first line that a
 * holder of the key has said before; one that the server has not heard yet, and then a frame that opens under no key;
 * lines of anything.
 */
export const kinds = ["silent", "drip", "huge", "flood", "replay", "junk", "garbage"] as const
export type Kind = (typeof kinds)[number]

/** How it ended: it was never open, it closed, or the server did. */
export type End = "never" | "own" | "server"

export interface Options {
  readonly kind: Kind
  readonly port: number
  /** The address that it comes from, where there are several. */
  readonly from: string | undefined
  /** A first line whose MAC is right. */
  readonly hello: () => string
  readonly onOpen: () => void
  /** Each line that the server has said to it. */
  readonly onLine: () => void
  readonly onEnd: (end: End) => void
}

/** How often (ms) a byte drips. */
const dripTime = 500
/** Bytes of an endless line that are written at a time. */
const pouring = Buffer.alloc(64 * 1024, "A")
/** Lines of garbage, and the longest of them (bytes). */
const garbageLines = 3
const longest = 400
const newline = 0x0a

/** As long as a Fernet token of 64 bytes, and with its version: all that tells is the MAC. */
const junk = (): string => Base64Url.encode(Buffer.concat([Buffer.of(0x80), randomBytes(8 + 16 + 80 + 32)]))

const behaviours: Record<Kind, (socket: Net.Socket, hello: () => string) => void> = {
  silent: () => {},
  drip: (socket) => {
    const dripping = setInterval(() => void socket.write("A"), dripTime)
    socket.once("close", () => clearInterval(dripping))
  },
  huge: (socket) => {
    // As fast as it is taken, which is not at all beyond what the system has room for.
    const pour = () => {
      while (!socket.destroyed && socket.write(pouring)) {}
    }
    socket.on("drain", pour)
    pour()
  },
  flood: (socket) => socket.destroy(),
  replay: (socket, hello) => void socket.write(`${hello()}\n`),
  junk: (socket, hello) => {
    socket.once("data", () => void socket.write(`${junk()}\n`))
    socket.write(`${hello()}\n`)
  },
  garbage: (socket) => {
    for (let i = 0; i < garbageLines; i++)
      socket.write(Buffer.concat([randomBytes(randomInt(1, longest)), Buffer.of(newline)]))
  }
}

/** Connects and misbehaves until one side closes; gives what ends it before that. */
export const connect = ({ from, hello, kind, onEnd, onLine, onOpen, port }: Options): (() => void) => {
  const socket = Net.connect({ host, port, ...(from === undefined ? {} : { localAddress: from }) })
  let isOpen = false
  let isClosedByServer = false
  socket.once("connect", () => {
    isOpen = true
    onOpen()
    behaviours[kind](socket, hello)
  })
  socket.on("data", (chunk) => {
    for (const byte of chunk) if (byte === newline) onLine()
  })
  const byServer = () => {
    isClosedByServer = true
  }
  socket.on("end", byServer)
  // Reset, or written to when it was closed already.
  socket.on("error", byServer)
  socket.once("close", () => onEnd(isOpen ? (isClosedByServer ? "server" : "own") : "never"))
  return () => socket.destroy()
}
