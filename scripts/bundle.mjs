// Bundles the command into one file that starts fast. What it does not use of its packages stays out.
import { chmod } from "node:fs/promises"
import { build } from "esbuild"

await build({
  entryPoints: ["src/cli.ts"],
  outfile: "dist/chat.js",
  bundle: true,
  minify: true,
  platform: "node",
  target: "node20",
  format: "esm",
  // Packages that are CommonJS ask for node's modules by require.
  banner: {
    js: '#!/usr/bin/env node\nimport{createRequire as __createRequire}from"node:module";const require=__createRequire(import.meta.url);'
  },
  legalComments: "none",
  logLevel: "warning"
})

await chmod("dist/chat.js", 0o755)
