import { existsSync, mkdirSync, mkdtempSync, rmSync, statSync, symlinkSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { identity, openFolder, problemOfFolder } from "./folder.ts";

let parent = "";
beforeEach(() => {
  parent = mkdtempSync(join(tmpdir(), "tsserve-parent-"));
});
afterEach(() => rmSync(parent, { recursive: true }));

test("workers of one master open the same folder, which is theirs alone", () => {
  const folder = openFolder(identity(process.pid), parent);
  expect(openFolder(identity(process.pid), parent)).toBe(folder);
  expect(statSync(folder).mode & 0o777).toBe(0o700);
});

test("what dead masters have left is removed; not what is still written to, nor anything else", () => {
  const make = (name: string, ageSeconds: number): string => {
    const folder = join(parent, name);
    mkdirSync(folder);
    writeFileSync(join(folder, "0.values"), "");
    const at = Date.now() / 1000 - ageSeconds;
    utimesSync(join(folder, "0.values"), at, at);
    utimesSync(folder, at, at);
    return folder;
  };
  const { pid, startedAt } = identity(process.pid);
  const living = make(`tsserve-metrics-${pid}-${startedAt}`, 1000);
  const dead = make(`tsserve-metrics-${pid}-1`, 1000);
  const elsewhere = make("tsserve-metrics-999999999-1", 5);
  const other = make("metrics-1-1", 1000);
  openFolder(identity(process.ppid), parent);
  expect([living, dead, elsewhere, other].map((folder) => existsSync(folder))).toEqual([true, false, true, true]);
});

test("a link in its place is refused", () => {
  const { pid, startedAt } = identity(process.pid);
  symlinkSync(tmpdir(), join(parent, `tsserve-metrics-${pid}-${startedAt}`));
  expect(() => openFolder(identity(process.pid), parent)).toThrow(/belongs to somebody else/);
});

test("what is wrong with a folder is told in words", () => {
  expect(problemOfFolder(parent)).toBe(undefined);
  expect(problemOfFolder(join(parent, "none"))).toBe("expected an existing folder, there is none");
  writeFileSync(join(parent, "file"), "");
  expect(problemOfFolder(join(parent, "file"))).toBe("expected a folder, it is none");
});
