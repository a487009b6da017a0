import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { releaseOf } from "./release-of.ts";

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "tsserve-release-"));
  mkdirSync(join(root, "a", "b"), { recursive: true });
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

describe("the release of an app", () => {
  it.each([
    ["beside the file", "a/b", '{"name":"shop","version":"1.4.0"}', "shop@1.4.0"],
    ["above it", ".", '{"name":"@team/shop","version":"2.0.0-rc.1"}', "@team/shop@2.0.0-rc.1"],
    ["without a name", "a", '{"version":"3.0.0"}', "3.0.0"],
  ])("is that of the package.json %s", (_where, place, text, release) => {
    writeFileSync(join(root, place, "package.json"), text);
    expect(releaseOf(join(root, "a", "b"))).toBe(release);
  });

  it.each(["{}", "{", "[]", "null", '{"version":7}'])("goes on upwards past a package.json of %s", (text) => {
    writeFileSync(join(root, "package.json"), '{"name":"root","version":"1.0.0"}');
    writeFileSync(join(root, "a", "package.json"), text);
    expect(releaseOf(join(root, "a", "b"))).toBe("root@1.0.0");
  });
});
