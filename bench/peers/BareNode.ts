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
const dialect = (connect: (port: number) => Effect.Effect<Net.Socket, unknown, Scope.Scope>): Dialect => ({
  echoes: true,
  join: (port) =>
    Effect.map(connect(port), (socket) => ({
      hears: socket,
      rest: empty,
      speaks: socket,
      say: (texts) => Buffer.from(`${texts.join("\n")}\n`, "latin1")
    })),
  listen: (_, heard) => {
    const reader = new Texts.Reader()
    let rest: Buffer = empty
    let taken = 0
    return (chunk) => {
      const bytes = Buffer.concat([rest, chunk])
      let from = 0
      for (let end = bytes.indexOf(newline); end !== -1; end = bytes.indexOf(newline, from)) {
        heard(reader.read(bytes, from, end), taken + end + 1)
        from = end + 1
      }
      taken += from
      rest = bytes.subarray(from)
    }
  }
})

const dial = (port: number) => Connection.open("connect", () => Net.connect({ host, port }))

const dialTls = (port: number) =>
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

export const plain = peer("bare Node", [], dialect(dial))

export const secure = peer("bare Node, TLS 1.3", [psk.toString("hex")], dialect(dialTls))
