import { existsSync } from "node:fs";
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

// Pure logic, beside its source, with no build.
const unit = {
  ...chosen,
  sequence: { groupOrder: 0 },
  maxWorkers: unitWorkers,
};
const sources = {
  resolve: { conditions: ["@tsserve/source"] },
  ssr: { resolve: { conditions: ["@tsserve/source"], externalConditions: ["@tsserve/source"] } },
};

// These change what a process has one of, or go by its state: each has a process of its own.
const apart = [
  // They mock modules, register loaders, patch what loads modules, or have what is loaded keep something for the whole process.
  "http/src/nest-failures.test.ts",
  "queue/src/make-server.test.ts",
  "queue/src/publisher.test.ts",
  "server/src/failure-reports.test.ts",
  "tsserve/src/compile-cache/compiled-modules.test.ts",
  "tsserve/src/load-function.test.ts",
  // They look at the event loop, the collector and memory, or leave watchers and children behind.
  "metrics/src/reporters/*.test.ts",
  "server/src/resident-memory.test.ts",
  "tsserve/src/reload/watch-files.test.ts",
  "tsserve/src/repl/repl-session.test.ts",
  "tsserve/src/stacks/main-thread.test.ts",
].map((path) => `packages/${path}`);
for (const path of apart)
  if (!path.includes("*") && !existsSync(new URL(path, import.meta.url)))
    throw new Error(`vitest.config.ts names ${path}, which is not there: was it renamed?`);

export default defineConfig({
  test: {
    passWithNoTests: isLong,
    reporters: ["default", new TellRetried()],
    projects: [
      {
        // Most of the time of such a file was the start of its process and the loading of what the file before had loaded, too: they share
        // one.
        ...sources,
        test: { ...unit, name: "unit", isolate: false, include: [`packages/*/src/**/${ending}`], exclude: [...chosen.exclude, ...apart] },
      },
      { ...sources, test: { ...unit, name: "unit apart", include: isLong ? [] : apart } },
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
