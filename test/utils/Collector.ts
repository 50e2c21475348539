/** Whom metrics are sent to by OTLP over HTTP: it keeps what comes. */
import { Buffer } from "node:buffer"
import * as Http from "node:http"
import * as Effect from "effect/Effect"
import * as Queue from "effect/Queue"
import * as Loopback from "./Loopback.js"

export interface Posted {
  readonly path: string | undefined
  readonly headers: Http.IncomingHttpHeaders
  readonly body: Buffer
}

/** A collector that answers with what `status` says at the time, or never, where that says nothing. */
export const make = (status: () => number | undefined) =>
  Effect.gen(function* () {
    const posts = yield* Queue.unbounded<Posted>()
    const server = Http.createServer((request, response) => {
      const chunks: Array<Buffer> = []
      request.on("data", (chunk: Buffer) => void chunks.push(chunk))
      request.on("end", () => {
        Queue.unsafeOffer(posts, { path: request.url, headers: request.headers, body: Buffer.concat(chunks) })
        const code = status()
        if (code !== undefined) response.writeHead(code).end("{}")
      })
    })
    yield* Effect.addFinalizer(() => Effect.sync(() => server.closeAllConnections()))
    return { posts, endpoint: `http://127.0.0.1:${yield* Loopback.listen(server)}` }
  })
