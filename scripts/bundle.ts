// Makes few files of the many that the command is made of, for a fast start: packages/tsserve/bundle. A part of `npm run build`.
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { rolldown, type Plugin, type RenderedChunk } from "rolldown";

const source = resolve("packages/tsserve/src");
const folder = "packages/tsserve/bundle";

const input = {
  bin: `${source}/bin.ts`,
  "first-instruction": `${source}/first-instruction.ts`,
  "import-module": `${source}/import-module.ts`,
  index: `${source}/index.ts`,
  http: `${source}/http.ts`,
  thrift: `${source}/thrift.ts`,
  queue: `${source}/queue.ts`,
};

/** Ours are taken in; what others wrote stays a package of its own, so that it is there once, whoever loads it. */
const isExternal = (id: string): boolean => !/^(\.{0,2}\/|@tsserve\/)/.test(id);

const imports = new Map<string, readonly string[]>();
const graph: Plugin = {
  name: "graph",
  moduleParsed: ({ id, importedIds }) => void imports.set(id, importedIds),
};

/** A module and all that it imports, but not what it loads later. */
function reach(ids: readonly string[], found: Set<string> = new Set()): Set<string> {
  for (const id of ids) {
    if (found.has(id) || !imports.has(id)) continue;
    found.add(id);
    reach(imports.get(id) ?? [], found);
  }
  return found;
}

const servers = [input.http, input.thrift, input.queue];
const commands = [`${source}/process-host.ts`, `${source}/commands/serve.ts`];

/**
 * What every start loads together becomes two files: `library` is what apps load as well, outside of the command, too; so nothing
 * that does something when it is loaded may be in it.
 */
function groupOf(): Map<string, string> {
  const [start, shared, library] = [reach(commands), reach(servers), reach([input.index])];
  const groups = new Map<string, string>();
  for (const id of start) {
    if (Object.values(input).includes(id)) continue;
    groups.set(id, library.has(id) || shared.has(id) ? "library" : "serve");
  }
  return groups;
}

/**
 * What an app may replace for the whole process, as fake timers, zone.js and bluebird do, on purpose or left over from a test. Ours are those that were
 * there when the first of our files was loaded: with timers that stand still no process would begin or stop. `fetch`, `Request`, `Response` and
 * `Headers` are not among them: an app's own are those that it answers with.
 */
const globals =
  "setTimeout clearTimeout setInterval clearInterval setImmediate clearImmediate queueMicrotask structuredClone AbortController AbortSignal " +
  "Buffer Date Promise TextDecoder TextEncoder URL URLSearchParams performance";

const taken = new Set<string>();

function takeGlobals({ name: file, modules }: RenderedChunk): string {
  const code = Object.values(modules).map((each) => each.code ?? "");
  const used = globals.split(" ").filter((name) => code.some((each) => new RegExp(String.raw`(?<![.\w$])${name}\b`).test(each)));
  if (used.length === 0) return "";
  // Nothing comes before that one, which should not wait for a file.
  const isFirst = file === "first-instruction";
  if (!isFirst) for (const name of used) taken.add(name);
  return `const { ${used.join(", ")} } = ${isFirst ? "globalThis" : 'require("./globals.cjs")'};`;
}

let found: Map<string, string> | undefined;
const groups = ["library", "serve"].map((name) => ({
  name,
  test: (id: string): boolean => (found ??= groupOf()).get(id) === name,
  includeDependenciesRecursively: false,
}));

const build = await rolldown({
  input,
  external: isExternal,
  resolve: { conditionNames: ["@tsserve/source", "node", "import"] },
  platform: "node",
  tsconfig: false,
  plugins: [graph],
  preserveEntrySignatures: "allow-extension",
});
rmSync(folder, { recursive: true, force: true });
const { output } = await build.write({
  dir: folder,
  format: "cjs",
  entryFileNames: "[name].cjs",
  chunkFileNames: "[name].cjs",
  dynamicImportInCjs: true,
  exports: "named",
  intro: takeGlobals,
  comments: false,
  codeSplitting: { groups },
});
await build.close();
writeFileSync(join(folder, "globals.cjs"), [...taken].map((name) => `exports.${name} = ${name};\n`).join(""));
// Where an app, or a library of its, has given every object one property more, that is no export.
const runtime = join(folder, "rolldown-runtime.cjs");
const [inherited, own] = ["for (var name in all)", "for (var name of Object.keys(all))"];
const helpers = readFileSync(runtime, "utf8");
if (!helpers.includes(inherited)) throw new Error(`${runtime} has no ${inherited} any more`);
writeFileSync(runtime, helpers.replace(inherited, own));
// A character beyond Latin-1 makes V8 keep the whole text of a file with two bytes for each character, and every start reads and compares
// those texts. In a literal, an escape means the same.
for (const chunk of output) {
  if (chunk.type !== "chunk") continue;
  const escaped = chunk.code.replace(/[^\0-\x7f]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`);
  if (escaped !== chunk.code) writeFileSync(join(folder, chunk.fileName), escaped);
}
// What imports by itself is compiled anew at each start (`compile-cache/compiled-modules.ts`), and each start loads these.
for (const chunk of output) {
  if (chunk.type !== "chunk" || !["serve", "library", "http", "thrift", "queue"].includes(chunk.name)) continue;
  if (/^(?!\s*(?:\*|\/\/|\/\*)).*\bimport\(/m.test(chunk.code))
    throw new Error(`${chunk.fileName} imports by itself: do that in a file that is an input of its own`);
}
// What apps import: `import` would have to guess the names of a CommonJS module's exports.
for (const chunk of output) {
  if (chunk.type !== "chunk" || !["index", "http", "thrift", "queue"].includes(chunk.name)) continue;
  const names = chunk.exports.toSorted();
  writeFileSync(
    join(folder, `${chunk.name}.js`),
    `import bundle from "./${chunk.fileName}";\n\nexport const {\n  ${names.join(",\n  ")},\n} = bundle;\n`,
  );
}
