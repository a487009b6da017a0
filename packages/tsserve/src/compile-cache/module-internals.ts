import Module from "node:module";

/** A CommonJS module as Node's loader handles it. */
export interface CompilingModule extends NodeJS.Module {
  _compile(this: CompilingModule, content: string, filename: string, format?: string): unknown;
}

/** What CommonJS loaders of others have relied on for ten years, but Node's documentation does not tell. */
interface ModuleInternals {
  readonly prototype: CompilingModule;
  wrap(source: string): string;
  _resolveFilename(request: string, parent: CompilingModule, isMain: boolean, options?: object): string;
  _resolveLookupPaths(request: string, parent: CompilingModule): string[] | null;
  readonly _extensions: NodeJS.Require["extensions"];
  readonly _cache: NodeJS.Require["cache"];
}

export const moduleInternals: ModuleInternals = Module as unknown as ModuleInternals;
