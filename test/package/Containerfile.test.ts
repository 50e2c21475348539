import { execFile } from "node:child_process"
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { promisify } from "node:util"
import { afterAll, describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Command from "../utils/Command.js"
import { root } from "./Installed.js"

/** The instructions, each with what follows it; no line goes on. */
const instructions = readFileSync(join(root, "hosting/Containerfile"), "utf8")
  .split("\n")
  .flatMap((line) => {
    const [, name, rest] = /^([A-Z]+) (.*)$/.exec(line) ?? []
    return name === undefined || rest === undefined ? [] : [[name, rest] as const]
  })
const second = instructions.findLastIndex(([name]) => name === "FROM")
const [build, runtime] = [instructions.slice(0, second), instructions.slice(second)]
const all = (name: string, among = runtime) => among.flatMap(([each, rest]) => (each === name ? [rest] : []))

/** What a build is given, as .dockerignore lets it through. */
const context = readFileSync(join(root, ".dockerignore"), "utf8")
  .split("\n")
  .flatMap((line) => (line.startsWith("!") ? [line.slice(1)] : []))

const directory = mkdtempSync(join(tmpdir(), "fernet-chat-"))
afterAll(() => rmSync(directory, { recursive: true }))

const place = (name: string) => {
  const made = join(directory, name)
  mkdirSync(made, { recursive: true })
  return made
}

const run = promisify(execFile)

/** Runs a line as its stage does, in `cwd`, at the root that this directory is. */
const shell = (line: string, cwd: string) => {
  const env = {
    ...Command.environment(directory),
    HOME: place("home"),
    npm_config_prefix: place("usr"),
    npm_config_prefer_offline: "true"
  }
  return Effect.promise(() => run("sh", ["-c", line], { cwd, env }))
}

describe("the Containerfile", () => {
  it("copies what is in the project, and no more is given to its build", async () => {
    const { stdout } = await run("git", ["ls-files", "--cached", "--others", "--exclude-standard"], { cwd: root })
    const tracked = stdout.split("\n")
    const isThere = (name: string) => tracked.some((file) => file === name || file.startsWith(`${name}/`))
    const sources = all("COPY", build).flatMap((rest) => rest.split(" ").slice(0, -1))
    expect(sources.filter((source) => !isThere(source))).toEqual([])
    expect(
      sources.filter((source) => !context.some((name) => source === name || source.startsWith(`${name}/`)))
    ).toEqual([])
    expect(context.filter((name) => !isThere(name))).toEqual([])
    // What the package is to hold and no build makes, which npm pack would leave out without a word.
    const { files }: { files: ReadonlyArray<string> } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"))
    expect(files.filter((file) => !file.startsWith("dist/") && !sources.includes(file))).toEqual([])
    expect(all("FROM")).toEqual([all("FROM", build)[0]?.replace(/ AS build$/, "")])
  })

  it.scopedLive(
    "builds and installs a command that serves, says that it is well, and ends when it is told to",
    () =>
      Effect.gen(function* () {
        const at = place("build")
        for (const [name, rest] of build) {
          if (name === "RUN") yield* shell(rest, at)
          if (name !== "COPY") continue
          const words = rest.split(" ")
          const to = words.at(-1) ?? ""
          for (const from of words.slice(0, -1)) {
            cpSync(join(root, from), join(at, to === "./" ? from : to), { recursive: true })
          }
        }
        const tarballs = readdirSync(at).filter((name) => /^fernet-chat-.*\.tgz$/.test(name))
        expect(tarballs).toHaveLength(1)
        expect(all("COPY")).toEqual(["--from=build /build/fernet-chat-*.tgz /tmp/"])
        for (const name of tarballs) cpSync(join(at, name), join(place("tmp"), name))
        // Its root is this directory, and it has no user of that name.
        for (const line of all("RUN")) {
          yield* shell(line.replaceAll(/ \/(tmp|data)/g, ` ${directory}/$1`).replace("-o node -g node ", ""), directory)
        }
        expect(readdirSync(place("tmp"))).toEqual([])
        rmSync(at, { recursive: true })

        const data = join(directory, "data")
        expect(existsSync(data)).toBe(true)
        expect([all("WORKDIR"), all("VOLUME"), all("USER")]).toEqual([["/data"], ["/data"], ["node"]])
        const [[program = ""], args] = [JSON.parse(all("ENTRYPOINT")[0] ?? ""), JSON.parse(all("CMD")[0] ?? "")]
        const PATH = `${join(directory, "usr/bin")}:${process.env.PATH}`
        const variables = Object.fromEntries(all("ENV").map((line) => line.split("=")))
        const server = yield* Command.start(program, args, { cwd: data, env: { ...variables, PATH, CHAT_PORT: "0" } })
        yield* server.shows(/serving on 0\.0\.0\.0:\d+/)
        const check = Effect.gen(function* () {
          const line = all("HEALTHCHECK")[0]?.replace(/^.* CMD /, "") ?? ""
          const checked = yield* Command.start("sh", ["-c", line], { cwd: data, env: { PATH }, input: "" })
          return [yield* checked.exit, checked.stdout()] as const
        })
        expect(yield* check).toEqual([0, ""])
        expect(all("STOPSIGNAL")).toEqual(["SIGTERM"])
        server.kill("SIGTERM")
        expect(yield* server.exit).toBe(0)
        expect((yield* check)[0]).not.toBe(0)
      }),
    240_000
  )
})
