// Bundles the command so that it starts fast: minified, with a code cache, and what a subcommand does not use is not run.
import { spawnSync } from "node:child_process"
import { chmod, rm, writeFile } from "node:fs/promises"
import { fileURLToPath } from "node:url"
import { build } from "esbuild"
import { launchers, scripts, threads } from "./esbuild.mjs"
import { licenses } from "./licenses.mjs"

const { outdir } = scripts
const entryPoints = { chat: "src/cli/main.ts", ...threads }
const names = Object.keys(entryPoints)

await rm(outdir, { recursive: true, force: true })
const metafiles = []
for (const name of names) {
  metafiles.push((await build({ ...scripts, entryPoints: { [name]: entryPoints[name] }, metafile: true })).metafile)
}
await build({ ...launchers, entryPoints: names.map((out) => ({ in: "src/cli/Launcher.ts", out })) })
await writeFile(`${outdir}/package.json`, '{ "type": "commonjs" }\n')
await writeFile(`${outdir}/LICENSES.txt`, licenses(metafiles))
await chmod(`${outdir}/chat.js`, 0o755)

const { status } = spawnSync(process.execPath, [fileURLToPath(new URL("cache.mjs", import.meta.url))], {
  stdio: ["ignore", "ignore", "inherit"]
})
// Where no server can run, it is no less a bundle.
if (status !== 0) console.warn("the command will start slower: not all of it is in its code cache")
