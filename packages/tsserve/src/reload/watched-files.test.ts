import { describe, expect, test } from "vitest";
import { watchedFiles } from "./watched-files.ts";
import { watcherSettings } from "./watcher-settings.ts";

function files(settings: Readonly<Record<string, string>> = {}): ReturnType<typeof watchedFiles> {
  return watchedFiles("/home/.me/app", "/home/.me/app/config", watcherSettings(settings));
}

describe("what is watched", () => {
  for (const [path, watched] of [
    ["src/app.js", true],
    ["src/app.MTS", true],
    ["src/view.tsx", true],
    ["app.ini", true],
    [".env", true],
    [".env.local", true],
    ["strings.json", true],
    ["page.html", false],
    ["app.js.map", false],
    ["node_modules/x/index.js", false],
    ["src/node_modules/x/index.js", false],
    [".git/config.json", false],
    ["coverage/a.js", false],
  ] as const) {
    test(`${path}: ${watched}`, () => expect(files().isWatched(`/home/.me/app/${path}`)).toBe(watched));
  }
});

test("endings are written with or without a dot, or as a pattern", () => {
  for (const written of ["html", ".html", "*.html", "css, .HTML"]) {
    const { isWatched } = files({ "watcher.watched_file_endings": written });
    expect([isWatched("/home/.me/app/a/page.html"), isWatched("/home/.me/app/a/xhtml"), isWatched("/home/.me/app/a.js")]).toEqual([
      true,
      false,
      true,
    ]);
  }
});

test("folders are left out by name, anywhere, or by path from the INI file's folder", () => {
  const { isWatched, isIgnoredFolder } = files({ "watcher.ignored_dirs": "uploads, ../src/made/, /elsewhere" });
  expect(isIgnoredFolder("/home/.me/app/a/uploads")).toBe(true);
  expect(isWatched("/home/.me/app/uploads/data.json")).toBe(false);
  expect(isWatched("/home/.me/app/src/made/a.js")).toBe(false);
  expect(isWatched("/home/.me/app/src/made.js")).toBe(true);
  expect(isWatched("/elsewhere/a.js")).toBe(false);
});
