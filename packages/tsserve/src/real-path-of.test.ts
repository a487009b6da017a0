import { mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { realPathOf } from "./real-path-of.ts";

const folder = realpathSync(mkdtempSync(join(tmpdir(), "tsserve-real-path-")));
afterAll(() => rmSync(folder, { recursive: true }));
mkdirSync(join(folder, "release"));
for (const [name, target] of [
  ["current", "release"],
  ["latest", "current"],
  ["broken", "gone"],
  ["circle", "circle"],
] as const)
  symlinkSync(target, join(folder, name));

test.each([
  ["release", "release"],
  ["current", "release"],
  ["latest", "release"],
  ["current/../current", "release"],
  ["broken", undefined],
  ["circle", undefined],
  ["release/nothing", undefined],
])("%s leads to %s", (path, where) => {
  expect(realPathOf(join(folder, path))).toBe(where && join(folder, where));
});
