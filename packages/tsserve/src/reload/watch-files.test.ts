import { mkdirSync, mkdtempSync, realpathSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { watchFiles } from "./watch-files.ts";
import { watchedFiles } from "./watched-files.ts";
import { watcherSettings } from "./watcher-settings.ts";

const folders = 20;
const filesEach = 10;

// A folder of so many is read in several steps, and watched after the last one.
const many = 700;

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

function fill(name: string, count: number = filesEach): void {
  mkdirSync(join(root, name), { recursive: true });
  for (let file = 0; file < count; file++) writeFileSync(join(root, name, `${file}.js`), "");
}

function watch(onChange: (paths: readonly string[]) => void = () => undefined, looksAt: (path: string) => void = () => undefined): void {
  const files = watchedFiles(root, root, watcherSettings({}));
  const isIgnoredFolder = (path: string): boolean => {
    looksAt(path.slice(root.length + 1));
    return files.isIgnoredFolder(path);
  };
  close = watchFiles([root], { ...files, isIgnoredFolder }, (paths) => {
    for (const path of paths) told.add(path.slice(root.length + 1));
    onChange(paths);
  });
}

function renameIntoPlace(name: string): void {
  writeFileSync(join(root, `${name}.tmp`), "new");
  renameSync(join(root, `${name}.tmp`), join(root, name));
}

function makeIn(folder: string): void {
  mkdirSync(join(root, folder));
  writeFileSync(join(root, folder, "new.js"), "");
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

  const changes: Readonly<Record<string, readonly [change: () => void, paths: readonly string[]]>> = {
    "files that are written": [() => writeFileSync(join(root, "big/0.js"), "new"), ["big/0.js"]],
    "files that are renamed into place": [() => renameIntoPlace("big/0.js"), ["big/0.js"]],
    "files that are new": [
      () => ["big", "src"].forEach((folder) => writeFileSync(join(root, folder, "new.js"), "")),
      ["big/new.js", "src/new.js"],
    ],
    "files in folders that are new": [() => ["big/new", "src/new"].forEach(makeIn), ["big/new/new.js", "src/new/new.js"]],
    "files that are removed": [() => rmSync(join(root, "big/0.js")), ["big/0.js"]],
    "files in folders that are removed": [() => rmSync(join(root, "big"), { recursive: true }), ["big/0.js", "big/699.js"]],
  };
  const kinds = Object.entries(changes).map(([kind, [change, paths]]) => ({ kind, change, paths }));
  const ready = async (): Promise<void> => {
    fill("big", many);
    const written = Date.now();
    await vi.waitUntil(() => Date.now() > written + 50);
  };

  test.each(kinds.flatMap((each) => [0, 50, 70, 80, 90, 110, 130, 150].map((count) => ({ ...each, count }))))(
    "$kind, when the process stands still after $count turns",
    async ({ change, paths, count }) => {
      await ready();
      watch();
      await turns(count);
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 20);
      change();
      for (const path of paths) await isTold(path);
    },
  );

  test.each(kinds.flatMap((each) => [1, 2, 3, 4].map((look) => ({ ...each, look }))))(
    "$kind, between look $look at a file and the next",
    async ({ change, paths, look }) => {
      await ready();
      let looks = 0;
      watch(undefined, (path) => {
        if (path === "big/0.js" && ++looks === look) change();
      });
      for (const path of paths) await isTold(path);
    },
  );
});

test.each([1, 2, 3, 4])("so is what comes into a new folder while that is read, after look %d at a file of it", async (look) => {
  let looks = 0;
  watch(undefined, (path) => {
    if (path === "made/0.js" && ++looks === look) makeIn("made/deep");
  });
  writeFileSync(join(root, "first.js"), "");
  await isTold("first.js");
  fill(".stage", many);
  renameSync(join(root, ".stage"), join(root, "made"));
  await isTold("made/deep/new.js");
  writeFileSync(join(root, "made/deep/later.js"), "");
  await isTold("made/deep/later.js");
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
