/** The least that fan-out costs in Node: see bare-node.mjs. Also with TLS 1.3, which encrypts for each member anew. */
import { Buffer } from "node:buffer"
import * as Net from "node:net"
import * as Tls from "node:tls"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as Texts from "../load/Texts.js"
import * as Connection from "../utils/Connection.js"
import * as NodeServer from "../utils/NodeServer.js"
import { host } from "../utils/Setting.js"
import type { Dialect, Peer } from "./Peer.js"

const script = "bench/peers/bare-node.mjs"

/** There is nothing to guard. */
const psk = Buffer.alloc(32, 1)

const newline = 0x0a
const empty = Buffer.alloc(0)

/** Texts are lines, and nothing else is. */
const dialect = (
  size: number,
  connect: (port: number) => Effect.Effect<Net.Socket, unknown, Scope.Scope>
): Dialect => ({
  echoes: true,
  join: (port) =>
    Effect.map(connect(port), (socket) => ({
      hears: socket,
      rest: empty,
      speaks: socket,
      say: (texts) => Buffer.from(`${texts.join("\n")}\n`, "latin1")
    })),
  listen: (_, heard) => {
    const reader = new Texts.Reader(size)
    let rest = empty
    let taken = 0
    return (chunk) => {
      const bytes = Buffer.concat([rest, chunk])
      let at = 0
      for (; at + size < bytes.length; at += size + 1) {
        const speaker = reader.read(bytes, at)
        if (bytes[at + size] !== newline) throw new Error(`a text of speaker ${speaker} has no end`)
        heard(speaker, taken + at + size + 1)
      }
      taken += at
      rest = bytes.subarray(at)
    }
  }
})

const plain = (port: number) => Connection.open("connect", () => Net.connect({ host, port }))

const secured = (port: number) =>
  Connection.open("secureConnect", () =>
    Tls.connect({
      host,
      port,
      minVersion: "TLSv1.3",
      ciphers: "TLS_AES_128_GCM_SHA256",
      pskCallback: () => ({ psk, identity: "member" }),
      // Both sides have the key, and there is no certificate to look at.
      checkServerIdentity: () => undefined
    })
  )

const peer = (name: string, args: ReadonlyArray<string>, speech: Dialect): Peer => ({
  name,
  version: Effect.succeedSome(process.version),
  install: "",
  collect: NodeServer.collect,
  start: () => NodeServer.start([script, ...args], (line) => line),
  dialect: speech
})

/** Texts of `size` bytes. */
export const make = (size: number): Peer => peer("bare Node", [], dialect(size, plain))

export const makeTls = (size: number): Peer => peer("bare Node, TLS 1.3", [psk.toString("hex")], dialect(size, secured))
