import { existsSync, readFileSync, statSync } from "node:fs";
import { createRequire } from "node:module";
import { basename, dirname, extname, join } from "node:path";
import { Script } from "node:vm";
import { stackText } from "@tsserve/config";

/** Whether Node would load a file as CommonJS: by its ending, by the nearest package.json, else by what stands in it. */
export function isCommonJs(path: string): boolean {
  if (/\.c[jt]s$/.test(path)) return true;
  if (/\.m[jt]s$/.test(path)) return false;
  const type = nearestManifest(dirname(path))?.type;
  if (type !== undefined) return type === "commonjs";
  return /\.[jt]sx?$/.test(path) && !hasModuleSyntax(path);
}

/** The package.json that is nearest above, and its `type`. */
function nearestManifest(folder: string): { readonly path: string; readonly type: string | undefined } | undefined {
  const path = join(folder, "package.json");
  if (existsSync(path) && statSync(path).isFile()) return { path, type: typeIn(path) };
  const above = dirname(folder);
  return above === folder || folder.endsWith("/node_modules") ? undefined : nearestManifest(above);
}

function typeIn(manifest: string): string | undefined {
  try {
    const { type } = JSON.parse(readFileSync(manifest, "utf8")) as { type?: unknown };
    return typeof type === "string" ? type : undefined;
  } catch {
    return undefined;
  }
}

/** V8's words for the syntax of ES modules where there can be none. */
const misplaced = /Cannot use import statement|Unexpected token 'export'|Cannot use 'import\.meta'/;

/**
 * What to do about a file that is written as an ES module, and that Node reads as CommonJS. A folder that `npm init` made is one where
 * it does: npm 11 writes `"type": "commonjs"`.
 *
 * @param error what loading it threw
 * @returns `undefined` for other errors
 */
export function esModuleHint(error: unknown): string | undefined {
  if (!(error instanceof SyntaxError) || !misplaced.test(error.message)) return undefined;
  const path = /^(\/.+):\d+\n/.exec(stackText(error))?.[1];
  if (path === undefined) return undefined;
  const file = basename(path);
  const renamed = `name it ${basename(path, extname(path))}.mjs`;
  if (path.endsWith(".cjs")) return `${file} is written as an ES module, and its ending makes it CommonJS: ${renamed}`;
  const manifest = nearestManifest(dirname(path));
  if (manifest?.type !== "commonjs") return undefined;
  return `${file} is written as an ES module, and "type": "commonjs" in ${manifest.path} makes it CommonJS: write "type": "module" there, or ${renamed}`;
}

/**
 * As Node's own detection: what does not compile as the body of a function, because of `import`, `export` or an `await` of its own, is
 * a module. TypeScript has types that do not compile either, so there the words decide.
 */
function hasModuleSyntax(path: string): boolean {
  const source = readFileSync(path, "utf8");
  if (/\.[jt]sx$|\.ts$/.test(path)) return /^\s*(?:import\s*(?:[\w{*"']|type\b)|export\s+(?:[\w{*]|default\b))/m.test(source);
  try {
    // oxlint-disable-next-line no-new -- compiled, never run
    new Script(`(async function (exports, require, module, __filename, __dirname) {${source.replace(/^#!.*/, "")}\n})`, { filename: path });
    return false;
  } catch (error) {
    return error instanceof SyntaxError && /\b(?:import|export)\b|Cannot use 'import\.meta'/.test(error.message);
  }
}

/**
 * Loads a CommonJS module as `require` does: it has a `module.parent`, and is not `require.main`, so that a file that serves by itself
 * when it is run does not do so here.
 *
 * @returns what it exports, as `import` would name it: `default` is the whole, or what compiled TypeScript calls so
 */
export function requireModule(path: string): Record<string, unknown> {
  const exports: unknown = createRequire(join(dirname(path), "tsserve-loads-from-here.cjs"))(path);
  const isObject = (typeof exports === "object" || typeof exports === "function") && exports !== null;
  const names = isObject ? Object.fromEntries(Object.entries(exports)) : {};
  const isCompiled = isObject && (exports as { __esModule?: unknown }).__esModule === true && Object.hasOwn(exports, "default");
  return { ...names, default: isCompiled ? (exports as { default: unknown }).default : exports };
}
