// Makes the library in dist: each module that src/index.ts reaches, with its types, and beside them the thread that
// LogSql starts. That one is a program of its own, so it is bundled, as the command is, and asks for no package but libsql.
import { spawnSync } from "node:child_process"
import { rm } from "node:fs/promises"
import { createRequire } from "node:module"
import { build } from "esbuild"
import { options, threads } from "./esbuild.mjs"

// What is not made any more must not stay in the package.
for (const output of ["client", "domain", "server", "index.js", "index.js.map", "index.d.ts"]) {
  await rm(`dist/${output}`, { recursive: true, force: true })
}
const tsc = createRequire(import.meta.url).resolve("typescript/bin/tsc")
const { status } = spawnSync(process.execPath, [tsc, "-p", "tsconfig.build.json"], { stdio: "inherit" })
if (status !== 0) process.exit(1)
await build({ ...options, minify: true, entryPoints: threads, outdir: "dist/server" })
