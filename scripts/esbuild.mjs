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

/** A bundle that is an ES module, or several. */
export const options = {
  ...common,
  format: "esm",
  // Packages that are CommonJS ask for node's modules by require.
  banner: {
    js: 'import{createRequire as __createRequire}from"node:module";const require=__createRequire(import.meta.url);'
  }
}

/** A bundle that is one function, of `require` and of the URL it has: V8 keeps code caches of scripts, not of modules. */
export const functionOptions = {
  ...common,
  format: "cjs",
  outExtension: { ".js": ".cjs" },
  // What is imported on demand is within; what is outside comes by `require`, as a script can.
  supported: { "dynamic-import": false },
  define: { "import.meta.url": "moduleUrl" },
  banner: { js: "(function(require,moduleUrl){" },
  footer: { js: "})" }
}
