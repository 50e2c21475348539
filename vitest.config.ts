import { fileURLToPath } from "node:url"
import { defineConfig } from "vitest/config"

/** These count what their whole process has: Effect's metrics, sockets, memory. */
const counting = [
  "test/Ending.test.ts",
  "test/Metrics.test.ts",
  "test/MetricsListener.test.ts",
  "test/Operator.test.ts",
  "test/Otlp.test.ts",
  "test/Strangers.test.ts",
  "test/Supervision.test.ts"
]

export default defineConfig({
  // Examples import the package by its name, as its users do.
  resolve: { alias: { "fernet-chat": fileURLToPath(new URL("./src/index.ts", import.meta.url)) } },
  test: {
    // What never ends is found; how fast it is on a busy machine is no matter of tests.
    testTimeout: 180_000,
    hookTimeout: 180_000,
    // Many wait for programs that they have started, so that two at a time are no burden on two cores. npm test has a process
    // take one file after the other (--no-isolate) where it can: to load Effect anew for each is a good part of the work.
    poolOptions: { forks: { minForks: 1, maxForks: 2 } },
    projects: [
      {
        extends: true,
        test: {
          name: "all",
          include: ["test/**/*.test.ts"],
          // By itself: npm run package.
          exclude: ["test/package/**", ...counting]
        }
      },
      { extends: true, test: { name: "counting", include: counting } }
    ]
  }
})
