// The least that a handshake costs in Node before it is one: a connection, a line, the same line as its answer, the end.
// It prints the port that it listens on.
import { createServer } from "node:net"

const serve = (socket) => {
  socket.setNoDelay(true)
  socket.on("data", (line) => socket.write(line))
  socket.on("error", () => socket.destroy())
}

const server = createServer(serve)
server.listen({ host: "127.0.0.1", port: 0, backlog: 1024 }, () => console.log(server.address().port))
