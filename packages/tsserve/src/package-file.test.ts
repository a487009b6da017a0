import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { packageFile } from "./package-file.ts";
import { version } from "./version.ts";

test("is of this package", () => {
  const manifest = JSON.parse(readFileSync(packageFile("package.json"), "utf8")) as { name: string; version: string };
  expect(manifest.name).toBe("tsserve");
  expect(version()).toBe(manifest.version);
  expect(packageFile("page/flame.html")).toMatch(/\/packages\/tsserve\/page\/flame\.html$/);
});
