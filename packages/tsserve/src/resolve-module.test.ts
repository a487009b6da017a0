import { chmodSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { isTsserveError } from "@tsserve/config";
import { makeTemporaryFolder } from "@tsserve/testing";
import { afterAll, describe, expect, test } from "vitest";
import { resolveModule } from "./resolve-module.ts";

const packageFile = (fields: object): string => JSON.stringify({ version: "1.0.0", ...fields });
const temporary = makeTemporaryFolder({
  "etc/app.ini": "",
  "etc/app.js": "",
  "etc/App.Main.mjs": "",
  "etc/server.ts": "",
  "etc/with space & ü.js": "",
  "etc/lib/index.js": "",
  "etc/bare.js": "",
  "node_modules/plain/package.json": packageFile({ name: "plain", main: "main.cjs" }),
  "node_modules/plain/main.cjs": "",
  "node_modules/plain/sub.js": "",
  "node_modules/@scope/deep/package.json": packageFile({ name: "@scope/deep", exports: { ".": "./a.js", "./server": "./b.js" } }),
  "node_modules/@scope/deep/a.js": "",
  "node_modules/@scope/deep/b.js": "",
  "node_modules/@scope/deep/hidden.js": "",
  "node_modules/imported/package.json": packageFile({
    name: "imported",
    type: "module",
    exports: { ".": { import: "./index.js" }, "./*": { import: "./lib/*.js" }, "./gone": { import: "./gone.js" } },
  }),
  "node_modules/imported/index.js": "",
  "node_modules/imported/lib/server.js": "",
});
const folder = join(temporary.path, "etc");
afterAll(() => temporary.remove());

async function failureOf(specifier: string): Promise<string> {
  const thrown: unknown = await resolveModule(specifier, folder).catch((error: unknown) => error);
  if (!isTsserveError(thrown)) throw new Error(`${specifier} gave ${String(thrown)}`);
  return thrown.message;
}

describe("a folder that can't be read", () => {
  // Who may do everything is refused no folder: a file in the place of one is.
  test("is told of, with the reason", async () => {
    expect(await failureOf("./app.js/inner.js")).toMatch(/app\.js can't be read: ENOTDIR/);
    expect(await failureOf("./no/such/app.js")).toMatch(/\(the folder .*\/no\/such does not exist\)$/);
  });

  test.skipIf(process.getuid?.() !== 0)("is told of as such to whoever has no right to", async () => {
    const locked = makeTemporaryFolder({ "app.js": "" });
    chmodSync(locked.path, 0o700);
    process.seteuid?.(65_534);
    try {
      await expect(resolveModule("./app.js", locked.path)).rejects.toThrow(`(the folder ${locked.path} can't be read: permission denied)`);
    } finally {
      process.seteuid?.(0);
      locked.remove();
    }
  });
});

describe("a path", () => {
  test.each([
    ["./app.js", "etc/app.js"],
    ["../etc/app.js", "etc/app.js"],
    ["./lib/index.js", "etc/lib/index.js"],
    ["./lib/../app.js", "etc/app.js"],
    ["./with space & ü.js", "etc/with space & ü.js"],
    ["../node_modules/plain/sub.js", "node_modules/plain/sub.js"],
  ])("%s is looked for from the folder of the file", async (specifier, path) => {
    expect(await resolveModule(specifier, folder)).toBe(pathToFileURL(join(temporary.path, path)).href);
  });

  test("that is absolute is what it says", async () => {
    const path = join(folder, "app.js");
    expect(await resolveModule(path, "/nowhere")).toBe(pathToFileURL(path).href);
  });

  test.each([
    ["./ap.js", ', did you mean "app.js"?'],
    ["./server.js", ', did you mean "server.ts"?'],
    ["./app", ', did you mean "app.js"?'],
    ["./App.Main.js", ', did you mean "App.Main.mjs"?'],
    ["./lib", " (it is a folder; name the file in it)"],
    ["./nowhere/app.js", "/etc/nowhere does not exist)"],
    ["./quite-another-name.js", "quite-another-name.js"],
  ])("%s is not there, and the message helps", async (specifier, expected) => {
    const message = await failureOf(specifier);
    expect(message).toContain(join(folder, specifier));
    expect(message).toContain(expected);
  });

  test("that nothing is like is not guessed", async () => {
    expect(await failureOf("./quite-another-name.js")).not.toContain("did you mean");
  });
});

describe("a package", () => {
  test.each([
    ["plain", "plain/main.cjs"],
    ["plain/sub.js", "plain/sub.js"],
    ["@scope/deep", "@scope/deep/a.js"],
    ["@scope/deep/server", "@scope/deep/b.js"],
    ["imported", "imported/index.js"],
    ["imported/server", "imported/lib/server.js"],
  ])(
    "%s is found where the folder of the file finds its packages, whether it can be required or only imported",
    async (specifier, path) => {
      expect(await resolveModule(specifier, folder)).toBe(pathToFileURL(join(temporary.path, "node_modules", path)).href);
    },
  );

  test("of Node's own is one", async () => {
    expect(await resolveModule("node:path", folder)).toBe("node:path");
  });

  test.each([
    ["@scope/deep/hidden.js", " (the package exports no such subpath)"],
    ["imported/gone", "(the package exports no such subpath)"],
    ["missing", "is not installed where"],
    ["missing/sub", "is not installed where"],
    ["bare.js", ', did you mean "./bare.js"?'],
    ["lib/index.js", ', did you mean "./lib/index.js"?'],
  ])("%s is none, and the message says why", async (specifier, expected) => {
    const message = await failureOf(specifier);
    expect(message).toContain(`"${specifier}" is not installed where ${folder} finds its packages`);
    expect(message).toContain(expected);
  });
});
