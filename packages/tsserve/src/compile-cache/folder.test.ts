import { chmodSync, existsSync, lstatSync, mkdirSync, mkdtempSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { compileCacheFolder } from "./folder.ts";

const uid = process.geteuid?.() ?? 0;

let home: string;
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), "tsserve-home-"));
});
afterEach(() => rmSync(home, { recursive: true, force: true }));

test("is below the user's cache folder, which is made where it is missing, for this user alone", () => {
  expect(compileCacheFolder({ HOME: home }, uid)).toBe(join(home, ".cache/tsserve"));
  expect(lstatSync(join(home, ".cache/tsserve")).mode & 0o777).toBe(0o700);
  const cache = join(home, "own");
  expect(compileCacheFolder({ HOME: home, XDG_CACHE_HOME: cache }, uid)).toBe(join(cache, "tsserve"));
});

test("a folder of ours that others may read is closed to them", () => {
  mkdirSync(join(home, ".cache/tsserve"), { recursive: true });
  chmodSync(join(home, ".cache/tsserve"), 0o755);
  expect(compileCacheFolder({ HOME: home }, uid)).toBeDefined();
  expect(lstatSync(join(home, ".cache/tsserve")).mode & 0o777).toBe(0o700);
});

describe("there is none", () => {
  const refused = (env: Record<string, string> = { HOME: home }, user: number | undefined = uid): void =>
    expect(compileCacheFolder(env, user)).toBeUndefined();

  test("without a home, or in one that can't be written to", () => {
    refused({});
    refused({ HOME: "relative" });
    refused({ HOME: "/proc" });
    refused({ HOME: join(home, "none/such") });
  });

  test("in somebody else's home", () => refused({ HOME: home }, uid + 1));

  test("in a home, a cache folder or a folder of ours that others may write to", () => {
    for (const folder of ["", ".cache", ".cache/tsserve"]) {
      mkdirSync(join(home, ".cache/tsserve"), { recursive: true });
      chmodSync(join(home, folder), 0o777);
      refused();
      chmodSync(join(home, folder), 0o700);
    }
  });

  test("behind a link", () => {
    const elsewhere = join(home, "elsewhere");
    mkdirSync(elsewhere);
    mkdirSync(join(home, ".cache"));
    symlinkSync(elsewhere, join(home, ".cache/tsserve"));
    refused();
    rmSync(join(home, ".cache"), { recursive: true });
    symlinkSync(elsewhere, join(home, ".cache"));
    refused();
    expect(existsSync(join(elsewhere, "tsserve"))).toBe(false);
  });
});
