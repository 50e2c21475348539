#!/usr/bin/env node
/**
 * The program that is installed as `chat`: runs cli.cjs (which is src/cli.ts) with the code cache that V8 made of it at
 * bundling. Another version of V8 rejects the cache, and compiles as ever.
 */
import { readFileSync } from "node:fs"
import { createRequire } from "node:module"
import { fileURLToPath } from "node:url"
import { Script } from "node:vm"

const path = (name: string) => fileURLToPath(new URL(name, import.meta.url))

const filename = path("cli.cjs")
// Bundles are ASCII, and Latin-1 is what V8 need not convert.
const script = new Script(readFileSync(filename, "latin1"), { filename, cachedData: readFileSync(path("cli.cache")) })
script.runInThisContext()(createRequire(import.meta.url), import.meta.url)
