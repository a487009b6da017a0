import { makeTemporaryFolder } from "@tsserve/testing";
import { join } from "node:path";
import { expect, test } from "vitest";
import { projectFolder } from "./project-folder.ts";

test.each([
  ["of its own", ["package.json", "a/package.json"], "a", "a"],
  ["of a folder above", ["package.json"], "a/b/c", "."],
  ["of the nearest one above", ["package.json", "a/package.json"], "a/b/c", "a"],
  ["of nobody", [], "a/b", "a/b"],
])("is that with the package.json %s", (_, files, folder, found) => {
  using place = makeTemporaryFolder(Object.fromEntries(files.map((name) => [name, "{}"])));
  expect(projectFolder(join(place.path, folder))).toBe(join(place.path, found));
});

test("the root is nobody's project, but its own", () => {
  expect([projectFolder("/"), projectFolder("/no/such/folder")]).toEqual(["/", "/no/such/folder"]);
});
