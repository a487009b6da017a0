import { mkdirSync, renameSync, rmSync, symlinkSync } from "node:fs";
import { makeTemporaryFolder } from "@tsserve/testing";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { Host } from "../host.ts";
import { workingFolder } from "./spawn-worker.ts";

let folder: ReturnType<typeof makeTemporaryFolder>;
beforeEach(() => {
  folder = makeTemporaryFolder({});
  mkdirSync(`${folder.path}/releases/1`, { recursive: true });
  mkdirSync(`${folder.path}/releases/2`);
  symlinkSync("releases/1", `${folder.path}/current`);
});
afterEach(() => folder.remove());

/** As a shell starts it: `PWD` is the name by which it went there. */
const startedIn = (named: string | undefined, cwd: string): (() => string) => {
  const env = named === undefined ? {} : { PWD: named };
  return workingFolder({ env, cwd } as unknown as Host);
};
const one = (): string => `${folder.path}/releases/1`;
const current = (): string => `${folder.path}/current`;

test("is the one that the shell named, which may lead elsewhere by now", () => {
  const now = startedIn(current(), one());
  symlinkSync("releases/2", `${folder.path}/next`);
  renameSync(`${folder.path}/next`, current());
  rmSync(one(), { recursive: true });
  expect(now()).toBe(current());
});

test.each([
  ["without PWD", () => undefined],
  ["where PWD is relative", () => "current"],
  ["where PWD led elsewhere at the start", () => `${folder.path}/releases/2`],
])("is that of the process %s", (_, named) => {
  expect(startedIn(named(), one())()).toBe(one());
});

test("is that of the process where what the shell named has gone", () => {
  const now = startedIn(current(), one());
  rmSync(current());
  expect(now()).toBe(one());
});

test.each(["without PWD", "with PWD"])("is the root where it has gone, %s: nothing can be started in it", (which) => {
  const now = startedIn(which === "with PWD" ? one() : undefined, one());
  rmSync(one(), { recursive: true });
  expect(now()).toBe("/");
});
