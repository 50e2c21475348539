/** The chat as it first was, in Python: a thread for each member, and all under one Fernet key. */
import { Buffer } from "node:buffer"
import { resolve } from "node:path"
import { createInterface } from "node:readline"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Fernet from "../../src/domain/Fernet.js"
import * as Keys from "../../src/domain/Keys.js"
import * as Process from "../utils/Process.js"
import { keys } from "../utils/Setting.js"
import * as Installed from "./Installed.js"
import * as Lines from "./Lines.js"
import type { Peer } from "./Peer.js"

/** The system's own, which its package of cryptography is for. */
const command = "/usr/bin/python3"

const fernet = Effect.runSync(Effect.provide(Fernet.Fernet, Fernet.layer))

const toLine = (message: string) => `${fernet.encrypt(keys, Buffer.from(message))}\n`

export const peer: Peer = {
  name: "the original",
  version: Installed.version(
    command,
    "-c",
    "import sys, cryptography.fernet; print('.'.join(map(str, sys.version_info[:3])))"
  ),
  install: "apt-get install python3-cryptography",
  start: () =>
    Effect.gen(function* () {
      const args = [resolve("bench/peers/original.py"), Keys.toBase64Url(keys[0])]
      const server = yield* Process.start(Process.serverCore, command, args)
      const { stdout } = server
      if (stdout === null) return yield* Effect.dieMessage("its standard output is not there to be read")
      const port = yield* Effect.promise(async () => {
        // What it prints first, and last, is its port.
        for await (const line of createInterface({ input: stdout })) return Number(line)
        throw new Error("it has ended")
      })
      return { pid: server.pid, port }
    }),
  dialect: {
    echoes: true,
    join: Effect.fnUntraced(function* (port, index) {
      const socket = yield* Lines.dial(port)
      socket.write(toLine(`m${index}`))
      return {
        hears: socket,
        // Whatever the first line is: it is in the list of those who hear.
        rest: yield* Lines.expect(socket, /\n/),
        speaks: socket,
        say: (texts) => Buffer.from(texts.map(toLine).join(""))
      }
    }),
    listen: (_, heard) => {
      const take = Lines.finder(/^\S+: /, heard)
      return Lines.split((line, end) =>
        take(Buffer.from(Either.getOrThrow(fernet.decrypt(keys, line.toString("latin1")))), end)
      )
    }
  }
}
