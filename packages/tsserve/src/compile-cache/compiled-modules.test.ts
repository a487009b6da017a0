import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { CompiledModules } from "./compiled-modules.ts";
import { moduleInternals as Module } from "./module-internals.ts";
import { markOf, readPack, writePack, type CompiledModule } from "./pack.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "tsserve-compiled-"));
  mkdirSync(join(folder, "node_modules/library"), { recursive: true });
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const write = (name: string, source: string): void => writeFileSync(join(folder, name), source);

/** As another process would, that knows nothing of these modules. */
function load(name: string): unknown {
  for (const path of Object.keys(Module._cache)) if (path.startsWith(folder)) delete Module._cache[path];
  return createRequire(join(folder, "from-here.js"))(name) as unknown;
}

/** One start: what the module exports, what there is to keep, and whether it is news. */
function start(name: string, known: readonly CompiledModule[] = []): { exports: unknown; kept: CompiledModule[]; hasNews: boolean } {
  const modules = new CompiledModules(readPack(writePack(known)));
  try {
    const exports = load(name);
    return { exports, hasNews: modules.hasNews, kept: [...modules.take()] };
  } finally {
    modules.close();
  }
}

test("the second start takes what the first one compiled, and a changed module is compiled anew", () => {
  write("a.cjs", `const b = require("./b.cjs"); exports.of = () => "a of " + b;`);
  write("b.cjs", `module.exports = "b";`);
  const first = start("./a.cjs");
  expect(first.kept.map(({ path }) => path)).toEqual([join(folder, "a.cjs"), join(folder, "b.cjs")]);
  expect(first.hasNews).toBe(true);
  const second = start("./a.cjs", first.kept);
  expect((second.exports as { of(): string }).of()).toBe("a of b");
  expect(second.hasNews).toBe(false);
  write("b.cjs", `module.exports = "c";`);
  const third = start("./a.cjs", second.kept);
  expect((third.exports as { of(): string }).of()).toBe("a of c");
  expect(third.hasNews).toBe(true);
});

test("what an earlier start has loaded is compiled ahead, without being run", () => {
  write("a.cjs", `globalThis.ran = [...(globalThis.ran ?? []), "a"]; require("./b.cjs"); require("./c.cjs"); require("./d.cjs");`);
  for (const name of ["b", "c", "d"]) write(`${name}.cjs`, `globalThis.ran.push("${name}"); exports.name = "${name}";`);
  const { ran } = globalThis as { ran?: string[] };
  expect(ran).toBeUndefined();
  const first = start("./a.cjs");
  const modules = new CompiledModules(readPack(writePack(first.kept)));
  const took = globalThis as unknown as { ran: string[] };
  took.ran = [];
  // One of them changes before it is compiled ahead, one after that, and one is gone meanwhile.
  write("b.cjs", `globalThis.ran.push("new b");`);
  expect([modules.compileAhead(), modules.compileAhead()]).toEqual([true, true]);
  rmSync(join(folder, "c.cjs"));
  expect([modules.compileAhead(), modules.compileAhead(), modules.compileAhead()]).toEqual([true, false, false]);
  expect([took.ran, modules.hasNews]).toEqual([[], false]);
  write("c.cjs", `globalThis.ran.push("new c");`);
  write("d.cjs", `globalThis.ran.push("new d");`);
  load("./a.cjs");
  expect([took.ran, modules.hasNews]).toEqual([["a", "new b", "new c", "new d"], true]);
  modules.close();
  expect(modules.compileAhead()).toBe(false);
});

test("what was compiled ahead is what is loaded, and no news", () => {
  write("a.cjs", `exports.b = require("./b.cjs");`);
  write("b.cjs", `module.exports = "b";`);
  const { kept } = start("./a.cjs");
  const modules = new CompiledModules(readPack(writePack(kept)));
  while (modules.compileAhead());
  // Whoever reads the files now gets the same text: what was compiled ahead is taken by that.
  expect([load("./a.cjs"), modules.hasNews]).toEqual([{ b: "b" }, false]);
  expect([...modules.take()].map(({ path }) => path)).toEqual(kept.map(({ path }) => path));
  modules.close();
});

test("what V8 does not take is compiled anew", () => {
  // Not compiled by this process yet: V8 would not look at what it is given.
  const source = `module.exports = ${Date.now()} ? 1 : 0;`;
  write("a.cjs", source);
  const other = { path: join(folder, "a.cjs"), source: markOf(source), data: Buffer.from("of another version of V8") };
  expect(start("./a.cjs", [other])).toMatchObject({ exports: 1, hasNews: true });
});

test("a module sees what Node would give it", () => {
  const told = `({
    self: this === exports && exports === module.exports, folder: __dirname, file: __filename,
    resolved: require.resolve("./b.cjs"), paths: require.resolve.paths("./b.cjs"), main: require.main === process.mainModule,
    loads: typeof require.extensions[".js"], cached: require.cache[__filename] === module, parent: module.parent?.filename,
    children: module.children.length, names: [typeof require, arguments.length], place: new Error("x").stack.split("\\n")[1].replace(/.*:(\\d+:\\d+)\\)$/, "$1")
  })`;
  write("a.cjs", `require("./b.cjs"); module.exports = ${told};`);
  write("b.cjs", "");
  const byNode = load("./a.cjs");
  const { exports, kept } = start("./a.cjs");
  expect(exports).toEqual(byNode);
  expect(start("./a.cjs", kept).exports).toEqual(byNode);
});

test.each([
  ["with a syntax error", "const = 1;"],
  ["that throws", `throw new TypeError("boom");`],
])("a module %s fails as with Node", (_name, source) => {
  write("a.cjs", `// a line before\n${source}`);
  const failure = (run: () => unknown): string => {
    try {
      return `loaded ${String(run())}`;
    } catch (error) {
      return (error as Error).stack?.split("\n").slice(0, 5).join("\n") ?? "";
    }
  };
  const byNode = failure(() => load("./a.cjs"));
  expect(byNode).not.toMatch(/^loaded/);
  expect(
    failure(() => start("./a.cjs").exports)
      .split("\n")
      .slice(0, 2),
  ).toEqual(byNode.split("\n").slice(0, 2));
});

test("scripts are left to Node that import while they run, that have a source map of the user's own, or that start with #!", () => {
  write("a.cjs", `require("./imports.cjs"); require("./mapped.cjs"); require("./program.cjs"); require("library");`);
  write("imports.cjs", `exports.load = () => import("node:fs");`);
  write("mapped.cjs", `exports.a = 1;\n//# sourceMappingURL=mapped.cjs.map`);
  write("program.cjs", `#!/usr/bin/env node\nexports.a = 1;`);
  write(
    "node_modules/library/index.js",
    `/** @type {import("node:fs").Stats} */\n// import("x")\nexports.a = 1;\n//# sourceMappingURL=index.js.map`,
  );
  expect(start("./a.cjs").kept.map(({ path }) => path.slice(folder.length))).toEqual(["/a.cjs", "/node_modules/library/index.js"]);
});

test("once it is closed, Node compiles again, unless somebody else does by now", () => {
  const byNode = Module.prototype._compile;
  const modules = new CompiledModules(new Map());
  expect(Module.prototype._compile).not.toBe(byNode);
  modules.close();
  expect(Module.prototype._compile).toBe(byNode);
  const more = new CompiledModules(new Map());
  const ours = Module.prototype._compile;
  const others: typeof byNode = function (content, filename, format) {
    return ours.call(this, content, filename, format);
  };
  Module.prototype._compile = others;
  more.close();
  expect(Module.prototype._compile).toBe(others);
  Module.prototype._compile = byNode;
});
