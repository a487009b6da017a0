import { mkdirSync, mkdtempSync, realpathSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { watchFiles } from "./watch-files.ts";
import { watchedFiles } from "./watched-files.ts";
import { watcherSettings } from "./watcher-settings.ts";

const folders = 20;
const filesEach = 10;

let root: string;
let close: () => void;
let told: Set<string>;
beforeEach(async () => {
  root = realpathSync(mkdtempSync(join(tmpdir(), "tsserve-watch-")));
  for (let folder = 0; folder < folders; folder++) fill(`src/${folder}`);
  told = new Set();
  // What was written a moment ago counts as written since.
  const written = Date.now();
  await vi.waitUntil(() => Date.now() > written + 50);
});
afterEach(() => {
  close();
  rmSync(root, { recursive: true });
});

function fill(name: string): void {
  mkdirSync(join(root, name), { recursive: true });
  for (let file = 0; file < filesEach; file++) writeFileSync(join(root, name, `${file}.js`), "");
}

function watch(onChange: (paths: readonly string[]) => void = () => undefined): void {
  close = watchFiles([root], watchedFiles(root, root, watcherSettings({})), (paths) => {
    for (const path of paths) told.add(path.slice(root.length + 1));
    onChange(paths);
  });
}

function renameIntoPlace(name: string): void {
  writeFileSync(join(root, `${name}.tmp`), "new");
  renameSync(join(root, `${name}.tmp`), join(root, name));
}

const isTold = (name: string): Promise<boolean> => vi.waitUntil(() => told.has(name), { timeout: 60_000 });
const turns = async (count: number): Promise<void> => {
  for (let turn = 0; turn < count; turn++) await new Promise((resolve) => setImmediate(resolve));
};

describe("what changes while the folders are read for the first time is told of", () => {
  test.each([0, 1, 3, 10, 30, 100])("after %d turns of the event loop", async (count) => {
    watch();
    await turns(count);
    for (const name of ["src/0/0.js", "src/7/3.js", "src/19/9.js"]) renameIntoPlace(name);
    for (const name of ["src/0/0.js", "src/7/3.js", "src/19/9.js"]) await isTold(name);
    expect(told.size).toBe(3);
  });
});

test.each([0, 10, 100])("so is what changes when another folder has come under the name of a known one, after %d turns", async (count) => {
  let next = (): void => undefined;
  const changed = new Promise<void>((resolve) => (next = resolve));
  watch(next);
  writeFileSync(join(root, "first.js"), "");
  await isTold("first.js");
  await changed;
  fill("src.new/5");
  renameSync(join(root, "src"), join(root, "src.old"));
  renameSync(join(root, "src.new"), join(root, "src"));
  await isTold("src/5/5.js");
  told.clear();
  await turns(count);
  renameIntoPlace("src/5/5.js");
  await isTold("src/5/5.js");
  expect([...told].filter((name) => basename(name).endsWith(".tmp"))).toEqual([]);
});
