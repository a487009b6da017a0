import { existsSync } from "node:fs";
import Module, { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { moduleNotFound, placed } from "@tsserve/config";
import { compileWithMetadata, wantsMetadata } from "./decorator-metadata.ts";
import { importModule } from "./import-module.ts";

/** What tsx's hooks read when they are registered. */
interface TsxEnvironment {
  TSX_TSCONFIG_PATH?: string | undefined;
  FASTIFY_AUTOLOAD_TYPESCRIPT?: string | undefined;
}

/** What we use of tsx. */
interface TsxApi {
  readonly register: () => unknown;
}

/** Who compiles a module that is TypeScript; `none` where it is not. */
export type TypeScriptLoader = "tsx" | "node" | "none";

const typescript = /\.(?:[cm]?ts|[jt]sx)$/;
const strippable = /\.[cm]?ts$/;

/**
 * Makes TypeScript modules load, where the app is one: by tsx on every version of Node, the app's own or one that is installed beside
 * us, so that imports without extension, enums, decorators, `paths` and JSX are the same everywhere. Without tsx, Node strips the
 * types where it can (22.18 and later), and knows none of these. Stacks of compiled code are mapped to its source.
 *
 * @param place for messages
 * @throws {TsserveError} where neither is there
 */
export async function supportTypeScript(path: string, place: string, env: TsxEnvironment): Promise<TypeScriptLoader> {
  mapStacks();
  if (!typescript.test(path)) return "none";
  if (registeredFor !== undefined) return "tsx";
  const apis = await loadTsx(path);
  if (apis === undefined) return withoutTsx(path, place);
  const tsconfig = nearestTsconfig(dirname(path));
  // tsx would take the one of the working folder.
  if (tsconfig !== undefined) env.TSX_TSCONFIG_PATH ??= tsconfig;
  // @fastify/autoload takes plugins in TypeScript only when it is told that they load.
  env.FASTIFY_AUTOLOAD_TYPESCRIPT ??= "1";
  registeredFor = path;
  for (const api of apis) api.register();
  if (tsconfig !== undefined && wantsMetadata(tsconfig)) emitMetadata(path, tsconfig);
  return "tsx";
}

// The hooks are of the process: they are registered once.
let registeredFor: string | undefined;

const ownFolder = dirname(fileURLToPath(import.meta.url));

/**
 * Its hooks for ES modules and those for CommonJS. What `require` gives of the first looks for its files in the wrong folder (tsx
 * 4.23), so that is imported.
 */
async function loadTsx(path: string): Promise<TsxApi[] | undefined> {
  for (const from of [path, join(ownFolder, "tsserve-looks-from-here.js")]) {
    try {
      const require = createRequire(from);
      const folder = dirname(require.resolve("tsx/package.json"));
      const esm = (await importModule(pathToFileURL(join(folder, "dist/esm/api/index.mjs")).href)) as TsxApi;
      return [esm, require("tsx/cjs/api") as TsxApi];
    } catch {
      // It is not installed there.
    }
  }
  return undefined;
}

function withoutTsx(path: string, place: string): TypeScriptLoader {
  // Since 22.10; the types of Node 20 do not know it.
  const { typescript: strips } = process.features as { readonly typescript?: unknown };
  if (strips !== undefined && strips !== false && strippable.test(path)) return "node";
  const reason = strippable.test(path) ? `Node ${process.version} can't load TypeScript by itself` : "Node can't load JSX by itself";
  throw placed(place, moduleNotFound(`"tsx", which loads ${path}`, ` (${reason}): npm install tsx`));
}

/** Of an error of a TypeScript module that Node loaded by itself, and that tsx may well have loaded. */
export const tsxHint =
  "tsx is not installed, so Node loaded it by itself, which knows no enums, no decorators, no `paths`, and no imports without extension: npm install tsx";

/**
 * Those of installed packages are not read, where that can be told (22.14 and later): reading them takes longer than loading the
 * packages.
 */
function mapStacks(): void {
  const { setSourceMapsSupport } = Module as unknown as { setSourceMapsSupport?: (enabled: boolean, options: object) => void };
  if (setSourceMapsSupport === undefined) process.setSourceMapsEnabled(true);
  else setSourceMapsSupport(true, { nodeModules: false, generatedCode: false });
}

function nearestTsconfig(folder: string): string | undefined {
  const path = join(folder, "tsconfig.json");
  if (existsSync(path)) return path;
  const above = dirname(folder);
  return above === folder ? undefined : nearestTsconfig(above);
}

interface CompilingModule extends NodeJS.Module {
  _compile(code: string, filename: string): unknown;
}

/**
 * esbuild, and so tsx, leaves out the types that `emitDecoratorMetadata` writes for dependency injection (NestJS). Where the app has a
 * compiler that writes them, its CommonJS files are compiled by that.
 */
function emitMetadata(path: string, tsconfig: string): void {
  const compile = compileWithMetadata(createRequire(path), tsconfig);
  if (compile === undefined) return;
  const { _extensions: extensions } = Module as unknown as {
    _extensions: Record<string, (module: CompilingModule, filename: string) => void>;
  };
  const byTsx = extensions[".ts"];
  extensions[".ts"] = (module, filename) => {
    if (filename.includes("/node_modules/")) byTsx?.(module, filename);
    else module._compile(compile(filename), filename);
  };
}
