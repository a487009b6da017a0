import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { identity, keepFolder, openFolder, problemOfFolder, removeFolder, touchFiles } from "./folder.ts";

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
  const make = (name: string, ageSeconds: number, file = "0.v2.values"): string => {
    const folder = join(parent, name);
    mkdirSync(folder);
    writeFileSync(join(folder, file), "");
    const at = Date.now() / 1000 - ageSeconds;
    utimesSync(join(folder, file), at, at);
    utimesSync(folder, at, at);
    return folder;
  };
  const { pid, startedAt } = identity(process.pid);
  const living = make(`tsserve-metrics-${pid}-${startedAt}`, 1000);
  const dead = make(`tsserve-metrics-${pid}-1`, 1000);
  const elsewhere = make("tsserve-metrics-999999999-1", 5);
  const other = make("metrics-1-1", 1000);
  const ofAnotherVersion = make("tsserve-metrics-999999998-1", 1000, "0.values");
  const withNotes = make("tsserve-metrics-999999997-1", 1000, "notes.txt");
  // As root, every folder can be removed: other users' are not.
  const ofAnotherUser = make("tsserve-metrics-999999996-1", 1000);
  if (process.getuid?.() === 0) chownSync(ofAnotherUser, 12_345, 12_345);
  symlinkSync(other, join(parent, "tsserve-metrics-999999995-1"));
  openFolder(identity(process.ppid), parent);
  expect([living, dead, elsewhere, other, ofAnotherVersion, withNotes].map((folder) => existsSync(folder))).toEqual([
    true,
    false,
    true,
    true,
    true,
    true,
  ]);
  expect(existsSync(ofAnotherUser)).toBe(process.getuid?.() === 0);
  expect(existsSync(join(other, "0.v2.values"))).toBe(true);
});

test("a folder goes with its master; what is not ours stays in it", () => {
  const folder = openFolder(identity(process.pid), parent);
  writeFileSync(join(folder, "master.json"), "{}");
  writeFileSync(join(folder, "notes.txt"), "hello");
  removeFolder(folder);
  expect(readdirSync(folder)).toEqual(["notes.txt"]);
  rmSync(join(folder, "notes.txt"));
  removeFolder(folder);
  removeFolder(folder);
  expect(existsSync(folder)).toBe(false);
});

test("files of workers that are no more are kept from who cleans by age", () => {
  const folder = openFolder(identity(process.pid), parent);
  for (const name of ["0.v2.values", "notes.txt"]) {
    writeFileSync(join(folder, name), "");
    utimesSync(join(folder, name), 1000, 1000);
  }
  touchFiles(folder, 5_000_000);
  const timesOf = (name: string): number[] => [statSync(join(folder, name)).atimeMs, statSync(join(folder, name)).mtimeMs];
  // When they were written last still shows whether somebody writes.
  expect([timesOf("0.v2.values"), timesOf("notes.txt")]).toEqual([
    [5_000_000, 1_000_000],
    [1_000_000, 1_000_000],
  ]);
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

describe("a folder that is kept", () => {
  test.each([0o1777, 0o700, 0o755])("comes again for whom it was, with mode %o", (mode) => {
    const folder = join(parent, "temporary");
    mkdirSync(folder);
    chmodSync(folder, mode);
    const keep = keepFolder(folder);
    keep();
    rmSync(folder, { recursive: true });
    keep();
    expect(statSync(folder).mode & 0o7777).toBe(mode);
    openFolder(identity(process.pid), folder);
  });

  test("that was never there is not made, nor are those above it", () => {
    const above = join(parent, "above");
    const never = keepFolder(join(above, "never"));
    never();
    expect(existsSync(above)).toBe(false);
    mkdirSync(join(above, "temporary"), { recursive: true });
    const keep = keepFolder(join(above, "temporary"));
    rmSync(above, { recursive: true });
    expect(keep).toThrow(/ENOENT/);
    expect(existsSync(above)).toBe(false);
  });
});
