// Bundles the command so that it starts fast: what a subcommand does not use is a chunk that is not loaded.
import { chmod, rm } from "node:fs/promises"
import { build } from "esbuild"
import { options, threads } from "./esbuild.mjs"

const directory = "dist/bin"

await rm(directory, { recursive: true, force: true })
const small = { ...options, outdir: directory, minify: true, legalComments: "none" }
await build({ ...small, entryPoints: { chat: "src/cli.ts" }, splitting: true })
// By themselves: chunks shared with them would be more files for every command to load.
await build({ ...small, entryPoints: threads })
await chmod(`${directory}/chat.js`, 0o755)
