import { closeSync, mkdtempSync, openSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { isTornFile } from "./is-torn-file.ts";

const folder = mkdtempSync(join(tmpdir(), "tsserve-torn-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

test.each([
  ["", false],
  ["\n", false],
  ["a line\n", false],
  ["a line\nhalf of an", true],
  ["ü", true],
  ["a line\r", true],
  ["\u0000", true],
])("a file that holds %j", (text, expected) => {
  const path = join(folder, "log");
  writeFileSync(path, text);
  for (const flags of ["a", "r+"]) {
    const fd = openSync(path, flags);
    expect(isTornFile(fd)).toBe(expected);
    closeSync(fd);
  }
});

test("a device, a folder and what is closed tell nothing", () => {
  for (const path of ["/dev/null", "/dev/full", folder]) {
    const fd = openSync(path, "r");
    expect(isTornFile(fd)).toBeUndefined();
    closeSync(fd);
  }
  expect(isTornFile(1_000_000)).toBeUndefined();
});
