// What every bundle has in common.

/** Threads are started from files of their own, beside the rest: the one that keeps the log. */
export const threads = { StoreWorker: "src/server/StoreWorker.ts" }

const common = {
  bundle: true,
  platform: "node",
  target: "node20",
  // It finds its native part by itself, among the installed packages.
  external: ["libsql"],
  logLevel: "warning"
}

/** Bundles that are ES modules, to run as they are. */
export const options = {
  ...common,
  format: "esm",
  // Packages that are CommonJS ask for node's modules by require.
  banner: {
    js: 'import{createRequire as __createRequire}from"node:module";const require=__createRequire(import.meta.url);'
  }
}

const commonJs = {
  ...common,
  format: "cjs",
  outdir: "dist/bin",
  minify: true,
  legalComments: "none",
  define: { "import.meta.url": "moduleUrl" }
}

/** Bundles that are one function each, of `require` and of their URL: V8 makes code caches of scripts, not of modules. */
export const scripts = {
  ...commonJs,
  outExtension: { ".js": ".cjs" },
  // What is imported on demand is within; what is outside comes by require, as a script has no loader.
  supported: { "dynamic-import": false },
  banner: { js: "(function(require,moduleUrl){" },
  footer: { js: "})" }
}

/** What runs them: CommonJS, which node starts sooner than an ES module. */
export const launchers = {
  ...commonJs,
  banner: { js: 'const moduleUrl=require("node:url").pathToFileURL(__filename).href;' }
}
