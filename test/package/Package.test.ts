import { spawn } from "node:child_process"
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { createRequire, isBuiltin } from "node:module"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, beforeAll, describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { publint } from "publint"
import ts from "typescript"
import * as Command from "../utils/Command.js"
import * as Installed from "./Installed.js"

const directory = mkdtempSync(join(tmpdir(), "fernet-chat-"))
afterAll(() => rmSync(directory, { recursive: true }))

let installed: Installed.Installed
beforeAll(async () => {
  installed = await Installed.install(directory)
})

const within = join(directory, "node_modules/fernet-chat")
const chat = join(directory, "node_modules/.bin/chat")

/** The packages that a module asks for; what is within Node is none. */
const asked = (text: string): ReadonlyArray<string> =>
  ts
    .preProcessFile(text, true, true)
    .importedFiles.map(({ fileName }) => fileName)
    .filter((name) => !name.startsWith(".") && !isBuiltin(name))
    .map((name) => name.split("/", name.startsWith("@") ? 2 : 1).join("/"))

const tsc = createRequire(import.meta.url).resolve("typescript/bin/tsc")

/** Compiles what a user wrote; gives what the compiler says. */
const compile = (project: string, options: Record<string, unknown>) => {
  const strict = {
    target: "ES2022",
    strict: true,
    exactOptionalPropertyTypes: true,
    types: ["node"],
    skipLibCheck: true
  }
  writeFileSync(
    join(directory, project),
    JSON.stringify({ compilerOptions: { ...strict, ...options }, include: ["*.ts"] })
  )
  return new Promise<string>((resolve) => {
    const child = spawn(process.execPath, [tsc, "-p", project], { cwd: directory })
    let said = ""
    child.stdout.on("data", (text) => {
      said += text
    })
    child.on("close", (code) => resolve(`${said}exit code ${code}`))
  })
}

describe("the package", () => {
  it("holds the library, the command, the manual's page, the dashboard and what there is to read, and nothing else", () => {
    const modules = installed.files
      .map((file) => /^dist\/((?:client|domain|server)\/.*|index)\.(js|js\.map|d\.ts)$/.exec(file))
      .filter((match) => match !== null)
    const others = installed.files.filter((file) => !modules.some(({ input }) => input === file))
    const bundles = ["StoreWorker", "chat"].flatMap((name) =>
      ["cache", "cjs", "js"].map((extension) => `dist/bin/${name}.${extension}`)
    )
    const read = ["CHANGELOG.md", "LICENSE", "README.md", "SECURITY.md"]
    expect(others.toSorted()).toEqual(
      [
        ...read.filter((name) => existsSync(join(Installed.root, name))),
        ...bundles,
        "dist/bin/LICENSES.txt",
        "dist/bin/package.json",
        "dist/man/chat.1",
        "docs/grafana.json",
        "hosting/chat.service",
        "package.json"
      ].toSorted()
    )
    // None that was built once and is no more.
    const stale = modules.filter(([, name]) => !existsSync(join(Installed.root, `src/${name}.ts`)))
    expect(stale.map(([file]) => file)).toEqual([])
    const count = (extension: string) => modules.filter((match) => match[2] === extension).length
    expect(count("js")).toBeGreaterThan(50)
    // The thread is one file, without types.
    expect([count("d.ts"), count("js.map")]).toEqual([count("js") - 1, count("js") - 1])
    const telling = installed.files.filter((file) => readFileSync(join(within, file)).includes(Installed.root))
    expect(telling).toEqual([])
  })

  it("has nothing that publint would change", async () => {
    const { messages } = await publint({ pkgDir: within, pack: false, strict: true })
    expect(messages).toEqual([])
  })

  it("asks for the packages that it declares, and for all of them", () => {
    const { dependencies, peerDependencies } = Installed.manifest
    const modules = readdirSync(join(within, "dist"), { recursive: true, encoding: "utf8" })
      .filter((file) => /(\.js|\.cjs|\.d\.ts)$/.test(file))
      .flatMap((file) => asked(readFileSync(join(within, "dist", file), "latin1")))
    const declared = Object.keys({ ...dependencies, ...peerDependencies })
    expect([...new Set(modules)].toSorted()).toEqual(declared.toSorted())
  })

  it("needs no install script, and neither does this project", () => {
    const project = Installed.locked(join(Installed.root, "package-lock.json"))
    const scripted = (packages: Installed.Packages, among: ReadonlyArray<string>) =>
      among.filter((place) => packages[place]?.hasInstallScript).map((place) => place.replace(/^.*node_modules\//, ""))
    // Each is named in package.json, which forbids it. Whatever comes with another one has to be looked at.
    expect(scripted(project, Object.keys(project)).toSorted()).toEqual(
      Object.keys(Installed.manifest.allowScripts).toSorted()
    )
    expect(Object.values(Installed.manifest.allowScripts)).not.toContain(true)
    // An optional part of @effect/platform's; here it was not run.
    const brought = Installed.closure(installed.packages, "fernet-chat")
    expect(scripted(installed.packages, brought)).toEqual(["msgpackr-extract"])
    const bytes = brought.map((place) => Installed.sizeOf(join(directory, place))).reduce((sum, size) => sum + size, 0)
    // One may be there twice, for the sake of what else is in this project.
    const names = new Set(brought.map((place) => place.replace(/^.*node_modules\//, "")))
    console.log(`installed: ${names.size} packages, ${(bytes / 2 ** 20).toFixed(1)} MiB`)
  })
})

describe("installed, the command", () => {
  it.scopedLive("has a version, makes a key, serves and joins", () =>
    Effect.gen(function* () {
      const options = { cwd: directory }
      const end = (program: string, args: ReadonlyArray<string>, more: Partial<Command.Options> = {}) =>
        Effect.gen(function* () {
          const running = yield* Command.start(program, args, { ...options, input: "", ...more })
          return { code: yield* running.exit, stdout: running.stdout(), stderr: running.stderr() }
        })
      const { version } = Installed.manifest
      const shown = yield* end("npx", ["--no-install", "chat", "--version"])
      expect([shown.code, shown.stdout.trim()]).toEqual([0, version])
      expect((yield* end(chat, ["keygen", "-o", "room.key"])).code).toBe(0)
      const key = ["--key-file", "room.key"]
      const server = yield* Command.start(chat, ["s", "--port", "0", ...key], options)
      yield* server.shows(/serving on 127\.0\.0\.1:\d+/)
      const CHAT_PORT = /serving on 127\.0\.0\.1:(\d+)/.exec(server.stdout())?.[1] ?? ""
      const said = yield* end(chat, ["c", "--nick", "ada", ...key], { env: { CHAT_PORT }, input: "hello\n" })
      expect(said).toEqual({ code: 0, stdout: "-- ada joined\n<ada> hello\n-- ada left\n", stderr: "" })
      server.kill("SIGTERM")
      expect(yield* server.exit).toBe(0)
    })
  )

  it("has a page in the manual", () => {
    const { man } = JSON.parse(readFileSync(join(within, "package.json"), "utf8"))
    // Of a list only, npm links what is in it where man looks.
    expect(man).toEqual(["./dist/man/chat.1"])
    expect(readFileSync(join(within, man[0]), "utf8")).toContain(`"fernet\\-chat ${Installed.manifest.version}"`)
  })
})

describe("installed, the library", () => {
  it.scopedLive("compiles in strict programs, as Node and as bundlers resolve it, and runs", () =>
    Effect.gen(function* () {
      const [node, bundler] = yield* Effect.promise(() =>
        Promise.all([
          compile("node.json", { module: "NodeNext", outDir: "out" }),
          compile("bundler.json", { module: "ESNext", moduleResolution: "bundler", noEmit: true })
        ])
      )
      expect(node).toBe("exit code 0")
      expect(bundler).toBe("exit code 0")

      const options = { cwd: directory }
      const made = yield* Command.start(chat, ["keygen"], options)
      expect(yield* made.exit).toBe(0)
      const bot = yield* Command.start(process.execPath, ["out/bot.js"], options)
      yield* bot.shows(/serving on \S+:\d+/)
      const CHAT_PORT = /serving on \S+:(\d+)/.exec(bot.stdout())?.[1] ?? ""
      const ada = yield* Command.start(chat, ["c", "--nick", "ada"], { ...options, env: { CHAT_PORT } })
      yield* ada.shows("-- ada joined")
      ada.write("hello\n")
      yield* ada.shows("<echo> ada said: hello")
      yield* bot.shows("0 texts since the start\n")
      yield* bot.shows("\nchat_texts_total 2\n")
      ada.child.stdin?.end()
      expect(yield* ada.exit).toBe(0)
      bot.kill("SIGINT")
      expect(yield* bot.exit).toBe(0)
      expect(bot.stderr()).toBe("")
    })
  )
})
