import { realpathSync } from "node:fs"
import { join } from "node:path"
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Schema from "effect/Schema"
import * as Admin from "../src/domain/Admin.js"
import * as Command from "./utils/Command.js"

const decode = Schema.decodeUnknownEither(Schema.parseJson(Admin.Answer), { onExcessProperty: "error" })

/** The one line of JSON that a text is, as what the library's Schema makes of it. */
const answerOf = (text: string) => {
  expect(text).toMatch(/^[^\n]+\n$/)
  return Either.getOrThrow(decode(text))
}

describe("chat admin --json", () => {
  it.scopedLive("prints one answer of the Schema, and exits as without it", () =>
    Effect.gen(function* () {
      const cwd = yield* Command.directory
      const server = yield* Command.serve({ cwd })
      const ada = yield* Command.chat(["c", "--nick", "ada", "--port", server.port], { cwd })
      yield* ada.shows("ada joined")
      const answer = (...args: ReadonlyArray<string>) =>
        Effect.map(Command.run(["admin", ...args], { cwd }), ({ code, stderr, stdout }) => {
          expect({ code, stderr }).toEqual({ code: 0, stderr: "" })
          return answerOf(stdout)
        })
      expect(yield* answer("names", "--json")).toMatchObject({
        _tag: "NameList",
        names: [{ member: 1, nick: "ada", from: expect.stringMatching(/^127\.0\.0\.1:\d+$/) }],
        more: false
      })
      expect(yield* answer("say", "--json", "back", "at", "noon")).toMatchObject({
        _tag: "Notice",
        seq: 2,
        text: "back at noon"
      })
      const packageJson = yield* Effect.promise(() => import("../package.json", { with: { type: "json" } }))
      expect(yield* answer("stats", "--json")).toMatchObject({
        _tag: "Stats",
        members: 1,
        head: 2,
        taking: true,
        process: {
          version: packageJson.default.version,
          node: process.versions.node,
          log: { file: join(realpathSync(cwd), "chat.db"), bytes: expect.any(Number) }
        }
      })
      expect(yield* answer("kick", "--json", "ada")).toEqual({ _tag: "Kicked", member: 1, nick: "ada" })
      expect(yield* answer("ban", "--json", "ada")).toMatchObject({ _tag: "Banned", network: "127.0.0.1" })
      expect(yield* answer("bans", "--json")).toMatchObject({ _tag: "BanList", bans: [{ nick: "ada" }], more: false })
      expect(yield* answer("unban", "ada", "--json")).toMatchObject({ _tag: "Unbanned", network: "127.0.0.1" })
      expect(yield* answer("stop", "--json")).toEqual({ _tag: "Stopping" })
      expect(yield* server.exit).toBe(0)
    })
  )

  it.scopedLive("tells a failure as JSON on standard error, and a wrong call in words", () =>
    Effect.gen(function* () {
      const cwd = yield* Command.directory
      const failure = (code: number, ...args: ReadonlyArray<string>) =>
        Effect.map(Command.run(["admin", ...args], { cwd, input: "\xff\n".repeat(3_000) }), (result) => {
          expect(result).toMatchObject({ code, stdout: "" })
          return result.stderr
        })
      expect(answerOf(yield* failure(1, "stats", "--json"))).toEqual({
        _tag: "Failed",
        reason: "refused",
        message: "nobody answers at the socket chat.sock: start the server (chat s), or name its socket with --socket"
      })
      const server = yield* Command.serve({ cwd })
      expect(answerOf(yield* failure(1, "kick", "--json", "eve"))).toEqual({
        _tag: "Failed",
        reason: "unknown",
        message: 'nobody here is called "eve"; nobody is here'
      })
      expect(answerOf(yield* failure(1, "say", "--json", "-"))).toMatchObject({ _tag: "Failed", reason: "text" })
      expect(yield* failure(2, "say", "--json")).toBe(
        "chat: there is nothing to say: give a text, or - for standard input\n"
      )
      expect(yield* failure(2, "kick", "--json", "x".repeat(200))).toBe("chat: a nick has 1 to 128 characters\n")
      expect(server.stderr()).toBe("")
    })
  )
})
