import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { build } from "esbuild"
import * as Command from "./utils/Command.js"

const root = fileURLToPath(new URL("..", import.meta.url))

it.scopedLive("the example of a bot repeats what it hears, and neither itself nor the past", () =>
  Effect.gen(function* () {
    const cwd = yield* Command.directory
    const server = yield* Command.serve({ cwd })
    const env = { CHAT_PORT: server.port }
    yield* Command.run(["c", "--nick", "ada"], { cwd, env, input: "said before the bot was there\n" })
    const bot = join(cwd, "bot.mjs")
    yield* Effect.promise(() =>
      build({
        entryPoints: [join(root, "examples/echo-bot.ts")],
        alias: { "fernet-chat": join(root, "src/index.ts") },
        outfile: bot,
        bundle: true,
        platform: "node",
        format: "esm",
        banner: { js: 'import{createRequire}from"node:module";const require=createRequire(import.meta.url);' },
        logLevel: "error"
      })
    )
    const listener = yield* Command.chat(["c", "--nick", "bob"], { cwd, env })
    yield* listener.shows("-- bob joined")
    const echo = yield* Command.start(process.execPath, [bot], { cwd, env })
    yield* listener.shows("-- echo joined")
    listener.write("hello\n")
    yield* listener.shows("<echo> bob said: hello")
    listener.write("again\n")
    yield* listener.shows("<echo> bob said: again")
    expect(listener.stdout().match(/<echo>/g)?.length).toBe(2)
    echo.kill("SIGINT")
    expect(yield* echo.exit).toBe(0)
    yield* listener.shows("-- echo left")
    expect(echo.stderr()).toBe("")
  })
)
