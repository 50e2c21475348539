/** Lines under known keys: what a peer could send, good or bad. */
import { Buffer } from "node:buffer"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Fernet from "../../src/domain/Fernet.js"
import * as Keys from "../../src/domain/Keys.js"

/** Fernet on node:crypto, for tests that are not about Effects. */
export const fernet: Fernet.Shape = Effect.runSync(Effect.provide(Fernet.Fernet, Fernet.layer))

const key = <Use extends string>(byte: number): Keys.Key<Use> => Keys.fromBytes<Use>(new Uint8Array(32).fill(byte))

export const session = key<"session">(1)
export const group = key<"group">(2)
export const stranger = key<"stranger">(3)

/** The line, without its newline, that holds these bytes, or this text in UTF-8. */
export const line = (key: Keys.AnyKey, plaintext: string | Uint8Array): string =>
  fernet.encrypt([key], Buffer.from(plaintext))

/** The lines in what a writer made; each must end with a newline. */
export const lines = (bytes: Uint8Array): ReadonlyArray<string> => {
  const lines = Buffer.from(bytes).toString("latin1").split("\n")
  if (lines.pop() !== "") throw new Error("the last line has no newline")
  return lines
}

/** The plaintext of a line. */
export const opened = (key: Keys.AnyKey, line: string): Uint8Array => Either.getOrThrow(fernet.decrypt([key], line))
