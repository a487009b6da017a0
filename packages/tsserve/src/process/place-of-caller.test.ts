import { describe, expect, test } from "vitest";
import { placeOfCaller } from "./place-of-caller.ts";

describe("the place of a stack", () => {
  for (const [name, frames, place] of [
    ["a function's", ["at stop (file:///srv/app%20one/app.js:12:3)"], "/srv/app one/app.js:12"],
    ["a module's", ["at file:///srv/app.js:3:1"], "/srv/app.js:3"],
    ["CommonJS", ["at Object.<anonymous> (/srv/app.cjs:3:1)"], "/srv/app.cjs:3"],
    ["an async one's", ["at async Promise.all (index 0)", "at async run (file:///srv/app.js:4:1)"], "/srv/app.js:4"],
    [
      "the first that is neither Node's nor ours",
      [
        "at process.exit (node:internal/process/per_thread:189:13)",
        "at process.<anonymous> (file:///srv/node_modules/tsserve/dist/process/guard-process.js:40:9)",
        "at guard (/home/me/packages/tsserve/src/process/guard-process.ts:40:9)",
        "at guard (/home/me/packages/tsserve/bundle/serve.cjs:2540:9)",
        "at guard (/srv/node_modules/tsserve/bundle/serve.cjs:2540:9)",
        "at bye (/srv/node_modules/bye-bye/index.js:7:2)",
      ],
      "/srv/node_modules/bye-bye/index.js:7",
    ],
    ["nobody's", ["at node:internal/timers:581:17"], "a place that can't be told"],
  ] as const) {
    test(name, () => expect(placeOfCaller(["Error: x", ...frames.map((each) => `    ${each}`)].join("\n"))).toBe(place));
  }

  test("none at all", () => expect(placeOfCaller(undefined)).toBe("a place that can't be told"));
});
