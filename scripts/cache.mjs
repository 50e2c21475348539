// Writes V8's code cache of the command. What has run by then is in it: so a server runs here, a client, and the help.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { createRequire } from "node:module"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { Script } from "node:vm"

/** How long (ms) it takes at most. What has not run until then is compiled when it is needed. */
const limit = 20_000

const url = new URL("../dist/bin/chat.js", import.meta.url)
const path = (name) => fileURLToPath(new URL(name, url))
const directory = mkdtempSync(join(tmpdir(), "fernet-chat-"))
process.chdir(directory)
process.env.XDG_STATE_HOME = directory

const filename = path("cli.cjs")
// As main.ts reads it: a cache is of these very characters.
const script = new Script(readFileSync(filename, "latin1"), { filename })

process.on("exit", () => {
  writeFileSync(path("cli.cache"), script.createCachedData())
  process.chdir("/")
  rmSync(directory, { recursive: true, force: true })
})
setTimeout(() => process.exit(), limit).unref()

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
    process.argv = [process.execPath, path("chat.js"), ...args]
    script.runInThisContext()(createRequire(url), url.href)
  })

const [, port] = await run(["s", "--port", "0"], /serving on \S+:(\d+)/)
await run(["c", "--port", port, "--nick", "nick"], /left/)
await run(["--help"], /client/)
process.kill(process.pid, "SIGTERM")
