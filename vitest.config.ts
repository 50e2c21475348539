import { fileURLToPath } from "node:url"
import { defineConfig } from "vitest/config"

export default defineConfig({
  // Examples import the package by its name, as its users do.
  resolve: { alias: { "fernet-chat": fileURLToPath(new URL("./src/index.ts", import.meta.url)) } },
  test: {
    include: ["test/**/*.test.ts"],
    // By itself: npm run package.
    exclude: ["test/package/**"],
    // What never ends is found; how fast it is on a busy machine is no matter of tests.
    testTimeout: 60_000,
    hookTimeout: 60_000
  }
})
