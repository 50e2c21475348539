/** NATS: members are subscribed to one subject, and all that is said is published on one connection. */
import { Buffer } from "node:buffer"
import * as Effect from "effect/Effect"
import * as RcMap from "effect/RcMap"
import * as Scope from "effect/Scope"
import { host } from "../utils/Setting.js"
import * as Installed from "./Installed.js"
import * as Lines from "./Lines.js"
import type { Peer } from "./Peer.js"

const command = "nats-server"

const configuration = (members: number) => (port: number) =>
  `
listen: "${host}:${port}"
logfile: "/dev/null"
max_connections: ${members + 100}
max_pending: 1GB
write_deadline: "1m"
ping_interval: "24h"
`

const greeting = 'CONNECT {"verbose":false,"pedantic":false,"echo":true,"lang":"bench","version":"0","protocol":1}\r\n'

const open = (port: number) => Effect.tap(Lines.dial(port), (socket) => socket.write(greeting))

/**
 * By port, where everybody speaks. What is published on one connection comes to all in the same order, as in every room
 * here; what is published on several does not.
 */
const publishers = Effect.runSync(
  RcMap.make({
    lookup: (port: number) => Effect.map(open(port), (socket) => socket.resume())
  }).pipe(Scope.extend(Effect.runSync(Scope.make())))
)

const toCommand = (text: string) => `PUB room ${text.length}\r\n${text}\r\n`

export const peer: Peer = {
  name: "NATS",
  version: Installed.version(command, "--version"),
  install: "apt-get install nats-server",
  start: (members) => Installed.start({ command, args: (file) => ["-c", file], configuration: configuration(members) }),
  dialect: {
    echoes: true,
    // Each waits two seconds, and the server does not work meanwhile.
    joining: 1024,
    join: Effect.fnUntraced(function* (port) {
      const speaks = yield* RcMap.get(publishers, port)
      const hears = yield* open(port)
      hears.write("SUB room 1\r\n")
      // It comes some two seconds after connecting, however long the interval, and it is the only one.
      const rest = yield* Lines.expect(hears, /PING\r\n/)
      hears.write("PONG\r\n")
      return { hears, rest, speaks, say: (texts) => Buffer.from(texts.map(toCommand).join("")) }
    }),
    listen: Lines.listen(/^(?=\d)/)
  }
}
