// Bundles the command so that it starts fast: what a subcommand does not use is a chunk that is not loaded.
import { chmod, rm } from "node:fs/promises"
import { build } from "esbuild"

const directory = "dist/bin"

await rm(directory, { recursive: true, force: true })
await build({
  entryPoints: { chat: "src/cli.ts" },
  outdir: directory,
  bundle: true,
  splitting: true,
  minify: true,
  platform: "node",
  target: "node20",
  format: "esm",
  // Packages that are CommonJS ask for node's modules by require.
  banner: {
    js: 'import{createRequire as __createRequire}from"node:module";const require=__createRequire(import.meta.url);'
  },
  legalComments: "none",
  logLevel: "warning"
})
await chmod(`${directory}/chat.js`, 0o755)
