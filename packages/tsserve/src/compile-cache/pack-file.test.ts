import { execFileSync } from "node:child_process";
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, truncateSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { readPackFile, writePackFile, writtenAtMs } from "./pack-file.ts";

const uid = process.geteuid?.() ?? 0;

let folder: string;
let path: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "tsserve-packs-"));
  path = join(folder, "pack");
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

test("is read as it was written, and by nobody else", () => {
  writePackFile(path, Buffer.from("one"), 1);
  writePackFile(path, Buffer.from("another"), 1);
  expect(readPackFile(path, uid)?.bytes.toString()).toBe("another");
  expect(readPackFile(path, uid)?.writtenAtMs).toBe(writtenAtMs(path));
  expect(readdirSync(folder)).toEqual(["pack"]);
});

test("has no time where it may not be looked at, which ends nothing", () => {
  symlinkSync(path, path);
  for (const each of [path, join(path, "pack"), join(folder, "none")]) expect(writtenAtMs(each)).toBe(0);
});

describe("is not read", () => {
  const cases: Readonly<Record<string, () => void>> = {
    "that is not there": () => undefined,
    "that others may write to": () => {
      writeFileSync(path, "x");
      chmodSync(path, 0o666);
    },
    "behind a link": () => {
      writeFileSync(join(folder, "elsewhere"), "x");
      symlinkSync(join(folder, "elsewhere"), path);
    },
    "that is a folder": () => mkdirSync(path),
    "that is a pipe, which would have the start wait": () => void execFileSync("mkfifo", [path]),
    "that is larger than any pack": () => {
      writeFileSync(path, "x");
      truncateSync(path, 65 * 1024 * 1024);
    },
  };
  test.each(Object.entries(cases))("a file %s", (_name, make) => {
    make();
    expect(readPackFile(path, uid)).toBeUndefined();
  });

  test("that of another user", () => {
    writePackFile(path, Buffer.from("x"), 1);
    expect(readPackFile(path, uid + 1)).toBeUndefined();
    expect(readPackFile(path, undefined)).toBeUndefined();
  });
});

test("a folder that is not there is told, and nothing is left of a draft that could not take its place", () => {
  expect(() => writePackFile(join(folder, "none/pack"), Buffer.from("x"), 1)).toThrow();
  mkdirSync(path);
  writeFileSync(join(path, "full"), "");
  expect(() => writePackFile(path, Buffer.from("x"), 1)).toThrow();
  expect(readdirSync(folder)).toEqual(["pack"]);
});

test("the oldest beyond 32 are removed, drafts of killed processes among them", () => {
  for (let age = 1; age <= 40; age++) {
    const old = join(folder, age === 40 ? "old-40.4711" : `old-${age}`);
    writeFileSync(old, "x");
    utimesSync(old, Date.now() / 1000 - age * 60, Date.now() / 1000 - age * 60);
  }
  writePackFile(path, Buffer.from("x"), 1);
  const expected = ["pack", ...Array.from({ length: 31 }, (_, index) => `old-${index + 1}`)];
  expect(readdirSync(folder).toSorted()).toEqual(expected.toSorted());
});
