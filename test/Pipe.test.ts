import { spawnSync } from "node:child_process"
import { readFileSync, statSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { describe, expect, it } from "@effect/vitest"
import * as Arr from "effect/Array"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as EntryJson from "../src/client/terminal/EntryJson.js"
import * as Command from "./utils/Command.js"

/** A server in a directory of its own, whose key is the directory's secret.key. */
const chat = Effect.gen(function* () {
  const cwd = yield* Command.directory
  const server = yield* Command.serve({ cwd })
  const options = { cwd, env: { CHAT_PORT: server.port } }
  return {
    cwd,
    server,
    options,
    /** Runs `chat c --nick NAME ARGS` to its end. */
    c: (nick: string, args: ReadonlyArray<string> = [], input = "") =>
      Command.run(["c", "--nick", nick, ...args], { ...options, input }),
    send: (...args: ReadonlyArray<string>) => Command.run(["send", ...args], options),
    /** Runs a line of shell, in which $chat is the command. */
    shell: (line: string) =>
      Effect.gen(function* () {
        const running = yield* Command.start("sh", ["-c", line], {
          cwd,
          env: { ...options.env, chat: `${process.execPath} ${Command.path}` },
          input: ""
        })
        return { code: yield* running.exit, stdout: running.stdout(), stderr: running.stderr() }
      })
  }
})

/** A line of JSON has nothing beside its shape. */
const decode = Schema.decodeUnknownSync(Schema.parseJson(EntryJson.EntryJson), { onExcessProperty: "error" })
const lines = (text: string) => text.split("\n").slice(0, -1)
const entries = (text: string) => lines(text).map((line) => decode(line))
const texts = (text: string) => entries(text).flatMap((entry) => (entry._tag === "Said" ? [entry.text] : []))

const said = { code: 0, stdout: "", stderr: "" }

describe("what chat c reads", () => {
  it.scopedLive("is lines of UTF-8: what is none is refused by its number, the rest is said", () =>
    Effect.gen(function* () {
      const { cwd, shell } = yield* chat
      const input = Buffer.concat([
        Buffer.from("\ufeffone\r\n\n \t \n"),
        Buffer.of(0xc3, 0x28, 0x0a),
        Buffer.from(`${"x".repeat(5_000_000)}\n${"🙂".repeat(4_000)}\n${"é".repeat(4_001)}\nlast`)
      ])
      writeFileSync(join(cwd, "input"), input)
      const result = yield* shell("$chat c --nick bot < input")
      expect(result).toEqual({
        code: 1,
        stdout: `-- bot joined\n<bot> one\n<bot> ${"🙂".repeat(4_000)}\n<bot> last\n-- bot left\n`,
        stderr:
          "chat: line 4 was not said: it is not UTF-8\n" +
          "chat: line 5 was not said: a text has 1 to 4000 characters\n" +
          "chat: line 7 was not said: a text has 1 to 4000 characters, this one 4001\n"
      })
    })
  )

  it.scopedLive("is not read ahead of a server that takes nothing", () =>
    Effect.gen(function* () {
      const { options, server } = yield* chat
      const bot = yield* Command.chat(["c", "--nick", "bot"], options)
      yield* bot.shows("-- bot joined")
      server.kill("SIGSTOP")
      const { stdin } = bot.child
      const chunk = `${"x".repeat(1_023)}\n`.repeat(64)
      for (let i = 0; i < 256; i++) stdin?.write(chunk)
      yield* Effect.sleep("1 second")
      // Of 16 MiB: 256 texts, and what is in the pipe and in buffers on the way.
      expect(stdin?.writableLength).toBeGreaterThan(15 * 1024 * 1024)
      bot.kill("SIGKILL")
      server.kill("SIGCONT")
    })
  )
})

describe("chat c --json", () => {
  it.scopedLive("prints each event as the Schema says, and takes what it prints", () =>
    Effect.gen(function* () {
      const { c, options, shell } = yield* chat
      const ada = yield* Command.chat(["c", "--nick", "ada", "--json"], options)
      yield* ada.shows('"Joined"')
      ada.write('{"_tag":"Said","text":"two\\nlines"}\n\n{"_tag":"Said","text":"waves","me":true,"to":"bob"}\n')
      ada.child.stdin?.end()
      expect(yield* ada.exit).toBe(0)
      expect(ada.stderr()).toBe("")
      expect(entries(ada.stdout())).toMatchObject([
        { _tag: "Joined", seq: 1, nick: "ada" },
        { _tag: "Said", seq: 2, n: 1, nick: "ada", text: "two\nlines", me: false, own: true, past: false },
        { _tag: "Said", seq: 3, text: "waves", me: true },
        { _tag: "Left", seq: 4, reason: "quit" }
      ])
      // As many as there are: who is in the same room would hear what the other says, and say it again.
      const copy = yield* shell("$chat c --nick bob --json --since 0 --count 4 | $chat c --nick eve --json")
      expect({ ...copy, stdout: "" }).toEqual(said)
      const all = yield* c("ada", ["--json"])
      expect(texts(all.stdout)).toEqual(["two\nlines", "waves"])
      expect(entries(all.stdout).filter((entry) => entry._tag === "Said")).toMatchObject([
        { nick: "eve", me: false },
        { nick: "eve", me: true }
      ])
    })
  )

  it.scopedLive("refuses what is no event by its number, and skips other events", () =>
    Effect.gen(function* () {
      const { c } = yield* chat
      const input = [
        '{"_tag":"Said","text":"one"}',
        "hello",
        '{"_tag":"Joined","seq":1,"at":0,"member":1,"nick":"x"}',
        '{"text":"no tag"}',
        '{"_tag":"Said","text":""}',
        '{"_tag":"Said","text":"\\ud800"}',
        '{"_tag":"Typing"}',
        '{"_tag":"Said","text":"two"}'
      ]
      const { code, stderr, stdout } = yield* c("bot", ["--json"], input.join("\n"))
      expect(code).toBe(1)
      expect(texts(stdout)).toEqual(["one", "two"])
      expect(lines(stderr)).toEqual([
        "chat: line 2 was not said: it is not JSON",
        'chat: line 4 was not said: it is not an object with "_tag"',
        "chat: line 5 was not said: a text has 1 to 4000 characters, this one 0",
        "chat: line 6 was not said: a text is well-formed Unicode, and this one is not"
      ])
    })
  )
})

describe("chat c --listen", () => {
  it.scopedLive("stays when the input ends; SIGTERM ends it with 0, Ctrl-C with 130, and it leaves in order", () =>
    Effect.gen(function* () {
      const { options, send } = yield* chat
      const ada = yield* Command.chat(["c", "--nick", "ada"], options)
      yield* ada.shows("-- ada joined")
      for (const [nick, signal, code] of [
        ["bob", "SIGTERM", 0],
        ["eve", "SIGINT", 130]
      ] as const) {
        const listener = yield* Command.chat(["c", "--nick", nick, "--listen"], { ...options, input: "hi" })
        yield* listener.shows(`<${nick}> hi`)
        expect(yield* send("--nick", "cron", `for ${nick}`)).toEqual(said)
        yield* listener.shows(`<cron> for ${nick}`)
        yield* listener.shows("-- cron left")
        listener.kill(signal)
        expect(yield* listener.exit).toBe(code)
        yield* ada.shows(`-- ${nick} left`)
      }
    })
  )
})

describe("chat c --since and --count", () => {
  it.scopedLive("print from a place on whatever was seen, as many as are asked for, and end", () =>
    Effect.gen(function* () {
      const { c, cwd } = yield* chat
      const all = Arr.range(1, 700).map((i) => `text ${i}`)
      expect((yield* c("ada", [], all.join("\n"))).code).toBe(0)
      const whole = yield* c("bob", ["--json", "--since", "0"])
      expect(whole.code).toBe(0)
      expect(texts(whole.stdout)).toEqual(all)
      expect(entries(whole.stdout).map((entry) => "seq" in entry && entry.seq)).toEqual(Arr.range(1, 704))
      const some = yield* c("bob", ["--since", "500", "--count", "3"])
      expect(some).toEqual({ ...said, stdout: "<ada> text 500\n<ada> text 501\n<ada> text 502\n" })
      // Beyond the end: what is new, and that is only that it leaves.
      expect(yield* c("bob", ["--since", "999999"])).toEqual({ ...said, stdout: "-- bob left\n" })
      for (const [option, value] of [
        ["--since", "-1"],
        ["--since", "x"],
        ["--count", "0"],
        ["--count", "1.5"]
      ] as const) {
        const wrong = yield* Command.run(["c", "--nick", "x", option, value], { cwd })
        expect(wrong.code).toBe(2)
        expect(wrong.stderr).toMatch(new RegExp(`^chat: ${option} is a number from [01] on [^\n]*\n$`))
      }
    })
  )

  it.scopedLive("--count takes events one run after the other, each once", () =>
    Effect.gen(function* () {
      const { c, send } = yield* chat
      yield* c("ada", [], "one\ntwo\nthree")
      const runs = yield* Effect.forEach(Arr.range(1, 3), () => c("bob", ["--listen", "--count", "2"]))
      expect(runs.map(({ code, stdout }) => [code, stdout])).toEqual([
        [0, "-- ada joined\n<ada> one\n"],
        [0, "<ada> two\n<ada> three\n"],
        [0, "-- ada left\n-- bob joined\n"]
      ])
      yield* send("--nick", "cron", "done")
    })
  )

  it.scopedLive("--since in a new log says so, and prints all of that", () =>
    Effect.gen(function* () {
      const { c, cwd, options, server } = yield* chat
      yield* c("ada", [], "the old log")
      server.kill("SIGTERM")
      yield* server.exit
      yield* Command.serve({ cwd }, ["--port", server.port, "--new-log"])
      yield* Command.run(["send", "--nick", "bob", "the new log"], options)
      const { stdout } = yield* c("ada", ["--since", "3"])
      expect(stdout).toBe(
        "-- the server has begun a new log: what was said before is not in it\n" +
          "-- bob joined\n<bob> the new log\n-- bob left\n-- ada joined\n-- ada left\n"
      )
    })
  )
})

describe("chat send", () => {
  it.scopedLive(
    "says its words or all of its input as one text, prints nothing, and leaves what it missed unseen",
    () =>
      Effect.gen(function* () {
        const { c, options, send, shell } = yield* chat
        yield* c("cron")
        yield* c("ada", [], "for cron to see")
        expect(yield* send("--nick", "cron", "two  spaces", "and", "more")).toEqual(said)
        expect(yield* send("after", "options", "--nick", "cron")).toEqual(said)
        expect(yield* send("--nick", "cron", "--", "--nick", "--help", "-")).toEqual(said)
        expect(yield* Command.run(["send", "--nick", "cron", "-"], { ...options, input: "a\r\nb\n\n" })).toEqual(said)
        expect(yield* shell("$chat send --nick one 1 & $chat send --nick one 2; wait $!")).toEqual(said)
        const seen = yield* c("cron", ["--json"])
        expect(texts(seen.stdout).slice(0, 5)).toEqual([
          "for cron to see",
          "two  spaces and more",
          "after options",
          "--nick --help -",
          "a\nb"
        ])
        expect(texts(seen.stdout).slice(5).sort()).toEqual(["1", "2"])
      })
  )

  it.scopedLive("fails in one line", () =>
    Effect.gen(function* () {
      const { options, server } = yield* chat
      const fails = (code: number, line: string, args: ReadonlyArray<string>, input = "") =>
        Effect.map(Command.run(["send", ...args], { ...options, input }), (result) =>
          expect(result).toEqual({ code, stdout: "", stderr: `chat: ${line}\n` })
        )
      yield* fails(2, "a nick is missing: give --nick NAME, or set CHAT_NICK", ["hi"])
      const nothing = "there is nothing to say: give a text, or - for standard input"
      yield* fails(2, nothing, ["--nick", "x"])
      yield* fails(2, nothing, ["--nick", "x", "", " "])
      yield* fails(2, "--nck is no option here: options go before the text, and a text with such words goes after --", [
        "--nick",
        "x",
        "--nck",
        "y"
      ])
      yield* fails(2, "standard input holds the key: give the text in words", ["--nick", "x", "--key-file", "-", "-"])
      yield* fails(1, "standard input holds nothing to say", ["--nick", "x", "-"], " \n")
      yield* fails(1, "a text has 1 to 4000 characters, this one 4001", ["--nick", "x", "y".repeat(4_001)])
      const more = "standard input has more than 65536 bytes"
      yield* fails(1, more, ["--nick", "x", "-"], "y".repeat(200_000))
      server.kill("SIGTERM")
      yield* server.exit
      const { code, stderr } = yield* Command.run(["send", "--nick", "x", "hi"], options)
      expect(code).toBe(1)
      expect(stderr).toMatch(/^chat: nobody answers at [^\n]*\n$/)
    })
  )
})

describe("what chat c writes", () => {
  it.scopedLive("waits for who reads slowly, and is all there when it has ended", () =>
    Effect.gen(function* () {
      const { c, shell } = yield* chat
      const all = Arr.range(1, 600).map((i) => `${i} ${"x".repeat(500)}`)
      yield* c("ada", [], all.join("\n"))
      const { stdout } = yield* shell("$chat c --nick bob --since 0 | (sleep 3; cat)")
      expect(lines(stdout).slice(1, -3)).toEqual(all.map((text) => `<ada> ${text}`))
    })
  )

  it.scopedLive.skipIf(process.platform !== "linux")("cannot be written: it says so and exits with 1", () =>
    Effect.gen(function* () {
      const { shell } = yield* chat
      const { code, stderr } = yield* shell("$chat c --nick bob > /dev/full")
      expect(code).toBe(1)
      expect(stderr).toMatch(/^chat: cannot write to standard output: [^\n]*\n$/)
      const full = yield* shell("$chat c --nick bob --transcript /dev/full")
      expect(full.code).toBe(1)
      expect(full.stderr).toMatch(/^chat: cannot keep the transcript in \/dev\/full: ENOSPC[^\n]*\n$/)
    })
  )

  it.scopedLive.skipIf(process.platform !== "linux")(
    "cannot be written, or is read by nobody, when all else is done: it ends as it would before",
    () =>
      Effect.gen(function* () {
        const { shell } = yield* chat
        for (const command of ["--help", "admin names"]) {
          const { code, stderr } = yield* shell(`$chat ${command} > /dev/full`)
          expect(code).toBe(1)
          expect(stderr).toMatch(/^chat: cannot write to standard output: [^\n]*\n$/)
          const unread = yield* shell(`{ $chat ${command}; echo "code $?" >&2; } | :`)
          expect(unread.stderr).toBe("code 0\n")
        }
      })
  )

  it.scopedLive("is kept in a transcript, for its owner only", () =>
    Effect.gen(function* () {
      const { c, cwd } = yield* chat
      const first = yield* c("ada", ["--transcript", "kept.txt"], "one")
      const second = yield* c("bob", ["--transcript", "kept.txt", "--json"], '{"_tag":"Said","text":"two"}')
      expect(readFileSync(join(cwd, "kept.txt"), "utf8")).toBe(first.stdout + second.stdout)
      expect(statSync(join(cwd, "kept.txt")).mode & 0o777).toBe(0o600)
      expect(yield* c("ada", ["--transcript", "."])).toEqual({
        code: 1,
        stdout: "",
        stderr: "chat: cannot keep the transcript in .: it is a directory, name a file\n"
      })
    })
  )
})

describe("chat --completions", () => {
  const bash = spawnSync("bash", ["--version"]).status === 0

  /** What bash completes a line of words to, the last of which has begun. */
  const complete = (cwd: string, ...words: ReadonlyArray<string>) => {
    const script = `
      source <("$1" "$2" --completions bash)
      shift 2
      COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1))
      function="$(complete -p chat | sed 's/.*-F \\([^ ]*\\).*/\\1/')"
      "$function" chat "\${COMP_WORDS[COMP_CWORD]}" "\${COMP_WORDS[COMP_CWORD-1]}"
      printf '%s\\n' "\${COMPREPLY[@]}"`
    const args = ["-c", script, "bash", process.execPath, Command.path, ...words]
    const { stderr, stdout } = spawnSync("bash", args, { cwd, encoding: "utf8" })
    expect(stderr).toBe("")
    return lines(stdout)
  }

  it.scopedLive.skipIf(!bash)("complete commands, options, their values and files in bash", () =>
    Effect.gen(function* () {
      const cwd = yield* Command.directory
      writeFileSync(join(cwd, "room.key"), "")
      expect(complete(cwd, "chat", "se")).toEqual(["send", "server"])
      expect(complete(cwd, "chat", "c", "--tr")).toEqual(["--transcript"])
      expect(complete(cwd, "chat", "admin", "un")).toEqual(["unban"])
      expect(complete(cwd, "chat", "admin", "ban", "--t")).toEqual(["--ticket-only"])
      expect(complete(cwd, "chat", "c", "--key-file", "ro")).toEqual(["room.key"])
      expect(complete(cwd, "chat", "s", "--log-format", "")).toEqual(["pretty", "json", "logfmt"])
      expect(complete(cwd, "chat", "doctor", "--log-level", "t")).toEqual(["trace"])
      expect(complete(cwd, "chat", "--completions", "")).toEqual(["bash", "zsh", "fish"])
      expect(complete(cwd, "chat", "server", "--log-format", "l")).toEqual(["logfmt"])
    })
  )

  it.scopedLive(
    "offer files in zsh and fish where an option names one, the formats of the log, and nothing elsewhere",
    () =>
      Effect.gen(function* () {
        const cwd = yield* Command.directory
        const { stdout: fish } = yield* Command.run(["--completions", "fish"], { cwd })
        const { stdout: zsh } = yield* Command.run(["--completions", "zsh"], { cwd })
        for (const [command, option] of [
          ["c", "key-file"],
          ["c", "transcript"],
          ["send", "key-file"],
          ["s", "db"],
          ["keygen", "output"]
        ]) {
          expect(fish).toMatch(new RegExp(`^complete -c chat -n "[^"]* ${command}" .*-l ${option} -r -F `, "m"))
          expect(zsh).toMatch(new RegExp(`^ *'--${option}\\[.*\\]:file:_files' `, "m"))
        }
        expect(fish).toMatch(/ -l log-format -r -f -a "pretty json logfmt" -d /)
        expect(zsh).toMatch(/^ *'--log-format\[.*\]:format:\(pretty json logfmt\)' \\$/m)
        expect(fish).toMatch(/ -l nick -r -f /)
        expect(zsh).not.toMatch(/--nick\[.*_files/)
      })
  )
})
