import { existsSync } from "node:fs";
import Module, { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { importModule } from "./import-module.ts";
import { compileWithMetadata, wantsMetadata } from "./decorator-metadata.ts";

/** What tsx's hooks read when they are registered. */
interface TsxEnvironment {
  TSX_TSCONFIG_PATH?: string | undefined;
  FASTIFY_AUTOLOAD_TYPESCRIPT?: string | undefined;
}

const typescript = /\.(?:[cm]?ts|[jt]sx)$/;

/**
 * Makes TypeScript modules load, where the app is one: by tsx on every version of Node, so that imports without extension, enums,
 * decorators, `paths` and JSX are the same everywhere; what Node itself strips (22.18 and later) knows none of them. Stacks
 * of compiled code are mapped to its source.
 */
export async function supportTypeScript(path: string, env: TsxEnvironment): Promise<void> {
  process.setSourceMapsEnabled(true);
  if (!typescript.test(path) || registeredFor !== undefined) return;
  const tsconfig = nearestTsconfig(dirname(path));
  // tsx would take the one of the working folder.
  if (tsconfig !== undefined) env.TSX_TSCONFIG_PATH ??= tsconfig;
  // @fastify/autoload takes plugins in TypeScript only when it is told that they load.
  env.FASTIFY_AUTOLOAD_TYPESCRIPT ??= "1";
  registeredFor = path;
  const [esm, cjs] = (await Promise.all([importModule("tsx/esm/api"), importModule("tsx/cjs/api")])) as [
    typeof import("tsx/esm/api"),
    typeof import("tsx/cjs/api"),
  ];
  esm.register();
  cjs.register();
  if (tsconfig !== undefined && wantsMetadata(tsconfig)) emitMetadata(path, tsconfig);
}

// The hooks are of the process: they are registered once.
let registeredFor: string | undefined;

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
