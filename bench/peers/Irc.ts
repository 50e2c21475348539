/** Internet Relay Chat (RFC 2812): members are in one channel. */
import { Buffer } from "node:buffer"
import * as Effect from "effect/Effect"
import * as Lines from "./Lines.js"
import type { Dialect } from "./Peer.js"

export const dialect: Dialect = {
  echoes: false,
  join: Effect.fnUntraced(function* (port, index) {
    const socket = yield* Lines.dial(port)
    const nick = `m${index}`
    socket.write(`NICK ${nick}\r\nUSER ${nick} 0 * :${nick}\r\n`)
    // After the message of the day, or that there is none, it is registered.
    const registered = yield* Lines.expect(socket, /^\S+ (376|422) .*\r\n/m)
    socket.write("JOIN #room\r\n")
    return {
      hears: socket,
      rest: yield* Lines.expect(socket, /^\S+ 366 .*\r\n/m, registered),
      speaks: socket,
      say: (texts) => Buffer.from(texts.map((text) => `PRIVMSG #room :${text}\r\n`).join(""))
    }
  }),
  listen: Lines.listen(/^:\S+ PRIVMSG #room :/)
}
