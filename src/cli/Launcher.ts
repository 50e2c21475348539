#!/usr/bin/env node
/**
 * What is installed as `chat`, and what its threads start from: NAME.js runs NAME.cjs, a bundle, with NAME.cache, the
 * code cache that V8 made of it at bundling. Without one, or with another version of V8, it is compiled as ever.
 */
import { existsSync, readFileSync } from "node:fs"
import { createRequire } from "node:module"
import { fileURLToPath } from "node:url"
import { Script } from "node:vm"

const path = (extension: string) => fileURLToPath(import.meta.url).replace(/js$/, extension)

const filename = path("cjs")
const cache = path("cache")
// Bundles are ASCII, and Latin-1 is what V8 need not convert.
const script = new Script(readFileSync(filename, "latin1"), {
  filename,
  ...(existsSync(cache) && { cachedData: readFileSync(cache) })
})
script.runInThisContext()(createRequire(import.meta.url), import.meta.url)
