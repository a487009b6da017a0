import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    // Processes are spawned and killed: a hang must end, and a slow machine must not fail a test.
    testTimeout: 60_000,
    hookTimeout: 60_000,
    projects: [
      {
        // Pure logic, beside its source, with no build.
        resolve: { conditions: ["@tsserve/source"] },
        ssr: { resolve: { conditions: ["@tsserve/source"], externalConditions: ["@tsserve/source"] } },
        test: { name: "unit", include: ["packages/*/src/**/*.test.ts"], testTimeout: 60_000 },
      },
      {
        // The built command, nothing mocked.
        test: { name: "black box", include: ["test/**/*.test.ts"], testTimeout: 60_000, hookTimeout: 60_000, maxWorkers: 2 },
      },
    ],
  },
});
