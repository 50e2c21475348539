// Runs a TypeScript file of this project: node scripts/run.mjs ENTRY.ts [ARGUMENT]... Flags for node go before run.mjs.
import { mkdirSync, mkdtempSync, rmSync } from "node:fs"
import { resolve } from "node:path"
import { pathToFileURL } from "node:url"
import { build } from "esbuild"
import { options, threads } from "./esbuild.mjs"

const [entry, ...rest] = process.argv.slice(2)
if (entry === undefined) {
  console.error("usage: node scripts/run.mjs ENTRY.ts [ARGUMENT]...")
  process.exit(2)
}
// Within the project, where its packages are found. Chunks are loaded when they are needed, so it stays until the end.
mkdirSync("dist", { recursive: true })
const directory = mkdtempSync("dist/run-")
process.on("exit", () => rmSync(directory, { recursive: true, force: true }))
await build({
  ...options,
  entryPoints: { main: entry, ...threads },
  outdir: directory,
  splitting: true,
  alias: { "fernet-chat": "./src/index.ts" },
  sourcemap: "inline"
})
process.argv = [process.argv[0], resolve(entry), ...rest]
await import(pathToFileURL(resolve(directory, "main.js")))
