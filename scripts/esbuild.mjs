// What every bundle has in common.

/** Threads are started from files of their own, beside the rest: the one that keeps the log. */
export const threads = { StoreWorker: "src/server/StoreWorker.ts" }

export const options = {
  bundle: true,
  platform: "node",
  target: "node20",
  format: "esm",
  // Packages that are CommonJS ask for node's modules by require.
  banner: {
    js: 'import{createRequire as __createRequire}from"node:module";const require=__createRequire(import.meta.url);'
  },
  // It finds its native part by itself, among the installed packages.
  external: ["libsql"],
  logLevel: "warning"
}
