import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { esModuleHint, isCommonJs, requireModule } from "./module-kind.ts";

const folder = mkdtempSync(join(tmpdir(), "tsserve-module-kind-"));
afterAll(() => rmSync(folder, { recursive: true }));

function write(name: string, text: string): string {
  const path = join(folder, name);
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, text);
  return path;
}

describe("whether a file is CommonJS", () => {
  write("commonjs/package.json", '{"type":"commonjs"}');
  write("module/package.json", '{"type":"module"}');
  write("broken/package.json", "{");
  write("untyped/package.json", "{}");
  test.each([
    ["module/a.cjs", "", true],
    ["module/a.cts", "", true],
    ["commonjs/a.mjs", "", false],
    ["commonjs/a.mts", "", false],
    ["commonjs/a.js", "export default 1;", true],
    ["commonjs/deep/er/a.ts", "", true],
    ["module/a.js", "module.exports = 1;", false],
    ["module/deep/a.tsx", "", false],
    ["untyped/a.js", "module.exports = 1;", true],
    ["untyped/b.js", "export default 1;", false],
    ["untyped/c.js", "import 'node:fs';", false],
    ["untyped/d.js", "const meta = import.meta.url;", false],
    ["untyped/e.js", "#!/usr/bin/env node\nmodule.exports = import('node:fs');", true],
    ["untyped/f.js", "const text = 'export default 1';", true],
    ["untyped/g.js", "// import x from 'y'\nexports.a = 1;", true],
    ["untyped/h.ts", "import type { A } from './a';\nexport const x: A = 1;", false],
    ["untyped/i.ts", "const a: number = 1;\nmodule.exports = a;", true],
    ["untyped/j.ts", "export = 1;", true],
    ["broken/a.js", "module.exports = 1;", true],
  ])("%s: %j", (name, text, expected) => expect(isCommonJs(write(name, text))).toBe(expected));
});

describe("what a CommonJS module exports", () => {
  test("names, and the whole as default", () => {
    const exports = requireModule(write("exports/a.cjs", "exports.a = 1; exports.b = 2;"));
    expect(exports).toEqual({ a: 1, b: 2, default: { a: 1, b: 2 } });
  });

  test("a function with names of its own", () => {
    const exports = requireModule(write("exports/b.cjs", "module.exports = () => 3; module.exports.settings = {};"));
    expect((exports["default"] as () => number)()).toBe(3);
    expect(exports["settings"]).toEqual({});
  });

  test("the default of compiled TypeScript", () => {
    const exports = requireModule(
      write("exports/c.cjs", "Object.defineProperty(exports, '__esModule', { value: true }); exports.default = 4; exports.a = 1;"),
    );
    expect(exports).toEqual({ a: 1, default: 4 });
  });

  test.each(["null", "undefined", "5", "'text'"])("%s is no reason to fail", (value) => {
    expect(() => requireModule(write(`exports/${value.replaceAll("'", "")}.cjs`, `module.exports = ${value};`))).not.toThrow();
  });

  test("it has a parent, and is not the main module", () => {
    const exports = requireModule(
      write("exports/d.cjs", "exports.parent = module.parent != null; exports.main = require.main === module;"),
    );
    expect(exports).toMatchObject({ parent: true, main: false });
  });
});

describe("what is said of a file that can't be loaded as CommonJS", () => {
  write("hints/package.json", '{"type":"commonjs"}');
  const thrownBy = (path: string): unknown => {
    try {
      return requireModule(path);
    } catch (error) {
      return error;
    }
  };
  const byManifest = `and "type": "commonjs" in ${join(folder, "hints/package.json")} makes it CommonJS: write "type": "module" there, or name it`;
  test.each([
    ["a.js", 'import fs from "node:fs";', `a.js is written as an ES module, ${byManifest} a.mjs`],
    ["b.js", "export const makeApp = 1;", `b.js is written as an ES module, ${byManifest} b.mjs`],
    ["c.js", "// an app\n\nexport default 1;", `c.js is written as an ES module, ${byManifest} c.mjs`],
    ["d.js", "const here = import.meta.url;", `d.js is written as an ES module, ${byManifest} d.mjs`],
    ["deep/er/e.js", "export {};", `e.js is written as an ES module, ${byManifest} e.mjs`],
    ["f.js", 'require("./a.js");', `a.js is written as an ES module, ${byManifest} a.mjs`],
    ["g.cjs", "export {};", "g.cjs is written as an ES module, and its ending makes it CommonJS: name it g.mjs"],
    ["h.js", "const = 1;", undefined],
    ["i.js", "throw new TypeError('Cannot use import statement');", undefined],
  ])("%s: %s", (name, source, hint) => {
    expect(esModuleHint(thrownBy(write(`hints/${name}`, source)))).toBe(hint);
  });

  const thrownAt = (path: string, error: Error): Error =>
    Object.assign(error, { stack: `${path}:1\nexport {};\n^^^^^^\n\n${String(error)}` });
  const misplaced = "Unexpected token 'export'";
  const file = write("hints/made-up.js", "export {};");
  test.each([
    [
      "a syntax error in a file",
      thrownAt(file, new SyntaxError(misplaced)),
      expect.stringContaining("made-up.js is written as an ES module"),
    ],
    ["another error with its words", thrownAt(file, new TypeError(misplaced)), undefined],
    ["a syntax error of no file", thrownAt("evalmachine.<anonymous>", new SyntaxError(misplaced)), undefined],
    [
      "a file that no package.json makes CommonJS",
      thrownAt(write("untold/package.json", "{}").replace("package.json", "a.js"), new SyntaxError(misplaced)),
      undefined,
    ],
    ["what is no error", misplaced, undefined],
    ["nothing", undefined, undefined],
  ])("%s", (_what, error, hint) => {
    expect(esModuleHint(error)).toEqual(hint);
  });
});
