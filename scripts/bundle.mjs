// Bundles the command so that it starts fast: minified, with a code cache, and what a subcommand does not use is not run.
import { spawnSync } from "node:child_process"
import { chmod, rm } from "node:fs/promises"
import { fileURLToPath } from "node:url"
import { build } from "esbuild"
import { functionOptions, options, threads } from "./esbuild.mjs"

const outdir = "dist/bin"

await rm(outdir, { recursive: true, force: true })
const small = { outdir, minify: true, legalComments: "none" }
await build({ ...functionOptions, ...small, entryPoints: { cli: "src/cli.ts" } })
await build({ ...options, ...small, banner: {}, entryPoints: { chat: "src/cli/main.ts" } })
await build({ ...options, ...small, entryPoints: threads })
await chmod(`${outdir}/chat.js`, 0o755)
const { status } = spawnSync(process.execPath, [fileURLToPath(new URL("cache.mjs", import.meta.url))], {
  stdio: ["ignore", "ignore", "inherit"]
})
process.exitCode = status ?? 1
