import * as ChildProcess from "node:child_process"
import * as PlatformError from "@effect/platform/Error"
import * as FileSystem from "@effect/platform/FileSystem"
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import { describe, expect, it } from "@effect/vitest"
import * as Arr from "effect/Array"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as fc from "effect/FastCheck"
import * as KeyFile from "../src/domain/KeyFile.js"
import * as Keys from "../src/domain/Keys.js"
import { keyFilledWith } from "./utils/Vectors.js"

const onWindows = process.platform === "win32"
const unlessWindows = onWindows ? " (skipped: Windows has no permission bits)" : ""

const oldKeys: Keys.KeySet = { _tag: "RoomKeys", keys: [keyFilledWith<"room">(1)] }
const newKeys: Keys.KeySet = { _tag: "RoomKeys", keys: [keyFilledWith<"room">(2), keyFilledWith<"room">(3)] }

const directory = Effect.flatMap(FileSystem.FileSystem, (fs) => fs.makeTempDirectoryScoped())
const modeOf = (path: string) =>
  Effect.flatMap(FileSystem.FileSystem, (fs) => Effect.map(fs.stat(path), ({ mode }) => mode & 0o777))

/** A file of this text and mode, whatever the umask. */
const fileOf = (path: string, text: string, mode: number) =>
  Effect.gen(function* () {
    const fs = yield* FileSystem.FileSystem
    yield* fs.remove(path, { force: true })
    yield* fs.writeFileString(path, text)
    yield* fs.chmod(path, mode)
  })

const withUmask = (mask: number) =>
  Effect.acquireRelease(
    Effect.sync(() => process.umask(mask)),
    (before) => Effect.sync(() => process.umask(before))
  )

describe("making a key file", () => {
  it.scoped.skipIf(onWindows)(`only its owner may read it, though the umask forbids nothing${unlessWindows}`, () =>
    Effect.gen(function* () {
      const path = `${yield* directory}/secret.key`
      yield* withUmask(0)
      yield* KeyFile.create(path, newKeys)
      expect(yield* modeOf(path)).toBe(0o600)
      yield* KeyFile.create(path, newKeys, { force: true })
      expect(yield* modeOf(path)).toBe(0o600)
    }).pipe(Effect.provide(NodeFileSystem.layer))
  )

  it.scoped.each([oldKeys, newKeys, { _tag: "ServerKeys", keys: [keyFilledWith<"server">(4)] } as const])(
    "what is made is read back: $_tag",
    (keys) =>
      Effect.gen(function* () {
        const path = `${yield* directory}/secret.key`
        yield* KeyFile.create(path, keys)
        const read = yield* KeyFile.load(path)
        expect(read._tag).toBe(keys._tag)
        expect(Keys.format(read)).toBe(Keys.format(keys))
      }).pipe(Effect.provide(NodeFileSystem.layer))
  )

  it.scoped("one that is there is never overwritten unless forced", () =>
    Effect.gen(function* () {
      const path = `${yield* directory}/secret.key`
      yield* KeyFile.create(path, oldKeys)
      for (const options of [undefined, {}, { force: false }]) {
        const error = yield* Effect.flip(KeyFile.create(path, newKeys, options))
        expect(error.reason).toBe("exists")
        expect(error.message).toContain(path)
        expect(error.message).toContain("--force")
      }
      expect(Keys.format(yield* KeyFile.load(path))).toBe(Keys.format(oldKeys))
    }).pipe(Effect.provide(NodeFileSystem.layer))
  )

  it.scoped("a link that leads nowhere is not followed to make a key elsewhere", () =>
    Effect.gen(function* () {
      const fs = yield* FileSystem.FileSystem
      const folder = yield* directory
      yield* fs.symlink(`${folder}/elsewhere`, `${folder}/secret.key`)
      expect((yield* Effect.flip(KeyFile.create(`${folder}/secret.key`, newKeys))).reason).toBe("exists")
      expect(yield* fs.readDirectory(folder)).toEqual(["secret.key"])
    }).pipe(Effect.provide(NodeFileSystem.layer))
  )

  it.scoped("forced, it replaces the old one as a whole and leaves nothing else behind", () =>
    Effect.gen(function* () {
      const fs = yield* FileSystem.FileSystem
      const folder = yield* directory
      const path = `${folder}/secret.key`
      yield* fileOf(path, Keys.format(oldKeys), 0o644)
      // A second name of the old file still holds the old key: it was replaced, not written into.
      yield* fs.link(path, `${folder}/before`)
      yield* KeyFile.create(path, newKeys, { force: true })
      expect(yield* fs.readFileString(path)).toBe(Keys.format(newKeys))
      expect(yield* fs.readFileString(`${folder}/before`)).toBe(Keys.format(oldKeys))
      expect((yield* fs.readDirectory(folder)).sort()).toEqual(["before", "secret.key"])
      if (!onWindows) expect(yield* modeOf(path)).toBe(0o600)
    }).pipe(Effect.provide(NodeFileSystem.layer))
  )

  it.scoped("forced where there is none, it is simply made", () =>
    Effect.gen(function* () {
      const folder = yield* directory
      yield* KeyFile.create(`${folder}/secret.key`, newKeys, { force: true })
      expect(Keys.format(yield* KeyFile.load(`${folder}/secret.key`))).toBe(Keys.format(newKeys))
      expect(yield* Effect.flatMap(FileSystem.FileSystem, (fs) => fs.readDirectory(folder))).toEqual(["secret.key"])
    }).pipe(Effect.provide(NodeFileSystem.layer))
  )

  it.scoped.each([{ force: false }, { force: true }])(
    "its name is synced when it has it, as its bytes are: %o",
    (options) =>
      Effect.gen(function* () {
        const fs = yield* FileSystem.FileSystem
        const folder = yield* directory
        const synced: Array<string> = []
        const recording: FileSystem.FileSystem = {
          ...fs,
          open: (path, ...rest) =>
            Effect.map(fs.open(path, ...rest), (opened) =>
              Object.create(opened, {
                sync: {
                  get: () =>
                    Effect.tap(Effect.zipRight(opened.sync, fs.readDirectory(folder)), (names) =>
                      synced.push(path === folder ? `folder of ${names}` : "file")
                    )
                }
              })
            )
        }
        yield* Effect.provideService(
          KeyFile.create(`${folder}/secret.key`, newKeys, options),
          FileSystem.FileSystem,
          recording
        )
        expect(synced).toEqual(["file", "folder of secret.key"])
      }).pipe(Effect.provide(NodeFileSystem.layer))
  )

  it.scoped("where it cannot be put, no temporary file with a key stays behind", () =>
    Effect.gen(function* () {
      const fs = yield* FileSystem.FileSystem
      const folder = yield* directory
      yield* fs.makeDirectory(`${folder}/secret.key/full`, { recursive: true })
      const error = yield* Effect.flip(KeyFile.create(`${folder}/secret.key`, newKeys, { force: true }))
      expect(error.message).toContain("secret.key")
      expect(yield* fs.readDirectory(folder)).toEqual(["secret.key"])
      const missing = yield* Effect.flip(KeyFile.create(`${folder}/no/secret.key`, newKeys))
      expect(missing.message).toContain(`cannot write ${folder}/no/secret.key`)
    }).pipe(Effect.provide(NodeFileSystem.layer))
  )
})

describe("reading a key file", () => {
  it.scoped("a missing one is told by its path, with how to make one", () =>
    Effect.gen(function* () {
      const path = `${yield* directory}/secret.key`
      const error = yield* Effect.flip(KeyFile.load(path))
      expect(error.reason).toBe("missing")
      expect(error.message).toContain(path)
      expect(error.message).toContain("chat keygen")
    }).pipe(Effect.provide(NodeFileSystem.layer))
  )

  it.scoped("a directory is told as one", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(KeyFile.load(yield* directory))
      expect(error.reason).toBe("unreadable")
      expect(error.message).toContain("is a directory")
    }).pipe(Effect.provide(NodeFileSystem.layer))
  )

  it.scoped.skipIf(onWindows)(
    `any permission of others is refused, with the command that mends it${unlessWindows}`,
    () =>
      Effect.gen(function* () {
        const path = `${yield* directory}/secret.key`
        for (const bit of [0o040, 0o020, 0o010, 0o004, 0o002, 0o001, 0o044, 0o077]) {
          yield* fileOf(path, Keys.format(oldKeys), 0o600 | bit)
          const error = yield* Effect.flip(KeyFile.load(path))
          expect(error.reason).toBe("readable-by-others")
          expect(error.message).toMatch(new RegExp(`: run chmod 600 ${path}$`))
        }
      }).pipe(Effect.provide(NodeFileSystem.layer))
  )

  it.scoped("a mode that is the owner's alone is accepted", () =>
    Effect.gen(function* () {
      const path = `${yield* directory}/secret.key`
      for (const mode of [0o600, 0o400, 0o700]) {
        yield* fileOf(path, Keys.format(oldKeys), mode)
        expect(Keys.format(yield* KeyFile.load(path))).toBe(Keys.format(oldKeys))
      }
    }).pipe(Effect.provide(NodeFileSystem.layer))
  )

  it.scoped.skipIf(onWindows)(`the command can be pasted as it stands, whatever the path${unlessWindows}`, () =>
    Effect.gen(function* () {
      const folder = yield* directory
      for (const name of ["my secret.key", "it's $HOME; `id`.key", "schlüssel.key"]) {
        const path = `${folder}/${name}`
        yield* fileOf(path, Keys.format(oldKeys), 0o644)
        const { message } = yield* Effect.flip(KeyFile.load(path))
        const command = message.slice(message.indexOf("chmod 600 "))
        ChildProcess.execFileSync("sh", ["-c", command])
        expect(yield* modeOf(path)).toBe(0o600)
        expect(Keys.format(yield* KeyFile.load(path))).toBe(Keys.format(oldKeys))
      }
      const spaced = yield* Effect.zipRight(
        fileOf(`${folder}/a b`, Keys.format(oldKeys), 0o644),
        Effect.flip(KeyFile.load(`${folder}/a b`))
      )
      expect(spaced.message).toContain(`run chmod 600 '${folder}/a b'`)
    }).pipe(Effect.provide(NodeFileSystem.layer))
  )

  it.scoped.each([
    ["an empty file", "", "empty"],
    ["a file of comments", "# nothing yet\n", "empty"],
    ["a file of something else", "-----BEGIN OPENSSH PRIVATE KEY-----\n", "malformed"],
    ["a file of both kinds", `${Keys.format(oldKeys)}server:${Keys.format(oldKeys)}`, "mixed"]
  ] as const)("%s is refused, and named", ([, text, reason]) =>
    Effect.gen(function* () {
      const path = `${yield* directory}/secret.key`
      yield* fileOf(path, text, 0o600)
      const error = yield* Effect.flip(KeyFile.load(path))
      expect(error.reason).toBe(reason)
      expect(error.message).toContain(path)
    }).pipe(Effect.provide(NodeFileSystem.layer))
  )

  it.scoped.skipIf(onWindows)(`a pipe of one's own is read as well, another's is refused${unlessWindows}`, () =>
    Effect.gen(function* () {
      const path = `${yield* directory}/pipe`
      ChildProcess.execFileSync("mkfifo", ["-m", "600", path])
      const writer = ChildProcess.spawn("sh", ["-c", 'printf "%s" "$KEYS" > "$PIPE"'], {
        env: { KEYS: Keys.format(newKeys), PIPE: path }
      })
      expect(Keys.format(yield* KeyFile.load(path))).toBe(Keys.format(newKeys))
      expect(writer.killed).toBe(false)
      yield* Effect.flatMap(FileSystem.FileSystem, (fs) => fs.chmod(path, 0o644))
      expect((yield* Effect.flip(KeyFile.load(path))).reason).toBe("readable-by-others")
    }).pipe(Effect.provide(NodeFileSystem.layer))
  )

  it.scoped("a file larger than any key file is not read in part", () =>
    Effect.gen(function* () {
      const path = `${yield* directory}/secret.key`
      yield* fileOf(path, Keys.format(newKeys).repeat(800), 0o600)
      const error = yield* Effect.flip(KeyFile.load(path))
      expect([error.reason, error.message]).toEqual(["unreadable", `${path} is too large, and no key file`])
    }).pipe(Effect.provide(NodeFileSystem.layer))
  )

  it.scoped("bytes that are not text are refused without showing them", () =>
    Effect.gen(function* () {
      const fs = yield* FileSystem.FileSystem
      const path = `${yield* directory}/secret.key`
      yield* fs.writeFile(
        path,
        Uint8Array.from({ length: 300 }, (_, i) => i),
        { mode: 0o600 }
      )
      const error = yield* Effect.flip(KeyFile.load(path))
      expect(error.reason).toBe("malformed")
      expect(error.message).toMatch(/^[\x20-\x7e]+$/)
    }).pipe(Effect.provide(NodeFileSystem.layer))
  )
})

describe("another key at the beginning", () => {
  const [one, two] = [keyFilledWith<"room">(1), keyFilledWith<"room">(2)]
  const [oldText, newText] = [Keys.toBase64Url(one), Keys.toBase64Url(two)]
  const prepended = (text: string) => Buffer.from(KeyFile.prepend(Buffer.from(text), two)).toString()

  it.each([
    ["a key alone", `${oldText}\n`, `${newText}\n${oldText}\n`],
    ["a key without an end of its line", oldText, `${newText}\n${oldText}`],
    ["a comment of the key", `# since May\n${oldText}\n`, `${newText}\n# since May\n${oldText}\n`],
    [
      "a comment of the file",
      `# rowing club\n\n# since May\n#  by ada\n${oldText}\n\n# end\n`,
      `# rowing club\n\n${newText}\n# since May\n#  by ada\n${oldText}\n\n# end\n`
    ],
    ["blank lines before", `\n \n${oldText}\n`, `\n \n${newText}\n${oldText}\n`],
    ["the line ends of Windows", `# a\r\n\r\n${oldText}\r\n`, `# a\r\n\r\n${newText}\r\n${oldText}\r\n`],
    ["a key with blanks around it", `  ${oldText} \n`, `${newText}\n  ${oldText} \n`]
  ])("%s", (_, before, after) => {
    expect(prepended(before)).toBe(after)
  })

  it("it is the first, those there were follow, and no other byte changes, whatever there is", () => {
    const comment = fc.uint8Array({ maxLength: 12 }).map((bytes) => bytes.filter((byte) => byte !== 10 && byte !== 13))
    const line = fc.oneof(
      comment.map((bytes) => Buffer.concat([Buffer.from(" # "), bytes])),
      fc.constantFrom("", " ", "\t").map((blank) => Buffer.from(blank)),
      fc.integer({ min: 3, max: 9 }).map((byte) => Buffer.from(Keys.toBase64Url(keyFilledWith<"room">(byte))))
    )
    const file = fc.record({
      lines: fc.array(fc.tuple(line, fc.constantFrom("\n", "\r\n")), { maxLength: 8 }),
      mark: fc.constantFrom("", "\ufeff"),
      end: fc.constantFrom("", "\n")
    })
    fc.assert(
      fc.property(file, ({ end, lines, mark }) => {
        const parts = lines.flatMap(([text, end]) => [text, Buffer.from(end)])
        const before = Buffer.concat([Buffer.from(mark), ...parts, Buffer.from(`${oldText}${end}`)])
        const after = Buffer.from(KeyFile.prepend(before, two))
        const keysOf = (bytes: Buffer) =>
          Arr.map(Either.getOrThrow(KeyFile.parse("it", bytes.toString())).keys, (key) => Keys.toBase64Url(key))
        expect(keysOf(after)).toEqual([newText, ...keysOf(before)])
        const at = after.indexOf(newText)
        const length = after.subarray(at).indexOf(10) + 1
        expect(Buffer.concat([after.subarray(0, at), after.subarray(at + length)])).toEqual(before)
      })
    )
  })
})

describe("rotating a key file", () => {
  const text = `# our room\n\n${Keys.format(oldKeys)}`

  it.scoped("puts a key that nobody had first, and leaves nothing else behind", () =>
    Effect.gen(function* () {
      const fs = yield* FileSystem.FileSystem
      const folder = yield* directory
      const path = `${folder}/secret.key`
      yield* fileOf(path, text, 0o600)
      yield* withUmask(0)
      const first = yield* KeyFile.rotate(path)
      const second = yield* KeyFile.rotate(path)
      expect(Keys.format(yield* KeyFile.load(path))).toBe(Keys.format(second))
      expect(Keys.format(second)).toMatch(new RegExp(`^[\\w-]{43}=\n${Keys.format(first)}$`))
      expect(Keys.format(first)).toMatch(new RegExp(`^[\\w-]{43}=\n${Keys.format(oldKeys)}$`))
      expect(new Set(second.keys.map((key) => Keys.toBase64Url(key))).size).toBe(3)
      expect(yield* fs.readFileString(path)).toBe(`# our room\n\n${Keys.format(second)}`)
      expect(yield* fs.readDirectory(folder)).toEqual(["secret.key"])
      if (!onWindows) expect(yield* modeOf(path)).toBe(0o600)
    }).pipe(Effect.provide(NodeFileSystem.layer))
  )

  it.scoped.skipIf(onWindows)(`of a link replaces what it leads to, and the link stays${unlessWindows}`, () =>
    Effect.gen(function* () {
      const fs = yield* FileSystem.FileSystem
      const folder = yield* directory
      yield* fs.makeDirectory(`${folder}/kept`)
      yield* fileOf(`${folder}/kept/room.key`, text, 0o600)
      yield* fs.symlink("kept/room.key", `${folder}/near.key`)
      yield* fs.symlink(`${folder}/near.key`, `${folder}/secret.key`)
      const keys = yield* KeyFile.rotate(`${folder}/secret.key`)
      expect(yield* fs.readLink(`${folder}/secret.key`)).toBe(`${folder}/near.key`)
      expect(yield* fs.readLink(`${folder}/near.key`)).toBe("kept/room.key")
      expect(Keys.format(yield* KeyFile.load(`${folder}/kept/room.key`))).toBe(Keys.format(keys))
      expect(yield* fs.readDirectory(`${folder}/kept`)).toEqual(["room.key"])
      yield* fs.remove(`${folder}/kept/room.key`)
      expect((yield* Effect.flip(KeyFile.rotate(`${folder}/secret.key`))).reason).toBe("missing")
    }).pipe(Effect.provide(NodeFileSystem.layer))
  )

  const isRoot = process.getuid?.() === 0
  it.scoped.skipIf(!isRoot)("by root leaves the file to its owner (skipped for who is not root)", () =>
    Effect.gen(function* () {
      const fs = yield* FileSystem.FileSystem
      const path = `${yield* directory}/secret.key`
      yield* fileOf(path, text, 0o600)
      yield* fs.chown(path, 65_534, 65_533)
      yield* KeyFile.rotate(path)
      expect(yield* fs.stat(path)).toMatchObject({ uid: { value: 65_534 }, gid: { value: 65_533 } })
      expect(yield* modeOf(path)).toBe(0o600)
    }).pipe(Effect.provide(NodeFileSystem.layer))
  )

  const serverText = Keys.format({ _tag: "ServerKeys", keys: [keyFilledWith<"server">(4)] })
  it.scoped.each([
    ["a server key file", serverText, 0o600, "kind", /server key.*chat keygen --rotate.*chat keygen --server --force/],
    ["a file that others may read", text, 0o640, "readable-by-others", /chmod 600/],
    ["a file that holds no key", "# nothing\n", 0o600, "empty", /chat keygen/],
    ["a file of something else", "hello\n", 0o600, "malformed", /line 1 is not a key/],
    ["a file of both kinds", `${text}${serverText}`, 0o600, "mixed", /two files/],
    ["a file that would become too large", `${text}#${"-".repeat(65_460)}`, 0o600, "unreadable", /no room for another/],
    ["a file that is too large", `${text}#${"-".repeat(65_536)}`, 0o600, "unreadable", /too large/]
  ] as const)("refuses %s and leaves it as it is", ([, text, mode, reason, message]) =>
    Effect.gen(function* () {
      if (onWindows && reason === "readable-by-others") return
      const fs = yield* FileSystem.FileSystem
      const folder = yield* directory
      const path = `${folder}/secret.key`
      yield* fileOf(path, text, mode)
      const error = yield* Effect.flip(KeyFile.rotate(path))
      expect(error.reason).toBe(reason)
      expect(error.message).toMatch(message)
      expect(error.message).toContain(path)
      expect(yield* fs.readFileString(path)).toBe(text)
      expect(yield* fs.readDirectory(folder)).toEqual(["secret.key"])
    }).pipe(Effect.provide(NodeFileSystem.layer))
  )

  it.scoped("up to 64 KiB there is room", () =>
    Effect.gen(function* () {
      const path = `${yield* directory}/secret.key`
      // Its new line is 45 bytes.
      const full = `${text}#`
      yield* fileOf(path, full + "-".repeat(64 * 1024 - 45 - full.length), 0o600)
      const keys = yield* KeyFile.rotate(path)
      expect(Keys.format(yield* KeyFile.load(path))).toBe(Keys.format(keys))
      expect((yield* Effect.flatMap(FileSystem.FileSystem, (fs) => fs.stat(path))).size).toBe(65_536n)
    }).pipe(Effect.provide(NodeFileSystem.layer))
  )

  it.scoped.skipIf(onWindows)(`refuses a pipe and a directory without reading them${unlessWindows}`, () =>
    Effect.gen(function* () {
      const folder = yield* directory
      ChildProcess.execFileSync("mkfifo", ["-m", "600", `${folder}/pipe`])
      const pipe = yield* Effect.flip(KeyFile.rotate(`${folder}/pipe`))
      expect([pipe.reason, pipe.message]).toEqual(["unreadable", expect.stringContaining("no regular file")])
      expect((yield* Effect.flip(KeyFile.rotate(folder))).message).toContain("a directory")
    }).pipe(Effect.provide(NodeFileSystem.layer))
  )

  it.scoped("of two at a time one is refused, and so no key is lost; what was cut off is told by its name", () =>
    Effect.gen(function* () {
      const fs = yield* FileSystem.FileSystem
      const path = `${yield* directory}/secret.key`
      yield* fileOf(path, text, 0o600)
      const outcomes = yield* Effect.all(
        Arr.makeBy(8, () => Effect.either(KeyFile.rotate(path))),
        {
          concurrency: "unbounded"
        }
      )
      const [refused, made] = Arr.separate(outcomes)
      expect(refused.filter(({ reason }) => reason !== "exists")).toEqual([])
      // Each that was told to have come about is there.
      const left = Keys.format(yield* KeyFile.load(path))
      for (const { keys } of made) expect(left).toContain(Keys.toBase64Url(keys[0]))
      expect(left.trim().split("\n")).toHaveLength(1 + made.length)

      yield* fileOf(`${path}.rotating`, "", 0o600)
      const { message } = yield* Effect.flip(KeyFile.rotate(path))
      expect(message).toContain(`remove ${yield* fs.realPath(path)}.rotating`)
      expect(Keys.format(yield* KeyFile.load(path))).toBe(left)
      yield* fs.remove(`${path}.rotating`)
      yield* KeyFile.rotate(path)
    }).pipe(Effect.provide(NodeFileSystem.layer))
  )

  it.scoped.each(["open", "writeAll", "sync", "rename"] as const)(
    "that fails at %s leaves the file as it was, and no other with a key in it",
    (at) =>
      Effect.gen(function* () {
        const fs = yield* FileSystem.FileSystem
        const folder = yield* directory
        const path = `${folder}/secret.key`
        yield* fileOf(path, text, 0o600)
        const fails = Effect.fail(
          new PlatformError.SystemError({ module: "FileSystem", method: at, reason: "Unknown", description: "no room" })
        )
        const file = (opened: FileSystem.File): FileSystem.File =>
          // The file itself, its two methods of writing apart.
          Object.create(opened, {
            ...(at === "sync" ? { sync: { get: () => fails } } : {}),
            ...(at === "writeAll"
              ? {
                  writeAll: {
                    value: (bytes: Uint8Array) => Effect.zipRight(opened.writeAll(bytes.subarray(0, 9)), fails)
                  }
                }
              : {})
          })
        const faulty: FileSystem.FileSystem = {
          ...fs,
          open: (...args) => (at === "open" ? fails : Effect.map(fs.open(...args), file)),
          rename: (...args) => (at === "rename" ? fails : fs.rename(...args))
        }
        const error = yield* Effect.flip(Effect.provideService(KeyFile.rotate(path), FileSystem.FileSystem, faulty))
        expect([error.reason, error.message]).toEqual([
          "unreadable",
          expect.stringMatching(new RegExp(`^cannot write ${path}: .*no room`))
        ])
        expect(yield* fs.readFileString(path)).toBe(text)
        expect(yield* fs.readDirectory(folder)).toEqual(["secret.key"])
      }).pipe(Effect.provide(NodeFileSystem.layer))
  )
})
