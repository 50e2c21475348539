/** What members need whose protocol is of lines: a connection, an answer to wait for, and texts found in what comes. */
import { Buffer } from "node:buffer"
import { connect, type Socket } from "node:net"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Texts from "../load/Texts.js"
import * as Connection from "../utils/Connection.js"
import { host } from "../utils/Setting.js"
import type { Dialect, Heard } from "./Peer.js"

const empty = Buffer.alloc(0)
const newline = 0x0a
const carriageReturn = 0x0d

/** Longest thing (bytes) that may be on a line before a text. */
const prefixLimit = 100

/** Connects, for the life of the Scope. */
export const dial = (port: number) => Connection.open("connect", () => connect({ host, port }))

/** The connection was closed before what was expected came: `message` says what came instead. */
export class ClosedError extends Data.TaggedError("ClosedError")<{ readonly message: string }> {}

/** Reads until `pattern` is in what comes after `before`; gives what follows it, and leaves the socket paused. */
export const expect = (socket: Socket, pattern: RegExp, before: Buffer = empty): Effect.Effect<Buffer, ClosedError> =>
  Effect.async((resume) => {
    let seen = before
    const stop = () => {
      socket.off("data", take).off("close", fail).pause()
    }
    const take = (bytes: Buffer) => {
      seen = Buffer.concat([seen, bytes])
      const found = pattern.exec(seen.toString("latin1"))
      if (found === null) return
      stop()
      resume(Effect.succeed(seen.subarray(found.index + found[0].length)))
    }
    const fail = () => {
      stop()
      const sent = seen.subarray(-200).toString("latin1")
      resume(Effect.fail(new ClosedError({ message: `it was closed, and had sent: ${sent}` })))
    }
    socket.on("data", take).on("close", fail).resume()
    take(empty)
    return Effect.sync(stop)
  })

/** Calls `line` for each line of what it is given, with where it ends in all of that. */
export const split = (line: (line: Buffer, end: number) => void): ((bytes: Uint8Array) => void) => {
  let rest: Buffer = empty
  let taken = 0
  return (chunk) => {
    const bytes = Buffer.concat([rest, chunk])
    let from = 0
    for (let at = bytes.indexOf(newline); at !== -1; at = bytes.indexOf(newline, from)) {
      const next = at + 1
      line(bytes.subarray(from, bytes[at - 1] === carriageReturn ? at - 1 : at), taken + next)
      from = next
    }
    taken += from
    rest = bytes.subarray(from)
  }
}

/** Finds the text that a line ends with, after `prefix`, and checks it; other lines are none of our texts. */
export const finder = (prefix: RegExp, heard: Heard): ((line: Buffer, end: number) => void) => {
  const reader = new Texts.Reader()
  return (line, end) => {
    const found = prefix.exec(line.toString("latin1", 0, prefixLimit))
    if (found !== null) heard(reader.read(line, found[0].length, line.length), end)
  }
}

/** Hears the texts that lines end with, after `prefix`. */
export const listen =
  (prefix: RegExp): Dialect["listen"] =>
  (_, heard) =>
    split(finder(prefix, heard))
