import { availableParallelism } from "node:os";
import { defineConfig } from "vitest/config";
import { TellRetried } from "./test/support/tell-retried.ts";

// Processes are spawned and killed: a hang must end, and a slow machine must not fail a test.
const limits = { testTimeout: 120_000, hookTimeout: 120_000 };

// CI's machine is shared, and may stand still for seconds: there, a test that failed is tried once more, and told at the end. By hand,
// none is.
const retry = process.env["CI"] === "true" ? 1 : 0;

// `npm test` takes minutes; what takes longer (killed brokers, minutes of fuzz) is called *.long.test.ts and run by `npm run test:long`.
const isLong = process.env["TSSERVE_TESTS"] === "long";
const longLimits = { testTimeout: 600_000, hookTimeout: 600_000 };
const ending = isLong ? "*.long.test.ts" : "*.test.ts";
// What is waited for comes late on a slow machine; vitest's own patience is a second.
const patience = { poll: { timeout: 20_000 } };
const chosen = {
  ...(isLong ? longLimits : limits),
  expect: patience,
  retry,
  exclude: ["**/node_modules/**", ...(isLong ? [] : ["**/*.long.test.ts"])],
};

// Vitest leaves one core to itself, which is half of two: it has little to do.
const unitWorkers = Math.max(2, availableParallelism() - 1);

export default defineConfig({
  test: {
    passWithNoTests: isLong,
    reporters: ["default", new TellRetried()],
    projects: [
      {
        // Pure logic, beside its source, with no build.
        resolve: { conditions: ["@tsserve/source"] },
        ssr: { resolve: { conditions: ["@tsserve/source"], externalConditions: ["@tsserve/source"] } },
        test: { ...chosen, name: "unit", include: [`packages/*/src/**/${ending}`], sequence: { groupOrder: 0 }, maxWorkers: unitWorkers },
      },
      {
        // The built command, nothing mocked. A few files at once: each test runs several processes, and mostly waits for them.
        test: {
          ...chosen,
          name: "black box",
          globalSetup: "test/support/build-bundle.ts",
          include: [`test/**/${ending}`],
          sequence: { groupOrder: 1 },
          maxWorkers: 3,
        },
      },
    ],
  },
});
