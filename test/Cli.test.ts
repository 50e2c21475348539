import { spawnSync } from "node:child_process"
import { chmodSync, cpSync, existsSync, readFileSync, renameSync, statSync, writeFileSync } from "node:fs"
import * as Net from "node:net"
import { dirname, join } from "node:path"
import { Script } from "node:vm"
import { describe, expect, it } from "@effect/vitest"
import * as Arr from "effect/Array"
import * as Effect from "effect/Effect"
import * as Command from "./utils/Command.js"
import * as Loopback from "./utils/Loopback.js"

/** A server in a directory of its own, whose key is the directory's secret.key. */
const chat = Effect.gen(function* () {
  const cwd = yield* Command.directory
  // Some of what follows says thousands of lines, and is not about how fast one may.
  const server = yield* Command.serve({ cwd, env: { CHAT_RATE: "unlimited" } })
  return { cwd, server, env: { CHAT_PORT: server.port } }
})

/** What a user sees of a command that failed: its exit code, and one line on standard error. */
const failure = ({ code, stderr, stdout }: Command.Result) => {
  expect(stdout).toBe("")
  expect(stderr).toMatch(/^chat: [^\n]+\n$/)
  return { code, line: stderr.slice("chat: ".length, -1) }
}

describe("chat s and chat c", () => {
  it.scopedLive("need nothing before: the server makes the key, a client in the same place uses it", () =>
    Effect.gen(function* () {
      const { cwd, env, server } = yield* chat
      expect(server.stdout()).toMatch(/^made secret\.key: /)
      expect(server.stdout()).toContain(`join from here:  chat c --port ${server.port} --nick NAME`)
      expect(statSync(join(cwd, "secret.key")).mode & 0o777).toBe(0o600)
      const first = yield* Command.run(["c", "--nick", "bot"], { cwd, env, input: "hi\n\nthere" })
      expect(first).toEqual({ code: 0, stdout: "-- bot joined\n<bot> hi\n<bot> there\n-- bot left\n", stderr: "" })
      const second = yield* Command.run(["client", "--port", server.port], {
        cwd,
        env: { CHAT_NICK: "ada" },
        input: ""
      })
      expect(second).toEqual({ code: 0, stdout: `${first.stdout}-- ada joined\n-- ada left\n`, stderr: "" })
    })
  )

  it.scopedLive("carry a conversation of three", () =>
    Effect.gen(function* () {
      const { cwd, env, server } = yield* chat
      const clients = yield* Effect.forEach(["ada", "bob", "eve"], (nick) =>
        Effect.tap(Command.chat(["c", "--nick", nick], { cwd, env }), (client) => client.shows(`-- ${nick} joined`))
      )
      const [ada, bob, eve] = clients
      ada?.write("hello\n")
      yield* Effect.forEach(clients, (client) => client.shows("<ada> hello"))
      bob?.write("hello ada\n")
      yield* Effect.forEach(clients, (client) => client.shows("<bob> hello ada"))
      eve?.child.stdin?.end()
      yield* Effect.forEach(clients, (client) => client.shows("-- eve left"))
      server.kill("SIGTERM")
      expect(yield* server.exit).toBe(0)
      yield* Effect.forEach(clients.slice(0, 2), (client) => client.shows("reconnecting"))
      ada?.write("is anybody there?\n")
      yield* Command.serve({ cwd }, ["--port", server.port])
      yield* Effect.forEach(clients.slice(0, 2), (client) => client.shows("<ada> is anybody there?"))
      for (const client of [ada, bob]) expect(client?.stderr()).toBe("chat: reconnecting …\n")
      expect(ada?.stdout()).toBe(
        "-- ada joined\n-- bob joined\n-- eve joined\n<ada> hello\n<bob> hello ada\n-- eve left\n<ada> is anybody there?\n"
      )
    })
  )

  it.scopedLive("say a thousand lines in their order", () =>
    Effect.gen(function* () {
      const { cwd, env } = yield* chat
      const lines = Arr.range(1, 1000).map((i) => `line ${i}`)
      const { code, stdout } = yield* Command.run(["c", "--nick", "bot"], { cwd, env, input: lines.join("\n") })
      expect(code).toBe(0)
      expect(stdout).toBe(["-- bot joined", ...lines.map((line) => `<bot> ${line}`), "-- bot left", ""].join("\n"))
    })
  )

  it.scopedLive("refuse a line that is too long by its number, say the rest, and exit 1", () =>
    Effect.gen(function* () {
      const { cwd, env } = yield* chat
      const input = `one\n${"x".repeat(4001)}\nthree\n`
      const result = yield* Command.run(["c", "--nick", "bot"], { cwd, env, input })
      expect(result).toEqual({
        code: 1,
        stdout: "-- bot joined\n<bot> one\n<bot> three\n-- bot left\n",
        stderr: "chat: line 2 was not said: a text has 1 to 4000 characters, this one 4001\n"
      })
    })
  )

  it.scopedLive("end by signals: the server with 0, a client in a pipe with 130 after it has left", () =>
    Effect.gen(function* () {
      const { cwd, env, server } = yield* chat
      const ada = yield* Command.chat(["c", "--nick", "ada"], { cwd, env })
      const bob = yield* Command.chat(["c", "--nick", "bob"], { cwd, env })
      yield* ada.shows("-- bob joined")
      // It may know a moment later than the others that it is in, and leaves only then.
      yield* bob.shows("-- bob joined")
      bob.kill("SIGINT")
      expect(yield* bob.exit).toBe(130)
      yield* ada.shows("-- bob left")
      server.kill("SIGINT")
      expect(yield* server.exit).toBe(0)
      yield* ada.shows("reconnecting")
      ada.kill("SIGINT")
      expect(yield* ada.exit).toBe(130)
    })
  )

  it.scopedLive("end quietly when nobody reads their output any more", () =>
    Effect.gen(function* () {
      const { cwd, env } = yield* chat
      const ada = yield* Command.chat(["c", "--nick", "ada"], { cwd, env })
      yield* ada.shows("-- ada joined")
      const pipeline = `yes | head -n 2000 | "${process.execPath}" "${Command.path}" c --nick bot | head -n 3`
      const shell = yield* Command.start("sh", ["-c", pipeline], { cwd, env, input: "" })
      yield* shell.exit
      expect(shell.stderr()).toBe("")
      yield* ada.shows("-- bot left")
    })
  )

  it.scopedLive("a server whose standard error nobody reads goes on", () =>
    Effect.gen(function* () {
      const { cwd, env, server } = yield* chat
      server.child.stderr?.destroy()
      yield* Command.run(["keygen", "-o", "other.key"], { cwd })
      for (let i = 0; i < 3; i++) {
        expect((yield* Command.run(["c", "--nick", "eve", "--key-file", "other.key"], { cwd, env })).code).toBe(1)
      }
      expect((yield* Command.run(["c", "--nick", "ada"], { cwd, env })).code).toBe(0)
    })
  )

  it.scopedLive("a client leaves a server that does not answer, and says so", () =>
    Effect.gen(function* () {
      const { cwd, env, server } = yield* chat
      const ada = yield* Command.chat(["c", "--nick", "ada"], { cwd, env })
      yield* ada.shows("-- ada joined")
      server.kill("SIGSTOP")
      ada.child.stdin?.end()
      expect(yield* ada.exit).toBe(1)
      expect(ada.stderr()).toBe("chat: the server does not answer\n")
    })
  )

  it.scopedLive("a variable that is empty gives nothing", () =>
    Effect.gen(function* () {
      const cwd = yield* Command.directory
      yield* Command.run(["keygen"], { cwd })
      const env = { CHAT_PORT: "", CHAT_HOST: "", CHAT_NICK: "", CHAT_KEY_FILE: "", CHAT_KEY: "" }
      expect(failure(yield* Command.run(["c"], { cwd, env })).line).toContain("a nick is missing")
      const { line } = failure(yield* Command.run(["c", "--nick", "x", "--host", "127.9.9.9"], { cwd, env }))
      expect(line).toContain("127.9.9.9:55555")
    })
  )

  it.scopedLive("tell how to join, with the host, port and key there are", () =>
    Effect.gen(function* () {
      const cwd = yield* Command.directory
      yield* Command.run(["keygen", "-o", "room.key"], { cwd })
      yield* Command.run(["keygen", "--server", "--key-file", "room.key"], { cwd })
      const other = yield* Command.serve({ cwd }, ["--host", "127.0.0.2", "--key-file", "room.key"])
      expect(other.stdout()).toContain(`chat c --host 127.0.0.2 --port ${other.port} --key-file room.key --nick NAME`)
      const blind = yield* Command.serve({ cwd }, ["--key-file", "server.key", "--db", "blind.db"])
      expect(other.stdout()).toContain("the log is kept: chat.db\n")
      expect(blind.stdout()).toContain("the log is kept: blind.db\n")
      expect(blind.stdout()).toContain(`chat c --port ${blind.port} --key-file ROOM.key --nick NAME`)
      expect(blind.stdout()).toContain(" --key-file ROOM.key --nick NAME")
    })
  )

  it.scopedLive("a client that is killed and started again is the same member, and sees what it has missed", () =>
    Effect.gen(function* () {
      const { cwd, env } = yield* chat
      const ada = yield* Command.chat(["c", "--nick", "ada"], { cwd, env })
      yield* ada.shows("-- ada joined")
      const bob = yield* Command.chat(["c", "--nick", "bob"], { cwd, env })
      yield* ada.shows("-- bob joined")
      bob.kill("SIGKILL")
      yield* bob.exit
      ada.write("meanwhile\n")
      yield* ada.shows("<ada> meanwhile")
      const again = yield* Command.chat(["c", "--nick", "bob"], { cwd, env })
      yield* again.shows("<ada> meanwhile")
      again.write("back\n")
      yield* ada.shows("<bob> back")
      expect(ada.stdout()).toBe("-- ada joined\n-- bob joined\n<ada> meanwhile\n<bob> back\n")
    })
  )

  it.scopedLive("what a client was told to say while the server was killed is said when that is back, once", () =>
    Effect.gen(function* () {
      const { cwd, env, server } = yield* chat
      const ada = yield* Command.chat(["c", "--nick", "ada"], { cwd, env })
      yield* ada.shows("-- ada joined")
      server.kill("SIGKILL")
      yield* ada.shows("reconnecting")
      ada.write("one\n")
      // Nothing of it is in the log, and everything in its files.
      yield* Effect.sleep("500 millis")
      ada.kill("SIGKILL")
      yield* ada.exit
      yield* Command.serve({ cwd }, ["--port", server.port])
      const again = yield* Command.run(["c", "--nick", "ada"], { cwd, env, input: "two\n" })
      expect(again.code).toBe(0)
      expect(again.stdout.split("\n").filter((line) => line.startsWith("<"))).toEqual(["<ada> one", "<ada> two"])
    })
  )

  it.scopedLive("one profile is one client at a time, and another profile is another member", () =>
    Effect.gen(function* () {
      const { cwd, env } = yield* chat
      const ada = yield* Command.chat(["c", "--nick", "ada"], { cwd, env })
      yield* ada.shows("-- ada joined")
      expect(failure(yield* Command.run(["c", "--nick", "ada"], { cwd, env }))).toEqual({
        code: 1,
        line: "another chat with this profile (the nick, unless --profile names one) runs on this machine: end it, or choose another nick or --profile NAME"
      })
      const bob = yield* Command.run(["c", "--nick", "bob", "--profile", "second"], { cwd, env, input: "hi" })
      expect(bob.code).toBe(0)
      // The same member under another nick: it goes on where it was.
      const bea = yield* Command.run(["c", "--nick", "bea", "--profile", "second"], { cwd, env, input: "hi again" })
      expect(bea.stdout).toBe("-- bea joined\n<bea> hi again\n-- bea left\n")
    })
  )

  it.scopedLive("the log outlives the server, unless it is ephemeral", () =>
    Effect.gen(function* () {
      const { cwd, env, server } = yield* chat
      yield* Command.run(["c", "--nick", "ada"], { cwd, env, input: "remember this" })
      server.kill("SIGTERM")
      yield* server.exit
      const again = yield* Command.serve({ cwd }, ["--port", server.port])
      const seen = yield* Command.run(["c", "--nick", "bob"], { cwd, env, input: "" })
      expect(seen.stdout).toContain("<ada> remember this")
      again.kill("SIGTERM")
      yield* again.exit
      yield* Command.serve({ cwd }, ["--port", server.port, "--ephemeral"])
      const forgotten = yield* Command.run(["c", "--nick", "eve"], { cwd, env, input: "" })
      expect(forgotten.stdout).toBe("-- eve joined\n-- eve left\n")
    })
  )

  it.scopedLive("a new log is begun on demand, the old one is kept, and members are told", () =>
    Effect.gen(function* () {
      const { cwd, env, server } = yield* chat
      yield* Command.run(["c", "--nick", "ada"], { cwd, env, input: "the old log" })
      server.kill("SIGTERM")
      yield* server.exit
      const fresh = yield* Command.serve({ cwd }, ["--port", server.port, "--new-log"])
      expect(fresh.stdout()).toContain("the old log is in chat.db.1\n")
      const seen = yield* Command.run(["c", "--nick", "ada"], { cwd, env, input: "the new log" })
      expect(seen.stdout).toBe(
        "-- the server has begun a new log: what was said before is not in it\n-- ada joined\n<ada> the new log\n-- ada left\n"
      )
      fresh.kill("SIGTERM")
      yield* fresh.exit
      yield* Command.serve({ cwd }, ["--port", server.port, "--db", "chat.db.1"])
      const old = yield* Command.run(["c", "--nick", "bob"], { cwd, env, input: "" })
      expect(old.stdout).toContain("<ada> the old log")
    })
  )
})

describe("what cannot be done is said in one line, with what to do", () => {
  it.scopedLive("a wrong key: the client exits 1, the server lives and logs one line", () =>
    Effect.gen(function* () {
      const { cwd, env, server } = yield* chat
      expect((yield* Command.run(["keygen", "-o", "other.key"], { cwd })).code).toBe(0)
      const { code, line } = failure(
        yield* Command.run(["c", "--nick", "eve", "--key-file", "other.key"], { cwd, env })
      )
      expect(code).toBe(1)
      expect(line).toMatch(/^wrong key, or not this chat: 127\.0\.0\.1:\d+ closed the connection; compare/)
      yield* server.shows("refused: ")
      expect(server.stderr()).toMatch(/^\S+ refused: wrong key, or not a chat client \(127\.0\.0\.1:\d+\)\n$/)
      expect((yield* Command.run(["c", "--nick", "ada"], { cwd, env })).code).toBe(0)
    })
  )

  it.scopedLive("a nick that is taken or none", () =>
    Effect.gen(function* () {
      const { cwd, env } = yield* chat
      const ada = yield* Command.chat(["c", "--nick", "ada"], { cwd, env })
      yield* ada.shows("-- ada joined")
      expect(failure(yield* Command.run(["c", "--nick", "Ada"], { cwd, env }))).toEqual({
        code: 1,
        line: '"Ada" is taken, or looks like a nick that is: choose another'
      })
      expect(failure(yield* Command.run(["c", "--nick", "a b"], { cwd, env }))).toEqual({
        code: 1,
        line: "a nick is 1 to 32 letters, digits, '-', '_' or '.', without spaces"
      })
      expect(failure(yield* Command.run(["c"], { cwd, env }))).toEqual({
        code: 2,
        line: "a nick is missing: give --nick NAME, or set CHAT_NICK"
      })
    })
  )

  it.scopedLive("a port in use, and a port where nobody listens", () =>
    Effect.gen(function* () {
      const { cwd, env, server } = yield* chat
      const inUse = failure(yield* Command.run(["s", "--ephemeral"], { cwd, env }))
      expect(inUse.code).toBe(1)
      expect(inUse.line).toContain("is in use: stop what listens there, or choose another port with --port")
      server.kill("SIGTERM")
      yield* server.exit
      const refused = failure(yield* Command.run(["c", "--nick", "ada"], { cwd, env }))
      expect(refused.code).toBe(1)
      expect(refused.line).toMatch(/^nobody answers at 127\.0\.0\.1:\d+: is the server running \(chat s\), /)
    })
  )

  it.scopedLive("a database in use, of another key, of no chat, and damaged; nothing of it is overwritten", () =>
    Effect.gen(function* () {
      const { cwd, env, server } = yield* chat
      const serve = (...args: ReadonlyArray<string>) =>
        Effect.map(Command.run(["s", "--port", "0", ...args], { cwd, env }), failure)
      expect(yield* serve()).toEqual({
        code: 1,
        line: "another server keeps its log in chat.db: end it, or name another file with --db"
      })
      yield* Command.run(["c", "--nick", "ada"], { cwd, env, input: "hello" })
      server.kill("SIGTERM")
      yield* server.exit
      yield* Command.run(["keygen", "-o", "other.key"], { cwd })
      expect((yield* serve("--key-file", "other.key")).line).toContain("chat.db")
      for (const content of ["this is a letter, and no database\n".repeat(100), ""]) {
        writeFileSync(join(cwd, "letter"), content)
        if (content === "") continue
        expect((yield* serve("--db", "letter")).line).toContain("letter")
        expect(readFileSync(join(cwd, "letter"), "utf8")).toBe(content)
      }
      const bytes = readFileSync(join(cwd, "chat.db"))
      bytes.fill(0xff, 4096, 4200)
      writeFileSync(join(cwd, "chat.db"), bytes)
      const { line } = yield* serve()
      expect(line).toContain("--new-log")
      expect(readFileSync(join(cwd, "chat.db"))).toEqual(bytes)
    })
  )

  it.scopedLive("a log whose main file is lost is moved aside with --new-log, as it says", () =>
    Effect.gen(function* () {
      const { cwd, env, server } = yield* chat
      yield* Command.run(["c", "--nick", "ada"], { cwd, env, input: "hello" })
      server.kill("SIGKILL")
      yield* server.exit
      renameSync(join(cwd, "chat.db"), join(cwd, "lost"))
      expect(failure(yield* Command.run(["s", "--port", "0"], { cwd, env })).line).toContain("--new-log")
      const fresh = yield* Command.serve({ cwd }, ["--new-log"])
      expect(fresh.stdout()).toContain("the old log is in chat.db.1")
      expect(existsSync(join(cwd, "chat.db.1-wal"))).toBe(true)
    })
  )

  it.scopedLive("options of a log that contradict each other, and a time that is none", () =>
    Effect.gen(function* () {
      const cwd = yield* Command.directory
      for (const args of [["--db", "a.db"], ["--new-log"]]) {
        expect(failure(yield* Command.run(["s", "--ephemeral", ...args], { cwd })).code).toBe(2)
      }
      for (const time of ["30", "days", "0 days", "-1 days", "soon"]) {
        expect(failure(yield* Command.run(["s", `--retain=${time}`], { cwd }))).toEqual({
          code: 2,
          line: expect.stringContaining("a time is a number and a unit, as in '12 hours' or '30 days', or forever")
        })
      }
    })
  )

  it.scopedLive("no key file, one that others may read, one that holds none, one for servers only", () =>
    Effect.gen(function* () {
      const cwd = yield* Command.directory
      const join_ = (...args: ReadonlyArray<string>) =>
        Effect.map(Command.run(["c", "--nick", "x", ...args], { cwd }), failure)
      expect(yield* join_()).toEqual({
        code: 1,
        line: "there is no key file secret.key: make one with chat keygen, or ask for the room's"
      })
      expect(existsSync(join(cwd, "secret.key"))).toBe(false)
      yield* Command.run(["keygen"], { cwd })
      chmodSync(join(cwd, "secret.key"), 0o640)
      expect(yield* join_()).toEqual({
        code: 1,
        line: "others than you may read or change secret.key: run chmod 600 secret.key"
      })
      expect(failure(yield* Command.run(["s"], { cwd })).line).toContain("chmod 600 secret.key")
      chmodSync(join(cwd, "secret.key"), 0o600)
      yield* Command.run(["keygen", "--server"], { cwd })
      expect((yield* join_("--key-file", "server.key")).line).toContain("joining needs the room key")
      writeFileSync(join(cwd, "junk.key"), "hello\n", { mode: 0o600 })
      expect((yield* join_("--key-file", "junk.key")).line).toContain("line 1 is not a key")
    })
  )

  it.scopedLive("something else than a chat on the port", () =>
    Effect.gen(function* () {
      const cwd = yield* Command.directory
      yield* Command.run(["keygen"], { cwd })
      for (const banner of [
        "SSH-2.0-OpenSSH_9.2\r\n",
        "HTTP/1.1 400 Bad Request\r\n\r\n",
        "A".repeat(100_000),
        "\n",
        ""
      ]) {
        const other = Net.createServer((socket) => {
          socket.on("error", () => {})
          socket.end(banner)
        })
        const port = String(yield* Loopback.listen(other))
        const { code, line } = failure(yield* Command.run(["c", "--nick", "x", "--port", port], { cwd }))
        expect(code).toBe(1)
        expect(line).toContain("wrong key, or not this chat")
      }
    })
  )

  it.scopedLive("garbage at the server's port, which goes on serving", () =>
    Effect.gen(function* () {
      const { cwd, env, server } = yield* chat
      for (const bytes of ["GET / HTTP/1.1\r\n\r\n", "A".repeat(100_000), "\n", "\u0000\u00ff".repeat(50), "AAAA"]) {
        yield* Effect.async<void>((resume) => {
          const socket = Net.connect(Number(server.port), "127.0.0.1", () => socket.end(bytes))
          socket.on("error", () => {})
          socket.on("close", () => resume(Effect.void))
          socket.resume()
        })
      }
      expect((yield* Command.run(["c", "--nick", "ada"], { cwd, env })).code).toBe(0)
      expect(server.stderr().split("\n").length).toBeLessThanOrEqual(6)
    })
  )

  it.scopedLive("wrong usage, with exit code 2", () =>
    Effect.gen(function* () {
      const cwd = yield* Command.directory
      const wrong = [
        ["c", "--nick", "x", "--port", "70000"],
        ["c", "--nick", "x", "--port", "http"],
        ["s", "--port", "-1"],
        ["s", "--bogus"],
        ["c", "--bogus"],
        ["c", "--port"],
        ["bogus"],
        ["keygen", "extra"],
        ["c", "--key", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="]
      ]
      for (const args of wrong) {
        const { code, line } = failure(yield* Command.run(args, { cwd }))
        expect([args, code]).toEqual([args, 2])
        expect(line).toMatch(/\(chat --help shows how\)$/)
      }
      for (const option of ["--metrics", "--bogus"]) {
        const { line } = failure(yield* Command.run(["s", option], { cwd }))
        expect(line).toBe(`${option}: no such option, or its value is missing (chat --help shows how)`)
      }
      for (const CHAT_PORT of ["99999", "abc", "1.5"]) {
        const { code, line } = failure(yield* Command.run(["s"], { cwd, env: { CHAT_PORT } }))
        expect([CHAT_PORT, code]).toEqual([CHAT_PORT, 2])
        expect(line).toContain("a port is a number from 0 to 65535")
      }
      expect(existsSync(join(cwd, "secret.key"))).toBe(false)
    })
  )
})

describe("keys", () => {
  it.scopedLive("chat keygen makes a file for its owner only, and overwrites none without --force", () =>
    Effect.gen(function* () {
      const cwd = yield* Command.directory
      const file = join(cwd, "secret.key")
      expect(yield* Command.run(["keygen"], { cwd })).toEqual({
        code: 0,
        stdout: "wrote secret.key: give it to those who may join, by a way nobody else can read\n",
        stderr: ""
      })
      const first = readFileSync(file, "utf8")
      expect(first).toMatch(/^[\w-]{43}=\n$/)
      expect(failure(yield* Command.run(["keygen"], { cwd }))).toEqual({
        code: 1,
        line: "secret.key is there already: give another name with -o, --rotate to put a new key before what it has, or --force to replace it"
      })
      expect(readFileSync(file, "utf8")).toBe(first)
      chmodSync(file, 0o644)
      expect((yield* Command.run(["keygen", "--force"], { cwd })).code).toBe(0)
      expect(readFileSync(file, "utf8")).not.toBe(first)
      expect(statSync(file).mode & 0o777).toBe(0o600)
      expect((yield* Command.run(["keygen", "-o", "-"], { cwd })).stdout).toMatch(/^[\w-]{43}=\n$/)
    })
  )

  it.scopedLive("come from the flag, then CHAT_KEY_FILE, then CHAT_KEY, then ./secret.key", () =>
    Effect.gen(function* () {
      const { cwd, env } = yield* chat
      const key = readFileSync(join(cwd, "secret.key"), "utf8")
      yield* Command.run(["keygen", "-o", "other.key"], { cwd })
      const other = readFileSync(join(cwd, "other.key"), "utf8")
      const code = (args: ReadonlyArray<string>, more: Record<string, string>) =>
        Effect.map(
          Command.run(["c", "--nick", "x", ...args], { cwd, env: { ...env, ...more } }),
          (result) => result.code
        )
      expect(yield* code([], {})).toBe(0)
      expect(yield* code([], { CHAT_KEY: key })).toBe(0)
      expect(yield* code([], { CHAT_KEY: other })).toBe(1)
      expect(yield* code([], { CHAT_KEY: "" })).toBe(0)
      expect(yield* code([], { CHAT_KEY: other, CHAT_KEY_FILE: "secret.key" })).toBe(0)
      expect(yield* code([], { CHAT_KEY: key, CHAT_KEY_FILE: "other.key" })).toBe(1)
      expect(yield* code(["--key-file", "secret.key"], { CHAT_KEY: other, CHAT_KEY_FILE: "other.key" })).toBe(0)
    })
  )

  it.scopedLive("come from standard input: then a client only listens", () =>
    Effect.gen(function* () {
      const { cwd, env } = yield* chat
      const key = readFileSync(join(cwd, "secret.key"), "utf8")
      const bot = yield* Command.chat(["c", "--nick", "bot", "--key-file", "-"], { cwd, env, input: key })
      yield* bot.shows("-- bot joined")
      expect((yield* Command.run(["c", "--nick", "ada"], { cwd, env, input: "hello\n" })).code).toBe(0)
      yield* bot.shows("<ada> hello")
      bot.kill("SIGINT")
      expect(yield* bot.exit).toBe(130)
    })
  )

  it.scopedLive("a server with a server key only carries the same conversation", () =>
    Effect.gen(function* () {
      const cwd = yield* Command.directory
      yield* Command.run(["keygen"], { cwd })
      const made = yield* Command.run(["keygen", "--server"], { cwd })
      expect(made.stdout).toMatch(/^wrote server\.key: serve with it /)
      expect(readFileSync(join(cwd, "server.key"), "utf8")).toMatch(/^server:[\w-]{43}=\n$/)
      const server = yield* Command.serve({ cwd }, ["--key-file", "server.key"])
      const env = { CHAT_PORT: server.port }
      const result = yield* Command.run(["c", "--nick", "bot"], { cwd, env, input: "hi\n" })
      expect(result).toEqual({ code: 0, stdout: "-- bot joined\n<bot> hi\n-- bot left\n", stderr: "" })
    })
  )

  it.scopedLive("are made by chat s where the flag names no file yet", () =>
    Effect.gen(function* () {
      const cwd = yield* Command.directory
      const server = yield* Command.serve({ cwd }, ["--key-file", "room.key"])
      expect(server.stdout()).toContain("made room.key")
      const args = ["c", "--nick", "x", "--key-file", "room.key", "--port", server.port]
      expect((yield* Command.run(args, { cwd })).code).toBe(0)
    })
  )
})

describe("chat alone", () => {
  it.scopedLive("prints help where there is no terminal, and its version when asked", () =>
    Effect.gen(function* () {
      const cwd = yield* Command.directory
      const help = yield* Command.run([], { cwd })
      expect(help).toEqual(yield* Command.run(["--help"], { cwd }))
      expect(help.code).toBe(0)
      for (const name of ["s", "c", "keygen", "server", "client"]) expect(help.stdout).toMatch(new RegExp(`- ${name} `))
      expect(help.stdout).not.toContain("\u001b")
      expect((yield* Command.run(["--version"], { cwd })).stdout.trim()).toBe(
        JSON.parse(readFileSync("package.json", "utf8")).version
      )
    })
  )
})

const script = spawnSync("script", ["--version"]).status === 0
if (!script) console.warn("no tests on a terminal: the command `script` (util-linux) is not installed")

describe("chat invite", () => {
  const key = "NDUyZmQ3ZDc1YmQ0NGY1MWE5N2JmOTc5NTAyYjUxZjM="

  it.scopedLive("prints one line, with which others get in", () =>
    Effect.gen(function* () {
      const { cwd, server } = yield* chat
      const made = yield* Command.run(["invite", "--host", "127.0.0.1", "--port", server.port], { cwd })
      expect(made).toMatchObject({ code: 0, stderr: "" })
      expect(made.stdout).toMatch(new RegExp(`^chat://127\\.0\\.0\\.1:${server.port}#v1\\.[\\w-]{43}=\n$`))
      const line = made.stdout.trim()
      const elsewhere = yield* Command.directory
      const byVariable = { cwd: elsewhere, env: { CHAT_INVITE: line }, input: "by variable" }
      expect(yield* Command.run(["c", "--nick", "ada"], byVariable)).toEqual({
        code: 0,
        stdout: "-- ada joined\n<ada> by variable\n-- ada left\n",
        stderr: ""
      })
      const sent = yield* Command.run(["send", "--nick", "bob", "hi"], { ...byVariable, input: "" })
      expect(sent).toEqual({ code: 0, stdout: "", stderr: "" })
      const asKey = yield* Command.run(["c", "--nick", "cyd", "--key-file", "-", "--count", "1"], {
        cwd: elsewhere,
        input: ` ${line}\n`
      })
      expect(asKey).toMatchObject({ code: 0, stderr: "" })
      // As an argument it works, and is warned about: who lists processes sees it.
      const argument = yield* Command.run(["c", "--nick", "dan", line], { cwd: elsewhere, input: "" })
      expect(argument).toMatchObject({ code: 0, stderr: expect.stringContaining("can be read by everybody") })
      expect(argument.stderr).not.toContain(line.slice(-44))
    })
  )

  it.scopedLive("tells what to do with what is no invite, and shows no key", () =>
    Effect.gen(function* () {
      const cwd = yield* Command.directory
      const refused = (CHAT_INVITE: string) =>
        Effect.map(Command.run(["c", "--nick", "ada"], { cwd, env: { CHAT_INVITE } }), failure)
      for (const [text, told] of [
        ["hello", "begins with chat://"],
        [`chat://host:1#v2.${key}`, "install a newer one"],
        [`chat://host:1#v1.${key.slice(1)}`, "is damaged"],
        [`chat://host:99999#v1.${key}`, "port"],
        ["chat://host", "has no key"]
      ] as const) {
        const { code, line } = yield* refused(text)
        expect(code).toBe(1)
        expect(line).toContain(told)
        expect(line).not.toContain(key.slice(1, -1))
      }
      const both = yield* Command.run(["c", "--nick", "a", "--key-file", "x", `chat://host#v1.${key}`], { cwd })
      expect(failure(both)).toEqual({ code: 2, line: "give an invite or --key-file, not both" })
      writeFileSync(join(cwd, "server.key"), `server:${key}\n`, { mode: 0o600 })
      const blind = failure(yield* Command.run(["invite", "--host", "h", "--key-file", "server.key"], { cwd }))
      expect(blind.code).toBe(1)
      writeFileSync(join(cwd, "secret.key"), `${key}\n`, { mode: 0o600 })
      for (const args of [
        ["--host", "bad host"],
        ["--port", "0"],
        ["--host", "0.0.0.0"]
      ]) {
        expect(failure(yield* Command.run(["invite", ...args], { cwd })).code).toBe(2)
      }
      const local = yield* Command.run(["invite"], { cwd })
      expect(local.stdout).toBe(`chat://127.0.0.1:55555#v1.${key}\n`)
      expect(local.stderr).toContain("this invite is for this machine only")
    })
  )
})

it.scopedLive("no error shows a key, wherever it was put", () =>
  Effect.gen(function* () {
    const cwd = yield* Command.directory
    const key = "NDUyZmQ3ZDc1YmQ0NGY1MWE5N2JmOTc5NTAyYjUxZjM="
    const invite = `chat://host:1#v1.${key}`
    for (const args of [
      ["s", invite],
      ["invite", invite],
      ["c", "--nick", "a", invite, invite],
      ["c", "--nick", "a", "--host", invite],
      ["c", "--nick", "a", "--key-file", invite],
      ["c", "--nick", "a", "--key-file", key],
      ["send", "--nick", "a", `--${key}`]
    ]) {
      const { code, stderr, stdout } = yield* Command.run(args, { cwd })
      expect([args, code]).not.toEqual([args, 0])
      expect(`${stdout}${stderr}`).not.toContain(key.slice(0, -1))
    }
  })
)

describe.skipIf(!script)("on a terminal (needs the command script)", () => {
  /** Runs `chat ARGS` on a pseudo terminal of 80 columns. */
  const onTerminal = (args: string, options: Command.Options) =>
    Command.start(
      "script",
      ["-qefc", `stty cols 80; exec "${process.execPath}" "${Command.path}" ${args}`, "/dev/null"],
      {
        ...options,
        env: { TERM: "xterm", NO_COLOR: "1", ...options.env }
      }
    )

  it.scopedLive("chat alone asks whether to serve or join, then for a nick, and Ctrl-C leaves", () =>
    Effect.gen(function* () {
      const { cwd, env, server } = yield* chat
      const client = yield* onTerminal("", { cwd, env })
      yield* client.shows("server or client? (s/c) ")
      client.write("c\r")
      yield* client.shows("nick: ")
      client.write("ada\r")
      yield* client.shows("-- ada joined")
      client.write("hello\r")
      yield* client.shows("<ada> hello")
      client.write("/names\r")
      yield* client.shows("-- 1 here: ada")
      client.write("/nick bea\r/me waves\r/nosuch\r//slash\r")
      yield* client.shows("-- ada is now bea")
      yield* client.shows("* bea waves")
      yield* client.shows("there is no /nosuch")
      yield* client.shows("<bea> /slash")
      client.write("half a line\u0003\u0003")
      expect(yield* client.exit).toBe(0)
      const rest = yield* Command.run(["c", "--nick", "x"], { cwd, env })
      expect(rest.stdout).toContain("-- bea left\n")
      expect(rest.stdout).not.toContain("half")
      server.kill("SIGTERM")
      yield* server.exit
    })
  )

  it.scopedLive("what is typed is said before Ctrl-D leaves, and a nick not given is an error of usage", () =>
    Effect.gen(function* () {
      const { cwd, env } = yield* chat
      const client = yield* onTerminal("c --nick ada", { cwd, env })
      yield* client.shows("-- ada joined")
      client.write("last words\r\u0004")
      expect(yield* client.exit).toBe(0)
      expect((yield* Command.run(["c", "--nick", "x"], { cwd, env })).stdout).toContain(
        "<ada> last words\n-- ada left\n"
      )
      const pasted = yield* onTerminal("c --nick eve", { cwd, env })
      yield* pasted.shows("-- eve joined")
      pasted.write("one\r/nick eva\rtwo\r\u0004")
      expect(yield* pasted.exit).toBe(0)
      const log = (yield* Command.run(["c", "--nick", "x"], { cwd, env })).stdout
      expect(log).toContain("<eve> one\n-- eve is now eva\n<eva> two\n-- eva left\n")
      const nameless = yield* onTerminal("c", { cwd, env })
      // The last one is offered.
      yield* nameless.shows("nick [eve]: ")
      nameless.write("\u0003")
      expect(yield* nameless.exit).toBe(0)
    })
  )
})

describe("the code caches", () => {
  const directory = dirname(Command.path)

  it("are V8's own of what is run", () => {
    for (const name of ["chat", "StoreWorker"]) {
      const source = readFileSync(join(directory, `${name}.cjs`))
      // Read as Latin-1, it is what it is only in ASCII.
      expect(source.every((byte) => byte < 0x80)).toBe(true)
      const cachedData = readFileSync(join(directory, `${name}.cache`))
      const script = new Script(source.toString("latin1"), { cachedData })
      expect(script.cachedDataRejected).toBe(false)
    }
  })

  it.scopedLive("may be of another V8: the command runs all the same", () =>
    Effect.gen(function* () {
      const cwd = yield* Command.directory
      cpSync(directory, cwd, { recursive: true })
      writeFileSync(join(cwd, "chat.cache"), "what another V8 left")
      const started = spawnSync(process.execPath, [join(cwd, "chat.js"), "--help"], { cwd, encoding: "utf8" })
      const help = yield* Command.run(["--help"], { cwd })
      expect({ code: started.status, stdout: started.stdout, stderr: started.stderr }).toEqual(help)
    })
  )
})
