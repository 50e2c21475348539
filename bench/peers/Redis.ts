/** Redis: members are subscribed to one channel and publish to it. */
import { Buffer } from "node:buffer"
import * as Effect from "effect/Effect"
import { host } from "../utils/Setting.js"
import * as Installed from "./Installed.js"
import * as Lines from "./Lines.js"
import type { Peer } from "./Peer.js"

const command = "redis-server"

const configuration = (members: number) => (port: number) =>
  `
bind ${host}
port ${port}
daemonize no
save ""
appendonly no
maxclients ${members + 100}
tcp-backlog 1024
client-output-buffer-limit pubsub 0 0 0
`

/** An array of bulk strings, as commands are. */
const toCommand = (...words: ReadonlyArray<string>) =>
  `*${words.length}\r\n${words.map((word) => `$${word.length}\r\n${word}\r\n`).join("")}`

/** With version 3 of the protocol one connection does both, and there need be no answers to what is published. */
const greeting = ["HELLO 3", "SUBSCRIBE room", "CLIENT REPLY OFF"].map((line) => `${line}\r\n`).join("")
const subscribed = /subscribe\r\n\$4\r\nroom\r\n:1\r\n/

export const peer: Peer = {
  name: "Redis",
  version: Installed.version(command, "--version"),
  install: "apt-get install redis-server",
  start: (members) => Installed.start({ command, args: (file) => [file], configuration: configuration(members) }),
  dialect: {
    echoes: true,
    join: Effect.fnUntraced(function* (port) {
      const socket = yield* Lines.dial(port)
      socket.write(greeting)
      return {
        hears: socket,
        rest: yield* Lines.expect(socket, subscribed),
        speaks: socket,
        say: (texts) => Buffer.from(texts.map((text) => toCommand("PUBLISH", "room", text)).join(""))
      }
    }),
    // A message is an array: the last of its lines is the text, and the only one that begins with a digit.
    listen: Lines.listen(/^(?=\d)/)
  }
}
