import { mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { afterAll, describe, expect, test } from "vitest";
import { findPeer } from "./find-peer.ts";
import { requirePeer, resolvePeer } from "./resolve-peer.ts";

const root = realpathSync(mkdtempSync(join(tmpdir(), "tsserve-peers-")));
afterAll(() => rmSync(root, { recursive: true }));

/** @returns the path of the package's main file */
function install(folder: string, name: string, manifest: object = {}): string {
  const at = join(root, folder, "node_modules", name);
  mkdirSync(at, { recursive: true });
  writeFileSync(join(at, "package.json"), JSON.stringify({ name, version: "1.0.0", main: "main.js", ...manifest }));
  writeFileSync(join(at, "main.js"), "");
  return join(at, "main.js");
}

const ofApp = install("app", "both");
const ofServer = install("server", "both");
const ofServerAlone = install("server", "server-alone");
const ofAppAlone = install("app", "@scope/app-alone");
const ofParent = install(".", "above-both");
const app = join(root, "app");
const server = join(root, "server", "lib", "module.js");

describe("a package is found where", () => {
  test.each([
    ["both have it: the app's", "both", [app, server], ofApp],
    ["both have it, and the server is asked first", "both", [server, app], ofServer],
    ["the server alone has it", "server-alone", [app, server], ofServerAlone],
    ["the app alone has it", "@scope/app-alone", [app, server], ofAppAlone],
    ["the app alone has it, which is asked last", "@scope/app-alone", [server, app], ofAppAlone],
    ["a folder above has it", "above-both", [app, server], ofParent],
    ["a place is a module's URL", "both", [pathToFileURL(server).href], ofServer],
    ["a place is a file of TypeScript", "both", [join(app, "src.v2", "app.mts")], ofApp],
    ["a place is a folder with a dot", "both", [join(app, "release.2")], ofApp],
    ["a place is not known", "both", ["", server], ofServer],
    ["nobody has it", "nobody-has-it", [app, server], undefined],
    ["nobody is asked", "both", [], undefined],
  ])("%s", (_, name, from, expected) => {
    expect(resolvePeer(name, from)).toBe(expected);
  });
});

test("a package that is there without such an entry is no absent one", () => {
  install("app", "closed", { exports: { "./other": "./main.js" } });
  install("server", "closed");
  expect(() => resolvePeer("closed", [app, server])).toThrow(/exports/);
});

test("one that can't be loaded ends whoever needs it, and is passed over by who only looks for it", () => {
  for (const name of ["broken", "half-broken"]) writeFileSync(install("app", name), "throw new Error('broken');");
  writeFileSync(install("server", "half-broken"), "exports.isOfServer = true;");
  for (const name of ["broken", "half-broken"]) expect(() => requirePeer(name, [app, server])).toThrow("broken");
  expect(findPeer("broken", [app, server])).toBeUndefined();
  expect(findPeer("half-broken", [app, server])).toEqual({ isOfServer: true });
  expect([requirePeer("nobody-has-it", [app]), findPeer("nobody-has-it", [app])]).toEqual([undefined, undefined]);
});
