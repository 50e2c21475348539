import { defineConfig } from "vitest/config"

// Apart from the other tests: it installs the package, which has to be built before.
export default defineConfig({
  test: { include: ["test/package/*.test.ts"], testTimeout: 120_000, hookTimeout: 240_000 }
})
