// Writes V8's code caches of the bundles. What has run by then is in them: so here run a store's thread, a server, a
// client that joins it, and the help.
import { once } from "node:events"
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { createRequire } from "node:module"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { Script } from "node:vm"
import { isMainThread, Worker } from "node:worker_threads"

/** How long (ms) it takes at most. What has not run until then is compiled when it is needed. */
const limit = 20_000

/** A bundle as its launcher (src/cli/Launcher.ts) runs it, whose cache is written in the end: a function that runs it. */
const load = (name) => {
  const url = new URL(`../dist/bin/${name}.js`, import.meta.url)
  const path = (extension) => fileURLToPath(url).replace(/js$/, extension)
  const filename = path("cjs")
  // Stack traces take the name from the cache: no path of this machine.
  const script = new Script(readFileSync(filename, "latin1"), { filename: `${name}.cjs` })
  process.on("exit", () => writeFileSync(path("cache"), script.createCachedData()))
  return () => script.runInThisContext()(createRequire(url), url.href)
}

const main = async () => {
  const directory = mkdtempSync(join(tmpdir(), "fernet-chat-"))
  process.chdir(directory)
  process.env.XDG_STATE_HOME = directory
  // What a server says of its clients is of no interest here.
  process.env.CHAT_LOG_LEVEL = "warning"
  let complete = false
  process.on("exit", () => {
    // Not what the interrupted commands exit with.
    process.exitCode = complete ? 0 : 1
    process.chdir("/")
    rmSync(directory, { recursive: true, force: true, maxRetries: 20, retryDelay: 50 })
  })
  setTimeout(() => process.exit(), limit).unref()

  const thread = new Worker(new URL(import.meta.url), { workerData: { file: "thread.db" } })
  for (const request of [{ _tag: "Bounds" }, { _tag: "Members" }, { _tag: "Close" }]) thread.postMessage(request)
  await once(thread, "exit")

  const chat = load("chat")
  /** Runs the command until its output shows `pattern`, and returns what that matched. */
  const run = (args, pattern) =>
    new Promise((resolve) => {
      let output = ""
      process.stdout.write = (text) => {
        output += text
        const found = pattern.exec(output)
        if (found !== null) resolve(found)
        return true
      }
      process.argv = [process.execPath, "chat", ...args]
      chat()
    })
  const [, port] = await run(["s", "--port", "0"], /serving on \S+:(\d+)/)
  await run(["c", "--port", port, "--nick", "nick"], /left/)
  await run(["--help"], /client/)
  complete = true
  process.kill(process.pid, "SIGTERM")
}

if (isMainThread) await main()
else load("StoreWorker")()
