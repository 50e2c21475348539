// What a chat server costs in Node before it is one: no cryptography, no log, no names, no framework. Lines that come in
// a turn of the event loop are collected, and at its end every connection is written all of them, in one write.
//
//     node bench/peers/bare-node.mjs [PSK_IN_HEX]
//
// With a pre-shared key it speaks TLS 1.3. It prints the port that it listens on.
import { createServer } from "node:net"
import { createServer as createTlsServer } from "node:tls"

const newline = 0x0a
const connections = new Set()
let lines = []

const tell = () => {
  const bytes = Buffer.concat(lines)
  lines = []
  for (const socket of connections) socket.write(bytes)
}

const serve = (socket) => {
  let rest = Buffer.alloc(0)
  socket.setNoDelay(true)
  connections.add(socket)
  socket.on("data", (chunk) => {
    const bytes = rest.length === 0 ? chunk : Buffer.concat([rest, chunk])
    const end = bytes.lastIndexOf(newline) + 1
    rest = bytes.subarray(end)
    if (end === 0) return
    if (lines.length === 0) setImmediate(tell)
    lines.push(bytes.subarray(0, end))
  })
  socket.on("error", () => socket.destroy())
  socket.on("close", () => connections.delete(socket))
}

const psk = process.argv[2]
const server =
  psk === undefined
    ? createServer(serve)
    : createTlsServer(
        {
          minVersion: "TLSv1.3",
          ciphers: "TLS_AES_128_GCM_SHA256",
          pskCallback: () => Buffer.from(psk, "hex")
        },
        serve
      ).on("tlsClientError", (error) => console.error(error.message))
server.listen({ host: "127.0.0.1", port: 0, backlog: 1024 }, () => console.log(server.address().port))
