import { fileURLToPath } from "node:url"
import { defineConfig } from "vitest/config"

export default defineConfig({
  // Examples import the package by its name, as its users do.
  resolve: { alias: { "fernet-chat": fileURLToPath(new URL("./src/index.ts", import.meta.url)) } },
  test: {
    include: ["test/**/*.test.ts"],
    // By itself: npm run package.
    exclude: ["test/package/**"],
    testTimeout: 20_000,
    hookTimeout: 20_000
  }
})
