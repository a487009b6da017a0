import { defineConfig } from "vitest/config";

// Processes are spawned and killed: a hang must end, and a slow machine must not fail a test.
const limits = { testTimeout: 60_000, hookTimeout: 60_000 };

export default defineConfig({
  test: {
    projects: [
      {
        // Pure logic, beside its source, with no build.
        resolve: { conditions: ["@tsserve/source"] },
        ssr: { resolve: { conditions: ["@tsserve/source"], externalConditions: ["@tsserve/source"] } },
        test: { ...limits, name: "unit", include: ["packages/*/src/**/*.test.ts"], sequence: { groupOrder: 0 } },
      },
      {
        // The built command, nothing mocked. A few files at once: each test runs several processes.
        test: { ...limits, name: "black box", include: ["test/**/*.test.ts"], sequence: { groupOrder: 1 }, maxWorkers: 2 },
      },
    ],
  },
});
