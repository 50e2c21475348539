import * as ChildProcess from "node:child_process"
import * as FileSystem from "@effect/platform/FileSystem"
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
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
