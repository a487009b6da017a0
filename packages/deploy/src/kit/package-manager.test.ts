import { expect, test } from "vitest";
import { imageSteps, packageManagerOf, type PackageManager } from "./package-manager.ts";

const classic = "# yarn lockfile v1\n\n\nfastify@^5:\n";
const berry = "# This file is generated\n\n__metadata:\n  version: 8\n";

test.each<[string, Record<string, string>, PackageManager]>([
  ["nothing", {}, "none"],
  ["npm's lock file", { "package-lock.json": "{}" }, "npm"],
  ["npm's other lock file", { "npm-shrinkwrap.json": "{}" }, "npm"],
  ["an empty lock file", { "package-lock.json": "" }, "npm"],
  ["pnpm's", { "pnpm-lock.yaml": "lockfileVersion: '9.0'\n" }, "pnpm"],
  ["Yarn's", { "yarn.lock": berry }, "yarn"],
  ["that of Yarn 1", { "yarn.lock": classic }, "yarn-classic"],
  ["that of Yarn 1, with a package of that name", { "yarn.lock": `${classic}  __metadata: 1\n` }, "yarn-classic"],
  ["npm's and Yarn's", { "yarn.lock": berry, "package-lock.json": "{}" }, "npm"],
])("with %s", (_, files, manager) => {
  expect(packageManagerOf((name) => files[name])).toBe(manager);
});

test.each(Object.entries(imageSteps))(
  "%s installs from what is copied before, and builds where there is something to build",
  (_, steps) => {
    expect(steps.files[0]).toBe("package.json");
    expect(steps.install).toMatch(/\b(?:ci|install)\b/);
    expect(steps.build).toMatch(/--if-present/);
  },
);
