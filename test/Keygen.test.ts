import { copyFileSync, lstatSync, readdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { describe, expect, it } from "@effect/vitest"
import * as Arr from "effect/Array"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Fingerprint from "../src/domain/Fingerprint.js"
import * as KeyFile from "../src/domain/KeyFile.js"
import * as Keys from "../src/domain/Keys.js"
import * as Command from "./utils/Command.js"

/** A directory with a room key in it. */
const room = Effect.gen(function* () {
  const cwd = yield* Command.directory
  expect((yield* Command.run(["keygen"], { cwd })).code).toBe(0)
  return { cwd, file: join(cwd, "secret.key"), old: readFileSync(join(cwd, "secret.key"), "utf8") }
})

const keysOf = (text: string) => Either.getOrThrow(KeyFile.parse("the file", text))

/** What a user sees of a command that failed: its exit code, and one line on standard error. */
const failure = ({ code, stderr, stdout }: Command.Result) => {
  expect(stdout).toBe("")
  expect(stderr).toMatch(/^chat: [^\n]+\n$/)
  return [code, stderr.slice("chat: ".length, -1)]
}

describe("chat keygen --rotate", () => {
  it.scopedLive("puts a new key first, keeps what is there, and says what to do, the server first", () =>
    Effect.gen(function* () {
      const { cwd, file, old } = yield* room
      writeFileSync(file, `# the rowing club\n\n# since May\n${old}`)
      const { code, stderr, stdout } = yield* Command.run(["keygen", "--rotate"], { cwd })
      expect([code, stderr]).toEqual([0, ""])
      const after = readFileSync(file, "utf8")
      expect(after).toMatch(/^# the rowing club\n\n[\w-]{43}=\n# since May\n[\w-]{43}=\n$/)
      expect(after.endsWith(old)).toBe(true)
      expect(statSync(file).mode & 0o777).toBe(0o600)
      expect(readdirSync(cwd)).toEqual(["secret.key"])

      const { keys } = keysOf(after)
      for (const key of keys) expect(stdout).not.toContain(Keys.toBase64Url(key))
      const said = [
        "secret.key begins with a new key",
        "1. the server",
        "chat keygen --server --force\n",
        "2. the members",
        "3. once all of them",
        'until the server has said\n   "all of the log is under the first key"',
        "It goes on with the log it has",
        "the new key's words"
      ]
      const places = said.map((each) => stdout.indexOf(each))
      expect(places).toEqual(places.filter((place) => place >= 0).sort((a, b) => a - b))
      const [first] = Keys.serverKeys(keysOf(after))
      expect(stdout.endsWith(`: ${Fingerprint.format(first)}\n`)).toBe(true)

      const again = yield* Command.run(["keygen", "--rotate"], { cwd })
      expect(again.stdout).toContain("its 2 old ones stay")
      expect(keysOf(readFileSync(file, "utf8")).keys.slice(1).map(Keys.toBase64Url)).toEqual(
        Arr.map(keys, (key) => Keys.toBase64Url(key))
      )
    })
  )

  it.scopedLive("changes the file that --key-file names, else CHAT_KEY_FILE, and a link leads to it", () =>
    Effect.gen(function* () {
      const { cwd, file, old } = yield* room
      for (const name of ["flag's.key", "env.key", "far.key"]) copyFileSync(file, join(cwd, name))
      symlinkSync("far.key", join(cwd, "link.key"))
      const rotate = (...args: ReadonlyArray<string>) =>
        Command.run(["keygen", "--rotate", ...args], { cwd, env: { CHAT_KEY_FILE: "env.key", CHAT_KEY: old } })
      const flag = yield* rotate("--key-file", "flag's.key")
      expect(flag.stdout).toMatch(/^flag's\.key begins/)
      // As it can be pasted into a shell.
      expect(flag.stdout).toContain(String.raw`chat keygen --server --force --key-file 'flag'\''s.key'`)
      expect((yield* rotate()).stdout).toMatch(/^env\.key begins/)
      expect((yield* rotate("--key-file", "link.key")).code).toBe(0)
      for (const name of ["flag's.key", "env.key", "far.key"]) {
        expect(keysOf(readFileSync(join(cwd, name), "utf8")).keys).toHaveLength(2)
      }
      expect(lstatSync(join(cwd, "link.key")).isSymbolicLink()).toBe(true)
      expect(readFileSync(file, "utf8")).toBe(old)
    })
  )

  it.scopedLive("what makes no sense is refused with what to do, and nothing changes", () =>
    Effect.gen(function* () {
      const { cwd, file, old } = yield* room
      expect((yield* Command.run(["keygen", "--server"], { cwd })).code).toBe(0)
      const server = readFileSync(join(cwd, "server.key"), "utf8")
      const rotate = (args: ReadonlyArray<string>, options?: Partial<Command.Options>) =>
        Effect.map(Command.run(["keygen", "--rotate", ...args], { cwd, ...options }), failure)
      const usage = (line: RegExp) => [2, expect.stringMatching(line)]

      expect(yield* rotate(["--server"])).toEqual(
        usage(/first chat keygen --rotate, then chat keygen --server --force$/)
      )
      expect(yield* rotate(["-o", "new.key"])).toEqual(usage(/--key-file, and leave -o out$/))
      expect(yield* rotate(["-o", "-"])).toEqual(usage(/leave -o out$/))
      expect(yield* rotate(["--force"])).toEqual(usage(/leave --force out$/))
      expect(yield* rotate([], { env: { CHAT_KEY: old } })).toEqual(
        usage(/^the key is in \$CHAT_KEY.*--key-file FILE.*set CHAT_KEY/)
      )
      expect(yield* rotate(["--key-file", "-"], { input: old })).toEqual(
        usage(/^the key is in standard input.*--key-file FILE/)
      )
      expect(yield* rotate(["--key-file", "server.key"])).toEqual([
        1,
        expect.stringMatching(/^server\.key holds a server key.*chat keygen --rotate, and chat keygen --server --force/)
      ])
      expect(yield* rotate(["--key-file", "none.key"])).toEqual([
        1,
        "there is no key file none.key: make one with chat keygen, or ask for the room's"
      ])

      expect(readFileSync(file, "utf8")).toBe(old)
      expect(readFileSync(join(cwd, "server.key"), "utf8")).toBe(server)
      expect(readdirSync(cwd).sort()).toEqual(["secret.key", "server.key"])
    })
  )
})
