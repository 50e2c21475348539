/** The socket over which the operator of a server on this machine talks to it. */
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as TransportTcp from "../domain/TransportTcp.js"
import * as KeySource from "./KeySource.js"

/** The socket that is named, else `chat.sock` beside the key file, else in this directory. */
export const find = (named: Option.Option<string>, source: KeySource.KeySource) =>
  Option.isSome(named) ? Effect.succeed(named.value) : KeySource.beside(source, "chat.sock")

/**
 * Listens on the socket for the life of the Scope. One that is named has to be had; without the other a server serves all
 * the same, and this gives what to say of it.
 */
export const open = Effect.fn("Socket.open")(function* (named: Option.Option<string>, source: KeySource.KeySource) {
  const opened = Effect.flatMap(find(named, source), (path) => Layer.build(TransportTcp.layerListener({ path })))
  if (Option.isSome(named)) return Either.right(yield* opened)
  return Either.mapLeft(
    yield* Effect.either(opened),
    ({ message }) => `chat admin does not reach this server: ${message}`
  )
})
